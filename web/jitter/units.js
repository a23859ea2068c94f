/**
 * Units and bounds that all parts of the jitter buffer share. Inside this folder all times are counted in
 * samples at 48 kHz, as integers; callers speak milliseconds.
 */

/** The rate of all PCM, Hz. */
export const SAMPLE_RATE = 48_000;
/** Samples in a millisecond. */
export const MS = 48;
/** Samples in a second. */
export const SECOND = 48_000;
/** Samples in one step of a packet's 16-bit timestamp: 2.5 ms. */
export const UNIT = 120;
/** Samples that concealment is made in. */
export const STEP = 10 * MS;
/** The longest codec packet that is taken, bytes (RFC 6716, section 3.4). */
export const MAX_PAYLOAD = 1275;
/** A smaller jump of media time is a correction, not silence. */
export const NO_GAP = STEP;
/** A frame that starts further in the past than this is late. */
export const OVERLAP = STEP / 2;

const MAX_TIME = 2 ** 46; // samples, 46 years: sums stay exact

/** Turns milliseconds into samples, whatever they are. @param {number} ms */
export function toSamples(ms) {
  if (!(ms > -MAX_TIME)) return Number.isNaN(ms) ? 0 : -MAX_TIME;
  return Math.min(Math.round(ms * MS), MAX_TIME);
}

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.max(low, Math.min(value, high));
}
