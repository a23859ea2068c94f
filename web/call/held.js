/**
 * The frames of a talker whose key has not come: the first word is heard however late the key is. Pure.
 *
 *     no key -- hold --> held --key comes: played, with the times at which they came
 *                         '--1.5 s: ask the talker; 5 s: dropped; 10 s: warn
 *
 * Nobody knows whether they are genuine, so the space for them is shared out: when it is full, the oldest
 * frame of who has most gives way, and of those whom the relay has not told of first.
 */

const MAX_FRAMES = 64; // of a stream
const MAX_OF_TALKER = 128; // of all streams of one
/** For how many ms a frame waits for its key. */
export const MAX_HELD_TIME = 5000;
const MAX_BYTES = 2 ** 20; // of a room
const ASK_AFTER = 1500;
const ASK_EVERY = 2000;
const WAKE_EVERY = 1000;
const NO_KEY_WARN = 10_000; // of frames without a key

/**
 * A frame as it came, at ms. bound is of its key id; its next is raised above each trusted CTR.
 * @typedef {{kid: bigint, ctr: number, ciphertext: import('../wire/bytes.js').Bytes, at: number, bound:
 *   {next: number}}} Frame
 */

/** Bounds the frames that all talkers of a room hold. */
export class HeldBudget {
  #bytes = 0;
  /** @type {Set<HeldFrames>} that hold some */ #holders = new Set();

  /** How many bytes are held. */
  get bytes() {
    return this.#bytes;
  }

  /** @param {HeldFrames} holder @param {number} bytes that it holds more */
  add(holder, bytes) {
    this.#bytes += bytes;
    this.#holders.add(holder);
    while (this.#bytes > MAX_BYTES) this.#greediest()?.dropOldest();
  }

  /** @param {HeldFrames} holder @param {number} bytes that it holds no more */
  remove(holder, bytes) {
    this.#bytes -= bytes;
    if (holder.size === 0) this.#holders.delete(holder);
  }

  /** Whose frame gives way. */
  #greediest() {
    /** @type {HeldFrames | undefined} */ let most;
    for (const holder of this.#holders) {
      if (!most || (holder.known === most.known ? holder.bytes > most.bytes : most.known)) most = holder;
    }
    return most;
  }
}

export class HeldFrames {
  /** How many bytes they are. */
  bytes = 0;

  #budget;
  #known;
  /** @type {Frame[]} */ #frames = [];
  /**
   * @type {number | null} when the first frame that did not open came, after the last that did; null: none
   */
  #since = null;
  #newest = 0; // the newest frame of those
  /** @type {number | null} */ #asked = null;
  #told = -Infinity; // when the keys were woken

  /**
   * @param {HeldBudget} budget of the room
   * @param {() => boolean} [known] whether the relay has told of the talker
   */
  constructor(budget, known = () => true) {
    this.#budget = budget;
    this.#known = known;
  }

  /** How many frames are held. */
  get size() {
    return this.#frames.length;
  }

  /** Whether the relay has told of the talker. */
  get known() {
    return this.#known();
  }

  /** Whether nothing is waited for. */
  get idle() {
    return this.#since === null;
  }

  /**
   * Keeps a frame.
   * @param {Frame} frame @param {number} now @returns {boolean} whether to wake the keys
   */
  hold(frame, now) {
    const tell = this.doubt(frame.at);
    this.#expire(now);
    const stream = streamOf(frame);
    const same = this.#frames.filter((other) => streamOf(other) === stream).length;
    if (same >= MAX_FRAMES || this.#frames.length >= MAX_OF_TALKER) this.#drop(1);
    this.#frames.push(frame);
    this.bytes += frame.ciphertext.length;
    this.#budget.add(this, frame.ciphertext.length);
    return tell;
  }

  /**
   * Notes that a frame came that does not open. Somebody may send many, so not each is reason to wake them.
   * @param {number} at @returns {boolean} whether to wake the keys
   */
  doubt(at) {
    this.#newest = Math.max(this.#newest, at);
    this.#since ??= at; // if nothing else comes, our key is wrong
    if (at - this.#told < WAKE_EVERY) return false;
    this.#told = at;
    return true;
  }

  /** Notes that a frame opened. */
  keyCame() {
    this.#since = this.#asked = null;
  }

  /** Returns what is held, and holds it no more. @param {number} now @returns {Frame[]} */
  drain(now) {
    this.#expire(now);
    const frames = this.#frames;
    this.#drop(frames.length);
    return frames;
  }

  /** Drops the oldest frame. */
  dropOldest() {
    this.#drop(1);
  }

  /** @param {number} now */
  #expire(now) {
    const kept = this.#frames.findIndex((frame) => now - frame.at <= MAX_HELD_TIME);
    this.#drop(kept < 0 ? this.#frames.length : kept);
  }

  /** @param {number} n of the oldest */
  #drop(n) {
    const dropped = this.#frames.slice(0, n);
    this.#frames = this.#frames.slice(n);
    for (const { ciphertext } of dropped) {
      this.bytes -= ciphertext.length;
      this.#budget.remove(this, ciphertext.length);
    }
  }

  /**
   * Says when to look again, whether to ask for the key now, and whether that has been in vain.
   * @param {number} now @returns {{next: number, ask: boolean, hopeless: boolean}}
   */
  waiting(now) {
    this.#expire(now);
    if (this.#since === null) return { next: 0, ask: false, hopeless: false };
    if (now - this.#newest > MAX_HELD_TIME) { // not talking any more
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

/** @param {Frame} frame */
function streamOf({ kid }) {
  return (kid >> 8n) & 0xffn;
}
