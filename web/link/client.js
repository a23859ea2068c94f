/**
 * A client: one session with a relay, over as many carriers as it takes (docs/protocol.md, sections 6, 8).
 *
 *          +--- carrier closed, answer overdue, goodbye, silence ---+
 *          v                                                        |
 *     attaching (dial-reconnect.js, with back-off) ── first Welcome ──> attached ──> WebTransport, at times
 *          |                                                        |
 *          +── refused, or another relay key ──> ended <── leave ───+
 *
 * It knows control messages as far as attaching goes; what members, keys and streams are is web/call's.
 */

import { toHex } from '../wire/bytes.js';
import { encode } from '../wire/control.js';
import { CLOSE } from '../wire/frame.js';
import { LEAVE } from '../wire/urgent.js';
import { Attacher } from './dial.js';
import { Refused, refusal } from './dial-attempt.js';
import { LinkError, asLinkError } from './carrier.js';
import { deadline, realClock, sleep } from './clock.js';
import { Session } from './session.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./dial-attempt.js').Attempt} Attempt */
/** @typedef {import('./dial-attempt.js').Message} Message */
/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./handler.js').ClientHandler} ClientHandler */

/**
 * @typedef {import('./dial.js').AttachConfig & {
 *   handler: ClientHandler,
 *   clock?: Clock,
 *   events?: EventTarget | null,
 * }} ClientConfig events: says 'online'; absent: the global one
 */

/** Why a client attaches again; these are shown to people. */
const CAUSE = Object.freeze({
  shutdown: 'the relay is shutting down',
  silence: 'nothing is heard from the relay',
  overdue: 'the relay does not answer',
  ended: 'the connection ended',
});

const ANSWER_TIME = 2000; // ms after which an answer is overdue
const RETIRE_AFTER = 3000; // ms that a carrier which was superseded is still listened to
const UPGRADE_EVERY = 30_000; // ms between tries of WebTransport while on WebSocket
const LEAVE_TIME = 1000; // ms that leaving may take
const CLOSE_GRACE = 100; // ms for the last packets to get out

/** What quality() says before there is a session. */
const NO_QUALITY = Object.freeze({
  lossUp: 0, lossDown: 0, measuredUp: 0, measuredDown: 0, rtt: 0, jitter: 0, bitrateUp: 0, bitrateDown: 0,
  path: null, since: 0, queued: 0,
  stopped: false, up: /** @type {const} */ ('measuring'), down: /** @type {const} */ ('measuring'),
});

export class Client {
  #config;
  #clock;
  #attacher;
  #life = new AbortController(); // aborted at the end
  #leaving = false;
  /** @type {LinkError | null} */ #error = null; // why it ended

  /** @type {Session | null} */ #session = null;
  /** @type {string | null} */ #incarnation = null;
  /** Since when, and why, it is away; null: it is not. @type {{since: number, cause: string} | null} */
  #away = null;
  /** @type {Attempt | null} */ #current = null;
  #changed = new AbortController(); // aborted, and replaced, when #current changes
  /** @type {AbortController | null} */ #upgrade = null;
  /** @type {Set<Attempt>} */ #retired = new Set();
  /** @type {Promise<unknown>} */ #requests = Promise.resolve(); // one at a time
  #online = () => this.#hurry();
  #watched = true;

  /** @param {ClientConfig} config */
  constructor(config) {
    this.#config = config;
    this.#clock = config.clock ?? realClock;
    this.#attacher = new Attacher(config, this.#clock);
  }

  // Attaching.

  /**
   * Attaches, and joins or opens a line. It rejects with a LinkError when the relay refuses, or when the
   * signal is aborted before it has answered; failures that may pass are tried again until then. It may be
   * called once.
   * @param {AbortSignal} [signal] @returns {Promise<Message>} Joined or Line
   */
  async join(signal) {
    if (this.#attacher.racing || this.#session || this.#life.signal.aborted) {
      throw new LinkError('closed', 'this client has joined already, or has left');
    }
    this.#events?.addEventListener('online', this.#online);
    try {
      const attempt = await this.#attacher.attach(
        signal ? AbortSignal.any([signal, this.#life.signal]) : this.#life.signal, true,
      );
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

  /** Makes a welcomed attempt the one in use, and its session the client's. @param {Attempt} next */
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
    this.#away = null;
    this.#changed.abort();
    this.#changed = new AbortController();
    session.install(next.carrier);
    next.ongoodbye = () => this.#goodbye(next);
    next.closed.then((why) => this.#lost(next, why));
    if (old) this.#retire(old);
    this.#call(() => this.#config.handler.attached(/** @type {Message} */ (next.joined), fresh));
    for (const packet of next.takeEarly()) session.receive(packet, next.carrier);
    this.#planUpgrade(next);
  }

  #newSession() {
    const { handler } = this.#config;
    /** @type {Session} */
    const session = new Session({
      ...handler,
      ended: (code, ours) => this.#sessionEnded(session, code, ours),
      silent: () => this.#wake(CAUSE.silence),
      failed: (error) => this.#failed(error),
    }, this.#clock);
    session.watched = this.#watched;
    return session;
  }

  /** Closes an attempt that was superseded, once what is under way on it has come. @param {Attempt} old */
  #retire(old) {
    this.#retired.add(old);
    const close = () => {
      this.#retired.delete(old);
      old.close();
    };
    sleep(this.#clock, RETIRE_AFTER, this.#life.signal).then(close);
  }

  // What makes it attach again, or end.

  /** Attaches again, unless it is doing so or is over. @param {string} cause */
  #wake(cause) {
    if (this.#leaving || this.#attacher.racing || this.#life.signal.aborted) return;
    this.#upgrade?.abort();
    this.#reattach(cause).catch((error) => this.#end(asLinkError(error)));
  }

  /** @param {string} cause */
  async #reattach(cause) {
    // Before the handler may ask for the same.
    const attached = this.#attacher.attach(this.#life.signal, false);
    this.#away = { since: this.#session?.heardAt ?? this.#clock.now(), cause };
    this.#call(() => this.#config.handler.detached(cause));
    const attempt = await attached;
    if (this.#life.signal.aborted || this.#leaving) attempt.close();
    else this.#install(attempt);
  }

  /** @param {Attempt} attempt @param {string} why */
  #lost(attempt, why) {
    if (this.#current !== attempt || this.#life.signal.aborted) return;
    this.#session?.detach(attempt.carrier);
    if (attempt.goodbye) this.#goodbye(attempt);
    else this.#wake(why ? `${CAUSE.ended}: ${why}` : CAUSE.ended);
  }

  /** @param {Attempt} attempt */
  #goodbye(attempt) {
    const bye = attempt.goodbye;
    if (this.#current !== attempt || !bye) return;
    if (bye.code === 'replaced') {
      this.#end(new Refused(bye.code, bye.reason || 'another client took the place of this one'));
    } else {
      this.#wake(bye.code === 'shutting_down' ? CAUSE.shutdown : bye.reason || bye.code);
    }
  }

  /**
   * Notes the end of a session. What the relay does not mean for good is no end for the client.
   * @param {Session} session @param {number} code @param {boolean} ours
   */
  #sessionEnded(session, code, ours) {
    if (session !== this.#session || ours) return;
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
    if (this.#attacher.racing) this.#attacher.hurry();
    else this.#session?.hurry();
  }

  /** @param {LinkError} error */
  #end(error) {
    if (!this.#life.signal.aborted) {
      this.#stop(error);
      if (!this.#leaving) this.#call(() => this.#config.handler.ended(error));
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

  /** While on WebSocket, tries WebTransport from time to time, and moves over. @param {Attempt} next */
  #planUpgrade(next) {
    this.#upgrade?.abort();
    this.#upgrade = null;
    if (next.carrier.kind !== 'websocket' || !this.#attacher.hasWebTransport) return;
    const controller = new AbortController();
    this.#upgrade = controller;
    this.#upgrading(controller.signal).catch((error) => this.#failed(error));
  }

  /** @param {AbortSignal} signal */
  async #upgrading(signal) {
    for (;;) {
      await sleep(this.#clock, UPGRADE_EVERY, signal);
      if (signal.aborted) return;
      try {
        const attempt = await this.#attacher.upgrade(signal);
        if (signal.aborted || this.#leaving) attempt.close();
        else this.#install(attempt);
        return;
      } catch {
        // UDP still does not get through; WebSocket goes on.
      }
    }
  }

  // What the room does.

  /**
   * Sends a control message and returns the answer. When that is overdue the client attaches and asks again.
   * @param {string} name @param {Record<string, any>} [fields] @param {AbortSignal} [signal]
   * @returns {Promise<Message>} rejects with a LinkError: the relay refused, or the client has ended
   */
  request(name, fields = {}, signal) {
    const answer = this.#requests.then(() => this.#ask(encode(name, fields), signal));
    this.#requests = answer.catch(() => {}); // the caller gets it
    return answer;
  }

  /** @param {string} text @param {AbortSignal} [outer] @returns {Promise<Message>} */
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
        if (refused) throw refused;
        return answer;
      }
      await aborted(signal); // until there is another carrier
    }
    throw this.#life.signal.aborted || !this.#current
      ? this.#ending()
      : new LinkError('closed', 'the request was given up');
  }

  /** @param {bigint} kid @param {number} ctr @param {Bytes} ciphertext */
  sendMedia(kid, ctr, ciphertext) {
    this.#session?.sendMedia(kid, ctr, ciphertext);
  }

  /**
   * Sends an urgent message. done is called once; with false: it never will be acknowledged.
   * @param {number} kind @param {Bytes} body is kept @param {(acked: boolean) => void} [done]
   * @returns {boolean} false: too many are under way, or there is no session; done is not called then
   */
  sendUrgent(kind, body, done) {
    return this.#session?.sendUrgent(kind, body, done) ?? false;
  }

  /** Whether somebody looks at what quality() says: see Session. @param {boolean} on */
  set watched(on) {
    this.#watched = on;
    if (this.#session) this.#session.watched = on;
  }

  /** How good the path is; see Session. */
  quality() {
    return this.#session?.quality() ?? NO_QUALITY;
  }

  /**
   * How attaching again goes; null: it does not.
   * @returns {(import('./dial.js').Attaching & {since: number}) | null} since: when something came last
   */
  away() {
    const progress = this.#attacher.progress;
    if (!this.#away || !progress) return null;
    const { since, cause } = this.#away;
    return { ...progress, since, why: cause === CAUSE.shutdown ? 'restart' : progress.why };
  }

  /**
   * Leaves: the relay is told until it acknowledges, for at most a second. It never rejects.
   * @returns {Promise<boolean>} whether the relay knows
   */
  async leave() {
    if (this.#leaving || this.#life.signal.aborted) return false;
    this.#leaving = true;
    let told = false;
    const limit = deadline(this.#clock, LEAVE_TIME);
    const done = (/** @type {boolean} */ acked) => {
      // Its answer may be the session's end; when the time is up we end it ourselves.
      told ||= acked || (this.#session?.over === true && !limit.signal.aborted);
      limit.abort();
    };
    if (this.#session?.sendUrgent(LEAVE, new Uint8Array(0), done)) await aborted(limit.signal);
    limit.finish();
    this.#stop(new LinkError('closed', 'the client has left'));
    return told;
  }

  /** See Attacher. */
  get leaveUrl() {
    return this.#attacher.leaveUrl;
  }

  /** What names the session, a secret between client and relay: 16 bytes. */
  get session() {
    return this.#attacher.session;
  }

  /** @param {() => void} f */
  #call(f) {
    try {
      f();
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * @param {unknown} error what a method of the handler threw: it must not stop the link, and not get lost
   */
  #failed(error) {
    const { handler } = this.#config;
    if (handler.failed) handler.failed(error);
    else globalThis.reportError?.(error);
  }
}

/** Resolves when a signal is aborted. @param {AbortSignal} signal @returns {Promise<void>} */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
