/**
 * The page's side of a line: how it calls and is called. It sends the Worker what the user wants, and hands
 * out what it says; no rules live here. A call is a room for two, so a LineCall has what an Engine has, and
 * says what an Engine says of its room, beside the events of the call.
 *
 *     page -> LineEngine.open, call, take -> postMessage -> worker.js (line-worker.js)
 *     page <- LineEngine.listen           <- postMessage <- LineMessages
 *     Stay <- LineCall.listen             <- those that are of the call
 */

import { transferable } from './engine.js';

/** @typedef {import('./engine.js').EngineMessage} EngineMessage */
/** @typedef {import('./engine.js').CallError} CallError */
/** @typedef {import('./engine.js').Mode} Mode */
/** @typedef {import('./engine.js').Ports} Ports */
/** @typedef {import('./engine.js').JoinOptions} JoinOptions */
/** @typedef {import('../signalling/effects.js').Outcome} Outcome */

/**
 * `talking`: the two are in their room. `ended` is followed by the room's state 'ended', and nothing else;
 * `error` is of the reason 'error': the call could not begin (its code: 'self', 'already', 'talking': there
 * is a call that is not held, 'rate').
 * @typedef {{type: 'call', phase: 'calling' | 'ringing' | 'answering' | 'talking'} |
 *   {type: 'call', phase: 'ended', reason: Outcome | 'error', by: 'us' | 'them' | null, error?: CallError}}
 *   PhaseEvent
 */
/**
 * person: who it is, when that is known. held: who holds. their_mute: whether their microphone is closed.
 * path: whether they are heard from; lost: another way is looked for, for a minute. consent_wanted: the
 * other wants somebody to call us: say consent. transfer_asked: the other wants us to go on with somebody,
 * who has agreed: say acceptTransfer. transfer: how a transfer of ours goes. transferred: this call goes on
 * as another one: take it.
 * @typedef {PhaseEvent
 *   | {type: 'person', key: string, fingerprint: string, name: string}
 *   | {type: 'held', us: boolean, them: boolean}
 *   | {type: 'their_mute', on: boolean}
 *   | {type: 'path', state: 'up' | 'lost'}
 *   | {type: 'consent_wanted' | 'transfer_asked', key: string, fingerprint: string}
 *   | {type: 'transfer', state: 'asking' | 'refused' | 'done'}
 *   | {type: 'transferred', call: string, fingerprint: string}
 *   | EngineMessage} CallEvent
 */
/**
 * line: whether there is a connection, and whether we can be called. incoming: a contact calls; answered:
 * with our consent, it does not ring: take it and join. stranger: somebody who is no contact called. missed:
 * a contact called while we talked, did not want to be disturbed, or were away. clock: somebody called whose
 * time is not ours, and did not ring. stay: what hangs up for us when the page is closed, for sendLeave; each
 * call is told it, too. of: of one call. `key`: 64 hexadecimal digits; `at`: ms since 1970.
 * @typedef {{type: 'line', state: 'opening' | 'up' | 'down' | 'ended', available: boolean, cause?: string,
 *     error?: CallError}
 *   | {type: 'incoming', call: string, key: string, fingerprint: string, name: string, answered: boolean}
 *   | {type: 'stranger' | 'missed', key: string, fingerprint: string, name: string, at: number}
 *   | {type: 'clock', at: number}
 *   | {type: 'of', call: string, event: CallEvent}
 *   | {type: 'warning', error: CallError}
 *   | import('./engine.js').StayMessage
 *   | {type: 'failed', text: string}} LineMessage
 */
/**
 * @typedef {{script: string, connectUrl: string, name: string, takesCalls: boolean, doNotDisturb: boolean,
 *   keepMissed: boolean, relayKey?: string, prepared?: import('./prepared.js').Answer}} LineOptions script:
 *   the address of line-worker.js, which the Worker loads; the others as in JoinOptions
 */

const MAX_EARLY = 64;
/** What is said again soon. */
const PASSING = new Set(['levels', 'quality', 'stats', 'away']);

/** One line at a time. Whoever has it closes it. */
export class LineEngine {
  /** @type {Worker} */ #worker;
  /** @type {((message: LineMessage) => void) | null} */ #listener = null;
  /** @type {Map<string, LineCall>} */ #calls = new Map();
  #made = 0; // calls of ours
  #closed = false;

  /** @param {Worker} worker of worker.js, which has said that it runs */
  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#deliver(data);
    worker.onmessageerror = () => this.#fail('a message could not be read');
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.#fail(event.message || 'the program of calls broke');
    };
  }

  /** Sets who gets what is not of one call. @param {(message: LineMessage) => void} listener */
  listen(listener) {
    this.#listener = listener;
  }

  /** @param {LineOptions} options */
  open(options) {
    this.#post({ type: 'open_line', ...options });
  }

  /** @param {boolean} on others may call */
  setTakesCalls(on) {
    this.#post({ type: 'takes_calls', on });
  }

  /** @param {boolean} on nothing rings */
  setDoNotDisturb(on) {
    this.#post({ type: 'do_not_disturb', on });
  }

  /** @param {boolean} on our relay keeps calls that do not reach us while we are away */
  setKeepMissed(on) {
    this.#post({ type: 'keep_missed', on });
  }

  /** The contacts in the store are others: they are who may ring. */
  contactsChanged() {
    this.#post({ type: 'contacts' });
  }

  /** Whether somebody looks at the page. @param {boolean} on */
  watched(on) {
    this.#post({ type: 'watch_line', on });
  }

  /**
   * A call to somebody, which begins with its join.
   * @param {{fingerprint: string, key?: string}} who key: hexadecimal, if it is known @returns {LineCall}
   */
  call(who) {
    return this.#make(`o${++this.#made}`, who);
  }

  /** A call that is there: 'incoming', or 'transferred'. @param {string} id @returns {LineCall} */
  take(id) {
    return this.#calls.get(id) ?? this.#make(id, null);
  }

  /** @param {string} id @param {{fingerprint: string, key?: string} | null} who */
  #make(id, who) {
    const call = new LineCall(id, who, (message, transfer) => this.#post(message, transfer));
    this.#calls.set(id, call);
    return call;
  }

  /** Hangs up, and ends the line; the Worker says state 'ended' when the relay was told. */
  close() {
    this.#post({ type: 'close_line' });
  }

  /** Ends the Worker at once. */
  terminate() {
    this.#closed = true;
    this.#worker.terminate();
  }

  /** @param {unknown} message @param {Transferable[]} [transfer] */
  #post(message, transfer = []) {
    if (!this.#closed) this.#worker.postMessage(message, transfer);
  }

  /** @param {LineMessage} message */
  #deliver(message) {
    if (this.#closed || typeof message !== 'object' || message === null) return;
    if (message.type !== 'of') {
      if (message.type === 'incoming') this.take(message.call); // what follows is kept for who takes it
      this.#listener?.(message);
      return;
    }
    const { call: id, event } = message;
    const call = this.take(id);
    if (event.type === 'transferred') this.take(event.call);
    if (event.type === 'state' && event.state === 'ended') this.#calls.delete(id);
    call.deliver(event);
  }

  /** @param {string} text */
  #fail(text) {
    if (!this.#closed) this.#listener?.({ type: 'failed', text });
  }
}

/** One call, in the place of an Engine. */
export class LineCall {
  #who;
  #post;
  /** @type {((event: CallEvent) => void) | null} */ #listener = null;
  /** What came before somebody listened. @type {CallEvent[]} */ #early = [];

  /**
   * @param {string} id @param {{fingerprint: string, key?: string} | null} who is called; null: they call
   * @param {(message: unknown, transfer?: Transferable[]) => void} post
   */
  constructor(id, who, post) {
    this.id = id;
    this.#who = who;
    this.#post = post;
  }

  get outgoing() {
    return this.#who !== null;
  }

  /** As Engine.listen. @param {(event: CallEvent) => void} listener */
  listen(listener) {
    this.#listener = listener;
    for (const event of this.#early.splice(0)) listener(event);
  }

  /** @param {CallEvent} event of the Worker */
  deliver(event) {
    if (this.#listener) this.#listener(event);
    else if (this.#early.length < MAX_EARLY && !PASSING.has(event.type)) this.#early.push(event);
  }

  /**
   * Calls, or answers.
   * @param {Pick<JoinOptions, 'mode' | 'muted' | 'ports'>} how
   */
  join({ mode, muted = false, ports }) {
    const publish = { mode, muted };
    if (this.#who) this.#say('dial', { who: this.#who, publish, ports }, transferable(ports));
    else this.#say('answer', { publish, ports }, transferable(ports));
  }

  /** Push-to-talk pressed or released. @param {boolean} on */
  talk(on) {
    this.#say('talk', { on });
  }

  /** @param {boolean} on */
  mute(on) {
    this.#say('mute', { on });
  }

  /** @param {boolean} on */
  watched(on) {
    this.#say('watched', { on });
  }

  /** @param {boolean} on */
  hand(on) {
    this.#say('hand', { on });
  }

  /** @param {Mode} mode */
  mode(mode) {
    this.#say('mode', { mode });
  }

  /** @param {string} member @param {number} gain */
  volume(member, gain) {
    this.#say('volume', { member, gain });
  }

  /** @param {string} member */
  trust(member) {
    this.#say('trust', { member });
  }

  /** @param {string} member @param {boolean} on */
  compare(member, on) {
    this.#say('compare', { member, on });
  }

  /** @param {string} member @param {string} [name] none: they are forgotten */
  remember(member, name) {
    this.#say('remember', { member, name });
  }

  /** @param {Ports} ports */
  devices(ports) {
    this.#say('devices', { ports }, transferable(ports));
  }

  /** Holds the call, or goes on with it; whatever else there is has to be held then. @param {boolean} on */
  hold(on) {
    this.#say('hold', { on });
  }

  /**
   * Has the person of this call and that of another, which is held or not, go on with each other.
   * @param {{id: string}} to
   */
  transfer(to) {
    this.#say('transfer', { to: to.id });
  }

  /** Answers consent_wanted. @param {string} key of it @param {boolean} yes */
  consent(key, yes) {
    this.#say('consent', { key, yes });
  }

  /** Answers transfer_asked. @param {string} key of it @param {boolean} yes */
  acceptTransfer(key, yes) {
    this.#say('accept_transfer', { key, yes });
  }

  /** Declines what rings here, cancels what rings there, or hangs up. */
  leave() {
    this.#say('leave', {});
  }

  /** As leave; the line goes on. */
  close() {
    this.leave();
  }

  /** @param {string} what @param {object} fields @param {Transferable[]} [transfer] */
  #say(what, fields, transfer) {
    this.#post({ type: 'call', call: this.id, what, ...fields }, transfer);
  }
}
