/** The reach records of one stay, each newer than the one before. */

import { MAX_REACH, signReach } from '../wire/reach.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

export class ReachRecords {
  #identity;
  #stayKey;
  #last = 0n; // sequence

  /** @param {import('../identity/identity.js').Identity} identity @param {Bytes} stayKey */
  constructor(identity, stayKey) {
    this.#identity = identity;
    this.#stayKey = stayKey;
  }

  /** @param {Bytes} homeRelay @param {number} unix ms since 1970 */
  make(homeRelay, unix) {
    const sequence = BigInt(Math.floor(unix));
    this.#last = sequence > this.#last ? sequence : this.#last + 1n;
    const expiry = BigInt(Math.floor(unix / 1000) + MAX_REACH);
    return signReach(this.#identity, { stayKey: this.#stayKey, homeRelay, sequence: this.#last, expiry });
  }
}
