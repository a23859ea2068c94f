/**
 * Cuts sound that comes in pieces of any length into blocks of 10 ms. The blocks go to another thread and
 * come back empty, so that capturing makes no garbage. Pure.
 *
 *     write(128 samples) ... --> block of 480 --> emit(pcm) --> other thread
 *                                   ^------------ recycle(buffer) <--'
 */

/** Samples in a block: 10 ms at 48 kHz. */
export const BLOCK = 480;

const MOST_SPARE = 8; // empty blocks that are kept

export class Blocks {
  /** Blocks that were allocated because none had come back. */
  allocated = 0;

  #emit;
  /** @type {Float32Array<ArrayBuffer>[]} */ #spare = [];
  /** @type {Float32Array<ArrayBuffer> | null} */ #block = null;
  #filled = 0;
  #first = 0; // the number of the block's first sample

  /** @param {(pcm: Float32Array<ArrayBuffer>, frame: number) => void} emit frame numbers the first sample */
  constructor(emit) {
    this.#emit = emit;
  }

  /**
   * Takes samples; frame is the number of the first of them. A jump in the numbers drops what was begun.
   * @param {Float32Array} pcm @param {number} frame
   */
  write(pcm, frame) {
    if (this.#filled > 0 && frame !== this.#first + this.#filled) this.#filled = 0;
    for (let from = 0; from < pcm.length; ) {
      if (this.#filled === 0) this.#first = frame + from;
      const block = (this.#block ??= this.#next());
      const n = Math.min(pcm.length - from, BLOCK - this.#filled);
      block.set(pcm.subarray(from, from + n), this.#filled);
      this.#filled += n;
      from += n;
      if (this.#filled === BLOCK) {
        this.#filled = 0;
        this.#block = null;
        this.#emit(block, this.#first);
      }
    }
  }

  #next() {
    const spare = this.#spare.pop();
    if (spare) return spare;
    this.allocated++;
    return new Float32Array(BLOCK);
  }

  /** Takes a block back. @param {unknown} buffer of a block that was emitted; anything else is ignored */
  recycle(buffer) {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== BLOCK * 4) return;
    if (this.#spare.length < MOST_SPARE) this.#spare.push(new Float32Array(buffer));
  }
}
