/**
 * QR codes (ISO/IEC 18004): byte mode, error correction M, versions 1 to 25, which is 997 bytes and more than
 * the longest invite needs. Text in, matrix out; what draws it is the invite sheet.
 *
 *     text -> bytes -> bits, padded -> blocks + Reed-Solomon -> interleaved -> zigzag -> best of 8 masks
 */

const maxVersion = 25;

/**
 * Error correction M, by version: codewords for correction in each block, and number of blocks (tables 9 and
 * 13 to 22).
 */
const correction = [
  0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28,
];
const blockCount = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21];

/** A text that no code of these versions holds. */
export class TooLong extends Error {
  code = 'too_long';
}

/**
 * @param {string} text
 * @returns {boolean[][]} rows of modules, true is dark, without the quiet zone of four modules around it
 */
export function encode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = fit(bytes.length);
  const matrix = new Matrix(version);
  matrix.place(interleave(codewords(bytes, version), version));
  matrix.maskBest();
  return matrix.modules;
}

/** @param {number} version @returns {number} modules a side */
const sizeOf = (version) => 17 + 4 * version;

/** @param {number} version @returns {number} codewords in all, data and correction */
function capacity(version) {
  const aligned = alignment(version).length;
  let modules = sizeOf(version) ** 2 - 3 * 64 - 31 - 2 * (sizeOf(version) - 16);
  if (aligned > 0) modules -= (aligned ** 2 - 3) * 25 - 10 * (aligned - 2);
  if (version >= 7) modules -= 36;
  return Math.floor(modules / 8);
}

/** @param {number} version @returns {number} codewords for data */
const dataCapacity = (version) => capacity(version) - correction[version] * blockCount[version];

/** @param {number} version @returns {number} bits of the field that says the length */
const lengthBits = (version) => (version < 10 ? 8 : 16);

/** @param {number} length in bytes @returns {number} the smallest version that holds them */
function fit(length) {
  for (let version = 1; version <= maxVersion; version++) {
    if (4 + lengthBits(version) + 8 * length <= 8 * dataCapacity(version)) return version;
  }
  throw new TooLong(`${length} bytes do not fit into a QR code; use a shorter text`);
}

/** @param {Uint8Array} bytes @param {number} version @returns {Uint8Array} the data codewords, padded */
function codewords(bytes, version) {
  const out = new Uint8Array(dataCapacity(version));
  let used = 0;
  const put = (/** @type {number} */ value, /** @type {number} */ bits) => {
    for (let i = bits - 1; i >= 0; i--, used++) out[used >> 3] |= ((value >> i) & 1) << (7 - (used & 7));
  };
  put(0b0100, 4); // byte mode
  put(bytes.length, lengthBits(version));
  for (const byte of bytes) put(byte, 8);
  const end = Math.ceil((used + Math.min(4, 8 * out.length - used)) / 8); // the terminator is zero bits
  for (let i = end; i < out.length; i++) out[i] = (i - end) % 2 === 0 ? 0xec : 0x11;
  return out;
}

/** @param {number} a @param {number} b @returns {number} the product in GF(2^8) modulo 0x11d */
function multiply(a, b) {
  let product = 0;
  for (let i = 7; i >= 0; i--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> i) & 1) * a);
  return product;
}

/**
 * @param {number} degree
 * @returns {Uint8Array} the generator polynomial's coefficients but the first, which is 1
 */
function generator(degree) {
  const out = new Uint8Array(degree);
  out[degree - 1] = 1;
  for (let i = 0, root = 1; i < degree; i++, root = multiply(root, 2)) {
    for (let j = 0; j < degree; j++) out[j] = multiply(out[j], root) ^ (out[j + 1] ?? 0);
  }
  return out;
}

/**
 * @param {Uint8Array} data @param {Uint8Array} polynomial
 * @returns {Uint8Array} the codewords that correct data
 */
function remainder(data, polynomial) {
  const out = new Uint8Array(polynomial.length);
  for (const byte of data) {
    const factor = byte ^ out[0];
    out.copyWithin(0, 1);
    out[out.length - 1] = 0;
    polynomial.forEach((coefficient, i) => (out[i] ^= multiply(coefficient, factor)));
  }
  return out;
}

/**
 * @param {Uint8Array} data @param {number} version
 * @returns {number[]} blocks of data and correction, interleaved
 */
function interleave(data, version) {
  const blocks = blockCount[version];
  const short = Math.floor(data.length / blocks);
  const long = data.length % blocks; // so many blocks, the last ones, have one codeword more
  const polynomial = generator(correction[version]);
  const parts = [];
  for (let i = 0, at = 0; i < blocks; i++) {
    const length = short + (i >= blocks - long ? 1 : 0);
    const part = data.subarray(at, (at += length));
    parts.push({ part, check: remainder(part, polynomial) });
  }
  const out = [];
  for (let i = 0; i <= short; i++) for (const { part } of parts) if (i < part.length) out.push(part[i]);
  for (let i = 0; i < polynomial.length; i++) for (const { check } of parts) out.push(check[i]);
  return out;
}

/**
 * @param {number} version @returns {number[]} where the centres of alignment patterns are, in both directions
 */
function alignment(version) {
  if (version === 1) return [];
  const number = Math.floor(version / 7) + 2;
  const step = Math.ceil((version * 4 + 4) / (number * 2 - 2)) * 2;
  const out = [6];
  for (let i = number - 2; i >= 0; i--) out.push(sizeOf(version) - 7 - i * step);
  return out;
}

/**
 * @param {number} value @param {number} bits of the check @param {number} polynomial
 * @returns {number} value || check
 */
function bch(value, bits, polynomial) {
  let rest = value;
  for (let i = 0; i < bits; i++) rest = (rest << 1) ^ ((rest >> (bits - 1)) * polynomial);
  return (value << bits) | rest;
}

/** The eight masks (table 10): whether the module in column x, row y is inverted. */
const masks = [
  (/** @type {number} */ x, /** @type {number} */ y) => (x + y) % 2 === 0,
  (/** @type {number} */ _, /** @type {number} */ y) => y % 2 === 0,
  (/** @type {number} */ x) => x % 3 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => (x + y) % 3 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (/** @type {number} */ x, /** @type {number} */ y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** The square: patterns that help to find it, and the data between them. */
class Matrix {
  /** @type {boolean[][]} */ modules;
  /** @type {boolean[][]} */ #fixed; // true where data must not go
  #version;
  #size;

  /** @param {number} version */
  constructor(version) {
    this.#version = version;
    this.#size = sizeOf(version);
    const empty = () => Array.from({ length: this.#size }, () => Array(this.#size).fill(false));
    this.modules = empty();
    this.#fixed = empty();
    this.#patterns();
  }

  /** @param {number} x @param {number} y @param {boolean} dark */
  #fix(x, y, dark) {
    if (x < 0 || y < 0 || x >= this.#size || y >= this.#size) return;
    this.modules[y][x] = dark;
    this.#fixed[y][x] = true;
  }

  #patterns() {
    for (let i = 0; i < this.#size; i++) {
      this.#fix(6, i, i % 2 === 0);
      this.#fix(i, 6, i % 2 === 0);
    }
    const far = this.#size - 4;
    for (const [x, y] of [
      [3, 3], [far, 3], [3, far],
    ])
      this.#rings(x, y, 4, (ring) => ring !== 2 && ring !== 4);
    const centres = alignment(this.#version);
    const last = centres.length - 1;
    centres.forEach((x, i) => centres.forEach((y, j) => {
      const corner = (i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0);
      if (!corner) this.#rings(x, y, 2, (ring) => ring !== 1);
    }));
    this.#format(0); // takes the place; maskBest writes what is true
    if (this.#version >= 7) this.#versionBits();
  }

  /** @param {number} x @param {number} y @param {number} radius @param {(ring: number) => boolean} dark */
  #rings(x, y, radius, dark) {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        this.#fix(x + dx, y + dy, dark(Math.max(Math.abs(dx), Math.abs(dy))));
      }
    }
  }

  /** @param {number} mask writes it, and the level of correction, in both places */
  #format(mask) {
    const bits = bch(mask, 10, 0x537) ^ 0x5412; // M is 00
    const bit = (/** @type {number} */ i) => ((bits >> i) & 1) === 1;
    const end = this.#size - 1;
    for (let i = 0; i < 6; i++) this.#fix(8, i, bit(i));
    this.#fix(8, 7, bit(6));
    this.#fix(8, 8, bit(7));
    this.#fix(7, 8, bit(8));
    for (let i = 9; i < 15; i++) this.#fix(14 - i, 8, bit(i));
    for (let i = 0; i < 8; i++) this.#fix(end - i, 8, bit(i));
    for (let i = 8; i < 15; i++) this.#fix(8, end - 14 + i, bit(i));
    this.#fix(8, end - 7, true);
  }

  #versionBits() {
    const bits = bch(this.#version, 12, 0x1f25);
    for (let i = 0; i < 18; i++) {
      const far = this.#size - 11 + (i % 3);
      const near = Math.floor(i / 3);
      this.#fix(far, near, ((bits >> i) & 1) === 1);
      this.#fix(near, far, ((bits >> i) & 1) === 1);
    }
  }

  /**
   * Puts codewords into the free modules: columns of two from the right, up and down in turn.
   * @param {number[]} words
   */
  place(words) {
    let i = 0;
    for (let right = this.#size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5; // the column of the timing pattern
      for (let step = 0; step < this.#size; step++) {
        const y = ((right + 1) & 2) === 0 ? this.#size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (this.#fixed[y][x]) continue;
          this.modules[y][x] = i < words.length * 8 && ((words[i >> 3] >> (7 - (i & 7))) & 1) === 1;
          i++;
        }
      }
    }
  }

  /** Tries all masks and keeps the one that readers like best. */
  maskBest() {
    let best = 0;
    let least = Infinity;
    for (let mask = 0; mask < masks.length; mask++) {
      this.#invert(mask);
      const penalty = penaltyOf(this.modules);
      if (penalty < least) [best, least] = [mask, penalty];
      this.#invert(mask); // again is back
    }
    this.#invert(best);
  }

  /** @param {number} mask */
  #invert(mask) {
    this.#format(mask);
    this.modules.forEach((row, y) => row.forEach((dark, x) => {
      if (!this.#fixed[y][x]) row[x] = dark !== masks[mask](x, y);
    }));
  }
}

/** How hard the matrix is to read (section 7.8.3.1). @param {boolean[][]} modules @returns {number} */
function penaltyOf(modules) {
  const size = modules.length;
  let penalty = 0;
  let dark = 0;
  for (let i = 0; i < size; i++) {
    penalty += linePenalty(modules[i]) + linePenalty(modules.map((row) => row[i]));
    for (let j = 0; j < size; j++) {
      if (modules[i][j]) dark++;
      const square = modules[i][j];
      if (i > 0 && j > 0 && square === modules[i - 1][j] && square === modules[i][j - 1]
        && square === modules[i - 1][j - 1]) penalty += 3;
    }
  }
  return penalty + 10 * Math.floor(Math.abs((dark * 20) / size ** 2 - 10));
}

/** @param {boolean[]} line @returns {number} for long runs, and for what looks like a finder pattern */
function linePenalty(line) {
  const text = line.map((dark) => (dark ? '1' : '0')).join('');
  let penalty = 0;
  for (const run of text.match(/0{5,}|1{5,}/g) ?? []) penalty += run.length - 2;
  for (const pattern of [/(?=10111010000)/g, /(?=00001011101)/g]) {
    penalty += 40 * (text.match(pattern) ?? []).length;
  }
  return penalty;
}
