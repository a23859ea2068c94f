/**
 * The messages that ask a client's relay where somebody can be called (docs/protocol.md, section 12.1).
 *
 *     route wanted: fingerprint (16)
 *     route:        fingerprint (16) || found (1) || index (1) || of (1) || n (1) || n relay ids (8 each)
 *                   || reach record (178) if found is 1 or 3
 */

import { FormatError, Reader, Writer } from './bytes.js';
import { FINGERPRINT_SIZE, MAX_HOPS } from './call.js';
import { REACH_SIZE } from './reach.js';
import { RELAY_ID_SIZE, colons, fromColons } from './urgent.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/**
 * Whether somebody was found who can be called. unsure: nobody, but not everybody who might know was asked;
 * away: nobody, but there is a device whose home keeps offers for it while it is away.
 */
export const FOUND = Object.freeze({ nobody: 0, device: 1, unsure: 2, away: 3 });

/** How many devices of one identity can be called. */
export const MAX_DEVICES = 8;

/**
 * One device of several, or that there is none: index, of and chain are 0 and empty then, and record is null.
 * Of the record only the length was checked: see parseReach. chain: relay ids, from the client's own relay to
 * the device's home.
 * @typedef {object} Route
 * @property {string} target fingerprint
 * @property {number} found
 * @property {number} index below of
 * @property {number} of how many there are: 1 to 8
 * @property {string[]} chain 1 to 8
 * @property {Bytes | null} record
 */

/** @param {Bytes} message @returns {string} fingerprint */
export function parseRouteWanted(message) {
  const r = new Reader(message, 'route wanted');
  const target = colons(r.take(FINGERPRINT_SIZE));
  r.end('goes on after its fingerprint');
  return target;
}

/** @param {string} target fingerprint */
export function appendRouteWanted(target) {
  return fromColons(target, FINGERPRINT_SIZE, 'fingerprint');
}

/** @param {Bytes} message the result does not alias it @returns {Route} */
export function parseRoute(message) {
  const what = 'route';
  const r = new Reader(message.slice(), what);
  const target = colons(r.take(FINGERPRINT_SIZE));
  const [found, index, of, n] = r.take(4);
  if (found > FOUND.away) throw new FormatError(what, 'unknown', 'found is 0, 1, 2 or 3');
  if (of > MAX_DEVICES) throw new FormatError(what, 'limit', 'at most 8 devices');
  if (n > MAX_HOPS) throw new FormatError(what, 'limit', 'a chain has at most 8 relays');
  const there = found === FOUND.device || found === FOUND.away;
  if (there && index >= of) {
    throw new FormatError(what, 'invalid', 'the index is not below how many there are');
  }
  if (there && n === 0) throw new FormatError(what, 'invalid', 'its chain is empty');
  if (found === FOUND.away && of !== 1) {
    throw new FormatError(what, 'invalid', 'of devices that are away one is told');
  }
  if (!there && index + of + n > 0) {
    throw new FormatError(what, 'invalid', 'nobody is found, and yet there is a device');
  }
  const chain = Array.from({ length: n }, () => colons(r.take(RELAY_ID_SIZE)));
  const record = there ? r.take(REACH_SIZE) : null;
  r.end('goes on after its end');
  return { target, found, index, of, chain, record };
}

/** @param {Route} m */
export function appendRoute({ target, found, index, of, chain, record }) {
  const w = new Writer().bytes(fromColons(target, FINGERPRINT_SIZE, 'fingerprint'));
  w.uint8(found).uint8(index).uint8(of).uint8(chain.length);
  for (const id of chain) w.bytes(fromColons(id, RELAY_ID_SIZE));
  return w.bytes(record ?? []).done();
}
