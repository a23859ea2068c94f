/**
 * What a browser keeps of a person, in IndexedDB: identity and settings. For pages and Workers alike.
 *
 *     identity:  "seed"   -> {seedKey, publicKey}   a CryptoKey that derives and cannot be read
 *                "sealed" -> {salt, iv, rounds, sealed, publicKey}   AES-256-GCM(PBKDF2-SHA256(passphrase))
 *     settings:  name, microphone, theme, ...; known names (known-names.js)
 *
 * The words of an identity can be shown once, when it is made, and later only from the sealed copy.
 */

import { equal, toUtf8 } from '../wire/bytes.js';
import { Identity, IdentityError, importSeed } from './identity.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

const DATABASE = 'wzp';
const VERSION = 1;
const IDENTITY = 'identity';
const SETTINGS = 'settings';
const PBKDF2_ROUNDS = 600_000;

/** An open database; every method rejects with an IdentityError of code 'storage' if the browser fails. */
export class Store {
  #db;

  /** Use open. @param {IDBDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /** Opens the database, which is made if there is none. @param {string} [name] of the database */
  static async open(name = DATABASE) {
    if (!globalThis.indexedDB) {
      throw new IdentityError(
        'storage', 'this browser cannot keep an identity: leave private browsing, or use another one',
      );
    }
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(IDENTITY);
      request.result.createObjectStore(SETTINGS);
    };
    const db = await done(request);
    db.onversionchange = () => db.close(); // a page of a newer version waits for it
    return new Store(db);
  }

  /** Ends the use of the database. */
  close() {
    this.#db.close();
  }

  /** The identity that was saved, or null. @returns {Promise<Identity | null>} */
  async loadIdentity() {
    const kept = await this.#get(IDENTITY, 'seed');
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
    const sealed = await this.#get(IDENTITY, 'sealed');
    await this.#change(IDENTITY, (store) => {
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
    await this.#change(IDENTITY, (store) =>
      store.put({ salt, iv, rounds: PBKDF2_ROUNDS, sealed, publicKey }, 'sealed'),
    );
  }

  /** Whether there is a sealed copy. */
  async hasSealed() {
    return (await this.#get(IDENTITY, 'sealed')) !== undefined;
  }

  /**
   * The seed of the sealed copy. It rejects with 'passphrase' if that is wrong, 'storage' if there is none.
   * @param {string} passphrase @returns {Promise<Bytes>}
   */
  async openSealed(passphrase) {
    const kept = await this.#get(IDENTITY, 'sealed');
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

  /** A setting, or undefined. @param {string} key @returns {Promise<any>} */
  get(key) {
    return this.#get(SETTINGS, key);
  }

  /** Keeps a setting; undefined removes it. @param {string} key @param {any} value whatever can be cloned */
  set(key, value) {
    return this.#change(SETTINGS, (store) =>
      value === undefined ? store.delete(key) : store.put(value, key),
    );
  }

  /** @param {string} name of the object store @param {string} key */
  async #get(name, key) {
    try {
      return await done(this.#db.transaction(name).objectStore(name).get(key));
    } catch (error) {
      throw failed(error);
    }
  }

  /**
   * Changes all or nothing.
   * @param {string} name of the object store @param {(store: IDBObjectStore) => void} change
   * @returns {Promise<void>}
   */
  async #change(name, change) {
    try {
      const transaction = this.#db.transaction(name, 'readwrite', { durability: 'strict' });
      change(transaction.objectStore(name));
      transaction.commit(); // at once: the page may be about to go
      await new Promise((resolve, reject) => {
        transaction.oncomplete = () => resolve(undefined);
        transaction.onabort = () => reject(transaction.error);
      });
    } catch (error) {
      throw failed(error);
    }
  }
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(failed(request.error));
  });
}

/** @param {unknown} error */
function failed(error) {
  if (error instanceof IdentityError) return error;
  const why = error instanceof Error ? error.message : 'it gives no reason';
  return new IdentityError(
    'storage',
    `the browser does not keep this page's data (${why}): free some space, or leave private browsing`,
  );
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
