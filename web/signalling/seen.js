/**
 * Remembers offers that came, so that none counts twice, and bounds how many are opened. An offer is good
 * for four minutes. Of those who may ring, only offers that count are remembered, of which MAX_MINUTE come in
 * a minute: so each is remembered for as long as it is good. Strangers push out only strangers.
 */

const MAX_SEEN = 1024; // offers, of contacts and of strangers each
const OFFERS_SECOND = 50; // that are opened, in bursts of as many again
const PERSON_CALLS = 10; // a minute, of one who may ring
const SHARED_CALLS = 64; // a minute, of all together; beyond that each has a share
const MAX_MINUTE = 256; // a minute, whoever makes them
const MINUTE = 60_000;

export class SeenOffers {
  /** Path ids and call ids, two for each offer, oldest first. @type {Set<string>} */ #known = new Set();
  /** @type {Set<string>} */ #strange = new Set();
  #tokens = 2 * OFFERS_SECOND;
  #at = 0;
  /** Oldest first. @type {{person: string, at: number}[]} */ #calls = [];

  /** @param {string} id */
  has(id) {
    return this.#known.has(id) || this.#strange.has(id);
  }

  /** Remembers an offer, of somebody who may ring or not. @param {boolean} known @param {...string} ids */
  add(known, ...ids) {
    const set = known ? this.#known : this.#strange;
    for (const id of ids) {
      if (set.size >= 2 * MAX_SEEN) for (const oldest of set) {
        set.delete(oldest);
        break;
      }
      set.add(id);
    }
  }

  /**
   * Whether one more offer may be opened, which costs a key agreement and two signatures.
   * @param {number} now
   */
  allow(now) {
    if (this.#at !== 0 && now > this.#at) {
      this.#tokens = Math.min(2 * OFFERS_SECOND, this.#tokens + ((now - this.#at) / 1000) * OFFERS_SECOND);
    }
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /**
   * Whether somebody who may ring may call once more: who calls much leaves the others their share.
   * @param {string} person fingerprint @param {number} now
   */
  allowPerson(person, now) {
    this.#calls = this.#calls.filter((c) => now - c.at < MINUTE);
    const n = this.#calls.filter((c) => c.person === person).length;
    const people = new Set([person, ...this.#calls.map((c) => c.person)]).size;
    const shared = this.#calls.length >= SHARED_CALLS;
    const most = shared ? Math.max(1, Math.floor(SHARED_CALLS / people)) : PERSON_CALLS;
    if (n >= most || this.#calls.length >= MAX_MINUTE) return false;
    this.#calls.push({ person, at: now });
    return true;
  }
}
