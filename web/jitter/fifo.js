/** Decoded samples until they are read, with their past, and one pitch period less or more of them. */

import { alike, COMPARE, MIN_PERIOD } from './pitch.js';
import { MS } from './units.js';

const SIZE = 2 ** 14; // the most that is ever unread (about 8000), the history, and room to shift seldom

/** Samples kept before the read position: a pitch period and what is compared with it. */
export const HISTORY = 32 * MS;

/** buf[read, write) is unread, the HISTORY samples before were played. */
export class Fifo {
  buf = new Float32Array(SIZE);
  read = HISTORY;
  write = HISTORY;

  get unread() {
    return this.write - this.read;
  }

  /** Appends n samples and returns them, to be filled before the next call. @param {number} n */
  grow(n) {
    if (this.write + n > SIZE) {
      const from = this.read - HISTORY;
      this.buf.copyWithin(0, from, this.write);
      this.read -= from;
      this.write -= from;
    }
    this.write += n;
    return this.buf.subarray(this.write - n, this.write);
  }

  /** @param {Float32Array} pcm */
  append(pcm) {
    this.grow(pcm.length).set(pcm);
  }

  /** Appends silence. @param {number} n */
  zeros(n) {
    this.grow(n).fill(0);
  }

  /**
   * Finds the period to remove at the read position; 2 x MAX_PERIOD samples must be unread.
   * @param {number} high longest period
   */
  forward(high) {
    const { lag, correlation, power } = alike(
      this.#next(), this.buf.subarray(this.read, this.write), MIN_PERIOD, high,
    );
    return { period: lag, correlation, power };
  }

  /**
   * Finds the period to repeat at the read position: how far back the history is like what comes next.
   * COMPARE samples must be unread.
   * @param {number} high longest period
   */
  backward(high) {
    const past = this.buf.subarray(this.read - high, this.write);
    const { lag, correlation, power } = alike(this.#next(), past, 0, high - MIN_PERIOD);
    return { period: high - lag, correlation, power };
  }

  #next() {
    return this.buf.subarray(this.read, this.read + COMPARE);
  }

  /**
   * Takes one period out: the first fades into the second, then play goes on. Twice period must be unread.
   *
   *     before  |...A...|...B...|...C...      A and B are alike
   *     after   |.A->B..|...C...
   *
   * @param {number} period
   */
  remove(period) {
    const { buf, read } = this;
    for (let i = 0; i < period; i++) buf[read + i] += ((buf[read + period + i] - buf[read + i]) * i) / period;
    buf.copyWithin(read + period, read + 2 * period, this.write);
    this.write -= period;
  }

  /**
   * Puts one more period in: what comes next fades into what was just played, then play goes on. One period
   * must be unread, and one is in the history.
   *
   *     before  ...P...|...A...|...B...       P (played) and A are alike
   *     after   ...P...|.A->P..|...A...|...B...
   *
   * @param {number} period
   */
  repeat(period) {
    this.grow(period);
    const { buf, read } = this;
    buf.copyWithin(read + period, read, this.write - period);
    for (let i = 0; i < period; i++) buf[read + i] += ((buf[read - period + i] - buf[read + i]) * i) / period;
  }

  /** The last n samples written, whether read or not; n is at most HISTORY. @param {number} n */
  tail(n) {
    return this.buf.subarray(this.write - n, this.write);
  }
}
