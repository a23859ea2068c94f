/**
 * Reach records (docs/protocol.md, section 11.1): what a client that takes calls signs about itself, so that
 * callers can seal their offers to it, and so that nobody else can claim to reach it.
 *
 *     version (1) = 1 || flags (1) || identity key, Ed25519 (32) || stay key, X25519 (32)
 *     || home relay's key, Ed25519 (32) || sequence (8) || expiry, Unix seconds (8) || signature (64)
 *
 * Flag 1, keep: while the device is away, offers to it are kept by its home.
 */

import { SIGNATURE_SIZE, verify } from '../identity/identity.js';
import { FormatError, Reader, Writer, concat, toHex, toUtf8 } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/** The length of a reach record in bytes. */
export const REACH_SIZE = 178;
/** How many seconds ahead a record may expire. */
export const MAX_REACH = 300;
/** How many seconds after its expiry a record of a device that is away is good, to leave word of a call. */
export const MAX_AWAY = 24 * 3600;

const SKEW = 120; // seconds that clocks may be off
const VERSION = 1;
const KEEP = 1; // the flag
const KIND = 'reach'; // of its signature
const PART = 'reach record';

/**
 * What a record says. identity: who takes calls; stayKey: X25519 public key, made for this stay; homeRelay:
 * the key of the relay that the client is attached to; sequence rises with every record of one stay key;
 * expiry is Unix time in seconds; keep: while the device is away, its home keeps offers to it.
 * @typedef {{identity: Bytes, stayKey: Bytes, homeRelay: Bytes, sequence: bigint, expiry: bigint,
 *   keep: boolean}} Reach
 */

/**
 * Makes a record.
 * @param {import('../identity/identity.js').Identity} identity whose public key it has
 * @param {Omit<Reach, 'identity'>} reach @returns {Promise<Bytes>}
 */
export async function signReach(identity, { stayKey, homeRelay, sequence, expiry, keep }) {
  const w = new Writer().uint8(VERSION).uint8(keep ? KEEP : 0);
  w.bytes(identity.publicKey).bytes(stayKey).bytes(homeRelay);
  const signed = w.uint64(sequence).uint64(expiry).done();
  return concat(signed, await identity.sign(KIND, [signed]));
}

/**
 * Reads a record and checks its layout and signature. It does not say that the record is fresh.
 * @param {Bytes} bytes the result does not alias them
 * @returns {Promise<Reach>} or it rejects with a FormatError
 */
export async function parseReach(bytes) {
  const r = new Reader(bytes.slice(), PART);
  const version = r.uint8();
  const flags = r.uint8();
  if (version !== VERSION) throw new FormatError(PART, 'unknown', 'its version is not 1');
  if (flags & ~KEEP) throw new FormatError(PART, 'invalid', 'unknown flags are set');
  const reach = {
    identity: r.take(32), stayKey: r.take(32), homeRelay: r.take(32), sequence: r.uint64(),
    expiry: r.uint64(), keep: flags === KEEP,
  };
  if (reach.expiry >> 63n) throw new FormatError(PART, 'limit', 'it never expires');
  const signed = r.since(0);
  const signature = r.take(SIGNATURE_SIZE);
  r.end('goes on after its signature');
  if (!(await verify(reach.identity, KIND, [signed], signature))) {
    throw new FormatError(`${PART} signature`, 'invalid');
  }
  return reach;
}

/**
 * Whether a record is neither expired nor good for longer than a record may be.
 * @param {Reach} reach @param {number} now ms since 1970
 */
export function isFresh({ expiry }, now) {
  return isGood(expiry, now, 0);
}

/**
 * Whether a record is of a device for which offers are kept while it is away, and which was there in the last
 * day.
 * @param {Reach} reach @param {number} now ms since 1970
 */
export function isAway({ expiry, keep }, now) {
  return keep && isGood(expiry, now, MAX_AWAY);
}

/** @param {bigint} expiry @param {number} now ms since 1970 @param {number} after its expiry, seconds */
function isGood(expiry, now, after) {
  const left = Number(expiry - BigInt(Math.floor(now / 1000)));
  return left > -(after + SKEW) && left <= MAX_REACH + SKEW;
}

/**
 * Which of an identity's devices has a stay key: SHA-256("wzp/1 device" || stay key)[:8].
 * @param {Bytes} stayKey @returns {Promise<string>} 16 hexadecimal digits
 */
export async function deviceOf(stayKey) {
  const digest = await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 device'), stayKey));
  return toHex(new Uint8Array(digest, 0, 8));
}
