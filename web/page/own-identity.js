/**
 * Who the user is, as the page handles it: the identity in the Store, made on the first join, and its seed as
 * long as this page may show it. The keys themselves are identity/'s; no DOM.
 */

import { Contacts } from '../identity/contacts.js';
import { Identity } from '../identity/identity.js';
import { KnownNames } from '../identity/known-names.js';

/** @typedef {import('../identity/store.js').Store} Store */
/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {typeof import('../identity/mnemonic.js')} Mnemonic */

export class OwnIdentity {
  /** @type {Store} */ #store;
  /** @type {Uint8Array<ArrayBuffer> | null} if it was made or opened on this page */ #seed = null;
  /** @type {Promise<void> | null} */ #making = null;
  /** '' before the first join. */
  fingerprint = '';
  /** @type {Bytes | null} likewise */ publicKey = null;
  /** Whom the user remembers. */ contacts;
  /** Whether a sealed copy of the words is in this browser. */
  sealed = false;
  #mnemonic;

  /** @param {Store} store @param {() => Promise<Mnemonic>} mnemonic which is large, and rarely needed */
  constructor(store, mnemonic) {
    this.#store = store;
    this.#mnemonic = mnemonic;
    this.contacts = new Contacts(store);
  }

  /** @param {Store} store @param {() => Promise<Mnemonic>} mnemonic @returns {Promise<OwnIdentity>} */
  static async open(store, mnemonic) {
    const identity = new OwnIdentity(store, mnemonic);
    identity.#use(await store.loadIdentity());
    identity.sealed = await store.hasSealed();
    return identity;
  }

  /** Makes an identity if there is none. Resolves when the Store has it. */
  async ensure() {
    if (this.fingerprint !== '') return;
    this.#making ??= this.#make().finally(() => (this.#making = null));
    await this.#making;
  }

  async #make() {
    const { identity, seed } = await Identity.generate();
    await this.#store.saveIdentity(seed);
    this.#use(identity);
    this.#seed = seed;
  }

  /** @param {Identity | null} identity */
  #use(identity) {
    this.fingerprint = identity?.fingerprint ?? '';
    this.publicKey = identity?.publicKey ?? null;
  }

  /**
   * Remembers somebody; from now on rooms warn of whoever comes by that name with another key. It rejects as
   * Contacts.add does.
   * @param {string} name @param {Bytes} publicKey
   */
  async remember(name, publicKey) {
    const contact = await this.contacts.add(name, publicKey);
    await this.#trust(contact);
    return contact;
  }

  /**
   * Calls somebody otherwise. It rejects as Contacts.rename does.
   * @param {Bytes} publicKey @param {string} name
   */
  async rename(publicKey, name) {
    const contact = await this.contacts.rename(publicKey, name);
    await this.#trust(contact);
    return contact;
  }

  /**
   * What is known of somebody who calls themselves by a name, which is not remembered by that.
   * @param {string} name @param {Bytes} publicKey
   * @returns {Promise<import('../identity/known-names.js').Verdict>}
   */
  async look(name, publicKey) {
    const identity = await this.#store.loadIdentity();
    return identity ? (await KnownNames.open(identity, this.#store)).look(name, publicKey) : 'new';
  }

  /** @param {import('../identity/contacts.js').Contact} contact */
  async #trust({ name, publicKey }) {
    await this.ensure();
    const identity = await this.#store.loadIdentity();
    if (identity) await (await KnownNames.open(identity, this.#store)).trust(name, publicKey);
  }

  /** Whether the words can be shown now. */
  get hasWords() {
    return this.#seed !== null;
  }

  /** @returns {Promise<string[]>} the 24 words, none if they cannot be shown any more */
  async words() {
    if (!this.#seed) return [];
    const { toWords } = await this.#mnemonic();
    return toWords(this.#seed);
  }

  /** Takes an identity from its words. Throws an Error that says which word is wrong. @param {string} text */
  async import(text) {
    const { fromWords } = await this.#mnemonic();
    const seed = await fromWords(text);
    this.#use(await this.#store.saveIdentity(seed));
    this.sealed = await this.#store.hasSealed(); // one of another seed is gone
    this.#seed = seed;
  }

  /** Keeps the seed in this browser, encrypted. @param {string} passphrase */
  async seal(passphrase) {
    if (!this.#seed) return;
    await this.#store.sealSeed(this.#seed, passphrase);
    this.sealed = true;
  }

  /** Makes the words showable again. Throws if it is not the passphrase. @param {string} passphrase */
  async openSealed(passphrase) {
    this.#seed = await this.#store.openSealed(passphrase);
  }
}
