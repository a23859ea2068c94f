/**
 * Sender keys (docs/protocol.md, section 7.2): how one follows from another, what is signed about it, and how
 * it travels to one recipient.
 *
 *     16 random bytes = W[0] --ratchet--> W[1] --ratchet--> W[2] ... W[15], then a fresh one
 *     W[s], in a room with an invite secret its media key, too --HMAC--> base key --SFrame--> FrameKey
 *     W[s] --HPKE, to the recipient's join key--> wrap, 64 or 80 bytes
 *
 * Here lives what Go's internal/e2ee has in ratchet.go, members.go and wrap.go. Not here: when keys are made
 * and for whom (talker.js), which are accepted and for how long (listener.js). W[s] is bytes, for WebCrypto's
 * own keys cannot be wrapped and ratcheted so; whoever drops one erases it.
 */

import {verify} from '../identity/identity.js';
import {CodedError, compare, concat, toHex, toUtf8} from '../wire/bytes.js';
import * as hpke from './hpke.js';
import {FrameKey, hkdf} from './sframe.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../identity/identity.js').Identity} Identity */
/** @typedef {import('./secret.js').Secret} Secret */

/** Bytes of W[0]. */
export const FRESH_SIZE = 16;

/** Bytes of W[s] of every later step. */
export const RATCHETED_SIZE = 32;

/** Bytes of the wrap of a fresh key, and of a ratcheted one. */
export const WRAP_FRESH = hpke.ENC_SIZE + FRESH_SIZE + hpke.TAG_SIZE;
export const WRAP_RATCHETED = hpke.ENC_SIZE + RATCHETED_SIZE + hpke.TAG_SIZE;

const HASH_SIZE = 32;
const RATCHET_LABEL = toUtf8('SFrame 1.0 Ratchet');
const WRAP_LABEL = toUtf8('wzp/1 wrap');
const HEADER_KIND = 'sender key'; // of the signature
const EMPTY = new Uint8Array(0);

/** A wrap or join key that cannot be used. */
export class WrapError extends CodedError {}

/**
 * Returns the KID of a stream's frames under a key (section 7.1):
 *
 *     member id (48) || stream (8) || epoch (8)        epoch = generation (4) || ratchet step (4)
 *
 * @param {Bytes} member id, 6 bytes @param {number} stream 0 to 255 @param {number} epoch 0 to 255
 * @returns {bigint}
 */
export function makeKid(member, stream, epoch) {
  return BigInt('0x' + toHex(member)) << 16n | BigInt(stream << 8 | epoch);
}

/** Returns a new W[0]. @returns {Bytes} 16 random bytes */
export function freshKey() {
  return crypto.getRandomValues(new Uint8Array(FRESH_SIZE));
}

/**
 * Returns W[s+1] of W[s] (RFC 9605, section 5.1). None leads back.
 * @param {Bytes} w 16 or 32 bytes; not changed @returns {Promise<Bytes>} 32 bytes
 */
export function ratchet(w) {
  return hkdf(w, EMPTY, RATCHET_LABEL, RATCHETED_SIZE);
}

/**
 * Returns what SFrame derives its keys from. Without a secret that is a copy of W[s] itself, with one it
 * takes both: who was only let into the room by the relay does not get it, nor does who only has the secret.
 * @param {Secret|null} secret @param {string} room @param {Bytes} w 16 or 32 bytes; not changed
 * @returns {Promise<Bytes>} 16 or 32 bytes; the caller erases them
 */
export async function baseKey(secret, room, w) {
  if (secret === null) return w.slice();
  const input = w.slice(); // the caller may erase w while the media key is made
  try {
    return new Uint8Array(await crypto.subtle.sign('HMAC', await secret.mediaKey(room), input));
  } finally {
    input.fill(0);
  }
}

/**
 * Returns the SFrame key of a KID under W[s].
 * @param {number} suite 2 or 3 @param {bigint} kid @param {Secret|null} secret @param {string} room
 * @param {Bytes} w not changed @returns {Promise<FrameKey>}
 */
export async function frameKey(suite, kid, secret, room, w) {
  const base = await baseKey(secret, room, w);
  try {
    return await FrameKey.create(suite, kid, base);
  } finally {
    base.fill(0);
  }
}

/** Returns SHA-256(W[s]), as key headers have it. @param {Bytes} w @returns {Promise<Bytes>} 32 bytes */
export async function hashKey(w) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', w));
}

/**
 * Returns the member digest of a view of a room: SHA-256 over the entry hashes of all members inside, sorted.
 * @param {Bytes[]} hashes 32 bytes each, in any order, which stays
 * @returns {Promise<Bytes>} 32 bytes
 */
export async function digestMembers(hashes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...hashes.toSorted(compare))));
}

/**
 * Signs a key header for the sender with this entry.
 * @param {Identity} identity @param {Bytes} sender entry hash, 32 bytes @param {Bytes} header
 * @returns {Promise<Bytes>} 64 bytes
 */
export function signHeader(identity, sender, header) {
  return identity.sign(HEADER_KIND, [sender, header]);
}

/**
 * Reports whether the owner of publicKey made signature for this entry and header.
 * @param {Bytes} publicKey Ed25519, 32 bytes @param {Bytes} sender entry hash, 32 bytes @param {Bytes} header
 * @param {Bytes} signature @returns {Promise<boolean>}
 */
export function verifyHeader(publicKey, sender, header, signature) {
  return verify(publicKey, HEADER_KIND, [sender, header], signature);
}

/**
 * The X25519 key that a client makes for one join; what talkers wrap for the client is wrapped to it. As it
 * goes with the stay, an identity that is stolen later opens none of them.
 */
export class JoinKey {
  /** @type {CryptoKey|null} */ #privateKey;
  #publicKey;

  /**
   * Takes a key pair; create makes a random one.
   * @param {CryptoKey} privateKey X25519, with the usage deriveBits
   * @param {Bytes} publicKey 32 bytes
   */
  constructor(privateKey, publicKey) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  /** @returns {Promise<JoinKey>} a random one */
  static async create() {
    const {privateKey, publicKey} = await hpke.generatePair();
    return new JoinKey(privateKey, publicKey);
  }

  /** The public half, which goes into the member entry: 32 bytes, not to be changed. */
  get publicKey() {
    return this.#publicKey;
  }

  /** The private half, or null once erased. */
  get privateKey() {
    return this.#privateKey;
  }

  /** Lets go of the private half: nothing opens afterwards. The memory itself is the browser's. */
  erase() {
    this.#privateKey = null;
  }

  /**
   * Returns the key in a wrap, if it was wrapped to this key with the same header, sender and recipient.
   * @param {Bytes} sender entry hash, 32 bytes @param {Bytes} header
   * @param {Bytes} recipient entry hash, 32 bytes @param {Bytes} wrap
   * @returns {Promise<Bytes>} W[s], 16 or 32 bytes; the caller erases it
   * @throws {WrapError}
   */
  async unwrap(sender, header, recipient, wrap) {
    if (wrap.length !== WRAP_FRESH && wrap.length !== WRAP_RATCHETED) {
      throw new WrapError('wrap-size', 'a wrap has 64 or 80 bytes');
    }
    if (this.#privateKey === null) throw new WrapError('join-erased', 'the join key was erased: join again');
    const info = wrapInfo(sender, header, recipient);
    try {
      return await hpke.open(this.#privateKey, this.#publicKey, info, wrap);
    } catch {
      throw new WrapError(
        'wrap-open', 'the wrap does not open: it is for another member or header, or was changed',
      );
    }
  }
}

/**
 * Wraps a key to a join key.
 * @param {Bytes} to join key, 32 bytes @param {Bytes} sender entry hash, 32 bytes @param {Bytes} header
 * @param {Bytes} recipient entry hash, 32 bytes @param {Bytes} w 16 or 32 bytes; not changed
 * @returns {Promise<Bytes>} 64 or 80 bytes, different ones every time
 * @throws {WrapError} for a join key of low order: the key would be open to everybody
 */
export async function wrapKey(to, sender, header, recipient, w) {
  if (w.length !== FRESH_SIZE && w.length !== RATCHETED_SIZE) {
    throw new WrapError('key-size', 'wrap a key of 16 or 32 bytes');
  }
  if (lowOrder(to)) throw badJoinKey();
  const input = w.slice(); // the caller may erase w while the recipient's secret is made
  try {
    return await hpke.seal(to, wrapInfo(sender, header, recipient), input);
  } catch (error) {
    throw error instanceof hpke.HpkeError ? badJoinKey() : error;
  } finally {
    input.fill(0);
  }
}

function badJoinKey() {
  return new WrapError(
    'join-key', "the recipient's join key is a point of low order: wrap nothing for this member",
  );
}

/** @param {Bytes} sender @param {Bytes} header @param {Bytes} recipient */
function wrapInfo(sender, header, recipient) {
  if (sender.length !== HASH_SIZE || recipient.length !== HASH_SIZE) {
    throw new RangeError('an entry hash has 32 bytes');
  }
  return concat(WRAP_LABEL, sender, header, recipient);
}

// All encodings of X25519 public keys whose order divides 8, but for the top bit, which X25519 ignores (RFC
// 7748, section 5): 0, 1, the two of order 8, -1, and 0 and 1 again as p and p+1, little-endian.
const LOW_ORDER = [
  nearPrime(0x00, 0x00, 0x00),
  nearPrime(0x01, 0x00, 0x00),
  Uint8Array.of(
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
    0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
  ),
  Uint8Array.of(
    0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
    0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
  ),
  nearPrime(0xec, 0xff, 0x7f),
  nearPrime(0xed, 0xff, 0x7f),
  nearPrime(0xee, 0xff, 0x7f),
];

/** @param {number} lowest byte @param {number} middle all 30 bytes between @param {number} highest byte */
function nearPrime(lowest, middle, highest) {
  const point = new Uint8Array(32).fill(middle);
  point[0] = lowest;
  point[31] = highest;
  return point;
}

/**
 * Reports whether a join key is one that no wrap must go to: with it the shared secret is zero, whatever the
 * other key. It costs no multiplication.
 * @param {Bytes} joinKey 32 bytes @returns {boolean}
 */
export function lowOrder(joinKey) {
  const point = joinKey.slice();
  point[31] &= 0x7f;
  return LOW_ORDER.some((low) => compare(low, point) === 0); // all of it is public
}
