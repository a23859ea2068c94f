/**
 * Signals: what the two ends of a call say to each other, inside of the encryption of a call message
 * (docs/protocol.md, section 14.2), and the consent of section 14.5.
 *
 *     type (1) || fields
 */

import { SIGNATURE_SIZE, verify } from '../identity/identity.js';
import { FormatError, Reader, Writer } from './bytes.js';
import { MAX_CALL_MESSAGE, long, readGeneration } from './call.js';
import { CALL_ID_SIZE } from './call-id.js';
import { MAX_ENTRY, checkWrap, readSignedKey } from './urgent.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/** The length limit of a signal: what a call message takes beside counter and tag. */
export const MAX_SIGNAL = MAX_CALL_MESSAGE - 8 - 16;

/** How many seconds ahead a consent may expire. */
export const MAX_CONSENT = 60;

/** Why an end hangs up. Others may come: they are as good as the first. */
export const HANG_UP = Object.freeze({ normal: 0, failed: 1, transferred: 2 });

/**
 * What a third person signs before a call is transferred to it: nobody is sent to somebody who did not agree.
 * expiry: Unix seconds; signature: of the third, not checked.
 *
 *     expiry (8) || signature (64)
 *
 * @typedef {{expiry: bigint, signature: Bytes}} Consent
 */

/**
 * The signals without fields. ringing, decline, busy are the called's; cancel, elsewhere the caller's.
 * @typedef {{type: 'ringing' | 'decline' | 'busy' | 'cancel' | 'hold' | 'unhold' | 'mute' | 'unmute' |
 *   'keys wanted' | 'elsewhere'}} BareSignal
 */

/**
 * entry: the called's member entry, not checked; chosen: the hash of the entry in the answer that the caller
 * chose; person: the key of whom to call, or of who would be told to; call: the id of the two who would be
 * parted; consent: if it is accepted. Bytes alias what was parsed.
 *
 * generation: the highest of the path that the caller knows to be set up; 0: it does not say.
 *
 * @typedef {BareSignal
 *   | {type: 'alive', generation: number}
 *   | {type: 'answer', entry: Bytes}
 *   | {type: 'confirm', chosen: Bytes}
 *   | {type: 'hang up', reason: number}
 *   | {type: 'transfer', person: Bytes, consent: Consent}
 *   | {type: 'transfer ack', accepted: boolean}
 *   | {type: 'key', key: {signed: Bytes, signature: Bytes}, wrap: Bytes}
 *   | {type: 'key received', number: number}
 *   | {type: 'consent wanted', person: Bytes, call: Bytes}
 *   | {type: 'consent', accepted: boolean, consent: Consent | null}} Signal
 */

/** By their numbers. */
const names = /** @type {const} */ ([
  '', 'ringing', 'answer', 'confirm', 'decline', 'busy', 'cancel', 'hang up', 'hold', 'unhold', 'mute',
  'unmute', 'transfer', 'transfer ack', 'key', 'key received', 'keys wanted', 'alive', 'elsewhere',
  'consent wanted', 'consent',
]);

const PART = 'signal';

/** @param {Bytes} bytes @returns {Signal} one of an unknown type is a FormatError 'unknown': to be ignored */
export function parseSignal(bytes) {
  if (bytes.length > MAX_SIGNAL) throw new FormatError(PART, 'limit', 'at most 876 bytes');
  const r = new Reader(bytes, PART);
  const type = names[r.uint8()];
  if (!type) throw new FormatError(PART, 'unknown', 'its type is not known');
  const signal = /** @type {Signal} */ ({ type, .../** @type {any} */ (readers)[type]?.(r) });
  r.end('goes on after its end');
  return signal;
}

/** @type {{[type: string]: (r: Reader) => object}} */
const readers = {
  answer(r) {
    if (r.left === 0 || r.left > MAX_ENTRY) {
      throw new FormatError(PART, 'invalid', 'an entry has 1 to 420 bytes');
    }
    return { entry: r.rest() };
  },
  alive: (r) => ({ generation: r.left === 0 ? 0 : readGeneration(r, PART) }),
  confirm: (r) => ({ chosen: r.take(32) }),
  'hang up': (r) => ({ reason: r.uint8() }),
  transfer: (r) => ({ person: r.take(32), consent: readConsent(r) }),
  'transfer ack': (r) => ({ accepted: readBool(r) }),
  key(r) {
    const key = readSignedKey(r);
    checkWrap(r.left, PART);
    return { key, wrap: r.rest() };
  },
  'key received': (r) => ({ number: r.uint32() }),
  'consent wanted': (r) => ({ person: r.take(32), call: r.take(CALL_ID_SIZE) }),
  consent(r) {
    const accepted = readBool(r);
    return { accepted, consent: accepted ? readConsent(r) : null };
  },
};

/** @param {Reader} r @returns {Consent} */
function readConsent(r) {
  return { expiry: r.uint64(), signature: r.take(SIGNATURE_SIZE) };
}

/** A byte that is 0 or 1. @param {Reader} r */
function readBool(r) {
  const v = r.uint8();
  if (v > 1) throw new FormatError(PART, 'invalid', 'yes is 1, no is 0');
  return v === 1;
}

/** @param {Signal} s its limits are not checked */
export function appendSignal(s) {
  const w = new Writer().uint8(names.indexOf(s.type));
  switch (s.type) {
    case 'alive': return (s.generation > 0 ? w.varint(s.generation) : w).done();
    case 'answer': return w.bytes(s.entry).done();
    case 'confirm': return w.bytes(s.chosen).done();
    case 'hang up': return w.uint8(s.reason).done();
    case 'transfer': return appendConsent(w.bytes(s.person), s.consent).done();
    case 'transfer ack': return w.uint8(Number(s.accepted)).done();
    case 'key': return w.bytes(s.key.signed).bytes(s.key.signature).bytes(s.wrap).done();
    case 'key received': return w.uint32(s.number).done();
    case 'consent wanted': return w.bytes(s.person).bytes(s.call).done();
    case 'consent':
      w.uint8(Number(s.accepted));
      return (s.accepted && s.consent ? appendConsent(w, s.consent) : w).done();
    default: return w.done();
  }
}

/** @param {Writer} w @param {Consent} c */
function appendConsent(w, { expiry, signature }) {
  return w.uint64(expiry).bytes(signature);
}

/**
 * The third's consent: asker transfers its call with person.
 * @param {import('../identity/identity.js').Identity} third @param {bigint} expiry Unix seconds
 * @param {Bytes} asker @param {Bytes} person @param {Bytes} call @returns {Promise<Consent>}
 */
export async function signConsent(third, expiry, asker, person, call) {
  return { expiry, signature: await third.sign('call consent', [asker, person, call, long(expiry)]) };
}

/**
 * Whether third signed a consent. It says nothing of its expiry.
 * @param {Consent} c @param {Bytes} third @param {Bytes} asker @param {Bytes} person @param {Bytes} call
 */
export async function verifyConsent({ expiry, signature }, third, asker, person, call) {
  return verify(third, 'call consent', [asker, person, call, long(expiry)], signature);
}
