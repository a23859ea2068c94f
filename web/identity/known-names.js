/**
 * Which keys the people had who called themselves by a name: trust on first use. As KnownNames of package
 * identity in Go, with a storage of the caller's in the place of a file.
 *
 *     "name:" hex(tag(name))  ->  [hex(tag(name || 0x00 || fingerprint (16))), ...]
 *     "names"                 ->  how many of these there are
 *
 *     tag  = HMAC-SHA256(key, ...)[:16]; name is in the form of foldName
 *     key  = HKDF-SHA256(X25519 private key of whose names they are, salt = "", info = "wzp/1 known names")
 *
 * so the storage alone does not tell whom its owner talks to. Several identities may share one, for none sees
 * what is another's. Text of the page, warnings and the network are elsewhere.
 */

import { concat, messageOf, toHex, toUtf8 } from '../wire/bytes.js';
import { foldName } from '../names/fold.js';
import { IdentityError } from './errors.js';
import { usableKey } from './identity.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./identity.js').Identity} Identity */

/**
 * Where names are kept; Store is one. get returns undefined for what was never set.
 * @typedef {{get(key: string): Promise<any>, set(key: string, value: any): Promise<void>}} Storage
 */

/**
 * What a check found. new: the name was never seen, and is remembered with this key from now on, or it is
 * empty, and nobody's; same: known with this key; changed: known with other keys only.
 * @typedef {'new'|'same'|'changed'} Verdict
 */

/**
 * How many names are kept at most. Who is known stays when there are so many: were the oldest dropped,
 * strangers with many names could make a client forget its friends.
 */
export const MAX_NAMES = 10_000;

const COUNT = 'names';

/** Known names, asked and changed one after the other. */
export class KnownNames {
  #key;
  #storage;
  /** @type {Promise<unknown>} the last question; it does not reject */ #last = Promise.resolve();
  /** @type {Map<string, string[]>} of those that could not be kept: for this stay only, at most MAX_NAMES */
  #met = new Map();
  /** @type {IdentityError | null} */ #trouble = null;

  /** Use open. @param {CryptoKey} key @param {Storage} storage */
  constructor(key, storage) {
    this.#key = key;
    this.#storage = storage;
  }

  /** The known names of an identity. @param {Identity} identity @param {Storage} storage */
  static async open(identity, storage) {
    return new KnownNames(await identity.namesKey(), storage);
  }

  /** Why new names are not kept beyond this stay, or null while they are. */
  get trouble() {
    return this.#trouble;
  }

  /**
   * What is known of somebody who calls itself name and has this key. The key must have been proven, by a
   * signature over the name. It does not reject: where storage fails, names are known for this stay: see
   * trouble.
   * @param {string} name @param {Bytes} publicKey @returns {Promise<Verdict>}
   */
  check(name, publicKey) {
    return this.#inTurn(() => this.#find(name, publicKey, true));
  }

  /**
   * As check, but a new name is not remembered.
   * @param {string} name @param {Bytes} publicKey @returns {Promise<Verdict>}
   */
  look(name, publicKey) {
    return this.#inTurn(() => this.#find(name, publicKey, false));
  }

  /** @param {string} name @param {Bytes} publicKey @param {boolean} keep @returns {Promise<Verdict>} */
  async #find(name, publicKey, keep) {
    const folded = foldName(name);
    if (folded === '') return 'new';
    if (!usableKey(publicKey)) return 'changed'; // anybody can sign with it
    const { who, person } = await this.#tags(folded, publicKey);
    const people = await this.#people(who);
    if (people.length > 0) return people.includes(person) ? 'same' : 'changed';
    if (keep) await this.#keep(who, [person], 1);
    return 'new';
  }

  /**
   * Accepts a key for a name, beside those that are known for it: people may have several identities, and
   * several people one name. It rejects for the empty name and for keys that anybody can sign for.
   * @param {string} name @param {Bytes} publicKey @returns {Promise<void>}
   */
  trust(name, publicKey) {
    return this.#inTurn(async () => {
      const folded = foldName(name);
      if (folded === '') {
        throw new IdentityError('names', 'the name is empty: give the one that they call themselves');
      }
      if (!usableKey(publicKey)) {
        throw new IdentityError('names', 'the key is one that anybody can sign for: refuse whoever sent it');
      }
      const { who, person } = await this.#tags(folded, publicKey);
      const people = await this.#people(who);
      if (!people.includes(person)) await this.#keep(who, [...people, person], 1);
    });
  }

  /**
   * Does one thing after the other; with other pages of the same origin, too, where the browser has locks.
   * @template T @param {() => Promise<T>} task @returns {Promise<T>}
   */
  #inTurn(task) {
    const locks = globalThis.navigator?.locks;
    const result = this.#last.then(() => (locks ? locks.request('wzp known names', task) : task()));
    this.#last = result.catch(() => undefined);
    return /** @type {Promise<T>} */ (result);
  }

  /**
   * What stands for a folded name, and for it with a key.
   * @param {string} folded @param {Bytes} publicKey
   */
  async #tags(folded, publicKey) {
    const [who, person] = await Promise.all([
      tagOf(this.#key, toUtf8(folded)), personTag(this.#key, folded, publicKey),
    ]);
    return { who, person };
  }

  /** Who is known for a name. @param {string} who @returns {Promise<string[]>} */
  async #people(who) {
    const met = this.#met.get(who) ?? [];
    try {
      const kept = await this.#storage.get('name:' + who);
      if (kept === undefined) return met;
      if (Array.isArray(kept) && kept.every((tag) => typeof tag === 'string')) return [...kept, ...met];
      throw new TypeError('it holds something else');
    } catch (error) {
      this.#fail('cannot be read', error);
      return met;
    }
  }

  /**
   * Remembers the people of a name, one of them new: in the storage or, if that fails, for this stay.
   * @param {string} who @param {string[]} people @param {number} more
   */
  async #keep(who, people, more) {
    try {
      const count = Number((await this.#storage.get(COUNT)) ?? 0);
      if (!(count + more <= MAX_NAMES)) throw new RangeError(`there are ${count} already`);
      await this.#storage.set('name:' + who, people);
      await this.#storage.set(COUNT, count + more);
    } catch (error) {
      this.#fail('cannot be kept', error);
      if (this.#met.size < MAX_NAMES) this.#met.set(who, people);
    }
  }

  /** @param {string} what @param {unknown} error */
  #fail(what, error) {
    const why = messageOf(error);
    this.#trouble ??= new IdentityError(
      'names', `names ${what} (${why}): you are not warned when they come with another key later`,
    );
  }
}

/**
 * What stands for somebody's folded name with a key. No folded name has a zero byte.
 * @param {CryptoKey} key of whose names they are @param {string} folded @param {Bytes} publicKey
 */
export async function personTag(key, folded, publicKey) {
  const fingerprint = new Uint8Array(await crypto.subtle.digest('SHA-256', publicKey)).subarray(0, 16);
  return tagOf(key, concat(toUtf8(folded), [0], fingerprint));
}

/** @param {CryptoKey} key @param {Bytes} bytes */
async function tagOf(key, bytes) {
  return toHex(new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes)).subarray(0, 16));
}
