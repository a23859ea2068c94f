/**
 * A sealed offer tells one device of the called who calls (docs/protocol.md, section 14.3): HPKE (RFC 9180),
 * to the stay key of its reach record.
 *
 *     info      = "wzp/1 offer" || path key (32)
 *     plaintext = version (1) = 1 || flags (1) = 0 || time, Unix seconds (8) || nonce (32) || path seed (32)
 *                 || room secret (32) || entry length (varint) || caller's entry
 *                 || zeros, up to 438 bytes
 *     offer     = enc (32) || ciphertext
 *
 * HPKE's base mode says nothing about who sealed: the entry does, which is signed, of a room that is made of
 * the two identities and the nonce.
 */

import {CodedError, concat, equal, FormatError, Reader, toUtf8, Writer} from '../wire/bytes.js';
import {CALL_NONCE_SIZE, callIdOf, callRoom} from '../wire/call-id.js';
import {PATH_SEED_SIZE, PathKey} from '../wire/call-path.js';
import {parseCall} from '../wire/entry.js';
import {CallChannel, callKeys} from './call-channel.js';
import {ENC_SIZE, generatePair, HpkeError, setupRecipient, setupSender} from './hpke.js';
import {Secret} from './secret.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/entry.js').Entry} Entry */

const LABEL = toUtf8('wzp/1 offer');
const VERSION = 1;
/**
 * Bytes of the plaintext. The longest entry of a call, with a name of 64 bytes, fits: relays cannot tell by
 * the size how long the caller's name is.
 */
const SIZE = 438;
/** Seconds that the time of an offer may be off: the clocks of two people, and the way. */
const SKEW = 120n;
/** How many seconds old an offer may be that a relay kept for a device that was away. */
const KEPT = 25n * 3600n;

/** @type {Record<string, string>} */
const wrong = {
  sealed: 'it is for another device or path, or was changed',
  version: 'of another version, or with unknown flags',
  layout: 'not of the one size, or not well made',
  time: 'made too long ago, or a clock is wrong',
  path: 'its path seed is not that of the path it came by',
  entry: 'its entry is no entry of a call',
  self: 'the called is the caller',
  room: 'its entry is of another call',
  proof: 'the room proof is wrong',
  erased: 'the stay key was erased',
};

/** An offer is not what an honest caller makes; the code is one of those above. */
export class OfferError extends CodedError {
  /** @param {string} code */
  constructor(code) {
    super(code, `the offer of a call is not valid, ignore it: ${wrong[code]}`);
  }
}

/**
 * What a caller seals for one device. secret: of the call's room; entry: the caller's, of that room, with a
 * proof by secret.
 * @typedef {{nonce: Bytes, seed: Bytes, secret: Secret, entry: Bytes}} Offer
 */

/**
 * Seals an offer to a stay key. It fails for keys of low order: the offer would be open to everybody.
 * @param {Bytes} to stay key, 32 bytes @param {Offer} offer @param {number} now ms since 1970
 * @returns {Promise<{sealed: Bytes, path: PathKey, channel: CallChannel}>} channel: by which the caller talks
 *   with that device
 */
export async function sealOffer(to, offer, now) {
  const path = await PathKey.of(offer.seed);
  const ephemeral = await generatePair();
  const context = await setupSender(ephemeral, to, offerInfo(path.publicKey), true);
  const plaintext = offerPlaintext(offer, now);
  const sealed = concat(ephemeral.publicKey, await context.seal(plaintext));
  plaintext.fill(0);
  const {caller, called} = await callKeys(context);
  return {sealed, path, channel: new CallChannel(path.id, caller, called)};
}

/** @param {Bytes} pathKey */
export function offerInfo(pathKey) {
  return concat(LABEL, pathKey);
}

/** @param {Offer} offer @param {number} now ms since 1970 @returns {Bytes} the caller erases it */
export function offerPlaintext({nonce, seed, secret, entry}, now) {
  const w = new Writer().uint8(VERSION).uint8(0).uint64(BigInt(Math.floor(now / 1000)));
  w.bytes(nonce).bytes(seed);
  secret.revealTo((bytes) => w.bytes(bytes));
  const plaintext = w.varint(entry.length).bytes(entry).done();
  const padded = new Uint8Array(Math.max(SIZE, plaintext.length));
  padded.set(plaintext);
  plaintext.fill(0);
  return padded;
}

/**
 * An offer that was opened, and found to be one of caller: call is its id, entry caller's bytes.
 * @typedef {object} OpenedOffer
 * @property {Bytes} call
 * @property {Entry} caller
 * @property {Bytes} entry
 * @property {Secret} secret
 * @property {PathKey} path
 * @property {CallChannel} channel
 */

/**
 * Opens an offer that came for the path with this key, and checks all that can be checked of it alone. It
 * does not say that the offer came for the first time.
 * @param {import('./hpke.js').Pair} stay whose public half is in a reach record @param {Bytes} pathKey
 * @param {Bytes} self the identity of that record @param {Bytes} sealed @param {number} now ms since 1970
 * @returns {Promise<OpenedOffer>} or it rejects with an OfferError
 */
export async function openOffer(stay, pathKey, self, sealed, now) {
  const {opened, context} = await open(stay, pathKey, self, sealed, now, SKEW);
  const {caller, called} = await callKeys(context);
  return {...opened, channel: new CallChannel(opened.path.id, called, caller)};
}

/**
 * An offer that was made while its device was away: who called, and when by their clock, in ms since 1970.
 * @typedef {Pick<OpenedOffer, 'call' | 'caller'> & {made: number}} KeptOffer
 */

/**
 * Opens an offer that a relay kept, as openOffer; it may have been made up to 25 hours ago.
 * @param {import('./hpke.js').Pair} stay @param {Bytes} pathKey @param {Bytes} self @param {Bytes} sealed
 * @param {number} now ms since 1970 @returns {Promise<KeptOffer>} or it rejects with an OfferError
 */
export async function openKept(stay, pathKey, self, sealed, now) {
  const {opened: {call, caller, made}} = await open(stay, pathKey, self, sealed, now, KEPT);
  return {call, caller, made: 1000 * Number(made)};
}

/**
 * @param {import('./hpke.js').Pair} stay @param {Bytes} pathKey @param {Bytes} self @param {Bytes} sealed
 * @param {number} now @param {bigint} age seconds that it may be old
 */
async function open(stay, pathKey, self, sealed, now, age) {
  const bytes = sealed.slice(); // the caller may use its buffer again
  let context, plaintext;
  try {
    context = await setupRecipient(bytes.subarray(0, ENC_SIZE), stay, offerInfo(pathKey), true);
    plaintext = await context.open(bytes.subarray(ENC_SIZE));
  } catch (error) {
    if (error instanceof HpkeError) throw new OfferError('sealed');
    throw error;
  }
  return {opened: await checkOffer(plaintext, pathKey, self, now, age), context};
}

/**
 * @param {Bytes} plaintext @param {Bytes} pathKey @param {Bytes} self @param {number} now @param {bigint} age
 */
async function checkOffer(plaintext, pathKey, self, now, age) {
  const {made, nonce, seed, secret: bytes, entry} = readOffer(plaintext);
  if (!inTime(made, now, age)) throw new OfferError('time');
  const path = await PathKey.of(seed);
  if (!equal(path.publicKey, pathKey)) throw new OfferError('path');
  const caller = await parseOfferEntry(entry);
  if (equal(caller.identity, self)) throw new OfferError('self');
  const call = await callIdOf(caller.identity, self, nonce);
  if (caller.room !== callRoom(call)) throw new OfferError('room');
  const secret = await Secret.fromBytes(bytes.slice());
  plaintext.fill(0, 0, entry.byteOffset - plaintext.byteOffset); // its secrets
  if (!(await secret.check(caller.room, caller.proved, caller.proof))) throw new OfferError('proof');
  return {made, call, caller, entry, secret, path};
}

/** @param {Bytes} plaintext */
function readOffer(plaintext) {
  const r = new Reader(plaintext, 'offer');
  try {
    const version = r.uint8();
    const flags = r.uint8();
    const parts = {
      made: r.uint64(), nonce: r.take(CALL_NONCE_SIZE), seed: r.take(PATH_SEED_SIZE), secret: r.take(32),
    };
    if (version !== VERSION || flags !== 0) throw new OfferError('version');
    const entry = r.take(r.varint());
    if (plaintext.length === SIZE && r.rest().every((zero) => zero === 0)) return {...parts, entry};
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  throw new OfferError('layout');
}

/** @param {Bytes} entry @returns {Promise<Entry>} */
async function parseOfferEntry(entry) {
  let parsed = null;
  try {
    parsed = await parseCall(entry);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  if (!parsed || parsed.replaces) throw new OfferError('entry');
  return parsed;
}

/**
 * Whether a time is at most SKEW ahead, and not older than age.
 * @param {bigint} made Unix seconds @param {number} now ms since 1970 @param {bigint} age
 */
function inTime(made, now, age) {
  const off = made - BigInt(Math.floor(now / 1000));
  return -age <= off && off <= SKEW;
}
