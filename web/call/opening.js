/**
 * The time after joining in which it is not known who is there: keys would be for whoever came first. Pure.
 *
 *     joined --300 ms: ask--> --list, alone, or 3 s: over, speech may begin--> --2 s after a late list: end
 */

const OPENING_TIME = 3000; // ms, at most, that nothing is said in
const OPENING_REST = 2000; // after the list came, for its members to get their keys
const OPENING_MOST = 10_000; // from which on whoever is found is a newcomer
const OPENING_ASK = 300; // after which the list is asked for by an urgent message, too

/** See docs/protocol.md, sections 4.4 and 7.2. */
export class Opening {
  /** Whether something may be said. */
  over = false;
  #since;
  /** @type {number | null} when the list was complete */ #listed = null;
  #asked = false;

  /** @param {number} now ms, when the relay accepted us */
  constructor(now) {
    this.#since = now;
  }

  /**
   * Whether members that are found now are taken for such that were there before us.
   * @param {boolean} complete whether the whole list came
   * @param {number} now
   */
  lasts(complete, now) {
    if (complete) this.#listed ??= now;
    if (now >= this.#since + OPENING_MOST) return false;
    // Who is listed lacks the keys of what was said before; if the list came at once, nothing was.
    return this.#listed === null || (this.#asked && now < this.#listed + OPENING_REST);
  }

  /**
   * Ends the opening, or says when to look again.
   * @param {{complete: boolean, alone: boolean, now: number}} seen alone: nobody else is there
   * @returns {{ask: boolean, next: number}} ask: send "members wanted"; next: ms, 0: it is over
   */
  check({ complete, alone, now }) {
    const latest = this.#since + OPENING_TIME;
    if (this.over || complete || alone || now >= latest) {
      this.over = true;
      return { ask: false, next: 0 };
    }
    if (this.#asked) return { ask: false, next: latest };
    if (now < this.#since + OPENING_ASK) return { ask: false, next: this.#since + OPENING_ASK };
    this.#asked = true;
    return { ask: true, next: latest };
  }
}
