/**
 * HPKE (RFC 9180), base mode, with the one suite that wraps and offers use (docs/protocol.md, sections 7.2
 * and 14.3): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
 *
 *     ephemeral key, recipient's key --X25519--> dh       zero is refused: everybody would know it
 *     dh, enc, recipient's key --HKDF--> shared secret    (section 4.1)
 *     shared secret, info --HKDF--> key, base nonce       (section 5.1)
 *     base nonce XOR number of the message --> nonce of AES-128-GCM
 *     shared secret, info --HKDF--> exporter secret --HMAC, context--> exported values     (section 5.3)
 *
 * Here lives what the RFC says, in its names. Not here: what is wrapped for whom and under which info
 * (keys.js). Private keys are CryptoKeys that need not be extractable.
 */

import {CodedError, concat, toUtf8} from '../wire/bytes.js';
import {expand, hkdf, importHkdf} from './sframe.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/** The bytes of an X25519 public key, and of enc. */
export const ENC_SIZE = 32;

/** The bytes that sealing adds to a plaintext, besides enc. */
export const TAG_SIZE = 16;

const NONCE_SIZE = 12;
const HASH_SIZE = 32;
const HMAC = {name: 'HMAC', hash: 'SHA-256', length: 8 * HASH_SIZE};
const EMPTY = new Uint8Array(0);
const X25519 = {name: 'X25519'};

// suite_id of sections 4.1 and 5.1: KEM 0x0020, KDF 0x0001, AEAD 0x0001.
const KEM_SUITE = toUtf8('KEM\x00\x20');
const HPKE_SUITE = toUtf8('HPKE\x00\x20\x00\x01\x00\x01');

/** A message does not open, or a key is one that nothing must be sealed to. It does not say more. */
export class HpkeError extends CodedError {}

/**
 * An X25519 key pair.
 *
 * @typedef {object} Pair
 * @property {CryptoKey} privateKey with the usage deriveBits
 * @property {Bytes} publicKey 32 bytes
 */

/** Makes a random X25519 key pair whose private half cannot be taken out. @returns {Promise<Pair>} */
export async function generatePair() {
  const pair = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey(X25519, false, ['deriveBits']));
  return {
    privateKey: pair.privateKey,
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)),
  };
}

/**
 * Seals one message to a recipient, under an ephemeral key of its own.
 * @param {Bytes} recipientPublic 32 bytes @param {Bytes} info @param {Bytes} plaintext
 * @returns {Promise<Bytes>} enc (32) || ciphertext, 48 bytes longer than the plaintext
 * @throws {HpkeError} 'public-key' for a key of low order
 */
export async function seal(recipientPublic, info, plaintext) {
  const ephemeral = await generatePair();
  const context = await setupSender(ephemeral, recipientPublic, info);
  return concat(ephemeral.publicKey, await context.seal(plaintext));
}

/**
 * Opens what seal made.
 * @param {CryptoKey} privateKey the recipient's @param {Bytes} publicKey the recipient's, 32 bytes
 * @param {Bytes} info @param {Bytes} sealed enc || ciphertext @returns {Promise<Bytes>} the plaintext
 * @throws {HpkeError} 'open'
 */
export async function open(privateKey, publicKey, info, sealed) {
  if (sealed.length < ENC_SIZE + TAG_SIZE) throw notOpened();
  const ciphertext = sealed.slice(ENC_SIZE); // the caller may use its buffer again
  const context = await setupRecipient(sealed.subarray(0, ENC_SIZE), {privateKey, publicKey}, info);
  return context.open(ciphertext);
}

/**
 * SetupBaseS (section 5.1.1), with an ephemeral key that must not be used again.
 * @param {Pair} ephemeral its public half is enc @param {Bytes} recipientPublic 32 bytes @param {Bytes} info
 * @param {boolean} [exports] whether the context is to export, too
 * @returns {Promise<Context>} @throws {HpkeError} 'public-key'
 */
export async function setupSender(ephemeral, recipientPublic, info, exports = false) {
  const kemContext = concat(ephemeral.publicKey, recipientPublic);
  const dh = await agree(ephemeral.privateKey, recipientPublic);
  if (dh === null) {
    throw new HpkeError('public-key', 'the public key is of low order or malformed: seal nothing to it');
  }
  return schedule(dh, kemContext, info, exports);
}

/**
 * SetupBaseR (section 5.1.1).
 * @param {Bytes} enc 32 bytes @param {Pair} recipient @param {Bytes} info
 * @param {boolean} [exports] as above @returns {Promise<Context>}
 * @throws {HpkeError} 'open' for an enc of low order
 */
export async function setupRecipient(enc, recipient, info, exports = false) {
  const kemContext = concat(enc, recipient.publicKey);
  const dh = await agree(recipient.privateKey, enc);
  if (dh === null) throw notOpened();
  return schedule(dh, kemContext, info, exports);
}

/** The messages of one setup, which are counted: they open in the order in which they were sealed. */
export class Context {
  #key;
  #baseNonce;
  #exporter;
  #number = 0;

  /**
   * @param {CryptoKey} key AES-GCM @param {Bytes} baseNonce 12 bytes
   * @param {CryptoKey|null} exporter HMAC with the exporter secret; null: it exports nothing
   */
  constructor(key, baseNonce, exporter) {
    this.#key = key;
    this.#baseNonce = baseNonce;
    this.#exporter = exporter;
  }

  /**
   * Context.Export (section 5.3). HKDF-Expand of at most one block is one HMAC.
   * @param {Bytes} context @param {number} size at most 32 @returns {Promise<Bytes>} the caller erases it
   */
  async export(context, size) {
    if (this.#exporter === null || size > HASH_SIZE) throw new RangeError('it was not set up for that');
    const info = concat(labeledInfo(HPKE_SUITE, 'sec', context, size), Uint8Array.of(1));
    return new Uint8Array(await crypto.subtle.sign('HMAC', this.#exporter, info)).slice(0, size);
  }

  /**
   * @param {Bytes} plaintext @param {Bytes} [aad] additional data @returns {Promise<Bytes>} ciphertext || tag
   */
  async seal(plaintext, aad = EMPTY) {
    const algorithm = this.#algorithm(this.#number++, aad);
    return new Uint8Array(await crypto.subtle.encrypt(algorithm, this.#key, plaintext));
  }

  /**
   * Opens the next message. One that fails is not counted.
   * @param {Bytes} ciphertext with its tag @param {Bytes} [aad] @returns {Promise<Bytes>}
   * @throws {HpkeError} 'open'
   */
  async open(ciphertext, aad = EMPTY) {
    if (ciphertext.length < TAG_SIZE) throw notOpened();
    let plaintext;
    try {
      plaintext = await crypto.subtle.decrypt(this.#algorithm(this.#number, aad), this.#key, ciphertext);
    } catch {
      throw notOpened();
    }
    this.#number++;
    return new Uint8Array(plaintext);
  }

  /** @param {number} number of the message, below 2^32 @param {Bytes} aad */
  #algorithm(number, aad) {
    const iv = this.#baseNonce.slice();
    const view = new DataView(iv.buffer, NONCE_SIZE - 4);
    view.setUint32(0, view.getUint32(0) ^ number);
    return {name: 'AES-GCM', iv, additionalData: aad, tagLength: 8 * TAG_SIZE};
  }
}

/**
 * X25519.
 * @param {CryptoKey} privateKey @param {Bytes} publicKey
 * @returns {Promise<Bytes|null>} null for public keys of low order (section 7.1.4) and malformed ones
 */
async function agree(privateKey, publicKey) {
  if (publicKey.length !== ENC_SIZE) return null;
  let dh;
  try {
    const imported = await crypto.subtle.importKey('raw', publicKey, X25519, false, []);
    dh = new Uint8Array(
      await crypto.subtle.deriveBits({...X25519, public: imported}, privateKey, 8 * ENC_SIZE),
    );
  } catch {
    return null; // implementations may refuse keys of low order on their own
  }
  let any = 0;
  for (const octet of dh) any |= octet;
  return any === 0 ? null : dh;
}

/**
 * ExtractAndExpand (section 4.1), then KeySchedule (section 5.1) in base mode, with neither PSK nor its id.
 * @param {Bytes} dh erased @param {Bytes} kemContext enc || recipient's public key
 * @param {Bytes} info @param {boolean} exports @returns {Promise<Context>}
 */
async function schedule(dh, kemContext, info, exports) {
  const ikm = labeledIkm(KEM_SUITE, 'eae_prk', dh);
  dh.fill(0);
  const shared = await hkdf(ikm, EMPTY, labeledInfo(KEM_SUITE, 'shared_secret', kemContext, 32), 32);
  ikm.fill(0);
  const [pskIdHash, infoHash, secret] = await Promise.all([
    extract(labeledIkm(HPKE_SUITE, 'psk_id_hash', EMPTY)),
    extract(labeledIkm(HPKE_SUITE, 'info_hash', info)),
    importHkdf(labeledIkm(HPKE_SUITE, 'secret', EMPTY)),
  ]);
  const context = concat(Uint8Array.of(0), pskIdHash, infoHash);
  const hkdfOf = (/** @type {string} */ label, /** @type {number} */ size) => {
    return {name: 'HKDF', hash: 'SHA-256', salt: shared, info: labeledInfo(HPKE_SUITE, label, context, size)};
  };
  const aes = {name: 'AES-GCM', length: 128};
  const [key, baseNonce, exporter] = await Promise.all([
    crypto.subtle.deriveKey(hkdfOf('key', 16), secret, aes, false, ['encrypt', 'decrypt']),
    expand(secret, shared, labeledInfo(HPKE_SUITE, 'base_nonce', context, NONCE_SIZE), NONCE_SIZE),
    exports ? crypto.subtle.deriveKey(hkdfOf('exp', HASH_SIZE), secret, HMAC, false, ['sign']) : null,
  ]);
  shared.fill(0);
  return new Context(key, baseNonce, exporter);
}

/** HKDF-Extract without salt, of what is no secret. @param {Bytes} ikm @returns {Promise<Bytes>} 32 bytes */
async function extract(ikm) {
  const noSalt = await crypto.subtle.importKey('raw', new Uint8Array(HASH_SIZE), HMAC, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', noSalt, ikm));
}

/**
 * What LabeledExtract extracts from (section 4).
 * @param {Bytes} suite @param {string} label @param {Bytes} ikm
 */
function labeledIkm(suite, label, ikm) {
  return concat(toUtf8('HPKE-v1'), suite, toUtf8(label), ikm);
}

/**
 * What LabeledExpand expands with (section 4).
 * @param {Bytes} suite @param {string} label @param {Bytes} info @param {number} size of the result in bytes
 */
function labeledInfo(suite, label, info, size) {
  return concat(Uint8Array.of(size >> 8, size), toUtf8('HPKE-v1'), suite, toUtf8(label), info);
}

function notOpened() {
  return new HpkeError('open', 'the message does not open: it is for another key or info, or was changed');
}
