/**
 * The replay window of a session (docs/protocol.md, section 3.2): a ring of bits as in RFC 4303, section
 * 3.4.3. It is pure; counters are Numbers.
 */

/** How many counters below the highest one are still told apart. */
export const WINDOW_SIZE = 4096;

/** Remembers which counters were received. A new one has received none. */
export class Window {
  #next = 0;
  #bits = new Uint32Array(WINDOW_SIZE / 32);

  /** One above the highest counter received. */
  get next() {
    return this.#next;
  }

  /**
   * Tells whether counter may be accepted: not received yet and not below the window.
   * @param {number} counter
   */
  fresh(counter) {
    return counter >= this.#next || (this.#next - counter <= WINDOW_SIZE && !this.#has(counter));
  }

  /** Tells whether counter, which is in the window, was received. @param {number} counter */
  received(counter) {
    return counter < this.#next && this.#next - counter <= WINDOW_SIZE && this.#has(counter);
  }

  /** Records counter as received. It is to be called after fresh only. @param {number} counter */
  mark(counter) {
    if (counter >= this.#next) this.#advance(counter + 1);
    this.#bits[word(counter)] |= 1 << (counter % 32);
  }

  /** Moves the window up and forgets what the positions it enters said of long ago. @param {number} next */
  #advance(next) {
    if (next - this.#next >= WINDOW_SIZE) {
      this.#bits.fill(0);
    } else {
      for (let c = this.#next; c < next; c++) this.#bits[word(c)] &= ~(1 << (c % 32));
    }
    this.#next = next;
  }

  /** @param {number} counter */
  #has(counter) {
    return (this.#bits[word(counter)] & (1 << (counter % 32))) !== 0;
  }
}

/** @param {number} counter */
function word(counter) {
  return Math.floor(counter / 32) % (WINDOW_SIZE / 32);
}
