/**
 * Who the members are to us: whether their names came with another key before.
 *
 *     meet --> one after the other --> KnownNames.check --> 'changed', and no namesake: warn
 *                                                       '--> names are not kept: warn, once
 *
 * Who shares a name that is new with somebody who is here is a namesake, not a change: which of them had the
 * name first is chance. Both are remembered. So it is with our own name, which we always have.
 *
 * Names are kept in a database, so this takes a while; who left meanwhile is not looked at.
 */

import { foldName } from '../names/fold.js';
import { usableKey } from '../identity/identity.js';
import { MAX_NAMES } from '../identity/known-names.js';
import { equal } from '../wire/bytes.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./roster.js').Member} Member */
/** @typedef {import('../identity/known-names.js').Verdict} Verdict */

/**
 * How many new names one stay may add to the known ones: a room full of strangers must not fill the store.
 */
const MAX_NEW = 256;

const MAX_NAMESAKES = 4; // of one name that one stay remembers

const KIND = 'name:'; // of the keys that KnownNames keeps people under

/** @typedef {import('../identity/known-names.js').Storage} Storage */

/**
 * The storage of known names as one stay may use it: after MAX_NEW new names it takes no more, and KnownNames
 * remembers further ones for the stay only. Known ones are asked for and changed as ever.
 * @implements {Storage}
 */
export class StayStorage {
  #storage;
  #left = MAX_NEW;

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** @param {string} key @returns {Promise<any>} */
  get(key) {
    return this.#storage.get(key);
  }

  /** @param {string} key @param {any} value */
  async set(key, value) {
    if (key.startsWith(KIND) && (await this.#storage.get(key)) === undefined) {
      if (this.#left === 0) throw new RangeError(`more than ${MAX_NEW} new ones came in one room`);
      this.#left--;
    }
    await this.#storage.set(key, value);
  }
}

/**
 * Who came with a name in this stay, and is believed. `fresh`: nobody was known by it before.
 * @typedef {{fresh: boolean, people: {id: string, identity: Bytes}[]}} Namesakes
 */

/**
 * `compared` counts only for a key that is no other one; `contact`: what the user calls them, if they chose
 * to remember them.
 * @typedef {{known: Verdict, contact?: string} & import('../identity/notes.js').Note} Known
 */

/** @type {Readonly<Known>} */
const stranger = Object.freeze({ known: 'new' });

export class NameCheck {
  #at;
  /** @type {Map<string, Known>} by member id, of who is here */ #known = new Map();
  /** @type {Map<string, Namesakes>} by folded name; at most MAX_NAMES */ #named = new Map();
  #kept = 0; // namesakes that were remembered
  /** @type {Set<string>} who waits to be looked at */ #waiting = new Set();
  /** @type {Promise<void>} */ #last = Promise.resolve();
  #outside = false; // somebody who is outside was told of
  #forgetful = false; // it was told that names are not kept

  /**
   * @param {object} at @param {import('../identity/known-names.js').KnownNames} at.names
   * @param {import('../identity/notes.js').Notes} at.notes
   * @param {import('../identity/contacts.js').Contacts} at.contacts
   * @param {import('../identity/identity.js').Identity} at.identity ours
   * @param {string} at.name what we call ourselves @param {(code: string, member: Member) => void} at.warn
   * @param {(id: string, volume: number) => void} at.volume somebody is not to be played as loud as they send
   * @param {() => void} at.changed what known returns is another
   * @param {(error: unknown) => void} at.failed
   */
  constructor(at) {
    this.#at = at;
    const own = { id: '', identity: at.identity.publicKey };
    this.#named.set(foldName(at.name), { fresh: true, people: [own] });
  }

  /** Looks at somebody who joined. @param {Member} m */
  check(m) {
    if (m.outside) {
      if (!this.#outside) this.#at.warn('outside', m);
      this.#outside = true;
      return;
    }
    this.#waiting.add(m.id);
    this.#last = this.#last.then(() => this.#checkOne(m)).catch((error) => this.#at.failed(error));
  }

  /** Resolves when all who joined have been looked at. */
  settled() {
    return this.#last;
  }

  /** Forgets who left. @param {string} id */
  left(id) {
    this.#waiting.delete(id);
    this.#known.delete(id);
  }

  /** @param {Member} m */
  async #checkOne(m) {
    if (!this.#waiting.has(m.id)) return;
    const verdict = await this.#verdict(m);
    this.#warnOfTrouble(m);
    const { compared: noted, volume } = await this.#at.notes.of(m.name, m.identity);
    const contact = await this.#at.contacts.of(m.identity).catch(() => null);
    if (!this.#waiting.delete(m.id)) return;
    // Whom the user remembers is not new, by whatever name they come.
    const known = contact && verdict === 'new' ? 'same' : verdict;
    const compared = known === 'changed' ? undefined : contact ? contact.compared : noted;
    this.#known.set(m.id, { known, volume, compared, contact: contact?.name });
    if (known === 'changed') this.#at.warn('name', m);
    if (volume !== undefined) this.#at.volume(m.id, volume);
    if (known !== 'new' || compared !== undefined || volume !== undefined) this.#at.changed();
  }

  /**
   * Warns once a stay when names are not kept: then nobody is warned of another key later.
   * @param {Member} m at whom it was found
   */
  #warnOfTrouble(m) {
    if (this.#forgetful || !this.#at.names.trouble) return;
    this.#forgetful = true;
    this.#at.warn('names', m);
  }

  /**
   * What is known of somebody, and of who else has the name.
   * @param {Member} m @returns {Promise<Verdict>}
   */
  async #verdict(m) {
    const folded = foldName(m.name);
    if (equal(m.identity, this.#at.identity.publicKey)) return 'same'; // another device of ours
    const found = await this.#at.names.check(m.name, m.identity);
    if (folded === '' || !usableKey(m.identity)) return found;
    const named = this.#named.get(folded);
    if (!named) {
      if (found !== 'changed' && this.#named.size < MAX_NAMES) {
        this.#named.set(folded, { fresh: found === 'new', people: [{ id: m.id, identity: m.identity }] });
      }
      return found;
    }
    const before = named.people.find(({ identity }) => equal(identity, m.identity));
    if (before) before.id = m.id;
    if (found === 'changed' && !before && !(await this.#believe(m, named))) return 'changed';
    if (!before && named.people.length <= MAX_NAMESAKES) {
      named.people.push({ id: m.id, identity: m.identity });
    }
    return found === 'changed' ? 'new' : found;
  }

  /** Whether somebody is a namesake, who is remembered then. @param {Member} m @param {Namesakes} named */
  async #believe(m, { fresh, people }) {
    const here = people.some(({ id }) => id === '' || this.#known.has(id));
    if (!fresh || !here) return false;
    if (people.length > MAX_NAMESAKES || this.#kept === MAX_NEW) return true; // for this stay
    await this.#at.names.trust(m.name, m.identity);
    this.#kept++;
    return true;
  }

  /** The user says that a changed key is right. @param {Member} m */
  async trust(m) {
    await this.#at.names.trust(m.name, m.identity);
    this.#warnOfTrouble(m);
    this.#note(m, { known: 'same' });
  }

  /** The user compared somebody's key, or takes that back. @param {Member} m @param {boolean} on */
  async compare(m, on) {
    const compared = on ? Date.now() : undefined;
    if (on) await this.trust(m).catch(() => {}); // who has no name has a key all the same
    this.#note(m, { compared });
    await this.#at.notes.setCompared(m.name, m.identity, compared);
    await this.#at.contacts.setCompared(m.identity, compared);
  }

  /**
   * The user chose to remember somebody, or forgets them. A name that another contact has gets a number.
   * @param {Member} m @param {string | undefined} name for them, none: forget them
   */
  async remember(m, name) {
    const { contacts } = this.#at;
    if (name === undefined) {
      await contacts.remove(m.identity);
      return this.#note(m, { contact: undefined });
    }
    await this.trust(m).catch(() => {}); // who has no name has a key all the same
    const { compared } = this.known(m.id);
    const contact = await contacts.add(await contacts.freeName(name), m.identity, { compared });
    this.#note(m, { contact: contact.name });
  }

  /** @param {Member} m @param {number} volume */
  async setVolume(m, volume) {
    this.#note(m, { volume });
    await this.#at.notes.setVolume(m.identity, volume);
  }

  /** Changes what is known of somebody who is here. @param {Member} m @param {Partial<Known>} more */
  #note(m, more) {
    const known = this.#known.get(m.id);
    if (!known) return;
    this.#known.set(m.id, { ...known, ...more });
    this.#at.changed();
  }

  /** @param {string} id of a member @returns {Readonly<Known>} */
  known(id) {
    return this.#known.get(id) ?? stranger;
  }
}
