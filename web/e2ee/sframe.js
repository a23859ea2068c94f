/**
 * SFrame (RFC 9605) as docs/protocol.md, section 7.1, uses it: the keys of one KID, made once from a base
 * key, and frames sealed and opened with them. The SFrame header does not travel; both ends rebuild it from
 * KID and CTR, and it is the additional data.
 *
 *     base key --HKDF--> encryption key, authentication key, salt      (FrameKey.create, once for a KID)
 *     KID, CTR        --> header (section 4.3)     salt XOR CTR --> nonce
 *     nonce || block  --AES-128-CTR--> key stream XOR plaintext = ciphertext
 *     lengths, nonce, header, ciphertext --HMAC-SHA256--> tag, its first 8 (or 4) bytes
 *
 * Here live the cipher suites, the header and FrameKey, and HKDF and the constant-time comparison for the
 * modules beside this one. Not here: which key is used when (talker.js, listener.js), which CTR is taken once
 * (replay.js), and what a frame looks like on the wire (web/wire).
 */

import {CodedError, toUtf8, Writer} from '../wire/bytes.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/**
 * AES_128_CTR_HMAC_SHA256_64, with tags of 8 bytes: the suite of every stream that does not ask for another.
 */
export const SUITE_TAG64 = 2;

/** AES_128_CTR_HMAC_SHA256_32, with tags of 4 bytes: for codec rates under 8 kbit/s. */
export const SUITE_TAG32 = 3;

/**
 * The fewest bytes of a base key: below AES-128's own key length the suite's strength would be an illusion.
 */
export const MIN_BASE_KEY = 16;

// Sizes in bytes that both suites share (RFC 9605, section 4.5, table 1).
const ENC_KEY_SIZE = 16;
const AUTH_KEY_SIZE = 32;
const KEY_SIZE = ENC_KEY_SIZE + AUTH_KEY_SIZE;
const NONCE_SIZE = 12;

// What the tag covers before the additional data: the lengths of additional data, ciphertext and tag, 8 bytes
// each, and the nonce (RFC 9605, section 4.5.1).
const PREFIX_SIZE = 3 * 8 + NONCE_SIZE;
const NONCE_AT = 3 * 8;

const TWO_32 = 2 ** 32;
const MAX_64 = 2n ** 64n - 1n;
const EMPTY = new Uint8Array(0);

/** A frame was not sealed under this key, KID and CTR, or was changed. It does not say which. */
export class AuthError extends CodedError {
  constructor() {
    super('auth', 'the frame does not authenticate, drop it');
  }
}

/**
 * Returns the bytes that sealing adds to a plaintext.
 * @param {number} suite @returns {number} 8, 4, or 0 for a suite that there is not here
 */
export function tagLength(suite) {
  if (suite === SUITE_TAG64) return 8;
  return suite === SUITE_TAG32 ? 4 : 0;
}

/**
 * Compares secrets or tags in a time that depends on their lengths only, which are public.
 * @param {Bytes} a @param {Bytes} b @returns {boolean}
 */
export function sameBytes(a, b) {
  if (a.length !== b.length) return false;
  let different = 0;
  for (let i = 0; i < a.length; i++) different |= a[i] ^ b[i];
  return different === 0;
}

/**
 * HKDF with SHA-256 (RFC 5869), extract and expand.
 * @param {Bytes} ikm secret, at least one byte; not kept
 * @param {Bytes} salt may be empty @param {Bytes} info @param {number} size of the result in bytes
 * @returns {Promise<Bytes>}
 */
export async function hkdf(ikm, salt, info, size) {
  return expand(await importHkdf(ikm), salt, info, size);
}

/** @param {Bytes} ikm @returns {Promise<CryptoKey>} of HKDF, not extractable */
export function importHkdf(ikm) {
  return crypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits', 'deriveKey']);
}

/**
 * @param {CryptoKey} key of importHkdf @param {Bytes} salt @param {Bytes} info @param {number} size in bytes
 * @returns {Promise<Bytes>}
 */
export async function expand(key, salt, info, size) {
  const hkdf = {name: 'HKDF', hash: 'SHA-256', salt, info};
  return new Uint8Array(await crypto.subtle.deriveBits(hkdf, key, 8 * size));
}

/**
 * Returns the SFrame header of a KID and a CTR, 1 to 17 bytes (RFC 9605, section 4.3):
 *
 *      0 1 2 3 4 5 6 7
 *     +-+-+-+-+-+-+-+-+------------+------------+
 *     |X|  K  |Y|  C  |   KID...   |   CTR...   |
 *     +-+-+-+-+-+-+-+-+------------+------------+
 *
 * X = 0: K is the KID (0-7) and no KID bytes follow. X = 1: K is the number of KID bytes less one,
 * big-endian, as few as possible. Y and C are the same for the CTR.
 * @param {bigint} kid 64 bits @param {number|bigint} ctr 64 bits; as a number at most 2^53-1
 * @returns {Bytes}
 */
export function encodeHeader(kid, ctr) {
  return header(shortest(kid), kid, split(ctr));
}

/**
 * @param {Bytes} kidBytes what shortest made of kid @param {bigint} kid
 * @param {[number, number]} ctr its halves
 */
function header(kidBytes, kid, [high, low]) {
  const size = high === 0 && low < 8 ? 0 : sizeOf(high, low);
  const at = 1 + kidBytes.length;
  const bytes = new Uint8Array(at + size);
  const kidHalf = kidBytes.length === 0 ? Number(kid) : 8 | (kidBytes.length - 1);
  bytes[0] = (kidHalf << 4) | (size === 0 ? low : 8 | (size - 1));
  bytes.set(kidBytes, 1);
  for (let i = 0; i < size; i++) {
    const bits = 8 * (size - 1 - i);
    bytes[at + i] = bits >= 32 ? high >>> (bits - 32) : low >>> bits;
  }
  return bytes;
}

/**
 * @param {number|bigint} ctr @returns {[number, number]} its high and low 32 bits
 * @throws {RangeError} for what is no CTR
 */
function split(ctr) {
  if (typeof ctr === 'bigint') {
    if (ctr < 0n || ctr > MAX_64) throw new RangeError('a CTR has 64 bits');
    return [Number(ctr >> 32n), Number(ctr & 0xffffffffn)];
  }
  if (!Number.isSafeInteger(ctr) || ctr < 0) throw new RangeError('a CTR is a whole number below 2^53');
  return [Math.floor(ctr / TWO_32), ctr >>> 0];
}

/** @param {bigint} kid @returns {Bytes} the KID bytes of a header: none for 0-7 */
function shortest(kid) {
  if (kid < 0n || kid > MAX_64) throw new RangeError('a KID has 64 bits');
  if (kid < 8n) return EMPTY;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, kid);
  return bytes.subarray(bytes.findIndex((octet) => octet !== 0));
}

/**
 * @param {number} high @param {number} low
 * @returns {number} the fewest bytes that hold the value, which is not 0
 */
function sizeOf(high, low) {
  return high > 0 ? 8 - (Math.clz32(high) >> 3) : 4 - (Math.clz32(low) >> 3);
}

/**
 * Derives what SFrame seals with: derive_key_salt of RFC 9605, section 4.4.2.
 * @param {number} suite @param {bigint} kid @param {Bytes} baseKey
 * @returns {Promise<{key: Bytes, salt: Bytes}>} 48 secret bytes, encryption key and then authentication key,
 *   and 12; the caller erases both
 */
export async function deriveKeySalt(suite, kid, baseKey) {
  const ikm = await importHkdf(baseKey);
  const [key, salt] = await Promise.all([
    expand(ikm, EMPTY, label('SFrame 1.0 Secret key ', kid, suite), KEY_SIZE),
    expand(ikm, EMPTY, label('SFrame 1.0 Secret salt ', kid, suite), NONCE_SIZE),
  ]);
  return {key, salt};
}

/**
 * @param {string} text @param {bigint} kid @param {number} suite
 * @returns {Bytes} text || KID (8) || suite (2)
 */
function label(text, kid, suite) {
  return new Writer().bytes(toUtf8(text)).uint64(kid).uint16(suite).done();
}

/**
 * The AEAD of RFC 9605, section 4.5.1: AES-CTR, then HMAC-SHA256 over the ciphertext, cut. WebCrypto copies
 * what it is given before it returns, so buffers are free for the next call at once, and calls may overlap.
 */
export class CtrHmac {
  #cipher;
  #mac;
  #tagSize;
  #salt; // three 32-bit words

  /**
   * @param {CryptoKey} cipher AES-CTR @param {CryptoKey} mac HMAC @param {Bytes} salt of the nonces, 12 bytes
   * @param {number} tagSize in bytes
   */
  constructor(cipher, mac, salt, tagSize) {
    const view = new DataView(salt.buffer, salt.byteOffset, NONCE_SIZE);
    this.#cipher = cipher;
    this.#mac = mac;
    this.#tagSize = tagSize;
    this.#salt = Uint32Array.of(view.getUint32(0), view.getUint32(4), view.getUint32(8));
  }

  /**
   * @param {Bytes} key 48 bytes, encryption key and then authentication key; not kept
   * @param {Bytes} salt 12 bytes; not kept @param {number} tagSize in bytes
   */
  static async create(key, salt, tagSize) {
    const [encKey, authKey] = [key.subarray(0, ENC_KEY_SIZE), key.subarray(ENC_KEY_SIZE)];
    const hmac = {name: 'HMAC', hash: 'SHA-256'};
    const [cipher, mac] = await Promise.all([
      crypto.subtle.importKey('raw', encKey, 'AES-CTR', false, ['encrypt', 'decrypt']),
      crypto.subtle.importKey('raw', authKey, hmac, false, ['sign']),
    ]);
    return new CtrHmac(cipher, mac, salt, tagSize);
  }

  /**
   * @param {[high: number, low: number]} ctr its two halves of 32 bits @param {Bytes} aad
   * @param {Bytes} plain
   * @returns {Promise<Bytes>} ciphertext || tag, a view into memory that begins with what the tag covers
   */
  async seal(ctr, aad, plain) {
    const counter = this.#counter(ctr);
    const message = this.#message(counter, aad, plain.length, this.#tagSize);
    const at = PREFIX_SIZE + aad.length;
    const end = at + plain.length;
    if (plain.length > 0) message.set(new Uint8Array(await this.#crypt('encrypt', counter, plain)), at);
    const tag = await crypto.subtle.sign('HMAC', this.#mac, message.subarray(0, end));
    message.set(new Uint8Array(tag, 0, this.#tagSize), end);
    return message.subarray(at);
  }

  /**
   * Tag and plaintext are computed side by side, for each is a way to another thread and back; no plaintext
   * leaves before the tag was found right.
   * @param {[high: number, low: number]} ctr @param {Bytes} aad @param {Bytes} sealed ciphertext || tag
   * @returns {Promise<Bytes>} the plaintext @throws {AuthError}
   */
  async open(ctr, aad, sealed) {
    const size = sealed.length - this.#tagSize;
    if (size < 0) throw new AuthError();
    const counter = this.#counter(ctr);
    const ciphertext = sealed.subarray(0, size);
    const message = this.#message(counter, aad, size, 0);
    message.set(ciphertext, PREFIX_SIZE + aad.length);
    const got = sealed.slice(size); // the caller may use its buffer again
    const [tag, plain] = await Promise.all([
      crypto.subtle.sign('HMAC', this.#mac, message),
      size > 0 ? this.#crypt('decrypt', counter, ciphertext) : EMPTY,
    ]);
    const opened = new Uint8Array(plain);
    if (!sameBytes(new Uint8Array(tag, 0, this.#tagSize), got)) {
      opened.fill(0);
      throw new AuthError();
    }
    return opened;
  }

  /**
   * Returns the initial counter block: nonce || number of the block (4 bytes, from 0), the nonce being salt
   * XOR CTR (RFC 9605, section 4.4.3).
   * @param {[high: number, low: number]} ctr
   */
  #counter([high, low]) {
    const counter = new Uint8Array(NONCE_SIZE + 4);
    const view = new DataView(counter.buffer);
    view.setUint32(0, this.#salt[0]);
    view.setUint32(4, this.#salt[1] ^ high);
    view.setUint32(8, this.#salt[2] ^ low);
    return counter;
  }

  /** @param {'encrypt'|'decrypt'} way @param {Bytes} counter @param {Bytes} bytes */
  #crypt(way, counter, bytes) {
    return crypto.subtle[way]({name: 'AES-CTR', counter, length: 32}, this.#cipher, bytes);
  }

  /**
   * Returns what the tag covers, with room for the ciphertext, which is still zero, and for more. The lengths
   * in front keep bytes from moving between additional data and ciphertext, and a short tag from being the
   * start of a long one.
   * @param {Bytes} counter @param {Bytes} aad @param {number} size of the ciphertext in bytes
   * @param {number} more bytes of room behind it
   */
  #message(counter, aad, size, more) {
    const message = new Uint8Array(PREFIX_SIZE + aad.length + size + more);
    const view = new DataView(message.buffer);
    view.setUint32(4, aad.length);
    view.setUint32(12, size);
    view.setUint32(20, this.#tagSize);
    for (let i = 0; i < NONCE_SIZE; i++) message[NONCE_AT + i] = counter[i];
    message.set(aad, PREFIX_SIZE);
    return message;
  }
}

/**
 * The media key of one KID: what SFrame derives from a base key. The key itself is in WebCrypto's keeping and
 * cannot be taken out. Calls may overlap.
 */
export class FrameKey {
  #aead;
  #kidBytes;

  /** @param {number} suite @param {bigint} kid @param {CtrHmac} aead */
  constructor(suite, kid, aead) {
    /** @readonly */ this.suite = suite;
    /** @readonly */ this.kid = kid;
    this.#aead = aead;
    this.#kidBytes = shortest(kid);
  }

  /**
   * Derives the key of a KID. The same base key gives independent keys for different KIDs and suites.
   * @param {number} suite 2 or 3 @param {bigint} kid 64 bits
   * @param {Bytes} baseKey at least 16 secret bytes; not kept, the caller erases them once this resolved
   * @returns {Promise<FrameKey>} @throws {RangeError} for another suite, KID or length
   */
  static async create(suite, kid, baseKey) {
    const size = tagLength(suite);
    if (size === 0) throw new RangeError('unknown SFrame suite, use 2 or 3');
    if (kid < 0n || kid > MAX_64) throw new RangeError('a KID has 64 bits');
    if (baseKey.length < MIN_BASE_KEY) throw new RangeError('a base key has at least 16 bytes');
    const {key, salt} = await deriveKeySalt(suite, kid, baseKey);
    try {
      return new FrameKey(suite, kid, await CtrHmac.create(key, salt, size));
    } finally {
      key.fill(0);
      salt.fill(0);
    }
  }

  /**
   * Encrypts a frame, without the SFrame header, which is the additional data. A (KID, CTR) pair must seal
   * one frame ever: two give away the XOR of their plaintexts. A Sealer sees to that.
   * @param {number|bigint} ctr as a number at most 2^53-1
   * @param {Bytes} plain may be empty; free for other use once this returned, before it resolves
   * @returns {Promise<Bytes>} ciphertext || tag, a view into larger memory: copy it before it is transferred
   */
  async seal(ctr, plain) {
    const parts = split(ctr);
    return this.#aead.seal(parts, header(this.#kidBytes, this.kid, parts), plain);
  }

  /**
   * Authenticates and decrypts a frame. Ask the stream's ReplayWindow next, before the plaintext is used.
   * @param {number|bigint} ctr
   * @param {Bytes} sealed ciphertext || tag; free for other use once this returned, before it resolves
   * @returns {Promise<Bytes>} the plaintext @throws {AuthError}
   */
  async open(ctr, sealed) {
    const parts = split(ctr);
    return this.#aead.open(parts, header(this.#kidBytes, this.kid, parts), sealed);
  }
}
