/**
 * Our keys that were handed out last, and that not all are known to have.
 *
 *     handing out --> under way --the relay has all its messages--> being passed on --key delivered--> gone
 *
 * Nothing here sends or waits.
 */

/** @typedef {{number: number, has(id: string): boolean}} Header a Distribution, as far as it matters here */

/**
 * A header that was handed out: messages are those that the relay has not acknowledged; passed is when it had
 * acknowledged all, null: it has not.
 * @typedef {{header: Header, messages: number, passed: number | null}} OutKey
 */

/** How many of our headers may be on their way at once: a relay keeps four for the wraps that follow them. */
const MAX_UNDER_WAY = 3;
const MAX_OUTSTANDING = 4;
/** How long a relay gets to pass a key on, before whoever asks for it is given it again, in ms. */
const PASS_TIME = 2000;

export class Outstanding {
  /** @type {OutKey[]} ascending by number */ #keys = [];

  /** How many are remembered. */
  get size() {
    return this.#keys.length;
  }

  /** Notes a key that is about to go out. @param {Header} header @returns {OutKey} */
  add(header) {
    if (this.#keys.length === MAX_OUTSTANDING) this.#keys.shift(); // nobody will say that it arrived
    const key = { header, messages: 1, passed: null }; // until all have been sent
    this.#keys.push(key);
    return key;
  }

  /** Notes one more message of a key. @param {OutKey} key */
  sending(key) {
    key.messages++;
  }

  /**
   * Notes that a message was acknowledged, or given up.
   * @param {OutKey} key @param {number} now ms @returns {boolean} whether it was the last one
   */
  acked(key, now) {
    if (--key.messages > 0) return false;
    key.passed = now;
    return true;
  }

  /** Whether no more keys should go out before some of those under way have arrived. */
  get busy() {
    return this.#keys.filter((key) => key.passed === null).length >= MAX_UNDER_WAY;
  }

  /**
   * Whether a key is on its way to a member, so that another one now would not help.
   * @param {string} id @param {number} now
   */
  reaching(id, now) {
    return this.#keys.some(
      ({ header, passed }) => (passed === null || now - passed < PASS_TIME) && header.has(id),
    );
  }

  /** Notes that all have the keys with these numbers. @param {number[]} numbers */
  delivered(numbers) {
    this.#keys = this.#keys.filter((key) => !numbers.includes(key.header.number));
  }
}
