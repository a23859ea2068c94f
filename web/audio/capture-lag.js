/**
 * Whether the microphone's sound comes late because the clock of what plays and records has lost time:
 * Firefox keeps what came from the microphone meanwhile, up to 200 ms of it, and hands it out that much later
 * from then on. Only a microphone that is opened anew is in time again. Pure.
 *
 *     ten times a second: time, clock, level --> the least it was behind, a second long --> late, and a pause
 */

const WINDOW = 10; // looks of which the least counts: a page sees the clock move in leaps
const MOST_LATE = 120; // ms: more than the steps in which a clock goes that is to tell nobody apart
const DRIFT = 0.5; // ms in a window that two clocks may go apart, and nothing is lost
const QUIET = -45; // dBFS
const FALLS = 3; // dB from one look to the next, when nothing is said any more (level.js)
const PAUSE = 3; // quiet looks in which nobody is cut off
const CALM = 20; // looks in which no more is lost: what is busy now makes it late again
const MOST_WAIT = 200; // looks to wait for all that
const AGAIN = 300; // looks from the first time to the next, and twice as many each time: it may not help
const ASLEEP = 5000; // ms without a look: the machine stood still, and the browser begins anew

export class CaptureLag {
  #last = -Infinity;
  /** @type {number | null} ms that the clock is behind when nothing is lost */ #base = null;
  /** @type {number[]} */ #behind = [];
  #level = QUIET; // dBFS
  #quiet = 0;
  /** ms that it was behind when more was lost last */ #lost = -Infinity;
  #calm = 0;
  #waited = 0;
  #since = Infinity; // looks since it was opened anew
  #again = AGAIN / 2;

  /**
   * Looks, ten times a second, and tells whether to open the microphone anew now.
   * @param {number} now ms @param {number} clock ms @param {number} dbfs
   */
  look(now, clock, dbfs) {
    if (now - this.#last > ASLEEP) this.#begin();
    this.#last = now;
    this.#since++;
    this.#quiet = dbfs < QUIET || dbfs < this.#level - FALLS ? this.#quiet + 1 : 0;
    this.#level = dbfs;
    this.#behind.push(now - clock);
    if (this.#behind.length < WINDOW) return false;
    const least = Math.min(...this.#behind);
    this.#behind.shift();
    this.#base = Math.min(this.#base ?? least, least) + DRIFT / WINDOW;
    this.#calm++;
    if (least > this.#lost + MOST_LATE / 6) [this.#lost, this.#calm] = [least, 0];
    if (least - this.#base < MOST_LATE || this.#since < this.#again) {
      this.#waited = 0;
      return false;
    }
    const pause = this.#quiet >= PAUSE && this.#calm >= CALM;
    if (!pause && ++this.#waited < MOST_WAIT) return false;
    this.#begin();
    this.#again *= 2;
    this.#since = 0;
    return true;
  }

  #begin() {
    this.#base = null;
    this.#behind = [];
    this.#lost = -Infinity;
    this.#waited = 0;
  }
}
