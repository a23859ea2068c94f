/**
 * Talkers that left before the newest 1024 who did. As goneTalkers in Go's internal/e2ee.
 *
 * Whoever comes and goes can make others be among them, and needs no secret for it, so nobody who is back, or
 * new, may be muted by being many:
 *
 *     newest 32768   what is needed to hear them again, with the same entry, and nothing of theirs twice
 *     others         a bit pattern in a filter: with the same entry they are refused for good, for a relay
 *                    could make their old keys new and play what was said. Who joins anew has another entry.
 */

import {HeldTalker} from './held-talker.js';

/** How many talkers are remembered in short. */
export const MAX_GONE = 2 ** 15;

/** How many streams of one are told apart then. A member has one or two, and that of views. */
export const MAX_GONE_FLOORS = 4;

/**
 * The size of the filter, 4 MiB, and how many bits each has in it: with 1 million in it 1 newcomer of 100,000
 * is taken for one of them, with 2 million 1 of 2,000.
 */
const REFUSED_BITS = 2 ** 25;
const REFUSED_HASHES = 8;

/** @typedef {import('../wire/urgent.js').KeyHeader} KeyHeader */
/** @typedef {{number: number, first: number, windows: import('./windows.js').ReplayWindows}} GoneTalker */

export class GoneTalkers {
  /** @type {Map<string, GoneTalker>} by shortOf the entry's hash, those that left first first */
  #talkers = new Map();
  /** @type {Uint8Array | null} the filter; null: empty */ #refused = null;

  /** How many are remembered. */
  get size() {
    return this.#talkers.size;
  }

  /** Remembers a talker, which has no keys any more. @param {HeldTalker} talker */
  put({hash, number, first, windows}) {
    windows.rest(MAX_GONE_FLOORS);
    const id = shortOf(hash);
    this.#talkers.delete(id);
    this.#talkers.set(id, {number, first, windows});
    for (const oldest of this.#talkers.keys()) {
      if (this.#talkers.size <= MAX_GONE) break;
      this.#talkers.delete(oldest);
      this.#refuse(oldest);
    }
  }

  /**
   * Compares a header with the last one of who has an entry, if that is among them.
   * @param {string} hash in hexadecimal @param {KeyHeader} header
   * @returns {'known' | 'back' | null} why not to take it: old, or its first CTR went back; null: it may be
   */
  check(hash, header) {
    const talker = this.#talkers.get(shortOf(hash));
    if (!talker) return this.#refuses(hash) ? 'known' : null;
    if (header.number <= talker.number) return 'known';
    return header.firstCtr < talker.first ? 'back' : null;
  }

  /**
   * Returns who has an entry as it was, and forgets it here; null: it is not remembered.
   * @param {string} hash in hexadecimal @returns {HeldTalker | null}
   */
  back(hash) {
    const id = shortOf(hash);
    const gone = this.#talkers.get(id);
    if (!gone) return null;
    this.#talkers.delete(id);
    const talker = new HeldTalker(hash);
    talker.number = gone.number;
    talker.accepted.addAll(); // whatever is below its number
    talker.first = gone.first;
    talker.windows = gone.windows;
    return talker;
  }

  /** @param {string} id */
  #refuse(id) {
    this.#refused ??= new Uint8Array(REFUSED_BITS / 8);
    for (const bit of bitsOf(id)) this.#refused[bit >> 3] |= 1 << (bit & 7);
  }

  /** Whether who has an entry is in the filter, or seems to be. @param {string} hash */
  #refuses(hash) {
    const filter = this.#refused;
    return filter !== null && bitsOf(shortOf(hash)).every((bit) => (filter[bit >> 3] >> (bit & 7)) & 1);
  }
}

/** By what an entry is found: 64 bits. @param {string} hash in hexadecimal */
function shortOf(hash) {
  return hash.slice(0, 16);
}

/**
 * The bits of who is in the filter. Ids are of hashes already: two halves make as many as are needed.
 * @param {string} id
 */
function bitsOf(id) {
  const one = parseInt(id.slice(0, 8), 16) % REFUSED_BITS;
  const two = (parseInt(id.slice(8), 16) | 1) >>> 0;
  return Array.from({length: REFUSED_HASHES}, (_, i) => (one + i * two) % REFUSED_BITS);
}
