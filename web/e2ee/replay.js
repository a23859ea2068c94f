/**
 * The replay window of a stream: each CTR is taken once (RFC 9605, section 9.3). It knows CTRs only; that a
 * frame is authentic is found out before (sframe.js).
 *
 *     highest-1023                      highest
 *          |  seen, or still welcome  |    |
 *      ----+-------------------------------+---->  CTR
 *      too old                               new: the window moves up
 */

/**
 * How many CTRs, the highest included, a window remembers: 20 s of one frame each 20 ms, more than any frame
 * is waited for.
 */
export const REPLAY_WINDOW_SIZE = 1024;

/** Lets each CTR of a stream through once. It is bounded. A stream has one for all its keys: CTR goes on. */
export class ReplayWindow {
  #highest = -1; // the highest CTR accepted; none yet
  #seen = new Uint32Array(REPLAY_WINDOW_SIZE / 32); // bit CTR mod REPLAY_WINDOW_SIZE, for CTRs in the window

  /** Returns a window that takes nothing up to a CTR. @param {number} highest */
  static above(highest) {
    const window = new ReplayWindow();
    window.#highest = highest;
    window.#seen.fill(2 ** 32 - 1);
    return window;
  }

  /** The highest CTR accepted; -1: none yet. */
  get highest() {
    return this.#highest;
  }

  /**
   * Says what accept would make of a CTR, and changes nothing.
   * @param {number} ctr
   * @returns {'new'|'replayed'|'old'} old: so far below the highest that a late frame cannot be told from a
   *   replay
   */
  judge(ctr) {
    if (ctr > this.#highest) return 'new';
    if (this.#highest - ctr >= REPLAY_WINDOW_SIZE) return 'old';
    const position = ctr % REPLAY_WINDOW_SIZE;
    return (this.#seen[position >> 5] >>> (position & 31)) & 1 ? 'replayed' : 'new';
  }

  /**
   * Notes a CTR. Call it only for a frame that was authenticated: a forged CTR would move the window past the
   * frames to come.
   * @param {number} ctr a whole number up to 2^53-1; whatever else is refused
   * @returns {boolean} whether it came for the first time; otherwise drop the frame
   */
  accept(ctr) {
    if (!Number.isSafeInteger(ctr) || ctr < 0 || this.judge(ctr) !== 'new') return false;
    if (ctr > this.#highest) this.#moveTo(ctr);
    const position = ctr % REPLAY_WINDOW_SIZE;
    this.#seen[position >> 5] |= 1 << (position & 31);
    return true;
  }

  /**
   * Returns how far above the highest CTR accepted one is: 0 if it is not, or if none was.
   * @param {number} ctr
   */
  ahead(ctr) {
    return this.#highest < 0 ? 0 : Math.max(0, ctr - this.#highest);
  }

  /**
   * Makes ctr, which is above it, the highest, and forgets the CTRs that had the bits of those in between.
   * @param {number} ctr
   */
  #moveTo(ctr) {
    if (ctr - this.#highest >= REPLAY_WINDOW_SIZE) {
      this.#seen.fill(0);
    } else {
      for (let c = this.#highest + 1; c < ctr; c++) {
        const position = c % REPLAY_WINDOW_SIZE;
        this.#seen[position >> 5] &= ~(1 << (position & 31));
      }
    }
    this.#highest = ctr;
  }
}
