/**
 * Whether our hand is up, and when that is told: in payloads of silence, and while there are none the
 * ViewSender does, as in internal/call (docs/protocol.md, section 7.5). Pure: times are samples of what is
 * captured.
 */

const MS = 48; // samples
const TIMES = 3; // a change is told, one frame after the other,
const EVERY = 2000 * MS; // and again while nothing else tells it;
const DOWN_FOR = 60_000 * MS; // a lowered one for so long, for which a stay goes on without a connection

export class Hand {
  up = false;
  #owed = 0; // payloads that tell of the last change
  #last = 0; // when it was told
  #until = 0; // when a lowered one is told of no more

  /** @param {boolean} up @param {number} at */
  set(up, at) {
    if (up === this.up) return;
    this.up = up;
    this.#owed = TIMES;
    this.#until = at + DOWN_FOR;
  }

  /** What there is to say of it, null: nothing. @param {number} at */
  says(at) {
    return this.up || at < this.#until ? this.up : null;
  }

  /** Whether to tell it, though nothing else is told. @param {number} at */
  due(at) {
    return this.#owed > 0 || (this.says(at) !== null && at - this.#last >= EVERY);
  }

  /** It was told. @param {number} at */
  told(at) {
    this.#owed = Math.max(0, this.#owed - 1);
    this.#last = at;
  }
}
