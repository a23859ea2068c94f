/**
 * The control laws: how fast to play, given the error e of the schedule in samples (e > 0: behind, the delay
 * is longer than it should be), and how concealment fades. Pure functions.
 */

import { clamp, MS, SECOND } from './units.js';

/** Greatest rate of resampling, minus 1: 7 cents, not heard in speech. */
export const MAX_RATE = 0.004;
/** Further ahead than this: repeat pitch periods. */
export const AHEAD_LIMIT = -8 * MS;
/** Further behind than this: remove pitch periods. */
export const LATE_LIMIT = 12 * MS;

const LATE_BAND = MS / 4; // behind by less is left alone
const LATE_GAIN = 800e-6; // per ms beyond: drift of 200 ppm costs a quarter of a millisecond more delay
const AHEAD_BAND = MS / 10; // ahead by less is left alone
const AHEAD_GAIN = 2000e-6; // per ms beyond: drift eats 0.1 ms of the guard
const SLOWEST = 0.9; // speed while ahead
const FAST = 1.1; // speed when a little behind ...
const FAST_FROM = 60 * MS; // ... up to here; then rising ...
const FASTEST = 1.5; // ... to this ...
const FASTEST_AT = SECOND; // ... when so far behind

/**
 * The resampling rate, minus 1, for small errors: proportional, outside a dead band in which samples pass
 * unchanged. Being ahead is corrected more firmly, for that makes frames late.
 * @param {number} e
 */
export function driftRate(e) {
  if (e > LATE_BAND) return Math.min(((e - LATE_BAND) / MS) * LATE_GAIN, MAX_RATE);
  if (e < -AHEAD_BAND) return Math.max(((e + AHEAD_BAND) / MS) * AHEAD_GAIN, -MAX_RATE);
  return 0;
}

/** How fast time scaling plays at most. @param {number} e */
export function speed(e) {
  if (e < AHEAD_LIMIT) return SLOWEST;
  if (e <= LATE_LIMIT) return 1;
  if (e <= FAST_FROM) return FAST;
  if (e >= FASTEST_AT) return FASTEST;
  return FAST + ((FASTEST - FAST) * (e - FAST_FROM)) / (FASTEST_AT - FAST_FROM);
}

/**
 * How many samples to play after one period was removed or repeated, to keep to a speed other than 1.
 * @param {number} period @param {number} factor
 */
export function pause(period, factor) {
  return Math.floor(period / Math.abs(factor - 1));
}

/**
 * How alike two periods must be for a change of speed: less, the further off the schedule is.
 * @param {number} e
 */
export function likeness(e) {
  return Math.max(0, 0.85 - (0.85 * Math.abs(e)) / (150 * MS));
}

/** Concealment has faded out after so many samples. */
export const FADE_CONCEAL = 120 * MS;
/** Ramp to full level after silence or faded concealment, samples. */
export const FADE_IN = 5 * MS;

const FULL_CONCEAL = 40 * MS; // concealment is at full level for so long

/** The level of concealment after so many samples of it. @param {number} run */
export function concealGain(run) {
  return clamp((FADE_CONCEAL - run) / (FADE_CONCEAL - FULL_CONCEAL), 0, 1);
}
