/**
 * The body of a report frame (docs/protocol.md, section 4.3): what one side received, all cumulative, so that
 * a lost report costs nothing. When to send one, and what follows from it, is elsewhere.
 *
 *     highest (varint) || received (varint) || lost (2) || bursts (6 x 1) || age (varint, 250 us)
 *     || n (1) || n times: counter back (varint) || arrival back (varint, 250 us)
 */

import { FormatError, Reader, Writer } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/**
 * An earlier packet, relative to the sample before it (the first: relative to highest): how many counters,
 * and how many milliseconds, it goes back.
 * @typedef {{counterBack: number, arrivalBack: number}} Sample
 */

/**
 * highest: highest counter received; received: packets, replays not counted; lost: packets lost after repair,
 * mod 2^16; bursts: bursts of loss, mod 256, of 1, 2, 3-4, 5-8, 9-16, 17 or more packets; age: milliseconds
 * since highest arrived. Times travel in units of 0.25 ms, rounded down.
 * @typedef {{highest: number, received: number, lost: number, bursts: number[], age: number, samples:
 *   Sample[]}} Report
 */

export const MAX_SAMPLES = 8;
/** Milliseconds in a unit of the times in a report. */
export const REPORT_UNIT = 0.25;
const MAX_UNITS = 2 ** 32 - 1;
const PART = 'report';

/**
 * Reads the body of a report. It was checked to be possible, not to be true.
 * @param {Bytes} body @returns {Report}
 */
export function parseReport(body) {
  const r = new Reader(body, PART);
  const highest = r.varint();
  const received = r.varint();
  const lost = r.uint16();
  const bursts = [...r.take(6)];
  const age = readTime(r);
  const n = r.uint8();
  if (n > MAX_SAMPLES) throw new FormatError(PART, 'limit', 'at most 8 samples');
  const samples = [];
  for (let i = 0, at = highest; i < n; i++) {
    const counterBack = r.varint();
    const arrivalBack = readTime(r);
    if (counterBack === 0 || counterBack > at) {
      throw new FormatError(PART, 'invalid', 'a sample goes back by 1 or more, not below counter 0');
    }
    at -= counterBack;
    samples.push({ counterBack, arrivalBack });
  }
  r.end('goes on after its last sample');
  return { highest, received, lost, bursts, age, samples };
}

/** @param {Reader} r */
function readTime(r) {
  const units = r.varint();
  if (units > MAX_UNITS) throw new FormatError(PART, 'limit', 'times are below 2^32 units');
  return units * REPORT_UNIT;
}

/**
 * The body of a report, for appendReport of frame.js. Times out of range become the nearest in range; samples
 * after the eighth are left out.
 * @param {Report} report @returns {Bytes}
 */
export function appendReport(report) {
  const samples = report.samples.slice(0, MAX_SAMPLES);
  const w = new Writer()
    .varint(report.highest)
    .varint(report.received)
    .uint16(report.lost)
    .bytes(report.bursts);
  w.varint(toUnits(report.age)).uint8(samples.length);
  for (const s of samples) w.varint(s.counterBack).varint(toUnits(s.arrivalBack));
  return w.done();
}

/** @param {number} ms */
function toUnits(ms) {
  return Math.min(Math.max(Math.floor(ms / REPORT_UNIT), 0), MAX_UNITS);
}
