/**
 * The frames of a stream whose key has not come, so that the first word is heard however late the key is. Pure.
 *
 *     no key -- hold --> held --key comes: played, with the times at which they came
 *                         '--1.5 s: ask the talker; 5 s: dropped; 10 s: warn
 *
 * @module
 */

const MAX_FRAMES = 64; // of a stream
const MAX_TIME = 5000; // ms for which a frame waits for its key
const MAX_BYTES = 2 ** 20; // of a room
const ASK_AFTER = 1500;
const ASK_EVERY = 2000;
const NO_KEY_WARN = 10_000; // of frames without a key

/**
 * A frame as it came, at ms. bound is what its key id was bound to: its next is raised above each CTR that is trusted.
 * @typedef {{kid: bigint, ctr: number, ciphertext: import('../wire/bytes.js').Bytes, at: number, bound: {next: number}}} Frame
 */

/** Bounds the frames that all streams of a room hold. */
export class HeldBudget {
  #bytes = 0;

  /** How many bytes are held. */
  get bytes() {
    return this.#bytes;
  }

  /** @param {number} bytes @returns {boolean} whether there is room for them */
  take(bytes) {
    if (this.#bytes + bytes > MAX_BYTES) return false;
    this.#bytes += bytes;
    return true;
  }

  /** @param {number} bytes that are held no more */
  give(bytes) {
    this.#bytes -= bytes;
  }
}

/** See the module. */
export class HeldFrames {
  #budget;
  /** @type {Frame[]} */
  #frames = [];
  /** @type {number | null} when the first frame without a key came, after the last that had one; null: none */
  #since = null;
  #newest = 0; // the newest frame of those
  /** @type {number | null} */
  #asked = null;

  /** @param {HeldBudget} budget of the room */
  constructor(budget) {
    this.#budget = budget;
  }

  /** How many frames are held. */
  get size() {
    return this.#frames.length;
  }

  /**
   * Keeps a frame.
   * @param {Frame} frame
   * @param {number} now
   * @returns {boolean} whether it is the first
   */
  hold(frame, now) {
    const first = this.doubt(frame.at);
    this.#expire(now);
    if (this.#frames.length >= MAX_FRAMES) this.#drop(1);
    if (this.#budget.take(frame.ciphertext.length)) this.#frames.push(frame);
    return first;
  }

  /**
   * Notes that a frame came that does not open.
   * @param {number} at
   * @returns {boolean} whether it is the first
   */
  doubt(at) {
    this.#newest = Math.max(this.#newest, at);
    if (this.#since !== null) return false;
    this.#since = at; // if nothing else comes, our key is wrong
    return true;
  }

  /** Notes that a frame opened. */
  keyCame() {
    this.#since = this.#asked = null;
  }

  /**
   * Returns what is held, and holds it no more.
   * @param {number} now
   * @returns {Frame[]}
   */
  take(now) {
    this.#expire(now);
    const frames = this.#frames;
    this.#drop(frames.length);
    return frames;
  }

  /** @param {number} now */
  #expire(now) {
    const kept = this.#frames.findIndex((frame) => now - frame.at <= MAX_TIME);
    this.#drop(kept < 0 ? this.#frames.length : kept);
  }

  /** @param {number} n of the oldest */
  #drop(n) {
    for (const { ciphertext } of this.#frames.slice(0, n)) this.#budget.give(ciphertext.length);
    this.#frames = this.#frames.slice(n);
  }

  /**
   * Says when to look again, whether to ask for the key now, and whether that has been in vain.
   * @param {number} now
   * @returns {{next: number, ask: boolean, hopeless: boolean}}
   */
  waiting(now) {
    this.#expire(now);
    if (this.#since === null) return { next: 0, ask: false, hopeless: false };
    if (now - this.#newest > MAX_TIME) { // not talking any more
      this.drop();
      return { next: 0, ask: false, hopeless: false };
    }
    let due = this.#asked === null ? this.#since + ASK_AFTER : this.#asked + ASK_EVERY;
    const ask = now >= due;
    if (ask) {
      this.#asked = now;
      due = now + ASK_EVERY;
    }
    return { next: due, ask, hopeless: now - this.#since >= NO_KEY_WARN };
  }

  /** Forgets everything. */
  drop() {
    this.#drop(this.#frames.length);
    this.keyCame();
  }
}
