/**
 * How a client calls and is called: a session without a room, by which all its calls go. As Line in
 * internal/call.
 *
 *     page: call, answer, hangUp ... ──+                        +──> urgent messages ──> relay
 *                                      v                        |
 *     relay ── urgent messages ──> turns: signalling's Line ── effects ──> rooms of calls that are up
 *                                      ^                        |
 *     rooms: frames came, went ────────+                        +──> events, for the page
 *
 * What comes waits for its turn: signalling does one thing after the other, and opening an offer takes a
 * while.
 */

import { Client } from '../link/client.js';
import { Refused } from '../link/dial-attempt.js';
import { realClock, soonest } from '../link/clock.js';
import { STATE, hangUp } from '../signalling/call.js';
import { answerCall } from '../signalling/called.js';
import { dial } from '../signalling/caller.js';
import { Line as Machine } from '../signalling/line.js';
import { acceptTransfer, consent, transfer } from '../signalling/transfer.js';
import { hold, mute, sayKeys } from '../signalling/up.js';
import { toHex } from '../wire/bytes.js';
import {
  AVAILABLE, MEDIA_DROPPED, RECORD, RECORD_REFUSED, SHUTDOWN, parseRecordRefused,
} from '../wire/urgent.js';
import { fingerprintOf } from '../identity/identity.js';
import { LineCall } from './line-call.js';
import { LineInbox } from './line-inbox.js';
import { LineOut } from './line-out.js';
import { LineStay } from './line-stay.js';
import { LineWords } from './line-words.js';
import { endOf } from './room.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../signalling/effects.js').Effect} Effect */
/** @typedef {import('./line-engine.js').LineMessage} LineMessage */
/** @typedef {import('./room.js').RoomConfig} RoomConfig */

const PROGRAM = 'wzp web';
const RENEW_EVERY = 120_000; // ms: a reach record is good for 300 s
const RENEW_SOON = 10_000; // when too many came
const CLOSING_TIME = 3000; // ms for the last words of calls, when a line is closed
const LOOK_EVERY = 20; // ms, meanwhile
const OUT_AGAIN = 50; // ms, when the session had no room for all

/**
 * @typedef {Omit<RoomConfig, 'room' | 'secret' | 'stays' | 'tell' | 'link' | 'made' | 'heard'> & {
 *   known: (fingerprint: string) => boolean,
 *   takesCalls: boolean,
 *   doNotDisturb: boolean,
 *   keepMissed: boolean,
 *   stays: import('../identity/kept-stays.js').KeptStays,
 *   tell: (message: LineMessage) => void,
 *   link?: (config: import('../link/client.js').ClientConfig) => Pick<Client, keyof Client>,
 *   unix?: () => number,
 * }} LineConfig known: who may ring; keepMissed: while we are away; unix: ms since 1970
 */

export class Line {
  #config;
  #clock;
  #client;
  #stay;
  /** @type {Machine} */ #machine;
  /** @type {Bytes} */ #relay = new Uint8Array(32);
  /** By the machine's numbers. @type {Map<number, LineCall>} */ #calls = new Map();

  /** @type {Promise<unknown>} */ #last = Promise.resolve();
  #inbox = new LineInbox((act) => this.#background(this.#turn(act)));
  #out = new LineOut((kind, body) => this.#client.sendUrgent(kind, body));
  /** @type {any} */ #timer = null;
  #renewAt = 0;
  #words;
  #up = false;
  #over = false;

  /**
   * Use create.
   * @param {LineConfig} config @param {LineStay} stay
   * @param {import('../signalling/kept.js').EarlierStay[]} earlier
   */
  constructor(config, stay, earlier) {
    this.#config = config;
    this.#clock = config.clock ?? realClock;
    this.#stay = stay;
    const { identity, name, known } = config;
    this.#machine = new Machine({
      identity, name, known, stay, earlier: config.takesCalls ? earlier : [],
      unix: (now) => this.#unix() - (this.#clock.now() - now),
    });
    this.#machine.doNotDisturb(config.doNotDisturb);
    this.#machine.keeps = config.keepMissed;
    this.#client = this.#makeClient();
    this.#words = new LineWords(this.#client, this.#machine);
  }

  /** @param {LineConfig} config */
  static async create(config) {
    const failed = (/** @type {unknown} */ error) => config.tell({ type: 'warning', error: endOf(error) });
    const stay = await LineStay.create({ ...config, failed });
    return new Line(config, stay, await stay.earlier(config.unix?.() ?? Date.now()));
  }

  #makeClient() {
    const { connectUrl, identity, name, checkRelay, fetch, roundTrip } = this.#config;
    const { link = (config) => new Client(config) } = this.#config;
    return link({
      connectUrl, identity, name, checkRelay, fetch, roundTrip,
      program: PROGRAM,
      clock: this.#clock,
      makeLine: async (relay) => {
        this.#relay = relay;
        return { record: await this.#record() };
      },
      handler: {
        attached: (_, fresh) => this.#attached(fresh),
        detached: (cause) => this.#detached(cause),
        bind: (kid) => this.#bind(kid),
        media: (frame) => void /** @type {CallBound} */ (frame.bound).link.media(frame),
        urgent: (kind, body) => this.#urgent(kind, body),
        ended: (error) => this.#end(error),
        failed: (error) => this.#failed(error),
      },
    });
  }

  #unix() {
    return this.#config.unix?.() ?? Date.now();
  }

  // The session.

  /** Opens the line. It rejects with why not, which the page was told. @param {AbortSignal} [signal] */
  async open(signal) {
    this.#tellState('opening');
    try {
      await this.#client.join(signal);
    } catch (error) {
      this.#end(error);
      throw error;
    }
  }

  /** A new reach record; no bytes: we take no calls. @returns {Promise<Bytes>} */
  #record() {
    return this.#stay.record(this.#relay, this.#unix());
  }

  /** @param {boolean} fresh the relay knew nothing of the session */
  #attached(fresh) {
    this.#up = true;
    this.#tellState('up');
    for (const { link } of this.#calls.values()) link?.attached();
    if (!fresh) return;
    this.#inbox.opened();
    this.#out.clear();
    this.#renewAt = this.#clock.now() + RENEW_EVERY; // it was given a record with the first words
    this.#background(this.#turn((machine, now) => machine.sessionFresh(this.#relay, now)));
  }

  /** @param {string} cause */
  #detached(cause) {
    this.#up = false;
    this.#tellState('down', { cause });
    for (const { link } of this.#calls.values()) link?.detached(cause);
  }

  /**
   * @param {'opening' | 'up' | 'down' | 'ended'} state
   * @param {{available?: boolean, cause?: string, error?: any}} [more]
   */
  #tellState(state, more = {}) {
    if (this.#over) return;
    const available = this.#stay.takesCalls && state === 'up';
    this.#config.tell({ type: 'line', state, available, ...more });
  }

  /**
   * A stream is of the other end of the call whose room it is.
   * @param {bigint} kid @returns {CallBound | null}
   */
  #bind(kid) {
    const owner = (kid >> 16n).toString(16).padStart(12, '0');
    for (const { link } of this.#calls.values()) {
      const bound = link?.member === owner ? link.bind(kid) : null;
      if (link && bound) return Object.assign(bound, { link });
    }
    return null;
  }

  /** @param {number} kind @param {Bytes} body @returns {boolean} false: it cannot be used yet */
  #urgent(kind, body) {
    if (this.#inbox.takes(kind)) return this.#inbox.receive(kind, body);
    if (kind === RECORD_REFUSED) this.#recordRefused(body);
    if (kind === MEDIA_DROPPED || kind === SHUTDOWN) {
      for (const { link } of this.#calls.values()) link?.urgent(kind, body.slice());
    }
    return true;
  }

  // Turns.

  /**
   * Does something with the machine when it is its turn, and what follows.
   * @template T @param {(machine: Machine, now: number) => T | Promise<T>} act @returns {Promise<T>}
   */
  #turn(act) {
    const done = this.#last.then(async () => {
      const now = this.#clock.now();
      await this.#noteMedia();
      try {
        return await act(this.#machine, now);
      } finally {
        await this.#follow(now);
      }
    });
    this.#last = done.catch(() => {}); // who asked for it is told
    return done;
  }

  /** @param {Promise<unknown>} done */
  #background(done) {
    done.catch((error) => this.#failed(error));
  }

  /** Tells the machine which frames came and went since it was told last. */
  async #noteMedia() {
    for (const call of this.#calls.values()) {
      const { link, noted, path, heardAt } = call;
      if (!link) continue;
      if (heardAt > noted.heard) await this.#machine.mediaHeard(path, (noted.heard = heardAt));
      if (link.sentAt > noted.sent) this.#machine.mediaSent(path, (noted.sent = link.sentAt));
    }
  }

  /** @param {number} now */
  async #follow(now) {
    const next = await this.#machine.tick(now);
    for (const e of this.#machine.drain()) this.#carryOut(e);
    if (this.#over) return;
    if (this.#renewAt !== 0 && now >= this.#renewAt) await this.#renew();
    const leave = await this.#words.next(this.#stay.takesCalls, now);
    if (leave) this.#giveWords(leave);
    const all = this.#out.flush();
    let due = soonest(next, this.#renewAt);
    if (!all) due = soonest(due, now + OUT_AGAIN);
    this.#clock.clearTimeout(this.#timer);
    if (due === 0) return;
    const wait = Math.max(1, Math.ceil(due - this.#clock.now()));
    this.#timer = this.#clock.setTimeout(() => this.#background(this.#turn(() => {})), wait);
  }

  /**
   * Tells the page what to send when it is closed.
   * @param {import('./engine.js').StayMessage['leave']} leave
   */
  #giveWords(leave) {
    this.#config.tell({ type: 'stay', leave });
    for (const call of this.#calls.values()) call.tell({ type: 'stay', leave });
  }

  /** @param {Bytes} body */
  #recordRefused(body) {
    const often = parseRecordRefused(body) === RECORD.tooOften;
    if (often) this.#renewAt = this.#clock.now() + RENEW_SOON;
    else this.#tellState('up', { available: false, error: endOf(new Refused('record', '')) });
    this.#background(this.#turn(() => {}));
  }

  async #renew() {
    this.#renewAt = this.#clock.now() + RENEW_EVERY;
    this.#out.add({ kind: AVAILABLE, body: await this.#record() });
  }

  /** @param {Effect} e */
  #carryOut(e) {
    switch (e.type) {
      case 'send': return this.#out.add(e);
      case 'refused': return undefined; // an attack, or a repeat
      case 'missed': case 'stranger': return this.#tellOf(e);
      case 'clock': return this.#config.tell(e);
      case 'incoming': return this.#incoming(e);
      case 'keptOver': return this.#background(this.#stay.over(e.device));
      case 'transferOver':
        return this.#calls.get(e.from)?.tell({ type: 'transfer', state: e.done ? 'done' : 'refused' });
      default:
    }
    const call = this.#calls.get(e.call);
    if (call) this.#carryOutOf(call, e);
    else if (e.type === 'up') e.details.joinKey.erase();
    return undefined;
  }

  /** @param {LineCall} call @param {Extract<Effect, {call: number}>} e */
  #carryOutOf(call, e) {
    switch (e.type) {
      case 'up':
        call.up(e.details);
        if (call.muted) this.setMuted(call.id, true);
        break;
      case 'consentAsked': this.#tellPerson(call, 'consent_wanted', e.person); break;
      case 'transferAsked': this.#tellPerson(call, 'transfer_asked', e.person); break;
      case 'ended':
        this.#calls.delete(e.call);
        call.ended(e.outcome);
        break;
      default: call.carryOut(e);
    }
  }

  /** @param {LineCall} call @param {'consent_wanted' | 'transfer_asked'} type @param {Bytes} person */
  #tellPerson(call, type, person) {
    const key = toHex(person);
    this.#background(fingerprintOf(person).then((fingerprint) => call.tell({ type, fingerprint, key })));
  }

  /** @param {Extract<Effect, {type: 'missed' | 'stranger'}>} e */
  #tellOf({ type, person, fingerprint, name, at }) {
    this.#config.tell({ type, key: toHex(person), fingerprint, name, at });
  }

  /** @param {Extract<Effect, {type: 'incoming'}>} e */
  #incoming({ call: number, person, fingerprint, name }) {
    const call = this.#newCall(`i${number}`, false, number);
    // Who was handed to us with our consent is not rung for.
    const answered = this.#machine.call(number)?.state !== STATE.alerting;
    this.#config.tell({ type: 'incoming', call: call.id, key: toHex(person), fingerprint, name, answered });
  }

  /** @param {string} id @param {boolean} outgoing @param {number} number 0: it does not come to be */
  #newCall(id, outgoing, number) {
    const { identity, name, names, notes, contacts, encoder, decoder, vad } = this.#config;
    const clock = this.#clock;
    const call = new LineCall(id, outgoing, {
      tell: (event) => this.#config.tell({ type: 'of', call: id, event }),
      room: { connectUrl: '', identity, name, names, notes, contacts, encoder, decoder, vad, clock },
      link: {
        relay: this.#relay, line: this.#client, clock,
        say: (signal) => this.#turn((machine, now) => sayKeys(machine, number, signal, now)),
        hangUp: () => this.#hangUp(number),
      },
      failed: (error) => this.#failed(error),
    });
    if (number > 0) this.#calls.set(number, call);
    return call;
  }

  // What the user does. Calls go by the page's ids.

  /** @param {string} id @returns {[number, LineCall] | []} */
  #find(id) {
    return [...this.#calls].find(([, call]) => call.id === id) ?? [];
  }

  /** The call with this id; undefined: there is none, or it is over. @param {string} id */
  call(id) {
    return this.#find(id)[1];
  }

  /**
   * Calls somebody. What becomes of it the page is told, that it cannot be done, too.
   * @param {string} id of the call @param {{fingerprint: string, key?: Bytes}} who
   * @param {(call: LineCall) => void} begin is called with it
   */
  async dial(id, who, begin) {
    await this.#turn(async (machine, now) => {
      let number;
      try {
        number = await dial(machine, who, now);
      } catch (error) {
        const failed = this.#newCall(id, true, 0);
        begin(failed);
        failed.ended('error', endOf(error));
        return;
      }
      this.#calls.get(number)?.ended('elsewhere'); // it rang here: now it is answered under this id
      const call = this.#newCall(id, true, number);
      begin(call);
      call.tell({ type: 'call', phase: 'calling' });
    });
  }

  /** Answers a call that rings here. @param {string} id */
  async answer(id) {
    const [number, call] = this.#find(id);
    if (number === undefined || !call) return;
    await this.#turn(async (machine, now) => {
      const c = machine.call(number);
      if (c?.state === STATE.alerting) await answerCall(machine, number, now);
      if (c && c.state !== STATE.open) call.tell({ type: 'call', phase: c.caller ? 'calling' : 'answering' });
    });
  }

  /** Ends a call: what was said last is sent. @param {string} id */
  async leave(id) {
    if (!this.call(id)) await this.#turn(() => {}); // it is being dialled, before this turn
    const [number, call] = this.#find(id);
    if (number === undefined || !call) return;
    if (call.room) await call.leave();
    else await this.#hangUp(number);
  }

  /** @param {number} number */
  async #hangUp(number) {
    await this.#turn(async (machine, now) => {
      if (machine.call(number)) await hangUp(machine, number, now);
    });
  }

  /** @param {string} id @param {boolean} on */
  hold(id, on) {
    return this.#do(id, (machine, number, now) => hold(machine, number, on, now));
  }

  /** @param {string} id @param {boolean} on */
  setMuted(id, on) {
    this.#do(id, async (machine, number, now) => {
      if (machine.call(number)?.state === STATE.open) await mute(machine, number, on, now);
    }).catch((error) => this.#failed(error));
  }

  /** Hands the person of one call to that of another. @param {string} from @param {string} to */
  async transfer(from, to) {
    const [second] = this.#find(to);
    await this.#do(from, (machine, number, now) => transfer(machine, number, second ?? 0, now));
    this.call(from)?.tell({ type: 'transfer', state: 'asking' });
  }

  /** @param {string} id @param {Bytes} who was asked about @param {boolean} yes */
  consent(id, who, yes) {
    return this.#do(id, (machine, number, now) => consent(machine, number, who, yes, now));
  }

  /** @param {string} id @param {Bytes} who was asked about @param {boolean} yes */
  async acceptTransfer(id, who, yes) {
    await this.#do(id, async (machine, number, now) => {
      const next = await acceptTransfer(machine, number, who, yes, now);
      if (next === 0) return;
      const fingerprint = machine.call(next)?.target ?? '';
      const call = this.#newCall(`t${next}`, true, next);
      this.call(id)?.tell({ type: 'transferred', call: call.id, fingerprint });
    });
  }

  /** @param {string} id @param {(machine: Machine, number: number, now: number) => Promise<unknown>} act */
  async #do(id, act) {
    const [number] = this.#find(id);
    if (number !== undefined) await this.#turn((machine, now) => act(machine, number, now));
  }

  /** @param {boolean} on others may call */
  setTakesCalls(on) {
    const begins = on && !this.#stay.takesCalls;
    this.#stay.takesCalls = on;
    if (this.#up) this.#tellState('up');
    this.#renewAt = this.#clock.now();
    this.#background(this.#turn(async (machine) => {
      if (begins) machine.kept.add(await this.#stay.earlier(this.#unix()));
    }));
  }

  /** @param {boolean} on our relay keeps calls that do not reach us while we are away */
  setKeepMissed(on) {
    if (on === this.#stay.keepMissed) return;
    this.#stay.keepMissed = this.#machine.keeps = on;
    this.setTakesCalls(this.#stay.takesCalls); // the next record says so
  }

  /** @param {boolean} on calls of contacts do not ring; to them it looks as if nobody answered */
  setDoNotDisturb(on) {
    this.#background(this.#turn((machine) => machine.doNotDisturb(on)));
  }

  /** @param {boolean} on somebody looks at the page */
  set watched(on) {
    this.#client.watched = on;
  }

  // The end.

  /** Hangs up, and leaves. It never rejects. @returns {Promise<void>} */
  async close() {
    if (this.#over) return;
    await Promise.all([...this.#calls.values()].map(({ id }) => this.leave(id).catch(() => {})));
    const end = this.#clock.now() + CLOSING_TIME;
    while (!this.#over && !this.#machine.settled && this.#clock.now() < end) {
      await new Promise((resolve) => this.#clock.setTimeout(() => resolve(null), LOOK_EVERY));
    }
    await this.#client.leave();
    this.#end(null);
  }

  /** @param {unknown} error why; null: the user wants it */
  #end(error) {
    if (this.#over) return;
    for (const call of this.#calls.values()) call.ended('failed'); // first: the page ends the Worker then
    this.#calls.clear();
    this.#tellState('ended', error ? { error: endOf(error) } : {});
    this.#over = true;
    this.#clock.clearTimeout(this.#timer);
    this.#stay.erase();
  }

  /** @param {unknown} error a fault of this program, or what the user cannot do now */
  #failed(error) {
    this.#config.tell({ type: 'warning', error: endOf(error) });
  }
}

/**
 * What an alias of the relay's stands for.
 * @typedef {{next: number, link: import('./call-link.js').CallLink}} CallBound
 */
