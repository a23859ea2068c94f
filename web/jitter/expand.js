/**
 * Concealment from the sound itself: the last pitch period goes on and on (as in ITU-T G.711, Appendix I).
 * The decoder conceals better, but only when it is asked ahead of time; this one answers at once.
 */

import { alike, COMPARE, MAX_PERIOD, MIN_PERIOD } from './pitch.js';
import { MS } from './units.js';

const VOICED = 0.5; // correlation below which there is no period: a longer loop buzzes less
const SETTLE = Math.exp(-1 / MS); // what is left of the first step after a sample: it decays within some ms

/** It continues what was last written to a fifo until reset. */
export class Expander {
  #loop = new Float32Array(MAX_PERIOD);
  #period = 0; // 0: not begun
  #at = 0;
  #step = 0; // from the loop to where the sound was

  reset() {
    this.#period = 0;
  }

  /** Whether it goes on with what it began before. */
  get begun() {
    return this.#period > 0;
  }

  /** Fills dst with what might come next. @param {Float32Array} dst @param {import('./fifo.js').Fifo} fifo */
  next(dst, fifo) {
    if (this.#period === 0) this.#begin(fifo.tail(MAX_PERIOD + COMPARE));
    for (let i = 0; i < dst.length; i++) {
      this.#step *= SETTLE;
      dst[i] = this.#loop[this.#at] + this.#step;
      if (++this.#at === this.#period) this.#at = 0;
    }
  }

  /**
   * Takes the last period as a loop, whose end fades into what came before its beginning, so that it closes.
   *
   *     ... b |.....loop.....e|      e, a quarter of the period, fades into b
   *
   * @param {Float32Array} past
   */
  #begin(past) {
    const { lag, correlation } = alike(past.subarray(MAX_PERIOD), past, 0, MAX_PERIOD - MIN_PERIOD);
    const period = correlation < VOICED ? MAX_PERIOD : MAX_PERIOD - lag;
    const from = past.length - period;
    this.#loop.set(past.subarray(from));
    const quarter = period >> 2;
    for (let i = 0; i < quarter; i++) {
      const f = i / quarter;
      this.#loop[period - quarter + i] += (past[from - quarter + i] - past[past.length - quarter + i]) * f;
    }
    this.#period = period;
    this.#at = 0;
    this.#step = past[past.length - 1] - past[from - 1];
  }
}
