/**
 * What the two ends of a call say to each other, and when (docs/protocol.md, section 14), as Go's
 * internal/signalling. It decides and does nothing else.
 *
 *     user: dial, answer, hangUp, hold, mute, transfer ...
 *          |
 *          v     routeCame, stateCame, offerCame, messageCame, endCame, keptCame <── urgent messages 17, 21, 19,
 *          |                                                                         20, 22, 25
 *       [Line] <── sessionFresh, sessionLost: of the session by which all that goes to the relay
 *          |   <── mediaHeard, mediaSent: of a call's path
 *          |   <── tick: when the time has come that it returned last
 *          v
 *       drain ──> effects.js: urgent messages for the relay, whose media goes, sender keys, what the user is told
 *
 * Its methods are asynchronous for the sake of WebCrypto alone: whoever owns a Line waits for each before
 * the next one, calls tick and drain after every other method, and carries out the effects in their order.
 *
 *     caller   resolving ── records came ──> offering ── it rings ──> ringing ──┐ an answer was chosen
 *                                                                               ├──> open ──> over
 *     called   alerting ── the user answers ──> answering ── we were chosen ────┘
 *                                                   ^
 *     glare    yielding ── our own call failed ─────┘
 *
 * What is over is remembered for some seconds by its paths alone, to say the last word again to an end that
 * has missed it. All times are arguments, in ms of one clock above 0; 0 stands for never.
 */

import { SignallingError } from './errors.js';
import { STATE } from './call.js';
import { KeptCalls } from './kept.js';
import { PATH } from './path.js';
import { SeenOffers } from './seen.js';
import { offerCame } from './called.js';
import { routeCame } from './caller.js';
import { tickTransfer } from './transfer.js';
import { CallMessageError } from '../e2ee/call-channel.js';
import { HpkeError } from '../e2ee/hpke.js';
import { OfferError } from '../e2ee/offer.js';
import { soonest } from '../link/clock.js';
import { FormatError } from '../wire/bytes.js';
import { appendMedia } from '../wire/call.js';
import { parseSignal } from '../wire/signal.js';
import { CALL_MEDIA } from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('./path.js').Path} Path */
/** @typedef {import('./effects.js').Effect} Effect */
/** @typedef {import('../wire/signal.js').Signal} Signal */
/** @typedef {import('../e2ee/stay-key.js').StayKey} StayKey */

/**
 * What a Line needs.
 * @typedef {object} LineConfig
 * @property {import('../identity/identity.js').Identity} identity
 * @property {string} name what we call ourselves, in entries; may be empty
 * @property {(fingerprint: string) => boolean} [known] who may ring; absent: nobody
 * @property {{key: StayKey, device: string} | null} [stay] of our reach records; absent: we take no calls
 * @property {import('./kept.js').EarlierStay[]} [earlier] devices of ours before, for which calls may be kept
 * @property {(now: number) => number} [unix] ms since 1970 of a time; absent: times are that
 */

/** All calls of one client: those that it makes and those that it takes. */
export class Line {
  /** Our relay's key. @type {Bytes | null} */ relay = null;
  /** Whether there is a session. */ up = false;
  disturb = true; // contacts may ring
  keeps = false; // our reach records have calls kept while we are away

  last = 0;
  /** Those that are not over, oldest first. @type {Call[]} */ calls = [];
  /** Of those that are, oldest first. @type {Path[]} */ closing = [];
  /** By id. @type {Map<string, Path>} */ paths = new Map();
  /** Whose frames go. @type {Path | null} */ media = null;
  again = false; // the relay has to be told once more
  /** @type {Effect[]} */ #effects = [];

  /** When we called, in the last minute. @type {number[]} */ dials = [];
  seen = new SeenOffers();
  /** That we gave. @type {import('./transfer.js').GivenConsent[]} */ consents = [];
  /** That we want. @type {import('./transfer.js').Transfer | null} */ transfer = null;
  strangers = { told: 0, more: 0 };
  /** When it was said last that a clock is off. */ clockTold = 0;

  /** A Line without a session: say sessionFresh. @param {LineConfig} config */
  constructor(config) {
    this.config = config;
    this.kept = new KeptCalls(this, config.earlier ?? []);
  }

  /**
   * Calls of contacts do not ring. To them it looks as if nobody answered. Consents that we gave are good no
   * longer.
   * @param {boolean} on
   */
  doNotDisturb(on) {
    this.disturb = !on;
    if (on) this.consents = [];
  }

  /** What is to be done since it was called last. @returns {Effect[]} */
  drain() {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** @param {Effect} effect */
  emit(effect) {
    this.#effects.push(effect);
  }

  /** @param {unknown} why an error of what came; another one is this program's fault, and thrown */
  refuse(why) {
    const known = [SignallingError, FormatError, CallMessageError, OfferError, HpkeError];
    if (!known.some((type) => why instanceof type)) throw why;
    this.emit({ type: 'refused', why: /** @type {Error} */ (why) });
  }

  /** ms since 1970. @param {number} now */
  unix(now) {
    return this.config.unix?.(now) ?? now;
  }

  /**
   * Sends an urgent message, if there is a session: with a new one all is said again that matters.
   * @param {number} kind @param {Bytes} body
   */
  send(kind, body) {
    if (this.up) this.emit({ type: 'send', kind, body });
  }

  /**
   * There is a new session, at the relay with this key: the one before is over, if there was one, and the
   * relay knows nothing of our paths. A session that goes on over another network is no new one.
   * @param {Bytes} relay @param {number} now
   */
  async sessionFresh(relay, now) {
    this.relay = relay;
    this.up = true;
    this.again = true;
    for (const c of [...this.calls]) await c.sessionFresh(now);
    for (const p of [...this.closing]) await p.sayLastAgain(now);
    this.kept.sessionFresh();
    await this.direct(now);
  }

  /** The session is over, and no new one there yet. @param {number} now */
  async sessionLost(now) {
    this.up = false;
    await this.direct(now);
  }

  /** Takes urgent message 17. @param {import('../wire/route.js').Route} m @param {number} now */
  async routeCame(m, now) {
    const asking = this.calls.find((c) => c.caller && c.target === m.target && c.state <= STATE.ringing);
    if (asking) await routeCame(asking, m, now);
  }

  /** Takes urgent message 21. @param {import('../wire/call.js').State} m @param {number} now */
  async stateCame(m, now) {
    await this.paths.get(m.path)?.stateCame(m, now);
  }

  /** Takes urgent message 19. @param {import('../wire/call.js').Forward} m @param {number} now */
  offerCame(m, now) {
    return offerCame(this, m, now);
  }

  /**
   * Takes urgent message 22. It is the relay's word, so it can part the ends, and no more: what the other end
   * wants is in call messages.
   * @param {import('../wire/call.js').End} m @param {number} now
   */
  async endCame(m, now) {
    await this.paths.get(m.path)?.endCame(m, now);
  }

  /** Takes urgent message 25. @param {import('../wire/kept.js').KeptCall} m @param {number} now */
  keptCame(m, now) {
    return this.kept.came(m, now);
  }

  /** Takes urgent message 20. @param {import('../wire/call.js').Message} m @param {number} now */
  async messageCame(m, now) {
    const p = this.paths.get(m.path);
    if (!p) return; // of a call that is long over, or a stranger's
    let opened;
    try {
      opened = await p.channel.open(m.body);
    } catch (error) {
      this.refuse(error);
      return;
    }
    await p.heardAt(now);
    const s = this.#parse(opened.plaintext);
    if (!s) return;
    if (!maySay(s.type, !p.call.caller)) this.refuse(new SignallingError('role'));
    else if (p.state === PATH.closing || p.state === PATH.gone) await p.heardLate(s, now);
    else await p.call.signalCame(p, s, opened.counter, now);
  }

  /** @param {Bytes} plaintext @returns {Signal | null} */
  #parse(plaintext) {
    try {
      return parseSignal(plaintext);
    } catch (error) {
      const { code } = /** @type {{code?: string}} */ (error);
      if (code !== 'unknown') this.refuse(error); // else it is of a later version
      return null;
    }
  }

  /** A frame of the other's was decrypted that came by this path. @param {string} id @param {number} now */
  async mediaHeard(id, now) {
    const p = this.paths.get(id);
    if (!p) return;
    await p.heardAt(now);
    p.media = now;
  }

  /** A frame went to the relay by this path. @param {string} id @param {number} now */
  mediaSent(id, now) {
    const p = this.paths.get(id);
    if (p) p.said = now;
  }

  /**
   * Does what is due.
   * @param {number} now @returns {Promise<number>} when to call it again if nothing comes; 0: never
   */
  async tick(now) {
    let next = 0;
    for (const c of [...this.calls]) {
      if (c.state !== STATE.over) next = soonest(next, await c.tick(now));
    }
    next = soonest(next, await tickTransfer(this, now));
    for (const p of [...this.closing]) next = soonest(next, p.tickClosing(now));
    await this.direct(now);
    return next !== 0 && next <= now ? now + 1 : next; // what was due is done
  }

  /** Whether there is no call, and no last word on its way. */
  get settled() {
    return this.calls.length === 0 && this.closing.every((p) => p.state !== PATH.closing);
  }

  /** The call with this number; null: it is over, or nobody's. @param {number} id */
  call(id) {
    return this.calls.find((c) => c.id === id && c.state !== STATE.yielding) ?? null;
  }

  /** The call in one of these states, or a SignallingError. @param {number} id @param {...number} states */
  with(id, ...states) {
    const c = this.call(id);
    if (!c || !states.includes(c.state)) throw new SignallingError('state');
    return c;
  }

  /**
   * Has the frames of the one call go that may have them, to where they go now.
   * @param {number} now
   */
  async direct(now) {
    const may = this.calls.findLast((c) => c.state === STATE.open && !c.talk.byUs && !c.talk.byTheirs
      && c.parting === 0 && c.chosen?.bound && this.up);
    const to = may?.chosen ?? null;
    const { media } = this;
    if (to === media && !(this.again && to)) return;
    if (media && media !== to) this.emit({ type: 'media', call: media.call.id, path: media.id, on: false });
    this.media = to;
    this.again = false;
    if (!to) return;
    if (to.call.caller) this.send(CALL_MEDIA, appendMedia({ path: to.id, proof: null }));
    else await to.wait(now); // its relay may not know the path yet
    this.emit({ type: 'media', call: to.call.id, path: to.id, on: true });
  }
}

/**
 * Whether a signal is of those that the caller says, or the called.
 * @param {string} type @param {boolean} caller
 */
function maySay(type, caller) {
  switch (type) {
    case 'ringing': case 'answer': case 'decline': case 'busy': return !caller;
    case 'confirm': case 'cancel': case 'elsewhere': return caller;
    default: return true;
  }
}
