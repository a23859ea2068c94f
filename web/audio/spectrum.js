/**
 * The power of sound in a few bands, for the voice detector. Pure.
 *
 * @module audio/spectrum
 */

const SIZE = 1024; // of the transform; a bin is 46.9 Hz wide at 48 kHz
const WINDOW = 960; // samples that are looked at

const SIN = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / SIZE));
const COS = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const HANN = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WINDOW));
const SCALE = 1 / (SIZE * HANN.reduce((sum, w) => sum + w * w, 0));

/** First bin of each band, and the end of the last: about 90, 280, 610, 1200, 2200, 3800 and 7500 Hz. */
const EDGES = [2, 6, 13, 26, 47, 81, 160];

/** How many bands there are. */
export const BANDS = EDGES.length - 1;

/** See the module. It keeps the sound before, so that every look is at the last 20 ms. */
export class Spectrum {
  #past = new Float64Array(WINDOW);
  #re = new Float64Array(SIZE);
  #im = new Float64Array(SIZE);
  /** The power in each band, as a share of full scale, of the last look. */
  power = new Float64Array(BANDS);

  /** Looks at the next 10 ms. @param {Float32Array} pcm 480 samples, or fewer */
  look(pcm) {
    this.#past.copyWithin(0, pcm.length);
    const from = WINDOW - pcm.length;
    for (let i = 0; i < pcm.length; i++) this.#past[from + i] = Number.isFinite(pcm[i]) ? pcm[i] : 0;
    this.#im.fill(0);
    this.#re.fill(0, WINDOW);
    for (let i = 0; i < WINDOW; i++) this.#re[i] = this.#past[i] * HANN[i];
    transform(this.#re, this.#im);
    for (let band = 0; band < BANDS; band++) {
      let sum = 0;
      for (let k = EDGES[band]; k < EDGES[band + 1]; k++) sum += this.#re[k] ** 2 + this.#im[k] ** 2;
      this.power[band] = 2 * sum * SCALE;
    }
    return this.power;
  }
}

/** The discrete Fourier transform, in place, radix 2. @param {Float64Array} re @param {Float64Array} im */
function transform(re, im) {
  for (let i = 1, j = 0; i < SIZE; i++) {
    let bit = SIZE >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < SIZE; half *= 2) {
    const stride = SIZE / (2 * half);
    for (let from = 0; from < SIZE; from += 2 * half) butterflies(re, im, from, half, stride);
  }
}

/**
 * @param {Float64Array} re @param {Float64Array} im
 * @param {number} from @param {number} half @param {number} stride
 */
function butterflies(re, im, from, half, stride) {
  for (let k = 0; k < half; k++) {
    const [c, s] = [COS[k * stride], SIN[k * stride]];
    const [a, b] = [from + k, from + k + half];
    const x = re[b] * c + im[b] * s;
    const y = im[b] * c - re[b] * s;
    re[b] = re[a] - x;
    im[b] = im[a] - y;
    re[a] += x;
    im[a] += y;
  }
}
