/**
 * Lets each number through once, in any order: the packets of a session (docs/protocol.md, section 3.2) and
 * the frames of a stream (RFC 9605, section 9.3). A ring of bits as in RFC 4303, section 3.4.3.
 *
 *     highest-size+1                    highest
 *          |  seen, or still welcome  |    |
 *      ----+-------------------------------+---->
 *      too old                               new: the window moves up
 *
 * It knows numbers only; that what has them is authentic is found out before.
 */

/** It takes the memory of its size once. */
export class ReplayWindow {
  #highest;
  #bits; // bit n mod size, of the numbers in the window

  /**
   * @param {number} size how many numbers, the highest included, it tells apart; a multiple of 32
   * @param {number} [highest] nothing up to it is taken
   */
  constructor(size, highest = -1) {
    this.#highest = highest;
    this.#bits = new Uint32Array(size / 32).fill(highest < 0 ? 0 : 2 ** 32 - 1);
  }

  get #size() {
    return this.#bits.length * 32;
  }

  /** The highest number accepted; -1: none yet. */
  get highest() {
    return this.#highest;
  }

  /** One above it. */
  get next() {
    return this.#highest + 1;
  }

  /**
   * Says what accept would make of a number, and changes nothing.
   * @param {number} n
   * @returns {'new'|'replayed'|'old'} old: so far below the highest that late cannot be told from replayed
   */
  judge(n) {
    if (n > this.#highest) return 'new';
    if (this.#highest - n >= this.#size) return 'old';
    return this.#has(n) ? 'replayed' : 'new';
  }

  /** @param {number} n in the window */
  #has(n) {
    const position = n % this.#size;
    return ((this.#bits[position >> 5] >>> (position & 31)) & 1) === 1;
  }

  /**
   * Notes a number. Only of what was authenticated: a forged one would move the window past those to come.
   * @param {number} n a whole number up to 2^53-1; whatever else is refused
   * @returns {boolean} whether it came for the first time
   */
  accept(n) {
    if (!Number.isSafeInteger(n) || n < 0 || this.judge(n) !== 'new') return false;
    if (n > this.#highest) this.#moveTo(n);
    const position = n % this.#size;
    this.#bits[position >> 5] |= 1 << (position & 31);
    return true;
  }

  /** How far above the highest number accepted one is: 0 if it is not, or if none was. @param {number} n */
  ahead(n) {
    return this.#highest < 0 ? 0 : Math.max(0, n - this.#highest);
  }

  /** Makes n the highest, and forgets the numbers that had the bits of those in between. @param {number} n */
  #moveTo(n) {
    if (n - this.#highest >= this.#size) {
      this.#bits.fill(0);
    } else {
      for (let i = this.#highest + 1; i < n; i++) this.#bits[(i % this.#size) >> 5] &= ~(1 << (i & 31));
    }
    this.#highest = n;
  }
}
