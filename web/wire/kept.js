/**
 * The messages about offers that a client's relay kept while a device was away (docs/protocol.md, section
 * 13.7). Devices are hexadecimal digits here.
 */

import { FormatError, Reader, Writer, fromHex, toHex } from './bytes.js';
import { DEVICE_SIZE, MAX_OFFER } from './call.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/** How many offers a relay keeps for one device. */
export const MAX_KEPT = 20;
/** Of how many devices a client asks at once. */
export const MAX_KEPT_WANTED = 16;

/**
 * One offer that was kept for a device, of several, or that there is none: of and index are 0 then, key and
 * offer null. key: of the path that it was to be the offer of.
 * @typedef {{device: string, of: number, index: number, key: Bytes | null, offer: Bytes | null}} KeptCall
 */

/**
 * Asks for what is kept for devices of the client's identity, which were there before, or are.
 *
 *     device (8), of one or more up to 16
 *
 * @param {Bytes} message @returns {string[]}
 */
export function parseKeptWanted(message) {
  const what = 'kept wanted';
  if (message.length < DEVICE_SIZE) throw new FormatError(what, 'truncated', 'of no device');
  if (message.length >= (MAX_KEPT_WANTED + 1) * DEVICE_SIZE) {
    throw new FormatError(what, 'limit', 'at most 16 devices');
  }
  if (message.length % DEVICE_SIZE !== 0) throw new FormatError(what, 'invalid', 'goes on after its devices');
  const r = new Reader(message, what);
  return Array.from({ length: message.length / DEVICE_SIZE }, () => toHex(r.take(DEVICE_SIZE)));
}

/** @param {string[]} devices */
export function appendKeptWanted(devices) {
  const w = new Writer();
  for (const device of devices) w.bytes(fromHex(device, DEVICE_SIZE));
  return w.done();
}

/**
 *     device (8) || of (1) || nothing, if of is 0; else index (1) || path key (32)
 *     || sealed offer, to the end (1 to 850)
 *
 * @param {Bytes} message @returns {KeptCall}
 */
export function parseKeptCall(message) {
  const what = 'kept call';
  const r = new Reader(message, what);
  const device = toHex(r.take(DEVICE_SIZE));
  const of = r.uint8();
  if (of > MAX_KEPT) throw new FormatError(what, 'limit', 'at most 20 offers of a device');
  if (of === 0) {
    r.end('none is kept, and yet there is one');
    return { device, of, index: 0, key: null, offer: null };
  }
  const index = r.uint8();
  if (index >= of) throw new FormatError(what, 'invalid', 'the index is not below how many there are');
  const key = r.take(32);
  if (r.left === 0) throw new FormatError(what, 'truncated', 'its offer is empty');
  if (r.left > MAX_OFFER) throw new FormatError(what, 'limit', 'an offer has at most 850 bytes');
  return { device, of, index, key, offer: r.rest() };
}

/** @param {KeptCall} m */
export function appendKeptCall({ device, of, index, key, offer }) {
  const w = new Writer().bytes(fromHex(device, DEVICE_SIZE)).uint8(of);
  if (key && offer) w.uint8(index).bytes(key).bytes(offer);
  return w.done();
}
