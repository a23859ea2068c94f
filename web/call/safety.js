/**
 * The safety number of who is inside: made once the identities have settled, or will not settle
 * (docs/protocol.md, section 7.4). It is slow on purpose, so identities come and go while it is made.
 *
 *     other identities --> stale, told as null --rest 1 s, or 5 s at most--> made --still the same?--> told
 *                            ^------------------------------------ no -----------------'
 */

import { safetyNumber } from '../e2ee/safety.js';
import { toHex } from '../wire/bytes.js';
import { soonest } from '../link/clock.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

const NUMBER_REST = 1000; // ms that the identities must not change for, before their number is made,
const NUMBER_LATE = 5000; // but after which it is made, whatever they do

/**
 * @typedef {object} SafetyHooks
 * @property {string} name of the room
 * @property {import('../e2ee/secret.js').Secret | null} secret
 * @property {(number: string | null, identities: number) => void} safety null: the one before is the number
 *   of others
 * @property {() => void} wake has make called again
 * @property {(error: unknown) => void} failed
 */

export class SafetyNumber {
  #at;
  /** @type {Bytes[]} */ #identities = [];
  #digest = '';
  #since = 0;
  /** @type {number | null} since when there is no number of them; null: there is */ #staleAt = null;
  #making = false;

  /** @param {SafetyHooks} at */
  constructor(at) {
    this.#at = at;
  }

  /** Takes who is inside now, ourselves included. @param {Bytes[]} identities @param {number} now */
  setIdentities(identities, now) {
    const distinct = new Map(identities.map((key) => [toHex(key), key]));
    const digest = [...distinct.keys()].sort().join(' ');
    if (digest === this.#digest) return;
    this.#identities = [...distinct.values()];
    this.#digest = digest;
    this.#since = now;
    if (this.#staleAt === null) {
      this.#staleAt = now;
      this.#at.safety(null, distinct.size); // the one before is the number of others
    }
  }

  /**
   * Makes the number if it is time to.
   * @param {boolean} complete whether the whole list is known
   * @param {number} now @returns {number} when to be called again; 0: when something changed
   */
  make(complete, now) {
    if (!complete || this.#staleAt === null || this.#making) return 0;
    const due = soonest(this.#since + NUMBER_REST, this.#staleAt + NUMBER_LATE);
    if (now < due) return due;
    this.#making = true;
    this.#make(this.#digest, this.#identities).catch((error) => this.#at.failed(error));
    return 0;
  }

  /** @param {string} digest @param {Bytes[]} identities */
  async #make(digest, identities) {
    try {
      const number = await safetyNumber(this.#at.name, identities, this.#at.secret);
      if (digest === this.#digest) {
        this.#staleAt = null;
        this.#at.safety(number, identities.length);
      }
    } finally {
      this.#making = false;
    }
    this.#at.wake(); // they may be others by now
  }
}
