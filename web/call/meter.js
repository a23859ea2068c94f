/** How loud our own microphone is. */

import { Level, SILENCE } from '../audio/level.js';

const STALE = 300; // ms without sound, after which there is no microphone

/** The loudness of what was captured last, in dBFS. */
export class Meter {
  #level = new Level();
  #at = -Infinity;

  /** @param {Float32Array} block @param {number} now ms */
  write(block, now) {
    this.#level.write(block);
    this.#at = now;
  }

  /** @param {number} now */
  level(now) {
    if (now - this.#at > STALE) this.#level.reset();
    return now - this.#at > STALE ? SILENCE : this.#level.dbfs;
  }
}
