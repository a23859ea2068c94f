/**
 * Remembers offers that came, so that none counts twice, and bounds how many are opened. An offer is good
 * for four minutes; one would have to send more than MAX_SEEN in that time to be forgotten, and strangers
 * push out only strangers.
 */

const MAX_SEEN = 1024; // offers, of contacts and of strangers each
const OFFERS_SECOND = 50; // that are opened, in bursts of as many again
const PERSON_CALLS = 10; // a minute, of one contact
const MAX_PERSONS = 64; // calls of the last minute that are remembered
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

  /** Whether a contact may call once more. @param {string} person fingerprint @param {number} now */
  allowPerson(person, now) {
    this.#calls = this.#calls.filter((c) => now - c.at < MINUTE);
    const n = this.#calls.filter((c) => c.person === person).length;
    if (n >= PERSON_CALLS || this.#calls.length >= MAX_PERSONS) return false;
    this.#calls.push({ person, at: now });
    return true;
  }
}
