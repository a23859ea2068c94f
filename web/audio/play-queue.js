/**
 * The blocks between engine and sound card: how many are asked for, what is heard when none come. Pure.
 *
 *     sound card, 128 samples --> take --> [ queue ] <-- push, 480 samples <-- Worker
 *                                   '--> wanted: blocks to ask for --------------^
 *
 * The queue aims at a depth. It is deeper after an underrun and, when its lowest level was not needed for 10
 * s, a little less deep. The last samples before an underrun are kept for a fade, so that it makes no click.
 */

import { BLOCK } from './blocks.js';

/** Samples of a call of take, at most: the render quantum of Web Audio. */
export const QUANTUM = 128;

const CAPACITY = 16 * BLOCK;
const START_DEPTH = 2 * BLOCK; // samples in the queue or on their way
const LEAST_DEPTH = 1.5 * BLOCK;
const MOST_DEPTH = 6 * BLOCK;
const DEEPER = BLOCK / 2; // after an underrun
const SHALLOWER = BLOCK / 4;
const SLACK = 1.25 * BLOCK; // lowest level above which the queue is deeper than it needs to be
const WINDOW = 10 * 48_000; // samples of a look at the lowest level
const ANSWER_WITHIN = 24_000; // samples after which a request counts as lost: the Worker may be another one

export class PlayQueue {
  /** Times that the sound card wanted sound and there was none, in the middle of play. */
  underruns = 0;
  /** Samples thrown away because more came than was asked for. */
  dropped = 0;
  /** What was asked for last was not answered. */
  starved = false;
  /** Samples that queue and requests together aim at. */
  depth = START_DEPTH;

  #ring = new Float32Array(CAPACITY);
  #read = 0;
  #count = 0;
  #asked = 0; // blocks on their way
  #waited = 0; // samples taken since the last answer
  #dry = true; // nothing is played until the queue has filled up
  #rise = false; // the next samples fade in
  #lowest = CAPACITY;
  #window = 0;

  /** Samples in the queue. */
  get level() {
    return this.#count;
  }

  /** @param {Float32Array} pcm a block that was asked for */
  push(pcm) {
    this.#asked = Math.max(0, this.#asked - 1);
    this.#waited = 0;
    this.starved = false;
    const n = Math.min(pcm.length, CAPACITY);
    const over = Math.max(0, this.#count + n - CAPACITY);
    this.dropped += over + pcm.length - n;
    this.#skip(over);
    const at = (this.#read + this.#count) % CAPACITY;
    const first = Math.min(n, CAPACITY - at);
    this.#ring.set(pcm.subarray(0, first), at);
    this.#ring.set(pcm.subarray(first, n), 0);
    this.#count += n;
  }

  /** Blocks that are to be asked for now; they count as asked for. */
  wanted() {
    const missing = this.depth - this.#count - this.#asked * BLOCK;
    const n = Math.max(0, Math.ceil(missing / BLOCK));
    this.#asked += n;
    return n;
  }

  /** Fills out, at most QUANTUM samples, with what is heard next. @param {Float32Array} out */
  read(out) {
    this.#waited += out.length;
    if (this.#waited > ANSWER_WITHIN) {
      this.starved = this.#asked > 0;
      this.#asked = this.#waited = 0;
    }
    if (this.#dry && this.#count < this.depth - BLOCK / 2) {
      out.fill(0);
      return;
    }
    if (this.#dry) [this.#dry, this.#rise] = [false, true];
    this.#observe(out.length);
    const last = this.#count < out.length + QUANTUM;
    const n = Math.min(out.length, this.#count);
    this.#pop(out, n);
    if (this.#rise) scale(out, 0, 1);
    this.#rise = false;
    if (last) this.#runDry(out, n);
  }

  /** @param {Float32Array} out @param {number} n samples of sound in it */
  #runDry(out, n) {
    scale(out.subarray(0, n), 1, 0);
    out.fill(0, n);
    this.#dry = true;
    this.underruns++;
    this.depth = Math.min(this.depth + DEEPER, MOST_DEPTH);
    this.#begin();
  }

  /** @param {number} n samples that are about to be taken */
  #observe(n) {
    this.#lowest = Math.min(this.#lowest, this.#count - n);
    this.#window += n;
    if (this.#window < WINDOW) return;
    if (this.#lowest > SLACK) this.depth = Math.max(this.depth - SHALLOWER, LEAST_DEPTH);
    this.#begin();
  }

  #begin() {
    this.#lowest = CAPACITY;
    this.#window = 0;
  }

  /** @param {Float32Array} out @param {number} n */
  #pop(out, n) {
    const first = Math.min(n, CAPACITY - this.#read);
    out.set(this.#ring.subarray(this.#read, this.#read + first));
    out.set(this.#ring.subarray(0, n - first), first);
    this.#skip(n);
  }

  /** @param {number} n */
  #skip(n) {
    this.#read = (this.#read + n) % CAPACITY;
    this.#count -= n;
  }
}

/** @param {Float32Array} pcm @param {number} from @param {number} to */
function scale(pcm, from, to) {
  for (let i = 0; i < pcm.length; i++) pcm[i] *= from + ((to - from) * (i + 1)) / (pcm.length + 1);
}
