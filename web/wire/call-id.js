/**
 * The names of calls (docs/protocol.md, section 14.1): what the two ends compute of both identities and a
 * nonce, and nobody else can. The room of a call exists only at its ends: nobody can join it.
 */

import { FormatError, concat, toHex, toUtf8 } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

export const CALL_NONCE_SIZE = 32; // of what the caller draws for one call
export const CALL_ID_SIZE = 16;
const ROOMS = '_call/';

/**
 * The id of a call: SHA-256("wzp/1 call" || caller's identity key || called's identity key || nonce)[:16].
 * @param {Bytes} caller @param {Bytes} called @param {Bytes} nonce @returns {Promise<Bytes>}
 */
export async function callIdOf(caller, called, nonce) {
  const text = concat(toUtf8('wzp/1 call'), caller, called, nonce);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', text)).slice(0, CALL_ID_SIZE);
}

/** The name of the room that the ends of a call are in. @param {Bytes} id */
export function callRoom(id) {
  return ROOMS + toHex(id);
}

/** Refuses what is no name of a call's room. @param {string} room @param {string} [what] for errors */
export function checkCallRoom(room, what = 'call room') {
  if (!/^_call\/[0-9a-f]{32}$/.test(room)) {
    throw new FormatError(what, 'invalid', 'the room of a call is _call/ and 32 hexadecimal digits');
  }
}
