/**
 * What a browser keeps of a person, in IndexedDB: identity and settings. For pages and Workers alike.
 *
 *     identity:  "seed"   -> {seedKey, publicKey}   a CryptoKey that derives and cannot be read
 *                "sealed" -> {salt, iv, rounds, sealed, publicKey}   AES-256-GCM(PBKDF2-SHA256(passphrase))
 *     settings:  see shelf.js
 *
 * The words of an identity can be shown once, when it is made, and later only from the sealed copy.
 */

import { equal, toUtf8 } from '../wire/bytes.js';
import { IdentityError } from './errors.js';
import { Identity, importSeed } from './identity.js';
import { Shelf } from './shelf.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

const IDENTITY = 'identity';
const PBKDF2_ROUNDS = 600_000;

/** The database, with the identity in it. Its methods reject as those of Shelf do. */
export class Store extends Shelf {
  /** The identity that was saved, or null. @returns {Promise<Identity | null>} */
  async loadIdentity() {
    const kept = await this.read(IDENTITY, 'seed');
    if (!kept) return null;
    const identity = await Identity.fromKey(kept.seedKey);
    if (!equal(identity.publicKey, kept.publicKey)) {
      throw new IdentityError('storage', 'the identity that is kept here is damaged: give its words again');
    }
    return identity;
  }

  /**
   * Keeps a seed so that it derives and cannot be read, in the place of the one before and its sealed copy.
   * @param {Bytes} seed @returns {Promise<Identity>}
   */
  async saveIdentity(seed) {
    const seedKey = await importSeed(seed);
    const identity = await Identity.fromKey(seedKey);
    const sealed = await this.read(IDENTITY, 'sealed');
    await this.change(IDENTITY, (store) => {
      store.put({ seedKey, publicKey: identity.publicKey }, 'seed');
      if (sealed && !equal(sealed.publicKey, identity.publicKey)) store.delete('sealed');
    });
    return identity;
  }

  /**
   * Keeps a copy of the seed that can be read again with the passphrase.
   * @param {Bytes} seed @param {string} passphrase
   */
  async sealSeed(seed, passphrase) {
    if (passphrase === '') throw new IdentityError('passphrase', 'the passphrase is empty: choose one');
    const { publicKey } = await Identity.fromSeed(seed);
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const key = await passphraseKey(passphrase, salt, PBKDF2_ROUNDS);
    const sealed = new Uint8Array(
      await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: publicKey }, key, seed),
    );
    await this.change(IDENTITY, (store) =>
      store.put({ salt, iv, rounds: PBKDF2_ROUNDS, sealed, publicKey }, 'sealed'),
    );
  }

  /** Whether there is a sealed copy. */
  async hasSealed() {
    return (await this.read(IDENTITY, 'sealed')) !== undefined;
  }

  /**
   * The seed of the sealed copy. It rejects with 'passphrase' if that is wrong, 'storage' if there is none.
   * @param {string} passphrase @returns {Promise<Bytes>}
   */
  async openSealed(passphrase) {
    const kept = await this.read(IDENTITY, 'sealed');
    if (!kept) {
      throw new IdentityError('storage', 'there is no sealed copy of the identity here: give its words');
    }
    const { salt, iv, rounds, sealed, publicKey } = kept;
    const key = await passphraseKey(passphrase, salt, rounds);
    try {
      return new Uint8Array(
        await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: publicKey }, key, sealed),
      );
    } catch {
      throw new IdentityError('passphrase', 'the passphrase is wrong: try again');
    }
  }
}

/** @param {string} passphrase @param {Bytes} salt @param {number} rounds */
async function passphraseKey(passphrase, salt, rounds) {
  const base = await crypto.subtle.importKey('raw', toUtf8(passphrase.normalize('NFKC')), 'PBKDF2', false, [
    'deriveKey',
  ]);
  const params = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds };
  return crypto.subtle.deriveKey(params, base, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt', 'decrypt',
  ]);
}
