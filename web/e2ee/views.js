/**
 * Compares what talkers see of the room with what we see (docs/protocol.md, section 7.2, "Differing views"):
 * when a talker has seen another room than we for too long, a relay may have shown one of us a member that
 * the other does not know of.
 *
 *     a digest that matches no view of the last 3 s
 *        |-- 3 s: ask -- 6 s: ask -- 10 s: warn, once
 *        '-- until it, or one that came later, matches a view
 *
 * It is pure: whoever calls says what time it is, computes the member digests (keys.js), asks and warns.
 */

import {toHex} from '../wire/bytes.js';

const VIEW_PAST = 3000; // ms, how far back own views count: news reach us before the talker, or after it
const VIEW_SPAN = 10_000; // ms, how long a talker's may differ
// ms after the first view that matched none, when a talker is asked for a new header.
const ASK_AFTER = [3000, 6000];
const MAX_VIEWS = 256; // own views that are remembered
const MAX_DIFFERING = 8; // views of a talker that match none

/** @typedef {{digest: string, until: number}} PastView a view that was ours */

/**
 * A view of a talker that matches none of ours.
 *
 * @typedef {object} DifferingView
 * @property {string} digest
 * @property {number} since when nothing matched, as far as this digest says
 * @property {number} latest when it last came
 */

/** Times are in ms, of one clock; they run from the first view of our own. */
export class Views {
  /** @type {string|null} */ #current = null;
  /** @type {PastView[]} */ #past = []; // ascending
  /** @type {Map<string, TalkerViews>} */ #talkers = new Map();

  /** Says what we see now. @param {Uint8Array} digest member digest, 32 bytes @param {number} now */
  mine(digest, now) {
    const view = toHex(digest);
    if (view === this.#current) return;
    if (this.#current === null) {
      for (const talker of this.#talkers.values()) talker.restart(now);
    } else {
      this.#past.push({digest: this.#current, until: now});
      this.#prune(now);
    }
    this.#current = view;
    for (const [id, talker] of this.#talkers) {
      if (talker.matched(view)) this.#talkers.delete(id);
    }
  }

  /**
   * Says what a talker saw when it signed a key that was accepted, or sealed a frame. The same digest may
   * come again and again: it differs since it came first.
   * @param {string} sender member id @param {Uint8Array} digest member digest, 32 bytes @param {number} now
   */
  theirs(sender, digest, now) {
    const view = toHex(digest);
    this.#prune(now);
    if (view === this.#current || this.#past.some((past) => past.digest === view)) {
      this.#talkers.delete(sender);
      return;
    }
    let talker = this.#talkers.get(sender);
    if (talker === undefined) {
      talker = new TalkerViews();
      this.#talkers.set(sender, talker);
    }
    talker.add(view, now);
  }

  /** Forgets the talkers who are not inside. @param {(id: string) => boolean} inside */
  retain(inside) {
    for (const id of this.#talkers.keys()) {
      if (!inside(id)) this.#talkers.delete(id);
    }
  }

  /**
   * Returns whom to ask for a new header and of whom to warn the user, in the order of member ids, each once,
   * and when there is more to do.
   * @param {number} now
   * @returns {{ask: string[], warn: string[], next: number}} next: 0 is not without another input
   */
  due(now) {
    /** @type {string[]} */ const ask = [];
    /** @type {string[]} */ const warn = [];
    let next = Infinity;
    if (this.#current !== null) {
      for (const [id, talker] of this.#talkers) {
        const due = talker.due(now);
        if (due.ask) ask.push(id);
        if (due.warn) warn.push(id);
        next = Math.min(next, due.next);
      }
    }
    return {ask: ask.sort(), warn: warn.sort(), next: next === Infinity ? 0 : next};
  }

  /** How much is remembered: own views of the past, and views of talkers that differ. */
  get size() {
    let differing = 0;
    for (const talker of this.#talkers.values()) differing += talker.size;
    return {past: this.#past.length, differing};
  }

  /** Forgets own views that are too old, or too many. @param {number} now */
  #prune(now) {
    let old = 0;
    while (old < this.#past.length
      && (this.#past.length - old > MAX_VIEWS || now - this.#past[old].until > VIEW_PAST)) old++;
    this.#past.splice(0, old);
  }
}

/** A talker with views that match none of ours. */
class TalkerViews {
  /** @type {DifferingView[]} */
  #differing = []; // each digest once, in the order in which they last came; at least one
  #asked = 0; // how many entries of ASK_AFTER are done
  #warned = false;

  get size() {
    return this.#differing.length;
  }

  /** Counts anew, from our first view. @param {number} now */
  restart(now) {
    for (const view of this.#differing) view.since = view.latest = now;
  }

  /**
   * Notes that the talker had a view that matches none of ours. One that it had before becomes the last.
   * @param {string} digest @param {number} now
   */
  add(digest, now) {
    const i = this.#differing.findIndex((view) => view.digest === digest);
    const since = i < 0 ? now : this.#differing.splice(i, 1)[0].since;
    this.#differing.push({digest, since, latest: now});
    if (this.#differing.length > MAX_DIFFERING) {
      // The second replaces the first, but not the time since when nothing matched.
      this.#differing[1].since = this.#since();
      this.#differing.shift();
    }
  }

  /**
   * Notes that a view became ours. If the talker has it, it settles what came before it last came.
   * @param {string} digest @returns {boolean} whether no view is left that differs
   */
  matched(digest) {
    const i = this.#differing.findIndex((view) => view.digest === digest);
    if (i < 0) return false;
    const settled = this.#differing[i].latest;
    this.#differing.splice(0, i + 1);
    for (const view of this.#differing) view.since = Math.max(view.since, settled);
    this.#asked = 0;
    this.#warned = false;
    return this.#differing.length === 0;
  }

  /** @param {number} now @returns {{ask: boolean, warn: boolean, next: number}} next: Infinity is never */
  due(now) {
    const since = this.#since();
    const asked = this.#asked;
    while (this.#asked < ASK_AFTER.length && now >= since + ASK_AFTER[this.#asked]) this.#asked++;
    const warn = !this.#warned && now >= since + VIEW_SPAN;
    if (warn) this.#warned = true;
    let next = Infinity;
    if (this.#asked < ASK_AFTER.length) next = since + ASK_AFTER[this.#asked];
    else if (!this.#warned) next = since + VIEW_SPAN;
    return {ask: this.#asked > asked, warn, next};
  }

  /** Since when no view of the talker matched one of ours. */
  #since() {
    return Math.min(...this.#differing.map((view) => view.since));
  }
}
