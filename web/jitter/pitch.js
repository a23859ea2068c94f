/** Where two pieces of a signal are most alike: the pitch period. Pure. */

import { MS } from './units.js';

/** 400 Hz; higher voices are served by a multiple. */
export const MIN_PERIOD = 2.5 * MS;
/** 67 Hz. */
export const MAX_PERIOD = 15 * MS;
/** Samples that are compared. */
export const COMPARE = 10 * MS;
/** Mean square below which any period will do (-60 dB). */
export const QUIET = 1e-6;

const COARSE = 4; // the first search runs at a quarter of the rate
const PRICE = 0.2; // of correlation, that the furthest lag has to be better by

/**
 * @typedef {object} Likeness
 * @property {number} lag where a and b are most alike
 * @property {number} correlation normalised, there: -1 to 1
 * @property {number} power mean square of a
 */

/**
 * Finds the lag in [low, high] at which a and b[lag:] are most alike. b must hold high + a.length samples.
 * @param {Float32Array} a @param {Float32Array} b @param {number} low @param {number} high
 * @param {number} [near] of lags that are about as good, the one nearest to this
 * @returns {Likeness}
 */
export function alike(a, b, low, high, near) {
  const price = near === undefined ? 0 : PRICE / Math.max(1, high - low);
  const middle = near ?? 0;
  let best = -Infinity;
  let lag = low;
  for (let l = low; l <= high; l += COARSE) {
    const c = correlate(a, b, l, COARSE) - price * Math.abs(l - middle);
    if (c > best) [best, lag] = [c, l];
  }
  const to = Math.min(high, lag + COARSE - 1);
  const from = Math.max(low, lag - COARSE + 1);
  best = -Infinity;
  for (let l = from; l <= to; l++) {
    const c = correlate(a, b, l, 1);
    if (c > best) [best, lag] = [c, l];
  }
  let power = 0;
  for (let i = 0; i < a.length; i++) power += a[i] * a[i];
  return { lag, correlation: best, power: power / a.length };
}

/**
 * The normalised correlation of a and b[lag:], taken at every step-th sample; 0 when either is silent.
 * @param {Float32Array} a @param {Float32Array} b @param {number} lag @param {number} step
 */
function correlate(a, b, lag, step) {
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i += step) {
    const x = a[i];
    const y = b[lag + i];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
