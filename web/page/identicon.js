/**
 * A picture of a fingerprint, so that eyes notice a change before they read. It is a help, not a proof: two
 * fingerprints may look alike, which is why the sheets show them in full.
 *
 *     fingerprint (128 bits) -> two hues, and 15 cells of 5 x 5, mirrored: empty, first hue or second hue
 */

import { svg } from './dom.js';

const columns = 3; // of 5: the other two mirror the first two
const rows = 5;

/**
 * Draws a fingerprint into path data; pure, so that it is tested without a page.
 * @param {string} fingerprint eight groups of four hexadecimal digits
 * @returns {{hues: [number, number], cells: [string, string]}} hues in degrees; path data, 5 by 5
 */
export function draw(fingerprint) {
  const digits = fingerprint.replace(/[^0-9a-f]/gi, '').padEnd(32, '0');
  const digit = (/** @type {number} */ i) => parseInt(digits[i] ?? '0', 16);
  /** @type {[string, string]} */ const cells = ['', ''];
  for (let i = 0; i < columns * rows; i++) {
    const value = digit(i) % 4; // 0, 1: empty, so that the shape has air
    if (value < 2) continue;
    const x = i % columns;
    const y = Math.floor(i / columns);
    for (const column of x === 2 ? [2] : [x, 4 - x]) cells[value === 2 ? 0 : 1] += `M${column} ${y}h1v1h-1z`;
  }
  const hue = (digit(20) * 16 + digit(21)) * (360 / 256);
  return { hues: [Math.round(hue), Math.round(hue + 60 + digit(22) * 15) % 360], cells };
}

/** @param {string} fingerprint @returns {SVGSVGElement} */
export function identicon(fingerprint) {
  const { hues, cells } = draw(fingerprint);
  const paths = cells.map((d, i) => ({ d: d || 'M0 0', fill: `hsl(${hues[i]} 45% 52%)` }));
  return svg('-1 -1 7 7', paths, 'identicon');
}
