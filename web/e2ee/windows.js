/**
 * Which frames of a talker were taken, of each of its 256 streams. As replayWindows in Go's internal/e2ee.
 *
 * It is as long-lived as what is known of the talker, not as a stream that is played, or as a key: a relay
 * that makes a listener forget a stream (by many others, or by saying that the talker left) and has the
 * talker send its key again could play the past once more. Forged frames make no window.
 *
 *     recent  at most 16, the one that had a frame last at the end    a ReplayWindow
 *     floors  the others, by stream                                   the highest CTR taken: none below it is
 */

import {ReplayWindow} from '../wire/replay.js';

/** How many CTRs a window tells apart: 20 s of one frame each 20 ms, more than any frame is waited for. */
const WINDOW_SIZE = 1024;

/** How many streams of a talker have a whole window: it says one thing at a time. */
export const MAX_WINDOWS = 16;

/** How far above the others of its stream a frame's CTR may be: hours of them. */
export const MAX_JUMP = 2 ** 20;

export class ReplayWindows {
  /** @type {Map<number, ReplayWindow>} by stream */ #recent = new Map();
  /** @type {Map<number, number>} by stream */ #floors = new Map();
  /** Of streams with neither: no CTR up to it is taken. */
  #above = -1;

  /** How many streams there are with a window, and with a floor. */
  get sizes() {
    return {recent: this.#recent.size, floors: this.#floors.size};
  }

  /**
   * Notes a CTR of a stream, of a frame that was authenticated.
   * @param {number} stream @param {number} ctr
   * @returns {'new' | 'replayed' | 'ahead'} only new ones are to be used. ahead: so far above the others that
   *   it cannot be the talker's: somebody who has the key, too, would have all later frames be too old
   */
  accept(stream, ctr) {
    let window = this.#recent.get(stream);
    if (!window) {
      const floor = this.#floors.get(stream) ?? -1;
      if (ctr <= floor || (floor < 0 && ctr <= this.#above)) return 'replayed';
      if (floor >= 0 && ctr - floor > MAX_JUMP) return 'ahead';
      window = new ReplayWindow(WINDOW_SIZE, floor);
    }
    if (window.ahead(ctr) > MAX_JUMP) return 'ahead';
    if (!window.accept(ctr)) return 'replayed';
    this.#floors.delete(stream);
    this.#recent.delete(stream);
    this.#recent.set(stream, window);
    this.#shrink(MAX_WINDOWS);
    return 'new';
  }

  /**
   * Makes floors of all windows, when nothing late can be opened any more; of more than most, one for all.
   * @param {number} [most]
   */
  rest(most = Infinity) {
    this.#shrink(0);
    if (this.#floors.size <= most) return;
    this.#above = Math.max(this.#above, ...this.#floors.values());
    this.#floors.clear();
  }

  /** @param {number} most windows, those that had a frame last */
  #shrink(most) {
    for (const [stream, window] of this.#recent) {
      if (this.#recent.size <= most) break;
      this.#floors.set(stream, window.highest);
      this.#recent.delete(stream);
    }
  }
}
