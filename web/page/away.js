/** What the room says while there is no connection. Pure. */

import { clockTime } from '../words/formats.js';
import { say } from '../words/say.js';

/** @typedef {import('./room-model.js').RoomModel} RoomModel */

const ADVICE_AFTER = 30_000; // ms without a connection after which it is said what people can do

/**
 * What is said while there is no connection: since when, why as far as that is known, and what to do. Nothing
 * if there is one.
 * @param {RoomModel} model @param {number} now ms since 1970 @returns {string[]} sentences
 */
export function awayTexts({ state, away, offline }, now) {
  if (state !== 'reconnecting' || !away) return [];
  const texts = [say('away.since', { time: clockTime(away.since) })];
  if (offline) return texts; // which a bar says
  texts.push(say(`away.${away.why}`));
  if (now - away.since >= ADVICE_AFTER && away.why !== 'restart') texts.push(say('away.advice'));
  return texts;
}
