/**
 * Member entries (docs/protocol.md, section 5.1): what a client signs about itself for one stay in a room.
 *
 *     version (1) = 1 || flags (1) || room length (1) || room || name length (1) || name
 *     || identity key, Ed25519 (32) || home relay's key, Ed25519 (32) || stay commitment (32)
 *     || join key, X25519 (32) || hash of the replaced entry (32) || its stay secret (32), if flag 0x02 is set
 *     || room proof (32), if flag 0x01 is set || signature (64)
 *
 * There is no way to read an entry without checking its signature. Whether it is fresh, and of the room and
 * relay that the caller expects, is the caller's question.
 */

import { SIGNATURE_SIZE, fingerprintOf, verify } from '../identity/identity.js';
import { FormatError, Reader, Writer, concat, fromUtf8, toHex, toUtf8 } from './bytes.js';
import { checkName, checkRoomName } from '../names/names.js';
import { checkCallRoom } from './call-id.js';
import { MAX_ENTRY, MEMBER_ID_SIZE } from './urgent.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */
/** @typedef {import('../identity/identity.js').Identity} Identity */

/**
 * What an entry says. identity: Ed25519 public key; homeRelay: of the relay that the client is attached to;
 * joinKey: X25519 public key; proof: room proof, if there is one; proved: the bytes that it covers; hash:
 * SHA-256("wzp/1 member" || entry), id: its first 6 bytes. stay: names the stay whose entry it is; replaces:
 * the stay that ends with this entry, '' if there is none. They are equal texts, if the entries are of one
 * room, when the newer one has proved with the secret that the older one is its own.
 * @typedef {object} Entry
 * @property {string} room
 * @property {string} name may be empty
 * @property {Bytes} identity
 * @property {string} fingerprint of identity
 * @property {Bytes} homeRelay
 * @property {Bytes} joinKey
 * @property {string} stay
 * @property {string} replaces
 * @property {Bytes} [proof]
 * @property {Bytes} proved
 * @property {Bytes} hash
 * @property {Bytes} id
 */

const VERSION = 1;
const FLAG_PROOF = 1;
const FLAG_REPLACES = 2;
/** Bytes of a stay's secret, which is drawn anew for each stay. */
export const STAY_SECRET_SIZE = 32;
const KIND = 'member'; // of its signature

/**
 * The hash of an entry. Its first 6 bytes are the member id; what must not be taken for another's is bound to
 * all of it, for an id can be searched for.
 * @param {Bytes} entry @returns {Promise<Bytes>}
 */
export async function hashEntry(entry) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 member'), entry)));
}

/**
 * What an entry says in the place of a stay's secret.
 * @param {Bytes} secret @returns {Promise<Bytes>} 32 bytes
 */
async function commit(secret) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 stay'), secret)));
}

/**
 * A stay as a text, for maps: what has to be equal for one entry to replace another.
 * @param {Bytes} hash of the entry @param {Bytes} identity @param {Bytes} commitment
 */
function stayName(hash, identity, commitment) {
  return toHex(concat(hash, identity, commitment));
}

/**
 * A stay, and the secret that proves that it is one's own. Whoever has it can end that stay, and do nothing
 * else with it.
 * @typedef {{hash: Bytes, secret: Bytes}} StayProof hash: of its entry
 */

/**
 * What an entry is made of.
 * @typedef {object} EntryFields
 * @property {string} room
 * @property {string} name
 * @property {Identity} identity
 * @property {Bytes} homeRelay the relay's Ed25519 public key
 * @property {Bytes} joinKey X25519 public key, made for this join
 * @property {{proof(room: string, bytes: Bytes): Promise<Bytes>} | null} [secret] of the room
 * @property {Bytes} staySecret 32 random bytes, drawn for this join
 * @property {StayProof | null} [replaces] a stay of this identity in the room, which is over
 */

/** @typedef {{entry: Bytes, hash: Bytes, id: Bytes}} BuiltEntry */

/**
 * Makes the client's entry for a join; a FormatError if room or name break their rules.
 * @param {EntryFields} fields @returns {Promise<BuiltEntry>}
 */
export async function build(fields) {
  checkRoomName(fields.room, 'entry room');
  return buildEntry(fields);
}

/** As build, for the room of a call: its room is that of a CallId. @param {EntryFields} fields */
export async function buildCall(fields) {
  checkCallRoom(fields.room, 'entry room');
  return buildEntry(fields);
}

/** @param {EntryFields} fields @returns {Promise<BuiltEntry>} */
async function buildEntry({ room, name, identity, homeRelay, joinKey, secret, staySecret, replaces }) {
  checkName(name, 'entry name');
  const roomBytes = toUtf8(room);
  const nameBytes = toUtf8(name);
  const body = new Writer().uint8(VERSION).uint8((secret ? FLAG_PROOF : 0) | (replaces ? FLAG_REPLACES : 0));
  body.uint8(roomBytes.length).bytes(roomBytes).uint8(nameBytes.length).bytes(nameBytes);
  body.bytes(identity.publicKey).bytes(homeRelay).bytes(await commit(staySecret)).bytes(joinKey);
  if (replaces) body.bytes(replaces.hash).bytes(replaces.secret);
  if (secret) body.bytes(await secret.proof(room, body.done()));
  const signed = body.done();
  const entry = concat(signed, await identity.sign(KIND, [signed]));
  const hash = await hashEntry(entry);
  return { entry, hash, id: hash.subarray(0, MEMBER_ID_SIZE) };
}

/**
 * Reads an entry and checks all that can be checked of it alone: layout, limits, names and signature.
 * @param {Bytes} bytes the result does not alias them
 * @returns {Promise<Entry>} or it rejects with a FormatError
 */
export async function parse(bytes) {
  return parseEntry(bytes, checkRoomName);
}

/**
 * As parse, for entries of calls, and of calls alone: so no entry is good for a call and for a room that
 * relays know.
 * @param {Bytes} bytes @returns {Promise<Entry>}
 */
export async function parseCall(bytes) {
  return parseEntry(bytes, checkCallRoom);
}

/** @param {Bytes} bytes @param {(room: string, what: string) => void} check @returns {Promise<Entry>} */
async function parseEntry(bytes, check) {
  if (bytes.length > MAX_ENTRY) throw new FormatError('entry', 'limit', 'at most 420 bytes');
  const b = bytes.slice(); // the caller may reuse its bytes while the signature is checked
  const { signature, signed, commitment, before, ...entry } = readLayout(b);
  check(entry.room, 'entry room');
  checkName(entry.name, 'entry name');
  if (!(await verify(entry.identity, KIND, [signed], signature))) {
    throw new FormatError('entry signature', 'invalid');
  }
  const [hash, fingerprint, replaces] = await Promise.all([
    hashEntry(b), fingerprintOf(entry.identity), before ? replacedBy(entry.identity, before) : '',
  ]);
  const stay = stayName(hash, entry.identity, commitment);
  return { ...entry, fingerprint, hash, id: hash.subarray(0, MEMBER_ID_SIZE), stay, replaces };
}

/**
 * The name of the stay that an identity replaces by a proof.
 * @param {Bytes} identity @param {StayProof} proof
 */
export async function replacedBy(identity, { hash, secret }) {
  return stayName(hash, identity, await commit(secret));
}

/** @param {Bytes} b */
function readLayout(b) {
  const r = new Reader(b, 'entry');
  const version = r.uint8();
  const flags = r.uint8();
  if (version !== VERSION) throw new FormatError('entry', 'unknown', 'its version is not 1');
  const unknown = flags & ~(FLAG_PROOF | FLAG_REPLACES);
  if (unknown !== 0) throw new FormatError('entry', 'invalid', 'unknown flags are set');
  const room = r.take(r.uint8());
  const name = r.take(r.uint8());
  const keys = { identity: r.take(32), homeRelay: r.take(32), commitment: r.take(32), joinKey: r.take(32) };
  const before = flags & FLAG_REPLACES ? { hash: r.take(32), secret: r.take(STAY_SECRET_SIZE) } : null;
  const proved = r.since(0).slice();
  proved[1] = flags | FLAG_PROOF;
  const proof = flags & FLAG_PROOF ? r.take(32) : undefined;
  const signed = r.since(0);
  const signature = r.take(SIGNATURE_SIZE);
  r.end('goes on after its signature');
  const texts = { room: fromUtf8(room, 'entry room'), name: fromUtf8(name, 'entry name') };
  return { ...texts, ...keys, before, proof, proved, signed, signature };
}
