/**
 * Adds talkers. The sum goes through a limiter:
 *
 *     sum --+--------------------> x --> out, within [-1, 1]
 *           '-> peak > 1 ? -> gain    down at once, exactly as far as needed, up again slowly after a hold
 *
 * The gain falls as the wave itself rises above full scale, so that it makes no step; and it is exactly 1
 * while the sum stays below, so that one talker passes unchanged. Pure.
 */

// Samples that the gain stays down between peaks: one period of 50 Hz, or it would bend the wave.
const HOLD = 960;
// What is left of the reduction after a sample: back with a time constant of 100 ms.
const RELEASE = 1 - 1 / 4800;
const DONE = 1e-4; // the reduction that is dropped to exactly none: a step of -80 dB

/** A mix is begin, add for every talker, end. */
export class Mixer {
  #reduction = 0; // 1 - gain
  #hold = 0; // samples before the gain may come back
  /** @type {Float32Array} */ #pcm = new Float32Array(0);

  /** Whether the gain is below 1 at present. */
  get limiting() {
    return this.#reduction > 0;
  }

  /** Begins a mix. @param {Float32Array} pcm gets the sum */
  begin(pcm) {
    this.#pcm = pcm;
    pcm.fill(0);
  }

  /**
   * Adds a talker. Samples that are no numbers count as silence.
   * @param {Float32Array} talker @param {number} [gain]
   */
  add(talker, gain = 1) {
    const n = Math.min(talker.length, this.#pcm.length);
    for (let i = 0; i < n; i++) {
      const x = talker[i] * gain;
      if (Math.abs(x) <= 1e6) this.#pcm[i] += x; // NaN as well
    }
  }

  /** Ends a mix: the sum is within [-1, 1]. */
  end() {
    const pcm = this.#pcm;
    for (let i = 0; i < pcm.length; i++) {
      const peak = Math.abs(pcm[i]);
      if (this.#reduction === 0 && peak <= 1) continue;
      this.#follow(peak);
      pcm[i] = Math.max(-1, Math.min(pcm[i] * (1 - this.#reduction), 1));
    }
  }

  /** @param {number} peak */
  #follow(peak) {
    const out = peak * (1 - this.#reduction);
    if (out > 1) {
      this.#reduction = 1 - 1 / peak;
      this.#hold = HOLD;
    } else if (peak > 1 && out > 0.9) {
      this.#hold = HOLD; // still as loud: the next peak is due soon
    } else if (this.#hold > 0) {
      this.#hold--;
    } else {
      this.#reduction *= RELEASE;
      if (this.#reduction < DONE) this.#reduction = 0;
    }
  }
}
