/**
 * What this device remembers of its own stays in one room until it knows that they are over, so that nobody
 * sees it twice (docs/protocol.md, section 5.3). Without a page, without the network.
 *
 *     storage ── open ──> last: our next entry replaces it     others: the relay is asked to end them
 *        ^                                                     (an attempt to join that nobody answered)
 *        └── begin (before we ask to join), joined, ended
 */

import { equal } from '../wire/bytes.js';

/** @typedef {import('../wire/entry.js').StayProof} StayProof */
/** @typedef {StayProof & {joined?: boolean}} Kept */
/**
 * @typedef {{get(key: string): Promise<any>, set(key: string, value: any): Promise<unknown>}} Shelf of Store
 */

const MAX_KEPT = 4; // the newest; of those before them the relay will hear nothing for a minute

export class Stays {
  /** The stay that the next one replaces, or null. @type {StayProof | null} */
  last = null;
  /** Those of which nobody knows whether they ever came to be. @type {StayProof[]} */
  others = [];

  #shelf;
  #key;
  /** @type {Kept[]} the oldest first */ #kept = [];

  /** Use open. @param {Shelf} shelf @param {string} key */
  constructor(shelf, key) {
    this.#shelf = shelf;
    this.#key = key;
  }

  /**
   * Where a browser's storage fails, it is as if there were none.
   * @param {Shelf} shelf @param {string} room as roomKey has it @param {string} fingerprint of the identity
   */
  static async open(shelf, room, fingerprint) {
    const stays = new Stays(shelf, `stay:${fingerprint}:${room}`);
    const kept = await shelf.get(stays.#key).catch(() => null);
    if (Array.isArray(kept)) stays.#kept = kept.filter(isStay).slice(-MAX_KEPT);
    stays.last = stays.#kept.findLast((stay) => stay.joined) ?? stays.#kept.at(-1) ?? null;
    stays.others = stays.#kept.filter((stay) => stay !== stays.last);
    return stays;
  }

  /** A stay is about to begin. @param {StayProof} stay */
  async begin(stay) {
    await this.#save([...this.#kept, stay].slice(-MAX_KEPT));
  }

  /** It has begun: those before it are over, but for others, which the relay is asked to end. */
  async joined(/** @type {StayProof} */ { hash, secret }) {
    await this.#save([{ hash, secret, joined: true }]);
  }

  /** The relay knows that it is over. Another page may have begun the next one. @param {StayProof} stay */
  async ended({ hash }) {
    const kept = await this.#shelf.get(this.#key).catch(() => null);
    if (Array.isArray(kept)) await this.#save(kept.filter((stay) => isStay(stay) && !equal(stay.hash, hash)));
  }

  /** @param {Kept[]} kept */
  async #save(kept) {
    this.#kept = kept;
    await this.#shelf.set(this.#key, kept.length > 0 ? kept : undefined).catch(() => {});
  }
}

/** @param {any} value @returns {value is Kept} */
function isStay(value) {
  return [value?.hash, value?.secret].every((b) => b instanceof Uint8Array && b.length === 32);
}
