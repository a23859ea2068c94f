/** The power of sound in a few bands, for the voice detector. Pure. */

const SIZE = 1024; // of the transform; a bin is 46.9 Hz wide at 48 kHz
const HALF = SIZE / 2; // complex numbers that are transformed: sound is real, so two samples make one
const WINDOW = 960; // samples that are looked at

const SIN = Float64Array.from({ length: HALF }, (_, i) => Math.sin((2 * Math.PI * i) / SIZE));
const COS = Float64Array.from({ length: HALF }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const HANN = Float64Array.from(
  { length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / WINDOW),
);
const SCALE = 1 / (SIZE * HANN.reduce((sum, w) => sum + w * w, 0));

/** First bin of each band, and the end of the last: about 90, 280, 610, 1200, 2200, 3800 and 7500 Hz. */
const EDGES = [2, 6, 13, 26, 47, 81, 160];

/** How many bands there are. */
export const BANDS = EDGES.length - 1;

/** It keeps the sound before, so that every look is at the last 20 ms. */
export class Spectrum {
  #past = new Float64Array(WINDOW);
  #re = new Float64Array(HALF);
  #im = new Float64Array(HALF);
  /** The power in each band, as a share of full scale, of the last look. */
  power = new Float64Array(BANDS);

  /** Looks at the next 10 ms. @param {Float32Array} pcm 480 samples, or fewer */
  analyse(pcm) {
    this.#past.copyWithin(0, pcm.length);
    const from = WINDOW - pcm.length;
    for (let i = 0; i < pcm.length; i++) this.#past[from + i] = Number.isFinite(pcm[i]) ? pcm[i] : 0;
    for (let i = 0; i < WINDOW / 2; i++) {
      this.#re[i] = this.#past[2 * i] * HANN[2 * i];
      this.#im[i] = this.#past[2 * i + 1] * HANN[2 * i + 1];
    }
    this.#re.fill(0, WINDOW / 2);
    this.#im.fill(0, WINDOW / 2);
    transform(this.#re, this.#im);
    for (let band = 0; band < BANDS; band++) {
      let sum = 0;
      for (let k = EDGES[band]; k < EDGES[band + 1]; k++) sum += powerAt(this.#re, this.#im, k);
      this.power[band] = 2 * sum * SCALE;
    }
    return this.power;
  }
}

/**
 * The power of bin k, 0 < k < HALF, of real sound, from the transform Z of its even samples + i its odd ones:
 *
 *     even = (Z[k] + conj Z[-k]) / 2  odd = (Z[k] - conj Z[-k]) / 2i  X[k] = even + exp(-2 pi i k / SIZE) odd
 *
 * @param {Float64Array} re @param {Float64Array} im @param {number} k
 */
function powerAt(re, im, k) {
  const m = HALF - k;
  const oddRe = (im[k] + im[m]) / 2;
  const oddIm = (re[m] - re[k]) / 2;
  const x = (re[k] + re[m]) / 2 + COS[k] * oddRe + SIN[k] * oddIm;
  const y = (im[k] - im[m]) / 2 + COS[k] * oddIm - SIN[k] * oddRe;
  return x * x + y * y;
}

/**
 * The discrete Fourier transform of HALF numbers, in place, radix 2.
 * @param {Float64Array} re @param {Float64Array} im
 */
function transform(re, im) {
  for (let i = 1, j = 0; i < HALF; i++) {
    let bit = HALF >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < HALF; half *= 2) {
    const stride = SIZE / (2 * half);
    for (let from = 0; from < HALF; from += 2 * half) butterflies(re, im, from, half, stride);
  }
}

/**
 * @param {Float64Array} re @param {Float64Array} im @param {number} from @param {number} half
 * @param {number} stride
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
