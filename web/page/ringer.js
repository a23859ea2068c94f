/** Rings softly, three times, while somebody calls; over no speech. */

const times = 3;
const pause = 4000; // ms from one ring to the next
const quiet = 500; // ms after which it is looked again whether somebody talks

export class Ringer {
  #play;
  #speech;
  #left = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {() => void} play @param {() => boolean} speech whether somebody talks now */
  constructor(play, speech) {
    this.#play = play;
    this.#speech = speech;
  }

  /** Somebody calls. */
  start() {
    this.#left = times;
    if (this.#timer === undefined) this.#ring();
  }

  /** Nobody does any more. */
  stop() {
    this.#left = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #ring() {
    this.#timer = undefined;
    if (this.#left === 0) return;
    const waits = this.#speech();
    if (!waits) {
      this.#left--;
      this.#play();
    }
    this.#timer = setTimeout(() => this.#ring(), waits ? quiet : pause);
  }
}
