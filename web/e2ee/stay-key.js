/**
 * The X25519 key of a reach record: offers of calls are sealed to it (docs/protocol.md, section 14.3). It is
 * made for one stay and kept in memory only, unless missed calls are to be kept (section 14.10): once it is
 * erased, nobody opens the offers that were made to it, nor what was said by the keys in them.
 */

import {generatePair} from './hpke.js';
import {OfferError, openKept, openOffer} from './offer.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

export class StayKey {
  /** @type {CryptoKey|null} */ #privateKey;

  /** Takes a key pair; create makes a random one. @param {import('./hpke.js').Pair} pair */
  constructor({privateKey, publicKey}) {
    this.#privateKey = privateKey;
    /** 32 bytes, not to be changed. */
    this.publicKey = publicKey;
  }

  /** @returns {Promise<StayKey>} a random one */
  static async create() {
    return new StayKey(await generatePair());
  }

  /** As openOffer. @param {Bytes} pathKey @param {Bytes} self @param {Bytes} sealed @param {number} now */
  async openOffer(pathKey, self, sealed, now) {
    return openOffer(this.pair, pathKey, self, sealed, now);
  }

  /** As openKept. @param {Bytes} pathKey @param {Bytes} self @param {Bytes} sealed @param {number} now */
  async openKept(pathKey, self, sealed, now) {
    return openKept(this.pair, pathKey, self, sealed, now);
  }

  /** Both halves, to be stored; it throws once the key was erased. @returns {import('./hpke.js').Pair} */
  get pair() {
    if (this.#privateKey === null) throw new OfferError('erased');
    return {privateKey: this.#privateKey, publicKey: this.publicKey};
  }

  /** Lets go of the private half: it opens nothing afterwards. The memory itself is the browser's. */
  erase() {
    this.#privateKey = null;
  }
}
