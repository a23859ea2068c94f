/** Reads a Fifo at a rate near 1: what follows the drift of the clocks. */

import { STEP } from './units.js';

const TAPS = 8; // length of the interpolation filter, in samples
const PHASES = 64; // steps between two samples; in between, the filter is interpolated
const AHEAD = TAPS / 2 + 1;

/** A Hann-windowed sinc for every phase, each normalised to unit gain. */
const FILTERS = makeFilters();

function makeFilters() {
  const out = new Float32Array((PHASES + 1) * TAPS);
  for (let p = 0; p <= PHASES; p++) {
    const h = [];
    for (let k = 0; k < TAPS; k++) {
      const x = k - (TAPS / 2 - 1) - p / PHASES;
      h.push((sinc(x) * (1 + Math.cos((Math.PI * x) / (TAPS / 2)))) / 2);
    }
    const sum = h.reduce((a, b) => a + b, 0);
    for (let k = 0; k < TAPS; k++) out[p * TAPS + k] = h[k] / sum;
  }
  return out;
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** While the rate is exactly 1 and the position falls on a sample, samples are copied unchanged. */
export class Resampler {
  /** Source samples per output sample, minus 1. */
  rate = 0;
  /** Position between two source samples, [0, 1). */
  frac = 0;

  reset() {
    this.rate = this.frac = 0;
  }

  /**
   * Takes a new rate. When that is none, the rest of the way to a whole sample is made up within 10 ms, so
   * that samples can be copied again.
   * @param {number} rate
   */
  set(rate) {
    this.rate = rate === 0 && this.frac > 0 ? -this.frac / STEP : rate;
  }

  /** How many unread samples n output samples can take. @param {number} n */
  need(n) {
    return Math.floor(n * (1 + Math.max(0, this.rate)) + this.frac) + AHEAD;
  }

  /**
   * Fills dst; need(dst.length) samples must be unread.
   * @param {Float32Array} dst @param {import('./fifo.js').Fifo} fifo
   */
  read(dst, fifo) {
    if (this.rate === 0 && this.frac === 0) {
      dst.set(fifo.buf.subarray(fifo.read, fifo.read + dst.length));
      fifo.read += dst.length;
      return;
    }
    let pos = this.frac;
    for (let i = 0; i < dst.length; i++) {
      const whole = Math.floor(pos);
      dst[i] = interpolate(fifo.buf, fifo.read + whole - (TAPS / 2 - 1), pos - whole);
      pos += 1 + this.rate;
    }
    const near = Math.round(pos);
    if (Math.abs(pos - near) < 1e-6) pos = near;
    const whole = Math.floor(pos);
    fifo.read += whole;
    this.frac = pos - whole;
  }
}

/** @param {Float32Array} x @param {number} at @param {number} frac */
function interpolate(x, at, frac) {
  const phase = frac * PHASES;
  const p = Math.floor(phase);
  const low = p * TAPS;
  let a = 0;
  let b = 0;
  for (let k = 0; k < TAPS; k++) {
    a += x[at + k] * FILTERS[low + k];
    b += x[at + k] * FILTERS[low + TAPS + k];
  }
  return a + (b - a) * (phase - p);
}
