/**
 * Several attempts to attach, of which the first to be welcomed wins (docs/protocol.md, sections 6 and 8).
 *
 *     start ──0.6 s──> the other kind ──2 s──> start ... three at most; when one fails, the other at once
 *           at least four, and twelve, times what it took to ask where the relay is: on a slow link, an attempt
 *           beside another one takes its bandwidth
 *       |                  |                    |
 *       +──────────────────+────────────────────+──> the winner; the others are given up
 *
 * When none is left, another round begins after a delay that doubles up to 5 s and is jittered.
 */

import { LinkError, asLinkError } from './carrier.js';

/** @typedef {import('./dial-attempt.js').Attempt} Attempt */
/** @typedef {import('./carrier.js').Place} Place */
/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {'webtransport' | 'websocket'} Kind */

/**
 * What a race met so far, for who has to say why it was lost: where the relay is, and how each kind failed
 * last; 'place' is the search for where the relay is.
 * @typedef {{place: Place | null, failures: Map<Kind | 'place', LinkError>, greeted: boolean}} Seen
 */

const HEAD_START = 600; // ms that the first kind has, and
const MAX_HEAD_START = 3000; // on links with a long round trip
const HANDSHAKE = 4; // round trips, rather more than fewer, that WebTransport takes until it is welcomed
const RACE_AFTER = 2000; // an attempt that is not welcomed by then is joined by another
const MAX_ATTEMPTS = 3; // at once
const FIRST_BACKOFF = 500;
const MAX_BACKOFF = 5000;
const PROMISING = 10_000; // ms that an attempt in which the relay said something may still come to its end
// Age from which an attempt makes room for one that has a reason to succeed at once.
const STALE_ATTEMPT = 5000;

/**
 * @typedef {object} RaceConfig
 * @property {Clock} clock
 * @property {() => number} random from 0 to 1
 * @property {(again: boolean, signal: AbortSignal) => Promise<Place>} place again: the last may be old
 * @property {(place: Place) => Kind[]} kinds in the order in which they are to be tried
 * @property {(kind: Kind, place: Place, signal: AbortSignal, heard: () => void) => Promise<Attempt>} attempt
 *   heard: to be called when the relay says something
 * @property {number} [roundTrip] at most, ms, if something is known
 * @property {(error: LinkError) => boolean} final whether trying again is useless
 */

/** @typedef {{kind: Kind, since: number, heardAt: number | null, controller: AbortController}} Entrant */

export class Race {
  #config;
  #signal;
  /** @type {Entrant[]} */ #running = []; // the oldest first
  /** Kinds that the relay refused in a way that another kind may mend. @type {Set<Kind>} */
  #refused = new Set();
  /** @type {Set<Kind>} */ #tried = new Set(); // in this round
  /** @type {Place | null} */ #place = null;
  #asking = false; // for the place
  #backoff = FIRST_BACKOFF;
  #slow = 1; // how much longer than the constants it waits
  /** Rounds of attempts that began. */
  rounds = 0;
  /** When the next round begins; null: one is under way. @type {number | null} */ nextAt = null;
  /** @type {any} */ #timer = null;
  /** @type {LinkError | null} */ #last = null;
  /** @type {Map<Kind | 'place', LinkError>} */ #failures = new Map();
  #over = false;
  /** @type {(winner: Attempt) => void} */ #resolve = () => {};
  /** @type {(error: LinkError) => void} */ #reject = () => {};

  /** @param {RaceConfig} config @param {AbortSignal} signal ends it */
  constructor(config, signal) {
    this.#config = config;
    this.#signal = signal;
  }

  /**
   * Runs until an attempt is welcomed, until trying again is useless, or until the signal.
   * @returns {Promise<Attempt>} rejects with a LinkError
   */
  run() {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        const why = this.#last
          ? `the relay does not answer: ${this.#last.message}`
          : 'the relay does not answer';
        this.#fail(new LinkError('timeout', why, { cause: this.#last ?? undefined }));
      };
      const settled = () => this.#signal.removeEventListener('abort', giveUp);
      this.#resolve = (winner) => { settled(); resolve(winner); };
      this.#reject = (error) => { settled(); reject(error); };
      this.#signal.addEventListener('abort', giveUp);
      if (this.#signal.aborted) giveUp();
      else this.#round(false);
    });
  }

  /** @returns {Seen} */
  get seen() {
    const greeted = this.#running.some(({ heardAt }) => heardAt !== null);
    return { place: this.#place, failures: new Map(this.#failures), greeted };
  }

  /** Whether the relay said something lately in an attempt that is under way. */
  get promising() {
    const now = this.#config.clock.now();
    return this.#running.some(({ heardAt }) => heardAt !== null && now - heardAt < PROMISING);
  }

  /** Makes an attempt now, since there is a reason for it to succeed. */
  hurry() {
    if (this.#over || this.#asking) return;
    const now = this.#config.clock.now();
    this.#backoff = FIRST_BACKOFF;
    const newest = this.#running[this.#running.length - 1];
    if (!newest) {
      this.#round(true);
      return;
    }
    if (now - newest.since < FIRST_BACKOFF) return;
    if (this.#running.length >= MAX_ATTEMPTS) {
      if (now - this.#running[0].since < STALE_ATTEMPT) return;
      this.#running.shift()?.controller.abort();
    }
    this.#another();
  }

  /** Begins a round. @param {boolean} again */
  #round(again) {
    this.#set(null, 0);
    this.#asking = true;
    this.rounds++;
    this.nextAt = null;
    this.#tried.clear();
    const asked = this.#config.clock.now();
    this.#config.place(again, this.#signal).then((place) => {
      this.#asking = false;
      const took = this.#config.clock.now() - asked;
      const headStart = Math.min(Math.max(took, this.#config.roundTrip ?? 0) * HANDSHAKE, MAX_HEAD_START);
      this.#slow = Math.max(1, headStart / HEAD_START);
      if (this.#over) return;
      this.#place = place;
      if (this.#kinds().length === 0) {
        const why =
          'this browser has no way to the relay: it has no WebTransport, and the relay offers no WebSocket';
        this.#fail(new LinkError('unsupported', why, { final: true }));
        return;
      }
      this.#another();
    }).catch((error) => {
      this.#asking = false;
      this.#failed(error);
    });
  }

  /** Starts an attempt if there is room, and sees to the one after. */
  #another() {
    const kind = this.#nextKind();
    if (kind && this.#running.length < MAX_ATTEMPTS) this.#start(kind);
    const untried = this.#kinds().some((k) => !this.#tried.has(k));
    this.#set(() => this.#another(), (untried ? HEAD_START : RACE_AFTER) * this.#slow);
  }

  /** @returns {Kind[]} */
  #kinds() {
    return this.#place ? this.#config.kinds(this.#place).filter((kind) => !this.#refused.has(kind)) : [];
  }

  /** The kind with the fewest attempts under way; one that was not tried in this round comes first. */
  #nextKind() {
    const load = (/** @type {Kind} */ kind) =>
      this.#running.filter((e) => e.kind === kind).length + (this.#tried.has(kind) ? 1 : 0);
    let best;
    for (const kind of this.#kinds()) {
      if (!best || load(kind) < load(best)) best = kind;
    }
    return best;
  }

  /** @param {Kind} kind */
  #start(kind) {
    this.#tried.add(kind);
    const controller = new AbortController();
    const { clock } = this.#config;
    /** @type {Entrant} */ const entrant = { kind, since: clock.now(), heardAt: null, controller };
    this.#running.push(entrant);
    const place = /** @type {Place} */ (this.#place);
    const heard = () => { entrant.heardAt = clock.now(); };
    this.#config.attempt(kind, place, controller.signal, heard).then((attempt) => {
      if (this.#over || controller.signal.aborted) {
        attempt.close();
        return;
      }
      this.#leave(entrant);
      this.#end();
      this.#resolve(attempt);
    }).catch((error) => {
      this.#leave(entrant);
      this.#failed(error, kind);
    });
  }

  /** @param {Entrant} entrant */
  #leave(entrant) {
    this.#running = this.#running.filter((other) => other !== entrant);
  }

  /**
   * Notes that something did not succeed, and goes on with what is left.
   * @param {unknown} reason @param {Kind} [kind] absent: it was no attempt
   */
  #failed(reason, kind) {
    if (this.#over) return;
    const error = asLinkError(reason, 'connect');
    this.#last = error;
    this.#failures.set(kind ?? 'place', error);
    if (this.#config.final(error)) {
      // A relay behind a proxy may refuse what was signed for another name, but only by one way.
      const others = this.#kinds().some((k) => k !== kind);
      if (!kind || !others || !['signature', 'protocol'].includes(error.code)) {
        this.#fail(error);
        return;
      }
      this.#refused.add(kind);
    }
    if (this.#kinds().some((k) => !this.#tried.has(k))) {
      this.#another();
    } else if (this.#running.length === 0) {
      const delay = this.#backoff / 2 + (this.#config.random() * this.#backoff) / 2;
      this.#backoff = Math.min(2 * this.#backoff, MAX_BACKOFF);
      this.nextAt = this.#config.clock.now() + delay;
      this.#set(() => this.#round(true), delay);
    }
  }

  /** @param {LinkError} error */
  #fail(error) {
    if (!this.#over) {
      this.#end();
      this.#reject(error);
    }
  }

  #end() {
    this.#over = true;
    this.#set(null, 0);
    for (const { controller } of this.#running) controller.abort();
    this.#running = [];
  }

  /** Sets the one timer. @param {(() => void) | null} callback @param {number} ms */
  #set(callback, ms) {
    const { clock } = this.#config;
    clock.clearTimeout(this.#timer);
    this.#timer = callback && clock.setTimeout(callback, ms);
  }
}
