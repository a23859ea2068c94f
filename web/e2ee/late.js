/**
 * Keys that a later one overtook ("Receiving" of docs/protocol.md, section 7.2): which numbers were accepted,
 * so that a relay cannot bring back an old key, and whether a key may come late.
 */

/** How long a key or step opens frames after its successor came, and after its talker left, in ms. */
export const KEEP_OLD = 10_000;

/** How far below the last header's number one may be that comes after it. */
export const MAX_OVERTAKEN = 8;

const MASK = 2 ** (MAX_OVERTAKEN + 1) - 1;

/** @typedef {import('../wire/urgent.js').KeyHeader} KeyHeader */

/** Which of a talker's numbers were accepted: a bit for the last and each of the eight below. */
export class AcceptedNumbers {
  #bits = 0;

  /** Takes a number above the last one. @param {number} number @param {number} last */
  advance(number, last) {
    const up = number - last;
    this.#bits = up > MAX_OVERTAKEN ? 1 : ((this.#bits << up) | 1) & MASK;
  }

  /** Whether the number so far below the last one, 0 to 8, was accepted. @param {number} below */
  has(below) {
    return ((this.#bits >> below) & 1) === 1;
  }

  /** Takes all numbers. */
  addAll() {
    this.#bits = MASK;
  }

  /** Takes the number so far below the last one. @param {number} below */
  add(below) {
    this.#bits |= 1 << below;
  }
}

/**
 * Whether a key is one that another of its talker, of a later generation, was faster than: its frames may
 * have come, and wait for it. Each number is taken once.
 * @param {import('./held-talker.js').HeldTalker} talker @param {KeyHeader} header @param {number} now ms
 */
export function overtaken(talker, header, now) {
  const below = talker.number - header.number;
  return below > 0 && below <= MAX_OVERTAKEN && !talker.accepted.has(below) &&
    now < talker.renewed + KEEP_OLD && talker.generations.length > 0 &&
    header.firstCtr <= talker.first && !talker.generation(header.epoch >> 4);
}
