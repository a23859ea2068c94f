/** Whom the user remembers, and what is known of the keys of who calls: read anew, and at hand meanwhile. */

import { keyState } from './key-state.js';
import { nameOf } from './member-rows.js';
import { watchContacts } from '../identity/contacts.js';
import { fromHex, toHex } from '../wire/bytes.js';

/** @typedef {import('./line.js').Person} Person */
/** @typedef {import('../identity/contacts.js').Contact} Contact */
/** @typedef {import('../identity/known-names.js').Verdict} Verdict */

export class People {
  /** @type {Contact[]} */ contacts = [];
  /** Rises when others are remembered. */ version = 0;
  #world;
  #changed;
  /** @type {Map<string, Verdict>} by fingerprint and name */ #verdicts = new Map();

  /** @param {import('./app.js').World} world @param {() => void} changed */
  constructor(world, changed) {
    this.#world = world;
    this.#changed = changed;
    watchContacts(() => void this.refresh());
  }

  /** Looks again who is remembered. */
  async refresh() {
    const list = this.#world.identity().then(({ contacts }) => contacts.all());
    const now = await list.catch(() => /** @type {Contact[]} */ ([]));
    const facts = (/** @type {Contact[]} */ all) => JSON.stringify(
      all.map(({ fingerprint, name, compared }) => [fingerprint, name, compared]));
    if (facts(now) === facts(this.contacts)) return;
    this.contacts = now;
    this.version++;
    this.#changed();
  }

  /** Who somebody is, as far as is known by now. @param {Person} person */
  stateOf(person) {
    const verdict = this.#verdicts.get(idOf(person)) ?? 'new';
    return keyState(person, this.contacts, verdict, Date.now());
  }

  /** Finds out whether somebody's name came with another key before. @param {Person} person */
  async look(person) {
    const id = idOf(person);
    if (this.#verdicts.has(id) || person.key === '' || person.name === '') return;
    try {
      const identity = await this.#world.identity();
      this.#verdicts.set(id, await identity.look(person.name, fromHex(person.key)));
    } catch {
      return; // nothing is known then
    }
    this.#changed();
  }

  /** The key of a contact, hexadecimal; undefined if they are none. @param {string} fingerprint */
  keyOf(fingerprint) {
    const contact = this.contacts.find((one) => one.fingerprint === fingerprint);
    return contact ? toHex(contact.publicKey) : undefined;
  }

  /** Remembers who called, by what they call themselves. @param {Person} person */
  async remember(person) {
    const identity = await this.#world.identity();
    const name = await identity.contacts.freeName(nameOf(person));
    const contact = await identity.remember(name, fromHex(person.key));
    await this.refresh();
    return contact;
  }
}

/** @param {Person} person */
const idOf = ({ fingerprint, name }) => `${fingerprint} ${name}`;
