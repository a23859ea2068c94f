/**
 * One key of a talker, W[s] of docs/protocol.md, section 7.2. Deriving is asynchronous in a browser, so W[s]
 * is a promise: which key follows from which is decided at once, by talker.js, and its bytes come later.
 *
 *     16 random bytes = W[0] -- ratchet --> W[1] -- ratchet --> W[2] ...   one chain of promises a generation
 *                        | use               | use
 *                        v                   v
 *                     a copy, for a base key or wraps; erased when that is done
 *
 * Reactions to a promise run in the order in which they were asked for. So what was asked of a key before it
 * was erased still gets it, and nothing later does.
 */

import {freshKey, ratchet} from './keys.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/** How many generations there are, and steps in each: 4 bits. */
export const GENERATIONS = 16;
/** The last step of a generation. */
export const LAST_STEP = GENERATIONS - 1;

/** One W[s]. Whoever has it, has all later steps of its generation. */
export class MediaKey {
  /** @readonly SFrame cipher suite, 2 or 3 */ suite;
  /** @readonly 0 to 15 */ generation;
  /** @readonly ratchet step, 0 to 15 */ step;
  /** @readonly no frame of the key has a lower CTR */ first;

  /** @type {Promise<Bytes>} W[s], 16 bytes, or 32 if step > 0; erased in place */ #w;
  #erased = false;

  /**
   * @param {{suite: number, generation: number, step: number, first: number}} what
   * @param {Promise<Bytes>} w taken over
   */
  constructor({suite, generation, step, first}, w) {
    this.suite = suite;
    this.generation = generation;
    this.step = step;
    this.first = first;
    this.#w = w;
    w.catch(() => {}); // who uses the key is told
  }

  /** Makes a key. @param {number} suite @param {number} generation @param {number} first */
  static fresh(suite, generation, first) {
    return new MediaKey({suite, generation, step: 0, first}, Promise.resolve(freshKey()));
  }

  /** The low byte of the key's KIDs. */
  get epoch() {
    return (this.generation << 4) | this.step;
  }

  /** The key of the next step. This one stays. @param {number} first */
  ratchet(first) {
    const {suite, generation, step} = this;
    return new MediaKey({suite, generation, step: step + 1, first}, this.use(ratchet));
  }

  /** The same key, which is erased on its own. */
  copy() {
    return new MediaKey(this, this.use((w) => w.slice()));
  }

  /**
   * Gives W[s] to f, in memory that is erased when f is done.
   * @template T @param {(w: Bytes) => T | Promise<T>} f @returns {Promise<T>} what f returns
   */
  async use(f) {
    if (this.#erased) throw new Error('e2ee: the key was erased, use the one that followed it');
    const asked = this.#w.then((w) => w.slice()); // before whatever erases it from now on
    const w = await asked;
    try {
      return await f(w);
    } finally {
      w.fill(0);
    }
  }

  /** Erases W[s], also one that is still to be derived. What was asked of it before goes on with its copy. */
  erase() {
    this.#erased = true;
    this.#w.then((w) => w.fill(0)).catch(() => {});
  }
}
