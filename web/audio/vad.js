/**
 * Tells speech from silence, so that an open microphone need not send what nobody says. It would rather send
 * noise than lose a word: what it finds too late, the pre-roll still has. Pure.
 *
 *     10 ms --> power in 6 bands --> over the floor of each, dB --> score --> open, and 300 ms longer
 *                    '--> least of the last 6 s: the floor
 *
 * The floor follows quieter sound at once; a fan that starts is taken for speech until the window has
 * forgotten what was before. Speech has gaps in every band within less than that.
 */

import { MinWindow } from '../jitter/window.js';
import { BANDS, Spectrum } from './spectrum.js';

const BLOCK = 480; // samples that are looked at, 10 ms
const HANGOVER = 30; // blocks: gaps between words
const FLOOR_BUCKET = 36_000; // samples: the floor is the least of 8 of these, 6 s
const LEAST_FLOOR = 1e-9; // -90 dBFS in a band: what is quieter is silence
const FIRST_FLOOR = 1e-7; // -70 dBFS in a band, at most, until something was heard for half a second
const LEARNT = 50; // blocks
const SMOOTH = 0.7; // of the power that the floor is made of: a lone quiet block is no floor
const BIAS = 2; // noise is this much louder than its least smoothed power
const MARGIN = 4; // dB over the floor that count as noise, in each band
const OPEN = 1.6; // score that is speech, when it lasts for two blocks ...
const OPEN_AT_ONCE = 4; // ... or alone
const FAINT = 0.6; // score of what may be its beginning
const MOST_ONSET = 20; // blocks that are looked back for it: the pre-roll
const BEFORE_ONSET = 3; // blocks that are sent before: breath, and consonants that are quieter still

export class Vad {
  /** Whether somebody speaks, as far as the last call of process knows. */
  active = false;

  #spectrum = new Spectrum();
  #smooth = new Float64Array(BANDS);
  #floors = Array.from({ length: BANDS }, () => new MinWindow(FLOOR_BUCKET));
  #blocks = 0; // so far
  #hang = 0;
  #before = 0; // score of the last block
  #faint = 0; // blocks since the score was below FAINT twice in a row
  #quiet = 2; // blocks with a score below FAINT in a row

  /**
   * Takes the next sound and says whether it is to be sent.
   * @param {Float32Array} frame any length; best whole blocks of 10 ms
   */
  process(frame) {
    let speech = false;
    for (let from = 0; from < frame.length; from += BLOCK) {
      speech = this.#block(frame.subarray(from, Math.min(from + BLOCK, frame.length))) || speech;
    }
    this.active = speech;
    return speech;
  }

  /**
   * How long before the end of the last frame the speech began that opened the gate, ms: as much of the
   * pre-roll as is worth sending. At most 200.
   */
  get onset() {
    return 10 * Math.min(this.#faint + BEFORE_ONSET, MOST_ONSET);
  }

  /** @param {Float32Array} pcm */
  #block(pcm) {
    const score = this.#score(this.#spectrum.analyse(pcm));
    this.#blocks++;
    this.#quiet = score < FAINT ? this.#quiet + 1 : 0;
    this.#faint = this.#quiet >= 2 ? 0 : this.#faint + 1;
    if (score > OPEN_AT_ONCE || (score > OPEN && this.#before > OPEN)) this.#hang = HANGOVER;
    else this.#hang = Math.max(0, this.#hang - 1);
    this.#before = score;
    return this.#hang > 0;
  }

  /**
   * How far the sound stands out of the noise: the mean over the bands, dB.
   * @param {Float64Array} power of the bands
   */
  #score(power) {
    let sum = 0;
    for (let band = 0; band < BANDS; band++) {
      this.#smooth[band] =
        this.#blocks === 0 ? power[band] : SMOOTH * this.#smooth[band] + (1 - SMOOTH) * power[band];
      const least = BIAS * this.#floors[band].add(this.#smooth[band], this.#blocks * BLOCK);
      const floor = Math.max(this.#blocks < LEARNT ? Math.min(least, FIRST_FLOOR) : least, LEAST_FLOOR);
      sum += Math.max(0, 10 * Math.log10(Math.max(power[band], LEAST_FLOOR) / floor) - MARGIN);
    }
    return sum / BANDS;
  }
}
