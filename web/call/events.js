/**
 * Tells the page what it should show, in the messages of engine.js: at once, but for the member list, which
 * may change often, and for levels and numbers, which are told as often as people can see it.
 */

import { messageOf } from '../wire/bytes.js';

/** @typedef {import('./engine.js').EngineMessage} EngineMessage */
/** @typedef {import('./engine.js').Member} Member */
/** @typedef {ReturnType<import('../link/client.js').Client['quality']>} Quality */

const LEVELS_EVERY = 100; // ms
const QUALITY_EVERY = 500; // or at once when something does not get through any more, or does again
const MEMBERS_EVERY = 100; // at most
const LOSSY = 0.04; // share of packets lost from which that shows in what is said
// ms after which it is over if the relay does not say so again: it may be another one.
const DROPPED_FOR = 12_000;

/**
 * What the page is told of now and then.
 * @typedef {object} EventSources
 * @property {() => Member[]} members
 * @property {(now: number) => {me: number, talkers: Record<string, number>}} levels
 * @property {() => Quality} quality of the link
 * @property {() => ReturnType<import('../link/client.js').Client['away']>} away
 * @property {() => Record<string, number>} stats
 */

export class Events {
  #tell;
  #clock;
  #sources;
  #over = false;
  /** @type {any} */ #timer = null; // of levels and quality
  #next = { levels: 0, quality: 0 };
  /** @type {any} */ #listing = null; // the timer of a list that waits
  #listed = -Infinity;
  #dropped = { reason: 0, until: -Infinity };
  #verdict = ''; // that was told last
  /** @type {Set<string>} warnings that were told */ #warned = new Set();

  /**
   * @param {(message: EngineMessage) => void} tell @param {import('../link/clock.js').Clock} clock
   * @param {EventSources} sources
   */
  constructor(tell, clock, sources) {
    this.#tell = tell;
    this.#clock = clock;
    this.#sources = sources;
  }

  /** Tells one thing, unless the stay is over. @param {EngineMessage} message */
  say(message) {
    if (!this.#over) this.#tell(message);
  }

  /** The relay drops part of what we send, and why; 0: not any more. @param {number} reason */
  dropped(reason) {
    this.#dropped = { reason, until: this.#clock.now() + DROPPED_FOR };
    if (this.#timer !== null) this.#quality(this.#clock.now());
  }

  /** Begins to tell of levels and quality. */
  start() {
    if (this.#over || this.#timer !== null) return;
    const now = this.#clock.now();
    this.#next = { levels: now + LEVELS_EVERY, quality: now + QUALITY_EVERY };
    this.#wait();
  }

  #wait() {
    const { levels, quality } = this.#next;
    const wait = Math.min(levels, quality) - this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#tick(), Math.max(0, Math.ceil(wait))); // never too early
  }

  #tick() {
    const now = this.#clock.now();
    if (now >= this.#next.levels) {
      this.#next.levels = Math.max(this.#next.levels + LEVELS_EVERY, now); // what was missed is left out
      this.say({ type: 'levels', ...this.#sources.levels(now) });
    }
    if (now >= this.#next.quality || this.#verdict !== verdictOf(this.#sources.quality())) {
      this.#next.quality = now + QUALITY_EVERY;
      this.#quality(now);
    }
    this.#wait();
  }

  /** @param {number} now */
  #quality(now) {
    const quality = this.#sources.quality();
    const { path, since, queued: _, ...numbers } = quality;
    this.#verdict = verdictOf(quality);
    this.#away(now);
    const stats = this.#sources.stats();
    if (path) { // else there is no connection to tell of
      const began = Date.now() - (now - since);
      const delay = stats.delayMs;
      const dropped = now < this.#dropped.until ? this.#dropped.reason : 0;
      this.say({ type: 'quality', ...numbers, path, since: began, delay, dropped });
    }
    this.say({ type: 'stats', ...stats });
  }

  /** @param {number} now */
  #away(now) {
    const away = this.#sources.away();
    if (!away) return;
    const { since, nextAt, rounds: tries, why } = away;
    const epoch = Date.now() - now;
    const next = nextAt === null ? null : epoch + nextAt;
    this.say({ type: 'away', since: epoch + since, next, tries, why });
  }

  /** The member list is another: it is told soon. */
  members() {
    if (this.#over || this.#listing !== null) return;
    const wait = this.#listed + MEMBERS_EVERY - this.#clock.now();
    if (wait <= 0) this.#list();
    else this.#listing = this.#clock.setTimeout(() => this.#list(), wait);
  }

  #list() {
    this.#listing = null;
    this.#listed = this.#clock.now();
    this.say({ type: 'members', list: this.#sources.members() });
  }

  /**
   * Warns of something, of which the page has the words.
   * @param {string} code @param {string} [member] id; absent: the room
   */
  warn(code, member) {
    this.say({ type: 'warning', code, ...(member ? { member } : {}), text: '' });
  }

  /** Warns of a fault of this program, each once. @param {unknown} error */
  failed(error) {
    const text = messageOf(error);
    if (this.#warned.has(text) || this.#warned.size >= 16) return;
    this.#warned.add(text);
    this.say({ type: 'warning', code: 'program', text });
  }

  /**
   * Tells that the stay is over; nothing follows.
   * @param {import('./engine.js').CallError | null} error why, if the user did not want it
   */
  end(error) {
    this.say({ type: 'state', state: 'ended', ...(error ? { error } : {}) });
    this.#over = true;
    this.#clock.clearTimeout(this.#timer);
    this.#clock.clearTimeout(this.#listing);
  }
}

/** What must be told at once, in one text. @param {Quality} quality */
function verdictOf({ path, up, down, stopped, lossUp, lossDown }) {
  return `${path} ${up} ${down} ${stopped} ${lossUp >= LOSSY} ${lossDown >= LOSSY}`;
}
