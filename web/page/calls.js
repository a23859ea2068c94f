/**
 * Which tabs have a call. One microphone is in one room over all tabs of a profile, unless the user says
 * otherwise. Each call holds a lock whose name says which room it is of; who joins steals those of the
 * others, whose calls end then: one after the other, so that two that join at once do not end each other.
 *
 *     lock "wzp call {id} {room}" ── stolen ──> the call ends, and its tab says so
 *     channel "wzp call" ── "something changed" ──> the doors of other tabs look again
 */

import { roomKey } from './address.js';

export const prefix = 'wzp call ';
export const change = 'wzp call';

/**
 * A call in another tab; `here`: of the room that was asked for.
 * @typedef {{room: string, here: boolean}} Call
 */

/** @param {string} room of the address, '' for none @returns {Promise<Call[]>} of other tabs */
export async function callsElsewhere(room) {
  const calls = (await heldLocks()).map((name) => keyOf(name));
  return calls.map((key) => ({ room: key.slice(key.indexOf('\0') + 1), here: key === roomKey(room) }));
}

/** Calls back when calls in other tabs may have begun or ended. @param {() => void} changed */
export function watchCalls(changed) {
  new BroadcastChannel(change).onmessage = changed;
  document.addEventListener('visibilitychange', () => document.hidden || changed());
}

/** @returns {Promise<string[]>} names of the locks of calls; none in a browser without locks */
export async function heldLocks() {
  try {
    const { held = [] } = await navigator.locks.query();
    return held.flatMap(({ name = '' }) => (name.startsWith(prefix) ? [name] : []));
  } catch {
    return [];
  }
}

/** The roomKey in a lock's name. @param {string} name */
export const keyOf = (name) => name.slice(name.indexOf(' ', prefix.length) + 1);
