/**
 * Our stay in a room, as far as others must see us once: it is remembered before the relay is asked for it,
 * replaces the one before, and is ended by a request when the session gets nothing out.
 *
 *     Stays -- last --> our entry        begin --> Stays, page (what it sends when it is closed)
 *     joined, left --> Stays; POST to leaveUrl for what no entry replaces
 */

import { STAY_SECRET_SIZE, replacedBy } from '../wire/entry.js';
import { leaveRequest } from '../wire/leave.js';
import { leaveOptions } from './leave.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/entry.js').StayProof} StayProof */

export class OwnStay {
  #at;
  #secret = crypto.getRandomValues(new Uint8Array(STAY_SECRET_SIZE));
  /** @type {StayProof | null} */ #stay = null;

  /**
   * @param {object} at
   * @param {string} at.room
   * @param {import('./stays.js').Stays} [at.stays] absent: none are kept
   * @param {() => string | null} at.leaveUrl where the relay is asked to end a stay, if that is known
   * @param {(message: import('./engine.js').StayMessage) => void} at.tell
   * @param {typeof globalThis.fetch} [at.fetch] in the place of the browser's
   */
  constructor(at) {
    this.#at = at;
  }

  /** What our entry says of it, and which stay it replaces, if it does one. */
  get fields() {
    return { staySecret: this.#secret, replaces: this.#at.stays?.last ?? null };
  }

  /** The name of the stay that our entry replaces, or ''. @param {Bytes} identity our public key */
  async before(identity) {
    const { replaces } = this.fields;
    return replaces ? replacedBy(identity, replaces) : '';
  }

  /** The relay is about to be asked for it. @param {Bytes} hash of our entry */
  async begin(hash) {
    const stay = (this.#stay = { hash, secret: this.#secret });
    await this.#at.stays?.begin(stay);
    const url = this.#at.leaveUrl();
    if (url) this.#at.tell({ type: 'stay', leave: { url, body: leaveRequest(this.#at.room, stay) } });
  }

  /** The relay has let us in: what may be left of us from before is to go. */
  joined() {
    const { stays } = this.#at;
    if (!stays || !this.#stay) return;
    for (const stay of stays.others) void this.#askToEnd(stay);
    void stays.joined(this.#stay);
  }

  /** We have left. @param {boolean} told whether the relay knows */
  async left(told) {
    if (!this.#stay || !(told || (await this.#askToEnd(this.#stay)))) return;
    await this.#at.stays?.ended(this.#stay);
  }

  /** @param {StayProof} stay @returns {Promise<boolean>} whether the relay has heard it */
  async #askToEnd(stay) {
    const { room, leaveUrl, fetch: post = globalThis.fetch } = this.#at;
    const url = leaveUrl();
    if (!url) return false;
    try {
      return (await post(url, leaveOptions(leaveRequest(room, stay)))).ok;
    } catch {
      return false; // or the browser does not show the answer, for the page is from elsewhere
    }
  }
}
