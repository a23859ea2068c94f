/**
 * The people whom the user chose to remember, by their keys. As Contacts of package identity in Go. Unlike
 * known names nobody gets here by themselves, and the storage tells who they are: it is not keyed.
 *
 *     "contacts" -> [{key: hex (64), name, added: ms since 1970, compared?: ms}]   the oldest first
 *
 * No two have names that look the same (foldName), so that a name leads to one person.
 */

import { foldName } from '../names/fold.js';
import { MAX_NAME, memberFault, normalize } from '../names/names.js';
import { fromHex, toHex, toUtf8 } from '../wire/bytes.js';
import { IdentityError } from './errors.js';
import { fingerprintOf, usableKey } from './identity.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./known-names.js').Storage} Storage */

/**
 * Somebody who is remembered. `name`: what the user calls them; `added`, `compared`: when, in ms since 1970.
 * @typedef {{publicKey: Bytes, fingerprint: string, name: string, added: number, compared?: number}} Contact
 */

/** As the storage has it. @typedef {{key: string, name: string, added: number, compared?: number}} Kept */

export const MAX_CONTACTS = 1000;
const KEY = 'contacts';
const CHANNEL = 'wzp contacts';

export class Contacts {
  #storage;
  /** @type {Promise<Map<string, Kept>> | null} by key, as read last */ #known = null;
  /** @type {Promise<unknown>} the last change; it does not reject */ #last = Promise.resolve();

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** All, in the order in which they were added. @returns {Promise<Contact[]>} */
  async all() {
    await this.#last; // what this page changes now is seen
    this.#known = null; // other pages change them, too
    return Promise.all([...(await this.#read()).values()].map(contactOf));
  }

  /**
   * Who has a key; what other pages changed since the last all() may be missing.
   * @param {Bytes} publicKey @returns {Promise<Contact | null>}
   */
  async of(publicKey) {
    const kept = (await this.#read()).get(toHex(publicKey));
    return kept ? contactOf(kept) : null;
  }

  /**
   * Remembers somebody. Who is remembered already stays as they are. It rejects with an IdentityError: 'name'
   * if it is none, 'taken' if it is another contact's, 'full', 'key' of a key that anybody can sign for.
   * @param {string} typed name @param {Bytes} publicKey
   * @param {{added?: number, compared?: number}} [more] of one who was forgotten
   * @returns {Promise<Contact>}
   */
  async add(typed, publicKey, { added = Date.now(), compared } = {}) {
    const { name, folded } = nameOf(typed);
    const key = toHex(publicKey);
    if (!usableKey(publicKey)) throw new IdentityError('key', 'anybody can sign with this key');
    const kept = await this.#change((known) => {
      const before = known.get(key);
      if (before) return before;
      if (isTaken(known, folded)) throw taken();
      if (known.size >= MAX_CONTACTS) throw new IdentityError('full', `there are ${known.size} already`);
      const entry = { key, name, added, ...at(compared) };
      known.set(key, entry);
      return entry;
    });
    return contactOf(kept);
  }

  /**
   * Calls a contact otherwise. It rejects as add does, and with 'gone' if they are no contact any more.
   * @param {Bytes} publicKey @param {string} typed @returns {Promise<Contact>}
   */
  async rename(publicKey, typed) {
    const { name, folded } = nameOf(typed);
    const kept = await this.#change((known) => {
      const before = known.get(toHex(publicKey));
      if (!before) throw new IdentityError('gone', 'they are no contact any more');
      if (foldName(before.name) !== folded && isTaken(known, folded)) throw taken();
      const entry = { ...before, name };
      known.set(before.key, entry);
      return entry;
    });
    return contactOf(kept);
  }

  /**
   * A name like this one that no contact has: with a number behind it, if need be.
   * @param {string} wish @returns {Promise<string>}
   */
  async freeName(wish) {
    const known = await this.#read();
    for (let n = 1, name = wish; ; name = withNumber(wish, ++n)) {
      if (!isTaken(known, foldName(name))) return name;
    }
  }

  /** Forgets somebody. @param {Bytes} publicKey @returns {Promise<void>} */
  async remove(publicKey) {
    await this.#change((known) => known.delete(toHex(publicKey)));
  }

  /**
   * The user compared somebody's key, or takes that back. Of who is no contact it does nothing.
   * @param {Bytes} publicKey @param {number | undefined} compared ms since 1970
   */
  async setCompared(publicKey, compared) {
    const key = toHex(publicKey);
    if (!(await this.#read()).has(key)) return;
    await this.#change((known) => {
      const entry = known.get(key);
      if (entry) known.set(key, { key, name: entry.name, added: entry.added, ...at(compared) });
    });
  }

  /** @returns {Promise<Map<string, Kept>>} */
  #read() {
    this.#known ??= this.#storage.get(KEY).then(read).catch((error) => {
      this.#known = null;
      throw error;
    });
    return this.#known;
  }

  /**
   * Changes what the storage has, after other changes of this page and of others.
   * @template T @param {(known: Map<string, Kept>) => T} change which throws to change nothing
   * @returns {Promise<T>}
   */
  #change(change) {
    const locks = globalThis.navigator?.locks;
    const task = async () => {
      const known = read(await this.#storage.get(KEY));
      const result = change(known);
      await this.#storage.set(KEY, [...known.values()]);
      this.#known = Promise.resolve(known);
      tellOthers();
      return result;
    };
    const done = this.#last.then(() => (locks ? locks.request('wzp contacts', task) : task()));
    this.#last = done.catch(() => undefined);
    return /** @type {Promise<T>} */ (done);
  }
}

/**
 * Calls back when this page, a Worker or another tab has others for contacts than before.
 * @param {() => void} changed
 */
export function watchContacts(changed) {
  new BroadcastChannel(CHANNEL).onmessage = changed;
}

function tellOthers() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage('');
  channel.close();
}

const taken = () => new IdentityError('taken', 'another contact has this name');

/** A name as it is kept, and as it looks. @param {string} typed */
function nameOf(typed) {
  const name = normalize(typed);
  const folded = foldName(name);
  if (memberFault(name) !== null || folded === '') throw new IdentityError('name', 'this is no name');
  return { name, folded };
}

/** @param {Map<string, Kept>} known @param {string} folded name */
function isTaken(known, folded) {
  return [...known.values()].some(({ name }) => foldName(name) === folded);
}

/** When a key was compared, if it was. @param {unknown} compared @returns {{compared?: number}} */
const at = (compared) => (typeof compared === 'number' ? { compared } : {});

/** A name, shortened so that a number fits behind it. @param {string} name @param {number} n */
function withNumber(name, n) {
  const letters = [...name];
  while (toUtf8(`${letters.join('')} ${n}`).length > MAX_NAME) letters.pop();
  return `${letters.join('')} ${n}`;
}

/** @param {Kept} kept @returns {Promise<Contact>} */
async function contactOf({ key, ...rest }) {
  const publicKey = fromHex(key);
  return { ...rest, publicKey, fingerprint: await fingerprintOf(publicKey) };
}

/** What the storage has, without what cannot be right. @param {unknown} kept @returns {Map<string, Kept>} */
function read(kept) {
  /** @type {Map<string, Kept>} */ const known = new Map();
  const names = new Set();
  for (const entry of Array.isArray(kept) ? kept : []) {
    const { key, name, added, compared } = /** @type {Partial<Kept>} */ (entry ?? {});
    if (typeof key !== 'string' || !/^[0-9a-f]{64}$/.test(key) || !usableKey(fromHex(key))) continue;
    if (typeof name !== 'string' || memberFault(name) !== null || typeof added !== 'number') continue;
    const folded = foldName(name);
    if (folded === '' || names.has(folded) || known.size >= MAX_CONTACTS) continue;
    names.add(folded);
    known.set(key, { key, name, added, ...at(compared) });
  }
  return known;
}
