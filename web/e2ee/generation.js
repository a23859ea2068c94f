/**
 * A fresh key of a talker and what it was ratcheted to: a generation of docs/protocol.md, section 7.2.
 *
 *     steps, ascending, without gaps:  [s] --ratchet--> [s+1] --ratchet--> ... [newest]
 *                                       |                  |
 *                                      W[s], first CTR, the SFrame key of each stream that was heard
 *
 * Ratcheting is asynchronous, and frames, headers and time change the steps meanwhile. So each change makes a
 * new list: who computed from one looks whether it is still the list, and starts again if not.
 */

import {frameKey, ratchet} from './keys.js';
import {sameBytes} from './sframe.js';
import {MAX_WINDOWS} from './windows.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/urgent.js').KeyHeader} KeyHeader */
/** @typedef {import('./sframe.js').FrameKey} FrameKey */

/** One W[s]. */
export class Step {
  /** @readonly 0 to 15 */ index;
  /** Frames with a lower CTR are dropped. */
  first;
  /** @type {number | null} when its successor came; null: it has none */ over = null;
  /** @type {Map<number, FrameKey>} by stream, of which a frame was authentic */ keys = new Map();

  #w;
  #erased = false;
  /** @type {Map<number, Promise<FrameKey>>} by stream, while a frame is tried: later ones share it */
  #deriving = new Map();

  /** @param {number} index @param {number} first @param {Bytes} w taken over */
  constructor(index, first, w) {
    this.index = index;
    this.first = first;
    this.#w = w;
  }

  /** Whether nothing is left of it. */
  get erased() {
    return this.#erased && this.keys.size === 0 && this.#w.every((byte) => byte === 0);
  }

  /** A copy of W[s], for the caller to erase. */
  copy() {
    return this.#w.slice();
  }

  /** Whether w is W[s], in constant time if it is as long. @param {Bytes} w */
  is(w) {
    return sameBytes(this.#w, w);
  }

  /** Whether both are one key. @param {Step} other */
  equals(other) {
    return this.is(other.#w);
  }

  /** Erases W[s] and the keys made of it. */
  erase() {
    this.#erased = true;
    this.#w.fill(0);
    this.keys.clear();
    this.#deriving.clear();
  }

  /**
   * Opens a frame. The stream's key is kept if it is authentic and the step is still there, so that forged
   * frames, of 256 streams, cost no memory.
   * @param {number} stream @param {() => Promise<FrameKey>} derive the stream's key @param {number} ctr
   * @param {Bytes} sealed @returns {Promise<Bytes>} the plaintext; rejected with an AuthError
   */
  async open(stream, derive, ctr, sealed) {
    const held = this.keys.get(stream);
    if (held) return held.open(ctr, sealed);
    const shared = this.#deriving.get(stream);
    if (shared) return (await shared).open(ctr, sealed);
    const deriving = derive();
    this.#deriving.set(stream, deriving);
    try {
      const key = await deriving;
      const plain = await key.open(ctr, sealed);
      if (!this.#erased) this.#hold(stream, key);
      return plain;
    } finally {
      if (this.#deriving.get(stream) === deriving) this.#deriving.delete(stream);
    }
  }

  /** Holds a stream's key, of as many as have a ReplayWindow. @param {number} stream @param {FrameKey} key */
  #hold(stream, key) {
    for (const oldest of this.keys.keys()) {
      if (this.keys.size < MAX_WINDOWS) break;
      this.keys.delete(oldest);
    }
    this.keys.set(stream, key);
  }

  /**
   * Derives the SFrame key of a KID.
   * @param {number} suite @param {bigint} kid @param {string} room
   * @param {import('./secret.js').Secret | null} secret
   */
  async derive(suite, kid, room, secret) {
    const w = this.copy(); // before anything is waited for
    try {
      return await frameKey(suite, kid, secret, room, w);
    } finally {
      w.fill(0);
    }
  }
}

/** Erases steps. @param {readonly Step[]} steps */
export function eraseSteps(steps) {
  for (const step of steps) step.erase();
}

/**
 * The steps after from, up to index, which is above from's. The caller keeps them or erases them.
 * @param {Step} from @param {number} index @returns {Promise<Step[]>}
 */
export async function ratchetAhead(from, index) {
  const {first} = from;
  /** @type {Step[]} */ const ahead = [];
  let w = from.copy(); // before anything is waited for
  for (let i = from.index + 1; i <= index; i++) {
    const next = await ratchet(w);
    w.fill(0);
    ahead.push(new Step(i, first, next));
    w = next.slice();
  }
  w.fill(0);
  return ahead;
}

/** It has at least one step until it is erased. */
export class Generation {
  /** @readonly SFrame cipher suite, 2 or 3 */ suite;
  /** @readonly 0 to 15 */ index;
  /** Number of its last header. */
  number;
  /** @type {readonly Step[]} never changed in place */ steps;
  /** @type {number | null} when its successor came; null: it has none */ over = null;

  /** @param {KeyHeader} header @param {Bytes} w taken over */
  constructor(header, w) {
    this.suite = header.suite;
    this.index = generationOf(header.epoch);
    this.number = header.number;
    this.steps = [new Step(stepOf(header.epoch), header.firstCtr, w)];
  }

  get newest() {
    return this.steps[this.steps.length - 1];
  }

  /**
   * The step with an index that is not above the newest one's; undefined if it is over or was never had.
   * @param {number} index
   */
  step(index) {
    return this.steps[index - this.steps[0].index];
  }

  /**
   * Looks at a key of this generation, which must be on its chain.
   * @param {KeyHeader} header @param {Bytes} w @returns {Promise<Follow>}
   */
  async follow(header, w) {
    const {steps, newest} = this;
    const index = stepOf(header.epoch);
    if (header.suite !== this.suite) {
      return {steps, bad: 'it changes the suite within a generation', ahead: []};
    }
    /** @type {Step[]} */ let ahead = [];
    let fits;
    if (index <= newest.index) {
      fits = await this.#has(index, w);
    } else {
      ahead = await ratchetAhead(newest, index);
      fits = ahead[ahead.length - 1].is(w);
    }
    return {steps, bad: fits ? '' : 'it does not follow from the key of its generation', ahead};
  }

  /**
   * Whether w is the key of a step up to the newest: held, or one that ratchets to the oldest held.
   * @param {number} index @param {Bytes} w
   */
  async #has(index, w) {
    const held = this.step(index);
    if (held) return held.is(w);
    const oldest = this.steps[0];
    const given = new Step(index, 0, w.slice());
    const ahead = await ratchetAhead(given, oldest.index);
    const fits = oldest.equals(ahead[ahead.length - 1]);
    eraseSteps([given, ...ahead]);
    return fits;
  }

  /**
   * Takes a key that follows: after the newest step, whose successor it is, or before, then it is the newest.
   * @param {KeyHeader} header @param {Bytes} w taken over @param {readonly Step[]} ahead as follow found them
   * @param {number} now
   */
  accept(header, w, ahead, now) {
    this.number = header.number;
    if (ahead.length === 0) {
      this.#goBack(stepOf(header.epoch), header.firstCtr, w);
      return;
    }
    w.fill(0);
    ahead[ahead.length - 1].first = header.firstCtr;
    this.append(ahead, now);
  }

  /**
   * Makes a step that is held, or was, the newest, as its header says: it takes over w, and the first CTR
   * where the step is not held. Only frames told of later steps. They may have been faster than the header,
   * or be forged, by a member with the help of a relay, to mute the talker when its step is over. Either way
   * later steps follow from this one again when a frame says so.
   * @param {number} index @param {number} first @param {Bytes} w
   */
  #goBack(index, first, w) {
    const held = this.step(index);
    if (!held) {
      eraseSteps(this.steps);
      this.steps = [new Step(index, first, w)];
      return;
    }
    w.fill(0);
    held.over = null;
    const after = index - this.steps[0].index + 1;
    eraseSteps(this.steps.slice(after));
    this.steps = this.steps.slice(0, after);
  }

  /**
   * Adds steps, of which the last one is in use from now on.
   * @param {readonly Step[]} ahead @param {number} now
   */
  append(ahead, now) {
    for (const step of [this.newest, ...ahead.slice(0, -1)]) step.over = now;
    this.steps = [...this.steps, ...ahead];
  }

  /** Erases steps that are over. @param {(over: number | null) => boolean} isOver */
  expire(isOver) {
    let n = 0;
    // The newest is over with its generation.
    while (n < this.steps.length - 1 && isOver(this.steps[n].over)) n++;
    if (n === 0) return;
    eraseSteps(this.steps.slice(0, n));
    this.steps = this.steps.slice(n);
  }

  /** Erases all steps; the list that it had is not its list any more. */
  erase() {
    eraseSteps(this.steps);
    this.steps = [];
  }
}

/**
 * What follow found: from which steps, what is bad about the key ('': nothing), the steps up to it, if above.
 * @typedef {{steps: readonly Step[], bad: string, ahead: Step[]}} Follow
 */

/** @param {number} epoch */
export function generationOf(epoch) {
  return epoch >> 4;
}

/** @param {number} epoch */
export function stepOf(epoch) {
  return epoch & 0xf;
}
