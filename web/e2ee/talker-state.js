/**
 * What a Talker shares with its Sealers: the key in use, the open streams and their CTRs. All of it is
 * synchronous: a frame's key and CTR are settled in the call that seals it.
 *
 *     Talker -- install --> key in use          Sealer -- reserve --> KID, CTR, SFrame key (a promise)
 *                              '-- derived once a stream and key --------------'
 */

import {CodedError} from '../wire/bytes.js';
import {MEMBER_ID_SIZE} from '../wire/urgent.js';
import {frameKey, makeKid} from './keys.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./sframe.js').FrameKey} FrameKey */
/** @typedef {import('./media-key.js').MediaKey} MediaKey */

/** The highest CTR that is used: the protocol's own bound, 2^62 - 1, is above what a Number holds exactly. */
export const MAX_CTR = Number.MAX_SAFE_INTEGER;

/**
 * Why nothing was sealed, or no stream opened. `code` is
 *
 *   - `disarmed`: no microphone is armed, so keys do not follow the members
 *   - `closed`: the stream or its talker was closed
 *   - `exhausted`: the stream has used all its CTRs
 *   - `used`: the stream number was used before
 */
export class SealError extends CodedError {
  /** @param {'disarmed' | 'closed' | 'exhausted' | 'used'} code @param {string} text */
  constructor(code, text) {
    super(code, `e2ee: ${text}`);
  }
}

/**
 * One stream.
 * @typedef {object} Stream
 * @property {number} number 0 to 255
 * @property {boolean} closed
 * @property {{kid: bigint, frameKey: Promise<FrameKey>} | null} key of the key in use; null: not derived yet
 * @property {number} next the CTR of the next frame; above MAX_CTR: none is left
 */

/**
 * A frame that is about to be sealed: no other one has its KID and CTR.
 * @typedef {{kid: bigint, ctr: number, frameKey: Promise<FrameKey>}} Reserved
 */

export class TalkerState {
  closed = false;
  armed = false;
  /** @type {MediaKey | null} in use; null: none yet */ key = null;
  /** Whether a frame was sealed with the key in use. */
  used = false;
  /** First CTR of the newest key. */
  first = 0;

  #member;
  #room;
  #secret;
  /** @type {Set<Stream>} open ones */ #streams = new Set();
  /** @type {Set<number>} stream numbers that were used */ #numbers = new Set();
  #highest = 0; // above every CTR of closed streams

  /** @param {{self: Bytes, room: string, secret: import('./secret.js').Secret | null}} config */
  constructor({self, room, secret}) {
    this.#member = self.slice(0, MEMBER_ID_SIZE);
    this.#room = room;
    this.#secret = secret;
  }

  /**
   * Opens a stream, which begins at the first CTR of the newest key.
   * @param {number} number 0 to 255, not used before: its CTR would start again
   * @returns {Stream}
   */
  open(number) {
    if (this.closed) {
      throw new SealError('closed', 'the talker of this stay was closed, join again to open streams');
    }
    if (!this.key) {
      throw new SealError('disarmed', 'no microphone is armed, call arm before opening a stream');
    }
    if (!Number.isInteger(number) || number < 0 || number > 255) {
      throw new RangeError(`e2ee: stream number ${number} is not from 0 to 255`);
    }
    if (this.#numbers.has(number)) {
      throw new SealError('used', `stream number ${number} was used before, take another`);
    }
    this.#numbers.add(number);
    const stream = {number, closed: false, key: null, next: this.first};
    this.#streams.add(stream);
    return stream;
  }

  /** Takes the next CTR of a stream and the key in use. @param {Stream} stream @returns {Reserved} */
  reserve(stream) {
    if (stream.closed || !this.key) throw new SealError('closed', 'stream is closed, open another one');
    if (!this.armed) throw new SealError('disarmed', 'no microphone is armed, call arm before sealing');
    if (stream.next > MAX_CTR) {
      throw new SealError('exhausted', 'stream has used all its counters, open another one');
    }
    const {kid, frameKey} = (stream.key ??= this.#derive(stream, this.key));
    return {kid, ctr: stream.next++, frameKey};
  }

  /** Takes over the key in use. @param {Stream} stream @param {MediaKey} key */
  #derive(stream, key) {
    const kid = makeKid(this.#member, stream.number, key.epoch);
    const derived = key.use((w) => frameKey(key.suite, kid, this.#secret, this.#room, w));
    derived.catch(() => {}); // whoever seals is told
    this.used = true;
    return {kid, frameKey: derived};
  }

  /** Ends a stream: its CTR no longer holds back the first CTR of new keys. @param {Stream} stream */
  end(stream) {
    if (stream.closed) return;
    stream.closed = true;
    stream.key = null;
    this.#highest = Math.max(this.#highest, stream.next);
    this.#streams.delete(stream);
  }

  /** Puts a key in use and erases the one before. @param {MediaKey} key */
  install(key) {
    this.key?.erase();
    this.key = key;
    this.used = false;
    for (const stream of this.#streams) stream.key = null;
  }

  /** The first CTR of a key that is made now: the lowest that an open stream may use. It never goes back. */
  nextFirst() {
    let lowest = this.#streams.size > 0 ? Infinity : this.#highest;
    for (const stream of this.#streams) lowest = Math.min(lowest, stream.next);
    this.first = Math.max(this.first, Math.min(lowest, MAX_CTR));
    return this.first;
  }

  /** Erases the key in use and closes all streams. */
  close() {
    this.closed = true;
    this.armed = false;
    this.key?.erase();
    this.key = null;
    for (const stream of this.#streams) {
      stream.closed = true;
      stream.key = null;
    }
    this.#streams.clear();
  }
}
