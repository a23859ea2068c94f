/**
 * How a client gets to its relay: where it is, which carriers are tried in which order, the handshake on each
 * (docs/protocol.md, section 8). It remembers what worked, so that attaching again tries that first, and the
 * one request to join; a line makes a new one each time. Sessions are not known here.
 *
 *     attach ──> Race ──> find (connect.json) ──> connect (carrier) ──> Attempt ──> the first to be welcomed
 */

import { messageOf, toHex } from '../wire/bytes.js';
import { encode } from '../wire/control.js';
import { Attempt, Refused } from './dial-attempt.js';
import { LinkError, asLinkError } from './carrier.js';
import { deadline, sleep } from './clock.js';
import { fetchPlace } from './dial-resolve.js';
import { askWhy, explain, whyAway } from './dial-explain.js';
import { Race } from './dial-reconnect.js';
import { openWebSocket } from './websocket.js';
import { hasWebTransport, openWebTransport } from './webtransport.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Carrier} Carrier */
/** @typedef {import('./carrier.js').Place} Place */
/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./dial-reconnect.js').Kind} Kind */
/**
 * @typedef {(place: Place, signal: AbortSignal, options: {hash: number, clock: Clock}) => Promise<Carrier>}
 *   Open
 */

/**
 * nextAt: when the next round of attempts begins, null while one is under way.
 * @typedef {{rounds: number, nextAt: number | null, why: import('./dial-explain.js').AwayCode}} Attaching
 */

/**
 * @typedef {object} AttachConfig
 * @property {string} connectUrl of the relay's connect.json
 * @property {import('../identity/identity.js').Identity} identity
 * @property {string} name shown to others; at most 64 bytes
 * @property {string} program and version; likewise
 * @property {(relay: Bytes) => Promise<{room: string, entry: Bytes}>} [makeJoin] called once
 * @property {(relay: Bytes) => Promise<{record: Bytes}>} [makeLine] opens a line in the place of joining;
 *   called for each attempt anew, since records expire, and attempts may ask at once
 * @property {Bytes} [relayKey] which the relay must have; absent: the one that connect.json says
 * @property {(place: Place) => Promise<void>} [checkRelay] rejects with 'relay_key' if it is not to be used
 * @property {() => number} [random]
 * @property {{webtransport?: Open, websocket?: Open}} [open] in place of the browser's carriers
 * @property {(signal: AbortSignal) => Promise<Place>} [place] in the place of fetching connectUrl
 * @property {typeof globalThis.fetch} [fetch] in the place of the browser's
 * @property {number} [roundTrip] to the relay at most, ms, if something is known
 */

// ms after which it is asked why nothing came of joining, which takes ASK_TIME at most.
const JOIN_TIME = 15_000;
// ms that joining may take while the relay goes on answering: networks are slow, too.
const JOIN_MOST = 60_000;
const JOIN_LOOK = 1000; // ms between looks whether it does

const ATTEMPT_TIME = 20_000; // ms that an attempt may take: the relay gives as much
// Refusals that pass, for who was welcome once.
const PASSING = new Set(['rate', 'too_many_sessions', 'shutting_down']);

export class Attacher {
  #config;
  #clock;
  /** @type {{webtransport?: Open, websocket?: Open}} */ #open;
  #id = crypto.getRandomValues(new Uint8Array(16)); // of the session
  /** @type {Promise<{room: string, entry: Bytes}> | null} */ #join = null;
  /** The relay's key, hexadecimal, once a request was made for it. @type {string | null} */ #relay = null;
  /** @type {Place | null} */ #place = null;
  /** What worked last: it is tried first. @type {{kind: Kind | null, hash: string | null}} */
  #worked = { kind: null, hash: null };
  /** @type {Race | null} */ #race = null;
  /** Whether connect.json came when it was last asked for. */ #found = true;

  /** @param {AttachConfig} config @param {Clock} clock */
  constructor(config, clock) {
    this.#config = config;
    this.#clock = clock;
    this.#open = config.open ?? {
      webtransport: hasWebTransport() ? openWebTransport : undefined,
      websocket: typeof WebSocket === 'function' ? openWebSocket : undefined,
    };
  }

  /** Whether attempts are under way. */
  get racing() {
    return this.#race !== null;
  }

  /** How attaching goes; null: nothing is under way. @returns {Attaching | null} */
  get progress() {
    const race = this.#race;
    return race && {
      rounds: race.rounds, nextAt: race.nextAt, why: whyAway(race.seen, this.#found),
    };
  }

  /** What names the session, a secret between client and relay. */
  get session() {
    return this.#id;
  }

  /** Where the relay is asked to end a stay without a session; null: nowhere, or not known yet. */
  get leaveUrl() {
    return this.#place?.leave ?? null;
  }

  /** Whether it is of use to try WebTransport. */
  get hasWebTransport() {
    return this.#open.webtransport !== undefined;
  }

  /**
   * Races attempts until one is welcomed.
   * @param {AbortSignal} signal
   * @param {boolean} first the client was never welcomed: passing refusals end it, too, and it gives up
   * @returns {Promise<Attempt>} rejects with a LinkError
   */
  async attach(signal, first) {
    const patience = new AbortController();
    const race = new Race({
      clock: this.#clock,
      random: this.#config.random ?? Math.random,
      place: (again, signal) => this.#find(again, signal),
      kinds: (place) => this.#kinds(place),
      roundTrip: this.#config.roundTrip,
      attempt: (kind, place, signal, heard) => this.#attempt(kind, place, signal, heard),
      final: (error) => error.final || (error instanceof Refused && (first || !PASSING.has(error.code))),
    }, AbortSignal.any([signal, patience.signal]));
    this.#race = race;
    if (first) this.#giveUp(race, patience, signal).catch((error) => patience.abort(error));
    try {
      const winner = await race.run();
      this.#worked.kind = winner.carrier.kind;
      return winner;
    } catch (error) {
      throw patience.signal.aborted ? asLinkError(patience.signal.reason) : error;
    } finally {
      this.#race = null;
      patience.abort();
    }
  }

  /**
   * Ends a race in which the relay does not answer, with why: nobody must wait for ever, or without a word.
   * @param {Race} race
   * @param {AbortController} patience aborted here, or by who runs the race when it is over
   * @param {AbortSignal} signal
   */
  async #giveUp(race, patience, signal) {
    const { connectUrl, fetch } = this.#config;
    const over = AbortSignal.any([signal, patience.signal]);
    const start = this.#clock.now();
    await sleep(this.#clock, JOIN_TIME, over);
    const answer =
      over.aborted || race.promising
        ? null
        : await askWhy(race.seen, connectUrl, { clock: this.#clock, signal: over, fetch });
    while (!over.aborted && race.promising && this.#clock.now() - start < JOIN_MOST) {
      await sleep(this.#clock, JOIN_LOOK, over);
    }
    patience.abort(explain(race.seen, answer)); // once only: it does nothing if the race is over
  }

  /**
   * Makes one attempt by WebTransport.
   * @param {AbortSignal} signal @returns {Promise<Attempt>} rejects with a LinkError
   */
  async upgrade(signal) {
    const place = await this.#find(true, signal);
    if (!place.webtransport) throw new LinkError('connect', 'the relay does not offer WebTransport');
    const attempt = await this.#attempt('webtransport', place, signal);
    this.#worked.kind = 'webtransport';
    return attempt;
  }

  /** Makes an attempt now, if a race is under way: there is a reason for it to succeed. */
  hurry() {
    this.#race?.hurry();
  }

  /**
   * Where the relay is to be reached. What is known will do for a first try, and where nobody can be asked.
   * @param {boolean} again @param {AbortSignal} signal @returns {Promise<Place>}
   */
  async #find(again, signal) {
    if (this.#place && !again) return this.#place;
    const { connectUrl, relayKey, place, checkRelay } = this.#config;
    try {
      const found = await (place
        ? place(signal)
        : fetchPlace(connectUrl, { clock: this.#clock, signal, relayKey, fetch: this.#config.fetch }));
      await checkRelay?.(found);
      this.#place = found;
      this.#found = true;
    } catch (error) {
      this.#found = false;
      if (!this.#place || (error instanceof LinkError && error.final)) throw error;
    }
    return this.#place;
  }

  /** @param {Place} place @returns {Kind[]} */
  #kinds(place) {
    /** @type {Kind[]} */ const kinds = ['webtransport', 'websocket'];
    const usable = kinds.filter((kind) => place[kind] && this.#open[kind]);
    return this.#worked.kind === 'websocket' ? usable.reverse() : usable;
  }

  /**
   * Makes one attempt: a carrier, and the handshake on it.
   * @param {Kind} kind @param {Place} place @param {AbortSignal} signal @param {() => void} [heard]
   * @returns {Promise<Attempt>}
   */
  async #attempt(kind, place, signal, heard) {
    const limit = deadline(this.#clock, ATTEMPT_TIME, signal);
    try {
      const carrier = await this.#connect(kind, place, limit.signal);
      const attempt = new Attempt(carrier, heard);
      const { identity, name, program: client, makeLine } = this.#config;
      const request = (/** @type {Bytes} */ relay) => this.#request(relay);
      const relay = this.#relay ?? place.relay;
      const answer = makeLine ? 'Line' : 'Joined';
      const hello = { identity, name, client, session: this.#id, relay, answer, request };
      await attempt.handshake(/** @type {import('./dial-attempt.js').Hello} */ (hello), limit.signal);
      return attempt;
    } finally {
      limit.finish();
    }
  }

  /**
   * Opens a carrier. The browser is shown one of WebTransport's hashes at a time, the last right one first.
   * @param {Kind} kind @param {Place} place @param {AbortSignal} signal @returns {Promise<Carrier>}
   */
  async #connect(kind, place, signal) {
    const open = /** @type {Open} */ (this.#open[kind]);
    if (kind === 'websocket') return open(place, signal, { hash: 0, clock: this.#clock });
    const names = (place.webtransport?.hashes ?? []).map(toHex);
    const worked = names.indexOf(this.#worked.hash ?? '');
    const order = [...names.keys()].sort((a, b) => Number(b === worked) - Number(a === worked));
    let last = new LinkError('connect', 'the relay does not offer WebTransport');
    for (const hash of order) {
      try {
        const carrier = await open(place, signal, { hash, clock: this.#clock });
        this.#worked.hash = names[hash];
        return carrier;
      } catch (error) {
        last = asLinkError(error);
        if (signal.aborted) break;
      }
    }
    throw last;
  }

  /**
   * Makes the request that follows the Hello. That to join is made once: attaching again is no new join.
   * @param {Bytes} relay
   */
  async #request(relay) {
    const { makeJoin, makeLine } = this.#config;
    this.#relay ??= toHex(relay);
    try {
      if (makeLine) return encode('Available', await makeLine(relay));
      if (!makeJoin) throw new Error('there is nothing to ask the relay for');
      return encode('Join', await (this.#join ??= makeJoin(relay)));
    } catch (error) {
      throw new LinkError('join', messageOf(error), { cause: error, final: true });
    }
  }
}
