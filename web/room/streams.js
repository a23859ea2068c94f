/**
 * The streams of a room, bounded: whom they belong to, and which of them are to be heard.
 *
 *     key id -- get --> Stream --heard--> sounding --member left, tail played--> released
 *                          '-- remembered with the CTRs that it had, as long as there is room: a relay could play it again
 *
 * @module
 */

import { VIEW_STREAM } from '../wire/payload.js';
import { soonest } from './soonest.js';
import { Stream, counters, sum } from './stream.js';

const MAX_STREAMS = 4096; // that a relay can make us hold: each is small until it is heard
const MAX_OF_MEMBER = 16; // that one member can make, one a publication, and the one of its views; the oldest goes
/** ms for which a stream whose member has left is surely remembered: longer than its keys. */
const HISTORY_TIME = 30_000;

/** See the module. */
export class Streams {
  /** @type {Map<string, Map<number, Stream>>} by member id and number, the oldest first */
  #owners = new Map();
  #count = 0;
  /** @type {Set<Stream>} that have something to be heard, or had lately */
  #sounding = new Set();
  /** @type {Record<string, number>} counters of streams that are forgotten */
  #past = {};
  #hooks;

  /** @param {Omit<import('./stream.js').StreamHooks, 'sounds'>} hooks */
  constructor(hooks) {
    this.#hooks = { ...hooks, sounds: (/** @type {Stream} */ stream) => void this.#sounding.add(stream) };
  }

  /** How many there are. */
  get size() {
    return this.#count;
  }

  /**
   * Returns a member's stream, which is made if it is new; null: there are too many.
   * @param {string} owner member id
   * @param {number} number
   * @returns {Stream | null}
   */
  get(owner, number) {
    const known = this.#owners.get(owner)?.get(number);
    if (known) return known;
    const now = this.#hooks.now();
    if (number !== VIEW_STREAM) this.#bound(owner, now);
    if (this.#count >= MAX_STREAMS && !this.#forget(now)) return null;
    const stream = new Stream(owner, number, this.#hooks);
    const own = this.#owners.get(owner) ?? new Map();
    this.#owners.set(owner, own.set(number, stream));
    this.#count++;
    return stream;
  }

  /**
   * Makes room for another stream of a member.
   * @param {string} owner
   * @param {number} now
   */
  #bound(owner, now) {
    const own = this.of(owner).filter(({ over, number }) => !over && number !== VIEW_STREAM);
    if (own.length < MAX_OF_MEMBER) return;
    const [oldest] = own;
    oldest.end(now);
    if (!oldest.heard) this.#drop(oldest);
  }

  /**
   * Forgets one stream whose member has left: one that was never heard, or so long ago that none of its keys is held.
   * @param {number} now
   * @returns {boolean} whether there was one
   */
  #forget(now) {
    for (const own of this.#owners.values()) {
      for (const stream of own.values()) {
        const { leftAt, heard } = stream;
        if (leftAt !== null && (!heard || now - leftAt > HISTORY_TIME)) {
          this.#drop(stream);
          return true;
        }
      }
    }
    return false;
  }

  /**
   * @param {string} owner
   * @returns {Stream[]} the oldest first
   */
  of(owner) {
    return [...(this.#owners.get(owner)?.values() ?? [])];
  }

  /** Those that may sound. @returns {Iterable<Stream>} */
  sounding() {
    return this.#sounding;
  }

  /** @param {string} owner whose key has come */
  playHeld(owner) {
    for (const stream of this.of(owner)) stream.playHeld();
  }

  /**
   * Notes that a member left, or is back.
   * @param {string} owner
   * @param {number | null} now null: it is back
   */
  left(owner, now) {
    for (const stream of this.of(owner)) stream.left(now);
  }

  /**
   * What to ask and to warn for: see HeldFrames.waiting.
   * @param {number} now
   * @returns {{ask: Set<string>, hopeless: Set<string>, next: number}} member ids
   */
  waiting(now) {
    /** @type {Set<string>} */
    const ask = new Set();
    /** @type {Set<string>} */
    const hopeless = new Set();
    let next = 0;
    for (const own of this.#owners.values()) {
      for (const stream of own.values()) {
        const w = stream.waiting(now);
        next = soonest(next, w.next);
        if (w.ask) ask.add(stream.owner);
        if (w.hopeless) hopeless.add(stream.owner);
      }
    }
    return { ask, hopeless, next };
  }

  /**
   * Frees the players of those who left. To be called now and then.
   * @param {number} now
   */
  prune(now) {
    for (const stream of this.#sounding) {
      if (stream.release(now)) this.#sounding.delete(stream);
    }
  }

  /** Sums over all streams, of the past too. @returns {Record<string, number>} */
  stats() {
    let all = this.#past;
    for (const own of this.#owners.values()) {
      for (const stream of own.values()) all = sum(all, stream.stats());
    }
    return all;
  }

  /** @param {Stream} stream */
  #drop(stream) {
    stream.close();
    const { owner, number } = stream;
    this.#past = counters(sum(this.#past, stream.stats()));
    this.#sounding.delete(stream);
    const own = this.#owners.get(owner);
    own?.delete(number);
    if (own?.size === 0) this.#owners.delete(owner);
    this.#count--;
  }

  /** Ends all. */
  close() {
    for (const own of [...this.#owners.values()]) {
      for (const stream of [...own.values()]) this.#drop(stream);
    }
  }
}
