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

  /** @param {Bytes} homeRelay @param {number} unix ms since 1970 @param {boolean} [keep] */
  make(homeRelay, unix, keep = false) {
    const time = BigInt(Math.floor(unix));
    const sequence = this.#last = time > this.#last ? time : this.#last + 1n;
    const expiry = BigInt(Math.floor(unix / 1000) + MAX_REACH);
    return signReach(this.#identity, { stayKey: this.#stayKey, homeRelay, sequence, expiry, keep });
  }
}
