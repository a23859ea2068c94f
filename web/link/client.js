/**
 * A client keeps one session with a relay, over as many carriers as it takes (docs/protocol.md, sections 6 and 8).
 *
 *          +--- carrier closed, answer overdue, goodbye, silence ---+
 *          v                                                        |
 *     attaching (race.js, with back-off) ── first Welcome ──> attached ──> WebTransport again, while on WebSocket
 *          |                                                        |
 *          +── refused, or another relay key ──> ended <── leave ───+
 *
 * It knows control messages as far as attaching goes; what members, keys and streams are is known above, in room/.
 *
 * @module
 */

import { toHex } from '../wire/bytes.js';
import { encode } from '../wire/control.js';
import { CLOSE } from '../wire/frame.js';
import { LEAVE } from '../wire/urgent.js';
import { Attempt, Refused, refusal } from './attempt.js';
import { LinkError, describe } from './carrier.js';
import { deadline, realClock, sleep } from './clock.js';
import { fetchPlace } from './connect.js';
import { Race } from './race.js';
import { Session } from './session.js';
import { openWebSocket } from './websocket.js';
import { hasWebTransport, openWebTransport } from './webtransport.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./attempt.js').Message} Message */
/** @typedef {import('./carrier.js').Carrier} Carrier */
/** @typedef {import('./carrier.js').Place} Place */
/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./race.js').Kind} Kind */
/** @typedef {import('./session.js').MediaFrame} MediaFrame */

/**
 * @typedef {object} ClientHandler
 * @property {(joined: Message, fresh: boolean) => void} attached the relay has welcomed the client: the first time, or
 *   again. fresh: it knew nothing of the session, so aliases and urgent messages start from zero
 * @property {(cause: string) => void} detached the client tries to attach again; the session goes on
 * @property {(kid: bigint) => import('./aliases.js').Bound | null} bind a stream is announced; null refuses it. The
 *   result is given to media with each of its frames; its next is to be raised above each CTR that is trusted
 * @property {(frame: MediaFrame) => void} media
 * @property {(alias: number, kid: bigint) => void} aliasAcked
 * @property {(kind: number, body: Bytes) => boolean} urgent gets each message once; false: it cannot be used yet, and
 *   comes again
 * @property {(error: LinkError) => void} ended for good, but not by leave
 * @property {(error: unknown) => void} [failed] another of these threw
 */

/**
 * @typedef {object} ClientConfig
 * @property {string} connectUrl of the relay's connect.json
 * @property {import('../identity/identity.js').Identity} identity
 * @property {string} name shown to others; at most 64 bytes
 * @property {string} program and version; likewise
 * @property {(relay: Bytes) => Promise<{room: string, entry: Bytes}>} makeJoin makes the request to join; called once
 * @property {ClientHandler} handler
 * @property {Bytes} [relayKey] which the relay must have; absent: the one that connect.json says
 * @property {Clock} [clock]
 * @property {() => number} [random]
 * @property {{webtransport?: Open, websocket?: Open}} [open] in the place of the browser's carriers; absent: not there
 * @property {(signal: AbortSignal) => Promise<Place>} [place] in the place of fetching connectUrl
 * @property {EventTarget | null} [events] says 'online'; absent: the global one
 */

/** @typedef {(place: Place, signal: AbortSignal, options: {hash: number, clock: Clock}) => Promise<Carrier>} Open */

/** Why a client attaches again; these are shown to people. */
const CAUSE = Object.freeze({
  shutdown: 'the relay is shutting down',
  silence: 'nothing is heard from the relay',
  overdue: 'the relay does not answer',
  ended: 'the connection ended',
});

const ANSWER_TIME = 2000; // ms after which an answer is overdue
const ATTEMPT_TIME = 20_000; // ms that an attempt may take: the relay gives as much
const RETIRE_AFTER = 3000; // ms that a carrier which was superseded is still listened to
const UPGRADE_EVERY = 30_000; // ms between tries of WebTransport while on WebSocket
const LEAVE_TIME = 1000; // ms that leaving may take
const CLOSE_GRACE = 100; // ms for the last packets to get out
const PASSING = new Set(['rate', 'too_many_sessions', 'shutting_down']); // refusals that pass, for who was welcome once

/** What quality() says before there is a session. */
const NO_QUALITY = Object.freeze({
  lossUp: 0, rtt: 0, jitter: 0, bitrateUp: 0, bitrateDown: 0, lossDown: 0, path: null, since: 0, queued: 0, stopped: false,
});

export class Client {
  #config;
  #clock;
  /** @type {{webtransport?: Open, websocket?: Open}} */
  #open;
  #id = crypto.getRandomValues(new Uint8Array(16));
  #life = new AbortController(); // aborted at the end
  #leaving = false;
  /** @type {LinkError | null} */
  #error = null; // why it ended

  /** @type {Promise<{room: string, entry: Bytes}> | null} */
  #join = null;
  /** The relay's key, hexadecimal, from when #join was made for it. @type {string | null} */
  #relay = null;
  /** @type {Place | null} */
  #place = null;
  /** What worked last: it is tried first. @type {{kind: Kind | null, hash: string | null}} */
  #worked = { kind: null, hash: null };

  /** @type {Session | null} */
  #session = null;
  /** @type {string | null} */
  #incarnation = null;
  /** @type {Attempt | null} */
  #current = null;
  #changed = new AbortController(); // aborted, and replaced, when #current changes
  /** @type {Race | null} */
  #race = null;
  /** @type {AbortController | null} */
  #upgrade = null;
  /** @type {Set<Attempt>} */
  #retired = new Set();
  /** @type {Promise<unknown>} */
  #requests = Promise.resolve(); // one at a time
  #online = () => this.#hurry();

  /** @param {ClientConfig} config */
  constructor(config) {
    this.#config = config;
    this.#clock = config.clock ?? realClock;
    this.#open = config.open ?? {
      webtransport: hasWebTransport() ? openWebTransport : undefined,
      websocket: typeof WebSocket === 'function' ? openWebSocket : undefined,
    };
  }

  // Attaching.

  /**
   * Attaches and joins. It rejects with a LinkError when the relay refuses, or when the signal is aborted before it has
   * answered; failures that may pass are tried again until then. It may be called once.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<Message>} Joined
   */
  async join(signal) {
    if (this.#race || this.#session || this.#life.signal.aborted) {
      throw new LinkError('closed', 'this client has joined already, or has left');
    }
    this.#events?.addEventListener('online', this.#online);
    try {
      const attempt = await this.#attach(signal ? AbortSignal.any([signal, this.#life.signal]) : this.#life.signal, true);
      if (this.#life.signal.aborted) {
        attempt.close();
        throw this.#ending();
      }
      this.#install(attempt);
      return /** @type {Message} */ (attempt.joined);
    } catch (error) {
      const why = this.#error ?? asLinkError(error);
      this.#stop(why);
      throw why;
    }
  }

  get #events() {
    const { events = /** @type {any} */ (globalThis) } = this.#config;
    return typeof events?.addEventListener === 'function' ? events : null;
  }

  /**
   * Races attempts until one is welcomed.
   *
   * @param {AbortSignal} signal
   * @param {boolean} first
   * @returns {Promise<Attempt>}
   */
  async #attach(signal, first) {
    this.#race = new Race({
      clock: this.#clock,
      random: this.#config.random ?? Math.random,
      place: (again, signal) => this.#find(again, signal),
      kinds: (place) => this.#kinds(place),
      attempt: (kind, place, signal) => this.#attempt(kind, place, signal),
      final: (error) => error.final || (error instanceof Refused && (first || !PASSING.has(error.code))),
    }, signal);
    try {
      return await this.#race.run();
    } finally {
      this.#race = null;
    }
  }

  /**
   * Returns where the relay is to be reached. What is known already is good enough for a first try, and when there is no
   * way to ask.
   *
   * @param {boolean} again
   * @param {AbortSignal} signal
   * @returns {Promise<Place>}
   */
  async #find(again, signal) {
    if (this.#place && !again) {
      return this.#place;
    }
    const { connectUrl, relayKey, place } = this.#config;
    try {
      const found = place ? place(signal) : fetchPlace(connectUrl, { clock: this.#clock, signal, relayKey });
      this.#place = await found;
    } catch (error) {
      if (!this.#place || (error instanceof LinkError && error.final)) {
        throw error;
      }
    }
    return this.#place;
  }

  /**
   * @param {Place} place
   * @returns {Kind[]}
   */
  #kinds(place) {
    /** @type {Kind[]} */
    const kinds = ['webtransport', 'websocket'];
    const usable = kinds.filter((kind) => place[kind] && this.#open[kind]);
    return this.#worked.kind === 'websocket' ? usable.reverse() : usable;
  }

  /**
   * Makes one attempt: a carrier, and the handshake on it.
   *
   * @param {Kind} kind
   * @param {Place} place
   * @param {AbortSignal} signal
   * @returns {Promise<Attempt>}
   */
  async #attempt(kind, place, signal) {
    const limit = deadline(this.#clock, ATTEMPT_TIME, signal);
    try {
      const carrier = await this.#connect(kind, place, limit.signal);
      const attempt = new Attempt(carrier);
      const { identity, name, program: client } = this.#config;
      const join = (/** @type {Bytes} */ relay) => this.#request(relay);
      const relay = this.#relay ?? place.relay;
      await attempt.handshake({ identity, name, client, session: this.#id, relay, join }, limit.signal);
      return attempt;
    } finally {
      limit.finish();
    }
  }

  /**
   * Opens a carrier. Of WebTransport's hashes the browser is shown one after the other, the one that was right last first.
   *
   * @param {Kind} kind
   * @param {Place} place
   * @param {AbortSignal} signal
   * @returns {Promise<Carrier>}
   */
  async #connect(kind, place, signal) {
    const open = /** @type {Open} */ (this.#open[kind]);
    if (kind === 'websocket') {
      return open(place, signal, { hash: 0, clock: this.#clock });
    }
    const names = (place.webtransport?.hashes ?? []).map(toHex);
    const order = names.map((_, i) => i).sort((a, b) => Number(names[b] === this.#worked.hash) - Number(names[a] === this.#worked.hash));
    let last = new LinkError('connect', 'the relay does not offer WebTransport');
    for (const hash of order) {
      try {
        const carrier = await open(place, signal, { hash, clock: this.#clock });
        this.#worked.hash = names[hash];
        return carrier;
      } catch (error) {
        last = asLinkError(error);
        if (signal.aborted) {
          break;
        }
      }
    }
    throw last;
  }

  /**
   * Makes the request to join, once: attaching again is no new join.
   *
   * @param {Bytes} relay
   */
  async #request(relay) {
    if (!this.#join) {
      this.#relay = toHex(relay);
      this.#join = this.#config.makeJoin(relay);
    }
    try {
      return await this.#join;
    } catch (error) {
      throw new LinkError('join', describe(error), { cause: error, final: true });
    }
  }

  /**
   * Makes a welcomed attempt the one in use, and its session the client's.
   *
   * @param {Attempt} next
   */
  #install(next) {
    const old = this.#current;
    const incarnation = toHex(/** @type {Message} */ (next.welcome).incarnation);
    const fresh = !this.#session || this.#session.over || this.#incarnation !== incarnation;
    if (fresh) {
      this.#session?.abandon();
      this.#session = this.#newSession();
    }
    const session = /** @type {Session} */ (this.#session);
    this.#incarnation = incarnation;
    this.#current = next;
    this.#worked.kind = next.carrier.kind;
    this.#changed.abort();
    this.#changed = new AbortController();
    session.install(next.carrier);
    next.ongoodbye = () => this.#goodbye(next);
    next.closed.then((why) => this.#lost(next, why));
    if (old) {
      this.#retire(old);
    }
    this.#call(() => this.#config.handler.attached(/** @type {Message} */ (next.joined), fresh));
    for (const packet of next.takeEarly()) {
      session.receive(packet);
    }
    this.#planUpgrade(next);
  }

  #newSession() {
    const { handler } = this.#config;
    /** @type {Session} */
    const session = new Session({
      bind: (kid) => handler.bind(kid),
      media: (frame) => handler.media(frame),
      aliasAcked: (alias, kid) => handler.aliasAcked(alias, kid),
      urgent: (kind, body) => handler.urgent(kind, body),
      ended: (code, ours) => this.#sessionEnded(session, code, ours),
      silent: () => this.#wake(CAUSE.silence),
      failed: (error) => handler.failed?.(error),
    }, this.#clock);
    return session;
  }

  /**
   * Closes an attempt that was superseded, once what is under way on it has come.
   *
   * @param {Attempt} old
   */
  #retire(old) {
    this.#retired.add(old);
    const close = () => {
      this.#retired.delete(old);
      old.close();
    };
    sleep(this.#clock, RETIRE_AFTER, this.#life.signal).then(close);
  }

  // What makes it attach again, or end.

  /**
   * Attaches again, unless it is doing so or is over.
   *
   * @param {string} cause
   */
  #wake(cause) {
    if (this.#leaving || this.#race || this.#life.signal.aborted) {
      return;
    }
    this.#upgrade?.abort();
    this.#reattach(cause).catch((error) => this.#end(asLinkError(error)));
  }

  /** @param {string} cause */
  async #reattach(cause) {
    const attached = this.#attach(this.#life.signal, false); // before the handler may ask for the same
    this.#call(() => this.#config.handler.detached(cause));
    const attempt = await attached;
    if (this.#life.signal.aborted || this.#leaving) {
      attempt.close();
    } else {
      this.#install(attempt);
    }
  }

  /**
   * @param {Attempt} attempt
   * @param {string} why
   */
  #lost(attempt, why) {
    if (this.#current !== attempt || this.#life.signal.aborted) {
      return;
    }
    this.#session?.detach(attempt.carrier);
    if (attempt.goodbye) {
      this.#goodbye(attempt);
    } else {
      this.#wake(why ? `${CAUSE.ended}: ${why}` : CAUSE.ended);
    }
  }

  /** @param {Attempt} attempt */
  #goodbye(attempt) {
    const bye = attempt.goodbye;
    if (this.#current !== attempt || !bye) {
      return;
    }
    if (bye.code === 'replaced') {
      this.#end(new Refused(bye.code, bye.reason || 'another client took the place of this one'));
    } else {
      this.#wake(bye.code === 'shutting_down' ? CAUSE.shutdown : bye.reason || bye.code);
    }
  }

  /**
   * Notes the end of a session, by this side or the other. What the relay does not mean for good is no end for the client.
   *
   * @param {Session} session
   * @param {number} code
   * @param {boolean} ours
   */
  #sessionEnded(session, code, ours) {
    if (session !== this.#session || ours) {
      return;
    }
    if (code === CLOSE.refused) {
      const said = this.#current?.goodbye;
      this.#end((said && refusal(said)) ?? new Refused('refused', 'the relay ended the session'));
    } else if (code === CLOSE.replaced) {
      this.#end(new Refused('replaced', 'another client took the place of this one'));
    } else {
      this.#wake(code === CLOSE.shuttingDown ? CAUSE.shutdown : CAUSE.silence);
    }
  }

  /** The network may be another one. */
  #hurry() {
    if (this.#race) {
      this.#race.hurry();
    } else {
      this.#session?.hurry();
    }
  }

  /** @param {LinkError} error */
  #end(error) {
    if (!this.#life.signal.aborted) {
      this.#stop(error);
      if (!this.#leaving) {
        this.#call(() => this.#config.handler.ended(error));
      }
    }
  }

  /** @param {LinkError} error */
  #stop(error) {
    this.#error ??= error;
    this.#events?.removeEventListener('online', this.#online);
    this.#session?.end(CLOSE.left);
    this.#upgrade?.abort();
    const closing = [...this.#retired, ...(this.#current ? [this.#current] : [])];
    this.#life.abort(error);
    sleep(this.#clock, CLOSE_GRACE).then(() => closing.forEach((attempt) => attempt.close()));
  }

  #ending() {
    return this.#error ?? new LinkError('closed', 'the client has left');
  }

  // WebTransport again.

  /**
   * While on WebSocket, tries WebTransport from time to time, and moves over.
   *
   * @param {Attempt} next
   */
  #planUpgrade(next) {
    this.#upgrade?.abort();
    this.#upgrade = null;
    if (next.carrier.kind !== 'websocket' || !this.#open.webtransport) {
      return;
    }
    const controller = new AbortController();
    this.#upgrade = controller;
    this.#upgrading(controller.signal).catch(() => {}); // it fails where the handler throws only, which is told there
  }

  /** @param {AbortSignal} signal */
  async #upgrading(signal) {
    for (;;) {
      await sleep(this.#clock, UPGRADE_EVERY, signal);
      if (signal.aborted) {
        return;
      }
      try {
        const place = await this.#find(true, signal);
        if (!place.webtransport) {
          continue;
        }
        const attempt = await this.#attempt('webtransport', place, signal);
        if (signal.aborted || this.#leaving) {
          attempt.close();
        } else {
          this.#install(attempt);
        }
        return;
      } catch {
        // UDP still does not get through; WebSocket goes on.
      }
    }
  }

  // What the room does.

  /**
   * Sends a control message and returns the answer. When that is overdue the client attaches again, and the message is
   * sent again.
   *
   * @param {string} name
   * @param {Record<string, any>} [fields]
   * @param {AbortSignal} [signal]
   * @returns {Promise<Message>} rejects with a LinkError: the relay refused, or the client has ended
   */
  request(name, fields = {}, signal) {
    const answer = this.#requests.then(() => this.#ask(encode(name, fields), signal));
    this.#requests = answer.catch(() => {}); // the caller gets it
    return answer;
  }

  /**
   * @param {string} text
   * @param {AbortSignal} [outer]
   * @returns {Promise<Message>}
   */
  async #ask(text, outer) {
    const over = outer ? AbortSignal.any([outer, this.#life.signal]) : this.#life.signal;
    while (!over.aborted && this.#current) {
      const changed = this.#changed.signal;
      const signal = AbortSignal.any([changed, over]);
      const patience = Math.max(ANSWER_TIME, 4 * (this.#session?.quality().rtt ?? 0));
      const overdue = this.#clock.setTimeout(() => this.#wake(CAUSE.overdue), patience);
      const answer = await this.#current.request(text, signal);
      this.#clock.clearTimeout(overdue);
      if (answer) {
        const refused = refusal(answer);
        if (refused) {
          throw refused;
        }
        return answer;
      }
      await aborted(signal); // until there is another carrier
    }
    throw this.#life.signal.aborted || !this.#current ? this.#ending() : new LinkError('closed', 'the request was given up');
  }

  /**
   * @param {number} alias
   * @param {bigint} kid
   * @param {number} ctr
   * @param {Bytes} ciphertext
   */
  sendMedia(alias, kid, ctr, ciphertext) {
    this.#session?.sendMedia(alias, kid, ctr, ciphertext);
  }

  /**
   * Sends an urgent message. done is called once, when it was acknowledged, or with false when it never will be.
   *
   * @param {number} kind
   * @param {Bytes} body is kept
   * @param {(acked: boolean) => void} [done]
   * @returns {boolean} false: too many are under way, or there is no session; done is not called then
   */
  sendUrgent(kind, body, done) {
    return this.#session?.sendUrgent(kind, body, done) ?? false;
  }

  /**
   * @param {number} alias
   * @param {boolean} known
   */
  setAliasKnown(alias, known) {
    this.#session?.setAliasKnown(alias, known);
  }

  /** How many urgent messages are not acknowledged. */
  urgentPending() {
    return this.#session?.urgentPending ?? 0;
  }

  /**
   * Tells whether something came from the relay within the last ms.
   *
   * @param {number} ms
   */
  heardWithin(ms) {
    return this.#session?.heardWithin(ms) ?? false;
  }

  /** How good the path is; see Session. */
  quality() {
    return this.#session?.quality() ?? NO_QUALITY;
  }

  /** What happened so far, for people who look for what is wrong. */
  counts() {
    return { ...this.#session?.counts, queueDropped: this.#current?.carrier.dropped() ?? 0 };
  }

  /** Leaves: the relay is told until it acknowledges, for at most a second. It never rejects. */
  async leave() {
    if (this.#leaving || this.#life.signal.aborted) {
      return;
    }
    this.#leaving = true;
    const limit = deadline(this.#clock, LEAVE_TIME);
    if (this.#session?.sendUrgent(LEAVE, new Uint8Array(0), () => limit.abort())) {
      await aborted(limit.signal);
    }
    limit.finish();
    this.#stop(new LinkError('closed', 'the client has left'));
  }

  /** @param {() => void} f */
  #call(f) {
    try {
      f();
    } catch (error) {
      this.#config.handler.failed?.(error);
    }
  }
}

/**
 * @param {unknown} error
 * @returns {LinkError}
 */
function asLinkError(error) {
  return error instanceof LinkError ? error : new LinkError('program', describe(error), { cause: error });
}

/**
 * Resolves when a signal is aborted.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}
