/**
 * Who somebody is: the keys of a 32-byte seed, signatures, and the fingerprint. As Go's package identity.
 *
 *     seed ── HKDF-SHA256 ──> Identity ── sign ──> signature ── verify(publicKey, ...) ──> true or false
 *                                │                   publicKey ── fingerprintOf ──> what people compare
 *                                '── namesKey ──> KnownNames
 *
 * Long-term keys live here and nowhere else. Private keys are CryptoKeys that cannot be exported; nothing
 * here opens a connection or knows a message. (docs/protocol.md, section 2.)
 */

import { concat, equal, fromBase64Url, fromHex, toHex, toUtf8, Writer } from '../wire/bytes.js';
import { IdentityError } from './errors.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

export const SEED_SIZE = 32;
export const SIGNATURE_SIZE = 64;

/** The keys of one seed. */
export class Identity {
  #seedKey;
  #signKey;

  /**
   * Use fromSeed, fromKey or generate.
   * @param {CryptoKey} seedKey @param {CryptoKey} signKey @param {Bytes} publicKey
   * @param {string} fingerprint
   */
  constructor(seedKey, signKey, publicKey, fingerprint) {
    this.#seedKey = seedKey;
    this.#signKey = signKey;
    /** The Ed25519 public key, 32 bytes: what others know the identity by. */
    this.publicKey = publicKey;
    /** Eight groups of four hexadecimal digits, joined by colons. */
    this.fingerprint = fingerprint;
  }

  /**
   * The identity of a seed, 32 random bytes. The seed is not kept where scripts could read it.
   * @param {Bytes} seed
   */
  static async fromSeed(seed) {
    return Identity.fromKey(await importSeed(seed));
  }

  /** The identity of a seed as importSeed made it. @param {CryptoKey} seedKey */
  static async fromKey(seedKey) {
    const secret = await derive(seedKey, 'warzone-ed25519');
    const { signKey, publicKey } = await signingPair(secret);
    secret.fill(0);
    return new Identity(seedKey, signKey, publicKey, await fingerprintOf(publicKey));
  }

  /** A new identity, and its seed to be kept by the caller. */
  static async generate() {
    const seed = crypto.getRandomValues(new Uint8Array(SEED_SIZE));
    return { identity: await Identity.fromSeed(seed), seed };
  }

  /**
   * The Ed25519 signature (RFC 8032, 64 bytes) over signedBytes(kind, fields).
   * @param {string} kind as 'hello' @param {Bytes[]} fields @returns {Promise<Bytes>}
   */
  sign(kind, fields) {
    return signWith(this.#signKey, kind, fields);
  }

  /**
   * The X25519 key pair (RFC 7748) of the seed.
   * @returns {Promise<{publicKey: Bytes, privateKey: CryptoKey}>} the private key cannot be exported
   */
  async agreement() {
    const secret = await derive(this.#seedKey, 'warzone-x25519');
    const wrapped = pkcs8(secret, X25519);
    secret.fill(0);
    const exportable = await crypto.subtle.importKey('pkcs8', wrapped, 'X25519', true, ['deriveBits']);
    const privateKey = await crypto.subtle.importKey('pkcs8', wrapped, 'X25519', false, ['deriveBits']);
    wrapped.fill(0);
    return { publicKey: await publicOf(exportable), privateKey };
  }

  /**
   * The key of this identity's known names: HMAC-SHA256 under HKDF-SHA256(X25519 private key, salt = "", info
   * = "wzp/1 known names").
   * @returns {Promise<CryptoKey>} it cannot be exported
   */
  async namesKey() {
    const secret = await derive(this.#seedKey, 'warzone-x25519');
    const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
    secret.fill(0);
    const key = await derive(base, 'wzp/1 known names');
    return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  }
}

/**
 * A seed as a key that derives and cannot be read. The zero seed is refused, for everybody knows it.
 * @param {Bytes} seed @returns {Promise<CryptoKey>}
 */
export async function importSeed(seed) {
  if (seed.length !== SEED_SIZE) {
    throw new IdentityError('seed', `a seed has ${SEED_SIZE} bytes, not ${seed.length}`);
  }
  if (seed.every((b) => b === 0)) {
    throw new IdentityError('seed', 'the seed is all zeros, which everybody knows: make a new one');
  }
  return crypto.subtle.importKey('raw', seed, 'HKDF', false, ['deriveBits']);
}

/**
 * The 32 bytes that HKDF-SHA256 (RFC 5869) with an empty salt makes for info.
 * @param {CryptoKey} key @param {string} info
 */
async function derive(key, info) {
  const params = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: toUtf8(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(params, key, 256));
}

// The last byte of the object identifiers 1.3.101.112 and 1.3.101.110.
const ED25519 = 0x70;
const X25519 = 0x6e;

/**
 * The Ed25519 key pair of a private key, 32 bytes (RFC 8032), which is not erased here.
 * @param {Bytes} secret @returns {Promise<{signKey: CryptoKey, publicKey: Bytes}>} signKey cannot be exported
 */
export async function signingPair(secret) {
  const wrapped = pkcs8(secret, ED25519);
  // The public key is to be had only by exporting the private one, so it is imported twice.
  const exportable = await crypto.subtle.importKey('pkcs8', wrapped, 'Ed25519', true, ['sign']);
  const signKey = await crypto.subtle.importKey('pkcs8', wrapped, 'Ed25519', false, ['sign']);
  wrapped.fill(0);
  return { signKey, publicKey: await publicOf(exportable) };
}

/**
 * The signature over signedBytes(kind, fields), with a key of signingPair.
 * @param {CryptoKey} signKey @param {string} kind @param {Bytes[]} fields @returns {Promise<Bytes>} 64 bytes
 */
export async function signWith(signKey, kind, fields) {
  return new Uint8Array(await crypto.subtle.sign('Ed25519', signKey, signedBytes(kind, fields)));
}

/**
 * A 32-byte private key as PKCS#8 (RFC 8410, section 7), the only form that WebCrypto imports:
 *
 *     SEQUENCE { version 0, SEQUENCE { OID 1.3.101.x }, OCTET STRING { OCTET STRING (32) } }
 *
 * @param {Bytes} secret @param {number} curve
 */
function pkcs8(secret, curve) {
  return concat([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, curve, 4, 0x22, 4, 0x20], secret);
}

/** The 32-byte public key of an exportable private key. @param {CryptoKey} privateKey */
async function publicOf(privateKey) {
  const { x = '' } = await crypto.subtle.exportKey('jwk', privateKey);
  return fromBase64Url(x);
}

/**
 * The bytes that a signature of this kind over these fields covers:
 *
 *     "wzp/1 " kind || 0x00 || for each field: length (4 bytes) || field
 *
 * @param {string} kind not empty, without a zero character
 * @param {Bytes[]} fields @returns {Bytes}
 */
export function signedBytes(kind, fields) {
  if (kind === '' || kind.includes('\0')) {
    throw new IdentityError('kind', 'a kind of signature is a text without zero characters');
  }
  const w = new Writer().bytes(toUtf8('wzp/1 ' + kind)).uint8(0);
  for (const field of fields) w.uint32(field.length).bytes(field);
  return w.done();
}

/**
 * Whether the holder of publicKey made this signature of this kind over these fields. False for keys that
 * anybody can sign for, and for whatever is no key.
 * @param {Bytes} publicKey @param {string} kind @param {Bytes[]} fields @param {Bytes} signature
 * @returns {Promise<boolean>}
 */
export async function verify(publicKey, kind, fields, signature) {
  if (signature.length !== SIGNATURE_SIZE || !usableKey(publicKey) || kind === '' || kind.includes('\0')) {
    return false;
  }
  try {
    const key = await crypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, signature, signedBytes(kind, fields));
  } catch {
    return false; // no point of the curve
  }
}

/**
 * Whether these are 32 bytes and not one of the few keys that anybody can sign for: those of order 1, 2, 4 or
 * 8, in any encoding. The all-zero key is one, so a forgotten key would accept what anybody sent.
 * @param {Bytes} publicKey
 */
export function usableKey(publicKey) {
  if (publicKey.length !== 32) return false;
  const y = publicKey.slice();
  y[31] &= 0x7f; // the sign of x does not change the order
  return !smallOrder.some((s) => equal(s, y));
}

/** The y coordinates of the points of small order and their aliases y + p, little-endian (p = 2^255 - 19). */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000', // y = 0, order 4
  '0100000000000000000000000000000000000000000000000000000000000000', // y = 1, order 1
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p - 1, order 2
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p, alias of 0
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p + 1, alias of 1
].map((s) => fromHex(s, 32));

/**
 * The fingerprint of a public key: the first 16 bytes of its SHA-256, as people see it.
 * @param {Bytes} publicKey
 */
export async function fingerprintOf(publicKey) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', publicKey));
  return (toHex(digest.subarray(0, 16)).match(/.{4}/g) ?? []).join(':');
}
