/** Statistics over what came lately: the least value, and quantiles. Memory is taken once. Pure. */

const BUCKETS = 8;

/** The least of the values of the last 8 x width samples of time. It forgets one bucket at a time. */
export class MinWindow {
  #width;
  #epoch = 0; // number of the newest bucket: time / width
  #bucket = new Float64Array(BUCKETS).fill(Infinity); // Infinity: nothing came

  /** @param {number} width samples of time that a bucket covers */
  constructor(width) {
    this.#width = width;
  }

  reset() {
    this.#bucket.fill(Infinity);
  }

  /**
   * Takes in a value and returns the least in the window. A clock that goes back makes it forget.
   * @param {number} value @param {number} now
   */
  add(value, now) {
    const epoch = Math.floor(now / this.#width);
    if (epoch > this.#epoch + BUCKETS || epoch < this.#epoch) {
      this.reset();
      this.#epoch = epoch;
    }
    while (this.#epoch < epoch) this.#bucket[mod(++this.#epoch, BUCKETS)] = Infinity;
    const i = mod(epoch, BUCKETS);
    this.#bucket[i] = Math.min(this.#bucket[i], value);
    let least = value;
    for (const v of this.#bucket) least = Math.min(least, v);
    return least;
  }
}

/** @param {number} a @param {number} n */
function mod(a, n) {
  return ((a % n) + n) % n;
}

/** The last values, also sorted, so that a quantile is one look-up. */
export class QuantileWindow {
  #ring;
  #sorted;
  #next = 0;
  #count = 0;

  /** @param {number} size */
  constructor(size) {
    this.#ring = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  reset() {
    this.#next = this.#count = 0;
  }

  get count() {
    return this.#count;
  }

  /** @param {number} value */
  add(value) {
    const size = this.#ring.length;
    if (this.#count === size) this.#remove(this.#ring[this.#next]);
    const at = this.#search(value);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = value;
    this.#count++;
    this.#ring[this.#next] = value;
    this.#next = (this.#next + 1) % size;
  }

  /** Takes the newest value back; it must not have pushed out another one that is missed. */
  undo() {
    if (this.#count === 0) return;
    this.#next = mod(this.#next - 1, this.#ring.length);
    this.#remove(this.#ring[this.#next]);
  }

  /**
   * The value that no more than one in perOne of the values exceeds. With fewer than atLeast values, the
   * missing ones count as floor, so that an odd one at the start does not decide.
   * @param {number} perOne @param {number} atLeast @param {number} floor
   */
  high(perOne, atLeast, floor) {
    const above = Math.floor(Math.max(this.#count, atLeast) / perOne);
    if (above >= this.#count) return floor;
    return Math.max(floor, this.#sorted[this.#count - 1 - above]);
  }

  /** The median; 0 without values. */
  median() {
    return this.#count === 0 ? 0 : this.#sorted[Math.floor(this.#count / 2)];
  }

  /** @param {number} value */
  #remove(value) {
    const at = this.#search(value);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }

  /** Where the first value that is not less stands. @param {number} value */
  #search(value) {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
