/**
 * The secret of one path of a call (docs/protocol.md, section 13), drawn by the caller and sealed into the
 * offer: who has it is one of the two ends. It is the seed of an Ed25519 key, which belongs to no identity.
 *
 *     seed ── PathKey.of ──> PathKey: publicKey, id ── sign ──> of forwards and proofs
 */

import { signWith, signingPair } from '../identity/identity.js';
import { concat, toHex, toUtf8 } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

export const PATH_SEED_SIZE = 32;
export const PATH_ID_SIZE = 16;

/** The key of one path. */
export class PathKey {
  #signKey;

  /** Use of. @param {CryptoKey} signKey @param {Bytes} publicKey @param {string} id */
  constructor(signKey, publicKey, id) {
    this.#signKey = signKey;
    /** 32 bytes. */
    this.publicKey = publicKey;
    /** Of the path, 32 hexadecimal digits. */
    this.id = id;
  }

  /** @param {Bytes} seed 32 bytes, which are not erased */
  static async of(seed) {
    const { signKey, publicKey } = await signingPair(seed);
    return new PathKey(signKey, publicKey, await pathIdOf(publicKey));
  }

  /** As Identity.sign. @param {string} kind @param {Bytes[]} fields */
  sign(kind, fields) {
    return signWith(this.#signKey, kind, fields);
  }
}

/**
 * The id of the path with that key: SHA-256("wzp/1 path" || path key)[:16].
 * @param {Bytes} key @returns {Promise<string>} 32 hexadecimal digits
 */
export async function pathIdOf(key) {
  const digest = await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 path'), key));
  return toHex(new Uint8Array(digest, 0, PATH_ID_SIZE));
}
