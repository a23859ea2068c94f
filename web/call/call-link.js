/**
 * The link of a call's room: the path of the call, over the session of a line, in the place of a Client. As
 * callBearer in internal/call.
 *
 *     Room ── keys ──> CallKeys ──> Line ──> the other end        Room ── frames ──> the line's session, while they may
 *     Room <── keys, frames, whether the other is heard <── Line
 */

import { toHex } from '../wire/bytes.js';
import { CallKeys } from './call-keys.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../link/client.js').ClientConfig} ClientConfig */
/** @typedef {import('../link/client.js').Client} Client */
/** @typedef {import('../link/handler.js').MediaFrame} MediaFrame */

/**
 * @typedef {object} CallLinkHooks
 * @property {Bytes} relay our home
 * @property {import('../signalling/effects.js').Details} details
 * @property {Pick<Client, 'sendMedia' | 'quality' | 'away'>} line
 * @property {import('../link/clock.js').Clock} clock
 * @property {(signal: import('./call-keys.js').KeySignal) => Promise<unknown>} say
 * @property {() => Promise<void>} hangUp
 */

const MAX_EARLY = 8; // messages that came before the room was ready

export class CallLink {
  /** Whether frames may go to the relay. */ talks = false;
  /** When a frame went last, ms; 0: never. */ sentAt = 0;
  /** Of the other. */ member;
  /** Speaks with the other about keys. */ keys;

  #at;
  #config;
  #silent = false; // nothing comes of the other
  /** @type {(() => void)[] | null} null: the room is ready */ #early = [];

  /** @param {CallLinkHooks} at @param {ClientConfig} config */
  constructor(at, config) {
    this.#at = at;
    this.#config = config;
    this.member = toHex(at.details.other.id);
    this.keys = new CallKeys(this.member, at.say, (kind, body) => this.#whenReady(() => {
      this.#config.handler.urgent(kind, body);
    }));
  }

  /** @param {() => void} act */
  #whenReady(act) {
    if (!this.#early) act();
    else if (this.#early.length < MAX_EARLY) this.#early.push(act);
  }

  // As a Client.

  /** @returns {Promise<import('../link/dial-attempt.js').Message>} */
  async join() {
    const { handler, makeJoin } = this.#config;
    await makeJoin?.(this.#at.relay);
    const joined = { name: 'Joined', members: 2 };
    handler.attached(joined, true);
    const early = this.#early ?? [];
    this.#early = null;
    for (const act of early) act();
    return joined;
  }

  /** The list of members, which is what the room asks for. */
  async request() {
    return { name: 'MemberPage', entries: [this.#at.details.otherEntry] };
  }

  /** @param {number} kind @param {Bytes} body @param {(acked: boolean) => void} [done] */
  sendUrgent(kind, body, done) {
    return this.keys.send(kind, body, done);
  }

  /** @param {bigint} kid @param {number} ctr @param {Bytes} ciphertext */
  sendMedia(kid, ctr, ciphertext) {
    if (!this.talks) return;
    this.sentAt = this.#at.clock.now();
    this.#at.line.sendMedia(kid, ctr, ciphertext);
  }

  /** Whose watching counts is the line's. @param {boolean} _ */
  set watched(_) {}

  /** That of the line, but that who does not hear the other is not heard, either. */
  quality() {
    const quality = this.#at.line.quality();
    const lost = /** @type {const} */ ('lost');
    return this.#silent ? { ...quality, up: lost, down: lost } : quality;
  }

  away() {
    return this.#at.line.away();
  }

  /** Ends the call. @returns {Promise<boolean>} */
  async leave() {
    await this.#at.hangUp();
    return true;
  }

  get leaveUrl() {
    return null;
  }

  get session() {
    return new Uint8Array(16); // that of the line, which ends by its own words
  }

  // What the line says.

  /** @param {bigint} kid @returns {import('../link/session-aliases.js').Bound | null} */
  bind(kid) {
    return this.#early ? null : this.#config.handler.bind(kid);
  }

  /** @param {MediaFrame} frame whose bound is of bind */
  media(frame) {
    this.#config.handler.media(frame);
  }

  /** The line's session is there again, or the other is. */
  attached() {
    const { handler } = this.#config;
    if (!this.#silent) this.#whenReady(() => handler.attached({ name: 'Joined', members: 2 }, false));
  }

  /** @param {string} cause */
  detached(cause) {
    this.#whenReady(() => this.#config.handler.detached(cause));
  }

  /** Nothing comes of the other any more, or it is back. @param {boolean} silent */
  silent(silent) {
    this.#silent = silent;
    if (silent) this.detached('nothing is heard from the other side');
    else this.attached();
  }

  /** The relay drops part of what we send. @param {number} kind @param {Bytes} body */
  urgent(kind, body) {
    this.#whenReady(() => void this.#config.handler.urgent(kind, body));
  }

  /** The call is over. @param {import('../link/carrier.js').LinkError | null} error */
  ended(error) {
    this.#config.handler.ended(/** @type {any} */ (error)); // null: as it should
  }
}
