/** Tells lost speech from silence whose markers were lost (docs/protocol.md, section 7.5). Pure. */

import { MS } from './units.js';

const REPEATS = 3; // a talkspurt ends with this many markers ...
const SPACING = 20 * MS; // ... this far apart ...
const INTERVAL = 400 * MS; // ... and later ones follow in this interval
const SLACK = 10 * MS; // jitter of the sender's timers

/**
 * The media time of marker n of a silence, from its beginning.
 *
 *     n       0   1   2    3    4 ...
 *     ms      0  20  40  440  840 ...
 *
 * @param {number} n
 */
function markerTime(n) {
  return n < REPEATS ? n * SPACING : (REPEATS - 1) * SPACING + (n - REPEATS + 1) * INTERVAL;
}

/**
 * Says how much of a gap of media time was speech that got lost, when missing packets belonged there: the
 * rest was silence, whose markers got lost.
 *
 * f lost frames leave missing-f lost markers, which cover the rest of the gap until the next marker would
 * have been sent. The greatest f that fits is taken; when none fits all were frames.
 * @param {number} gap samples @param {number} missing packets @param {number} frame samples in a frame
 * @returns {number} samples, at most gap
 */
export function lostMedia(gap, missing, frame) {
  if (gap <= 0 || missing <= 0 || frame <= 0) return 0;
  const most = Math.min(missing, Math.ceil(gap / frame));
  for (let f = most; f >= 0; f--) {
    if (gap - f * frame <= markerTime(missing - f) + SLACK) return Math.min(gap, f * frame);
  }
  return Math.min(gap, most * frame);
}
