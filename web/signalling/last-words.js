/** What is to be said for us by the paths of our calls when the page is gone, and we cannot say anything. */

import { STATE } from './call.js';
import { PATH } from './path.js';
import { HANG_UP } from '../wire/signal.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('./line.js').Line} Line */

const MOST = 8; // messages

/**
 * Messages that hang up what is up, and cancel what rings at others; what rings here goes on at other
 * devices. They are good for as long as the other end has not taken a thousand later ones.
 * @param {Line} line @returns {Promise<Bytes[]>}
 */
export async function lastWords(line) {
  /** @type {Bytes[]} */ const words = [];
  for (const c of line.calls) {
    const last = lastOf(c);
    const paths = c.state === STATE.open ? [c.way] : c.paths;
    for (const p of paths) if (last && p.state < PATH.dead) words.push(await p.seal(last));
  }
  return words.slice(0, MOST);
}

/** What they depend on, as a text. @param {Line} line */
export function lastWordsKey({ calls }) {
  return calls.map((c) => [c.id, c.state, ...c.paths.map((p) => p.state < PATH.dead)].join()).join(' ');
}

/** @param {Call} c @returns {import('../wire/signal.js').Signal | null} */
function lastOf(c) {
  const up = c.state === STATE.open || c.state === STATE.answering;
  if (up) return { type: 'hang up', reason: HANG_UP.normal };
  return c.caller ? { type: 'cancel' } : null;
}
