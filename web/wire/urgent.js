/**
 * The messages inside of urgent frames (docs/protocol.md, sections 4.4 and 7.2). Nothing here checks a
 * signature or an entry: give entries to entry.js and keys to e2ee/.
 *
 *     message ── parseMembersJoined, parseMembersLeft, parseKey, ... ──> fields
 *     fields ── appendSenderKey, appendKeyWraps, ... ──> message
 *
 * Member ids come as 6 bytes and may be given as those or as twelve hexadecimal digits. Results alias the
 * message.
 */

import { FormatError, Reader, Writer, fromHex, fromUtf8, toHex, toUtf8 } from './bytes.js';
import { checkText } from '../names/names.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

// The kinds of urgent messages. Unknown ones are acknowledged and ignored.
export const MEMBERS_JOINED = 1; // from the relay: parseMembersJoined
export const MEMBERS_LEFT = 2; // from the relay: parseMembersLeft
export const REFETCH = 3; // from the relay: fetch the member list again; empty
export const SHUTDOWN = 4; // from the relay: it shuts down; empty
export const LEAVE = 5; // from the client: it leaves; empty
export const SENDER_KEY = 6; // from the client: appendSenderKey
export const KEY_WRAPS = 7; // from the client: appendKeyWraps
export const KEY = 8; // from the relay: parseKey
export const KEYS_WANTED = 9; // from both
export const KEY_DELIVERED = 10; // from the relay: parseKeyDelivered
export const MEMBERS_WANTED = 11; // from the client: the member list does not come; empty
export const RELAYS = 13; // from the relay: parseRelays
export const MEDIA_DROPPED = 14; // from the relay: parseMediaDropped

// Calls, docs/protocol.md, sections 11 to 13.
export const AVAILABLE = 15; // from the client: a record of signReach, or empty
export const ROUTE_WANTED = 16; // from the client: appendRouteWanted in route.js
export const ROUTE = 17; // from the relay: parseRoute
export const CALL_FORWARD = 18; // from the client: appendForward in call.js
export const CALL_OFFER = 19; // from the relay: parseForward
export const CALL_MESSAGE = 20; // from both: parseMessage
export const CALL_STATE = 21; // from the relay: parseState
export const CALL_END = 22; // from both: parseEnd
export const CALL_MEDIA = 23; // from the client: appendMedia
export const KEPT_WANTED = 24; // from the client: appendKeptWanted in kept.js
export const KEPT_CALL = 25; // from the relay: parseKeptCall
export const RECORD_REFUSED = 26; // from the relay: parseRecordRefused

export const MEMBER_ID_SIZE = 6;
export const MAX_ENTRY = 420;
export const MAX_LABEL = 64; // bytes of a relay's label
export const MAX_WANTED = 32; // member ids in a "keys wanted"
export const WRAP_FRESH = 64; // bytes of a wrap of a fresh key, of 16 bytes
export const WRAP_RATCHETED = 80; // bytes of a wrap of a ratcheted key, of 32 bytes
const SIGNATURE_SIZE = 64;
export const RELAY_ID_SIZE = 8;

/**
 * What a talker signs about a sender key.
 *
 *     suite (1) || number (4) || epoch (1) || first CTR (varint) || SHA-256(key) (32) || member digest (32)
 *
 * suite is 2 or 3; epoch is the low byte of the KIDs that the key is for.
 * @typedef {{suite: number, number: number, epoch: number, firstCtr: number, hash: Bytes, members: Bytes}}
 *   KeyHeader
 */

/**
 * A header as it travels: signed are its bytes, signature has 64 and was not checked.
 * @typedef {KeyHeader & {signed: Bytes, signature: Bytes}} SignedKey
 */

/** @typedef {{recipients: number, key: SignedKey}} SenderKey */
/**
 * @typedef {{number: number, size: number, wraps: {id: Bytes, wrap: Bytes}[]}} KeyWraps id: the recipient's
 */
/** @typedef {{sender: Bytes, key: SignedKey, wrap: Bytes}} Key sender: its member id */

/**
 * The entries of "members joined". Only their lengths were checked.
 *
 *     length (varint) || entry, once for each
 *
 * @param {Bytes} message @returns {Bytes[]}
 */
export function parseMembersJoined(message) {
  const r = new Reader(message, 'members joined');
  const entries = [];
  do {
    const n = r.varint();
    if (n > r.left) throw new FormatError('members joined', 'truncated');
    if (n === 0 || n > MAX_ENTRY) {
      throw new FormatError('members joined', 'invalid', 'an entry has 1 to 420 bytes');
    }
    entries.push(r.take(n));
  } while (r.left > 0);
  return entries;
}

/** @param {Bytes[]} entries */
export function appendMembersJoined(entries) {
  const w = new Writer();
  for (const entry of entries) w.varint(entry.length).bytes(entry);
  return w.done();
}

/**
 * What the relay calls other relays, from "relays": by the id of each, half of its fingerprint.
 *
 *     relay id (8) || label length (1) || label, once for each
 *
 * @param {Bytes} message @returns {Map<string, string>}
 */
export function parseRelays(message) {
  const r = new Reader(message, 'relays');
  const labels = new Map();
  do {
    const id = colons(r.take(RELAY_ID_SIZE));
    const label = fromUtf8(r.take(r.uint8()), 'relay label');
    checkText('relay label', label, MAX_LABEL);
    labels.set(id, label);
  } while (r.left > 0);
  return labels;
}

/** @param {Map<string, string>} labels */
export function appendRelays(labels) {
  const w = new Writer();
  for (const [id, label] of labels) {
    const text = toUtf8(label);
    w.bytes(fromColons(id, RELAY_ID_SIZE)).uint8(text.length).bytes(text);
  }
  return w.done();
}

/** How relay ids and fingerprints are written: in groups of four hexadecimal digits. @param {Bytes} id */
export function colons(id) {
  return toHex(id).replace(/(.{4})(?=.)/g, '$1:');
}

/**
 * Reads what colons has written.
 * @param {string} text @param {number} size in bytes @param {string} [what] for errors @returns {Bytes}
 */
export function fromColons(text, size, what = 'relay id') {
  const bytes = fromHex(text.replaceAll(':', ''), size, what);
  if (colons(bytes) !== text) throw new FormatError(what, 'invalid', 'groups of four, joined by colons');
  return bytes;
}

/** Reasons of parseRecordRefused; others may come, and mean as much as invalid. */
export const RECORD = /** @type {const} */ ({ invalid: 1, tooOften: 2 });

/**
 * Why the relay does not take a reach record.
 *
 *     reason (1)
 *
 * @param {Bytes} message @returns {number} one of RECORD, or above
 */
export function parseRecordRefused(message) {
  const r = new Reader(message, 'record refused');
  const reason = r.uint8();
  r.end('goes on after its reason');
  if (reason === 0) throw new FormatError('record refused', 'invalid', 'no reason');
  return reason;
}

/** @param {number} reason */
export function appendRecordRefused(reason) {
  return new Writer().uint8(reason).done();
}

/**
 * What the relay did not pass on of what the client sent, from "media dropped". Reasons: 0 it is over, 1 too
 * many packets a second, 2 too many bytes, 3 the room has too much, 4 the relay has; others may come.
 *
 *     reason (1) || frames dropped (varint) || frames sent (varint)
 *
 * @param {Bytes} message
 * @returns {{reason: number, dropped: number, sent: number}} counts since the last such message
 */
export function parseMediaDropped(message) {
  const r = new Reader(message, 'media dropped');
  const reason = r.uint8();
  const dropped = r.varint();
  const sent = r.varint();
  r.end('goes on after its counts');
  if (dropped > sent) throw new FormatError('media dropped', 'invalid', 'more frames dropped than sent');
  if (sent >= 2 ** 32) throw new FormatError('media dropped', 'limit', 'counts must fit 32 bits');
  return { reason, dropped, sent };
}

/** @param {{reason: number, dropped: number, sent: number}} m */
export function appendMediaDropped(m) {
  return new Writer().uint8(m.reason).varint(m.dropped).varint(m.sent).done();
}

/** The member ids of "members left". @param {Bytes} message */
export function parseMembersLeft(message) {
  return parseMemberIds(message, 'members left', 'one or more member ids of 6 bytes');
}

/** @param {(Bytes|string)[]} ids */
export function appendMembersLeft(ids) {
  return appendMemberIds(ids);
}

/** The member ids of "keys wanted": members who lack the client's key. @param {Bytes} message */
export function parseKeysWanted(message) {
  const detail = '1 to 32 member ids';
  if (message.length > MAX_WANTED * MEMBER_ID_SIZE) throw new FormatError('keys wanted', 'invalid', detail);
  return parseMemberIds(message, 'keys wanted', detail);
}

/** @param {(Bytes|string)[]} ids of talkers whose key the client lacks, 1 to 32 */
export function appendKeysWanted(ids) {
  return appendMemberIds(ids);
}

/** @param {Bytes} message @param {string} what @param {string} detail */
function parseMemberIds(message, what, detail) {
  if (message.length === 0 || message.length % MEMBER_ID_SIZE !== 0) {
    throw new FormatError(what, 'invalid', detail);
  }
  const ids = [];
  for (let i = 0; i < message.length; i += MEMBER_ID_SIZE) ids.push(message.subarray(i, i + MEMBER_ID_SIZE));
  return ids;
}

/** @param {(Bytes|string)[]} ids */
function appendMemberIds(ids) {
  const w = new Writer();
  for (const id of ids) w.bytes(memberId(id));
  return w.done();
}

/** The 6 bytes of a member id. @param {Bytes|string} id those bytes, or twelve hexadecimal digits */
export function memberId(id) {
  if (typeof id === 'string') return fromHex(id, MEMBER_ID_SIZE, 'member id');
  if (id.length !== MEMBER_ID_SIZE) throw new FormatError('member id', 'invalid', '6 bytes');
  return id;
}

/** A key header as it is signed. @param {KeyHeader} h */
export function appendKeyHeader(h) {
  return new Writer()
    .uint8(h.suite)
    .uint32(h.number)
    .uint8(h.epoch)
    .varint(h.firstCtr)
    .bytes(h.hash)
    .bytes(h.members)
    .done();
}

/**
 * Header and signature. What is signed is what came: a first CTR may be longer than it need be.
 * @param {Reader} r @returns {SignedKey}
 */
export function readSignedKey(r) {
  const start = r.offset;
  const header = {
    suite: r.uint8(), number: r.uint32(), epoch: r.uint8(), firstCtr: r.varint(), hash: r.take(32),
    members: r.take(32),
  };
  const signed = r.since(start);
  const signature = r.take(SIGNATURE_SIZE);
  if (header.suite !== 2 && header.suite !== 3) {
    throw new FormatError('sender key', 'unknown', 'its suite is neither 2 nor 3');
  }
  return { ...header, signed, signature };
}

/**
 *     recipients (varint) || header || signature (64)
 *
 * @param {Bytes} message @returns {SenderKey}
 */
export function parseSenderKey(message) {
  const r = new Reader(message, 'sender key');
  const recipients = r.varint();
  const key = readSignedKey(r);
  r.end('goes on after its signature');
  if (recipients >= 2 ** 32) throw new FormatError('sender key', 'limit', 'recipients must fit 32 bits');
  return { recipients, key };
}

/** @param {{recipients: number, key: {signed: Bytes, signature: Bytes}}} k */
export function appendSenderKey(k) {
  return new Writer().varint(k.recipients).bytes(k.key.signed).bytes(k.key.signature).done();
}

/**
 *     key number (4) || size of a wrap (1) || one or more of: recipient (6) || wrap (size)
 *
 * @param {Bytes} message @returns {KeyWraps}
 */
export function parseKeyWraps(message) {
  const r = new Reader(message, 'key wraps');
  const number = r.uint32();
  const size = r.uint8();
  const detail = 'at least one, and whole ones';
  if (r.left === 0) throw new FormatError('key wraps', 'truncated', detail);
  checkWrap(size, 'key wraps');
  if (r.left % (MEMBER_ID_SIZE + size) !== 0) throw new FormatError('key wraps', 'truncated', detail);
  const wraps = [];
  while (r.left > 0) wraps.push({ id: r.take(MEMBER_ID_SIZE), wrap: r.take(size) });
  return { number, size, wraps };
}

/**
 * @param {number} number @param {number} size of each wrap: WRAP_FRESH or WRAP_RATCHETED
 * @param {{id: Bytes|string, wrap: Bytes}[]} [wraps] without them it is the beginning of the message, 5 bytes
 */
export function appendKeyWraps(number, size, wraps = []) {
  const w = new Writer().uint32(number).uint8(size);
  for (const { id, wrap } of wraps) w.bytes(memberId(id)).bytes(wrap);
  return w.done();
}

/**
 *     sender (6) || header || signature (64) || wrap (64 or 80)
 *
 * @param {Bytes} message @returns {Key}
 */
export function parseKey(message) {
  const r = new Reader(message, 'sender key');
  const sender = r.take(MEMBER_ID_SIZE);
  const key = readSignedKey(r);
  checkWrap(r.left, 'sender key');
  return { sender, key, wrap: r.rest() };
}

/** @param {{sender: Bytes|string, key: {signed: Bytes, signature: Bytes}, wrap: Bytes}} k */
export function appendKey(k) {
  return new Writer()
    .bytes(memberId(k.sender))
    .bytes(k.key.signed)
    .bytes(k.key.signature)
    .bytes(k.wrap)
    .done();
}

/** @param {number} size @param {string} what */
export function checkWrap(size, what) {
  if (size !== WRAP_FRESH && size !== WRAP_RATCHETED) {
    throw new FormatError(what, 'invalid', 'a wrap has 64 or 80 bytes');
  }
}

/**
 * The key number of "key delivered": all recipients of the key that are there have it.
 * @param {Bytes} message
 */
export function parseKeyDelivered(message) {
  if (message.length !== 4) throw new FormatError('key delivered', 'invalid', 'a key number');
  return new Reader(message, 'key delivered').uint32();
}

/** @param {number} number */
export function appendKeyDelivered(number) {
  return new Writer().uint32(number).done();
}
