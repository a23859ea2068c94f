/**
 * What a listener knows of one talker: the generations of its key that are held, which headers were accepted,
 * and which frames were taken. All of it is synchronous.
 */

import {AcceptedNumbers, KEEP_OLD} from './late.js';
import {Generation} from './generation.js';
import {ReplayWindows} from './windows.js';

/**
 * How many generations a talker may have at once: in the 10 s that an old one stays there may be a fresh key
 * a second, while the talker uses the first of them up to 8 s.
 */
export const MAX_GENERATIONS = 12;

/** @typedef {import('../wire/urgent.js').KeyHeader} KeyHeader */

export class HeldTalker {
  /** @readonly hash of its entry, in hexadecimal */ hash;
  /** Of the last header. */
  number = 0;
  /** The numbers that were accepted, up to that one. */
  accepted = new AcceptedNumbers();
  /** First CTR of the last header. */
  first = 0;
  /** When the newest generation came. */
  renewed = 0;
  /** @type {Generation[]} the newest last */ generations = [];
  /** @type {number | null} when it left; null: it is inside */ left = null;
  /** Frames that were taken. */
  windows = new ReplayWindows();

  /** @param {string} hash */
  constructor(hash) {
    this.hash = hash;
  }

  /** @param {number} index @returns {Generation | undefined} */
  generation(index) {
    return this.generations.find((generation) => generation.index === index);
  }

  /**
   * Notes a header that was accepted, above all before.
   * @param {KeyHeader} header @param {number | null} left
   */
  accept(header, left) {
    this.accepted.advance(header.number, this.number);
    this.number = header.number;
    this.first = header.firstCtr;
    this.left = left;
  }

  /**
   * Makes a generation that was not held the newest.
   * @param {KeyHeader} header @param {import('../wire/bytes.js').Bytes} w @param {number} now
   */
  add(header, w, now) {
    const before = this.generations.at(-1);
    if (before) before.over ??= now;
    this.renewed = now;
    this.#insert(this.generations.length, header, w);
  }

  /**
   * Takes the key of a generation whose successor came first: it is over when it would have been in time.
   * @param {KeyHeader} header @param {import('../wire/bytes.js').Bytes} w
   */
  addLate(header, w) {
    this.accepted.add(this.number - header.number);
    this.#insert(this.generations.length - 1, header, w).over = this.renewed;
  }

  /**
   * Puts a generation before the i-th, in place of the oldest if they are too many.
   * @param {number} i @param {KeyHeader} header @param {import('../wire/bytes.js').Bytes} w
   */
  #insert(i, header, w) {
    if (this.generations.length === MAX_GENERATIONS) {
      this.drop(this.generations[0]);
      i--;
    }
    const generation = new Generation(header, w);
    this.generations.splice(i, 0, generation);
    return generation;
  }

  /** Erases one generation. @param {Generation} generation */
  drop(generation) {
    generation.erase();
    this.generations = this.generations.filter((other) => other !== generation);
  }

  /** Erases all generations. */
  erase() {
    for (const generation of this.generations) generation.erase();
    this.generations = [];
  }

  /**
   * Erases what is over.
   * @param {number} now @returns {number} when the rest is, as far as that is known; Infinity: never
   */
  expire(now) {
    let next = Infinity;
    const isOver = (/** @type {number | null} */ over) => {
      if (over === null) return false;
      if (now >= over + KEEP_OLD) return true;
      next = Math.min(next, over + KEEP_OLD);
      return false;
    };
    if (this.generations.length === 0) return Infinity;
    if (isOver(this.left)) {
      this.erase();
      this.windows.rest();
      return Infinity;
    }
    for (const generation of [...this.generations]) {
      if (isOver(generation.over)) this.drop(generation);
      else generation.expire(isOver);
    }
    return next;
  }
}
