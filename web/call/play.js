/**
 * What is heard: the sum of all streams, by the clock of the loudspeaker.
 *
 *     Stream.read --> Level --> gain of its member --> Mixer --> 10 ms
 */

import { Level } from '../audio/level.js';
import { Mixer } from '../audio/mixer.js';

const BLOCK = 480; // samples, 10 ms
const MAX_GAIN = 4;
const MAX_GAINS = 4096; // members whose loudness was changed

export class Mix {
  #streams;
  #now;
  #mixer = new Mixer();
  #pcm = new Float32Array(BLOCK);
  /** @type {Map<string, number>} by member */ #gains = new Map();
  /** @type {Map<string, Level>} by member */ #levels = new Map();

  /** @param {import('./streams.js').Streams} streams @param {() => number} now ms */
  constructor(streams, now) {
    this.#streams = streams;
    this.#now = now;
  }

  /** Fills pcm with what is to be heard next. @param {Float32Array} pcm 480 samples */
  mix(pcm) {
    const now = this.#now();
    const sounding = new Set();
    this.#mixer.begin(pcm);
    for (const stream of this.#streams.sounding()) {
      stream.read(this.#pcm, now);
      if (stream.active) {
        sounding.add(stream.owner);
        this.#level(stream.owner).write(this.#pcm); // as it talks, not as loud as it is played
      }
      this.#mixer.add(this.#pcm, this.#gains.get(stream.owner) ?? 1);
    }
    this.#mixer.end();
    for (const owner of this.#levels.keys()) {
      if (!sounding.has(owner)) this.#levels.delete(owner);
    }
  }

  /** @param {string} owner */
  #level(owner) {
    let level = this.#levels.get(owner);
    if (!level) this.#levels.set(owner, (level = new Level()));
    return level;
  }

  /** @param {string} member @param {number} gain 1 as sent, 0 not at all */
  setGain(member, gain) {
    if (!Number.isFinite(gain)) return;
    if (gain === 1) this.#gains.delete(member);
    else if (this.#gains.size < MAX_GAINS || this.#gains.has(member)) {
      this.#gains.set(member, Math.max(0, Math.min(MAX_GAIN, gain)));
    }
  }

  /** How loud those are whose speech is being played, in dBFS. @returns {Record<string, number>} */
  levels() {
    return Object.fromEntries([...this.#levels].map(([owner, level]) => [owner, level.dbfs]));
  }
}
