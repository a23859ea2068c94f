/**
 * What a browser keeps, in IndexedDB, and the settings of it: all that the door needs. For pages and Workers
 * alike; identities are store.js's.
 *
 *     identity:  see store.js
 *     settings:  name, microphone, theme, ...; known names (known-names.js)
 */

import { IdentityError } from './errors.js';

const DATABASE = 'wzp';
const VERSION = 1;
const IDENTITY = 'identity';
const SETTINGS = 'settings';

/** An open database; every method rejects with an IdentityError of code 'storage' if the browser fails. */
export class Shelf {
  #db;

  /** Use open. @param {IDBDatabase} db */
  constructor(db) {
    this.#db = db;
  }

  /**
   * Opens the database, which is made if there is none.
   * @template {typeof Shelf} T @this {T} @param {string} [name] of the database
   * @returns {Promise<InstanceType<T>>}
   */
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
    return /** @type {InstanceType<T>} */ (new this(db));
  }

  /** Ends the use of the database. */
  close() {
    this.#db.close();
  }

  /** A setting, or undefined. @param {string} key @returns {Promise<any>} */
  get(key) {
    return this.read(SETTINGS, key);
  }

  /** Keeps a setting; undefined removes it. @param {string} key @param {any} value whatever can be cloned */
  set(key, value) {
    return this.change(SETTINGS, (store) =>
      value === undefined ? store.delete(key) : store.put(value, key),
    );
  }

  /** @param {string} name of the object store @param {string} key */
  async read(name, key) {
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
  async change(name, change) {
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
