/**
 * Keeps the last frames captured, so that what was said just before the microphone opened can be sent too:
 * people press the key as they start to speak, and a syllable is known to be one only after it began. Pure.
 *
 *     write --> [ oldest ... newest ] --> drain, once, when the microphone opens
 */

/** How much is kept, ms. */
export const PRE_ROLL = 200;

export class PreRoll {
  #frame;
  #most;
  /** @type {Float32Array[]} */ #frames = [];

  /** @param {number} frame samples in a frame @param {number} [ms] how much is kept, in whole frames */
  constructor(frame, ms = PRE_ROLL) {
    this.#frame = frame;
    this.#most = Math.max(1, Math.ceil((ms * 48) / frame));
  }

  /** How many frames are kept at present. */
  get length() {
    return this.#frames.length;
  }

  /** Adds a copy of a frame; the oldest gives way. @param {Float32Array} pcm */
  write(pcm) {
    const copy = this.#frames.length >= this.#most ? this.#frames.shift() : undefined;
    const kept = copy ?? new Float32Array(this.#frame);
    kept.set(pcm.subarray(0, this.#frame));
    kept.fill(0, Math.min(pcm.length, this.#frame));
    this.#frames.push(kept);
  }

  /**
   * Gives what is kept, oldest first, and leaves it empty, so that nothing is said twice.
   * @param {number} [most] frames; of the newest
   */
  drain(most = Infinity) {
    const frames = this.#frames.splice(0);
    return frames.slice(Math.max(0, frames.length - most));
  }

  /** Forgets everything, as when the microphone was muted. */
  reset() {
    this.#frames.length = 0;
  }
}
