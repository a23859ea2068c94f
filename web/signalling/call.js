/** One call that is not over: its states, and how it ends. line.js draws how they follow. */

import { answer, calledSignal, tickCalled } from './called.js';
import { askRoute, callerSignal, tickCaller } from './caller.js';
import { tickOpen } from './recover.js';
import { endTransfer, withdraw } from './transfer.js';
import { HANG_UP_TRANSFERRED, sayHold, sayMute, upSignal } from './up.js';
import { JoinKey } from '../e2ee/keys.js';
import { callRoom } from '../wire/call-id.js';
import { STAY_SECRET_SIZE, buildCall } from '../wire/entry.js';
import { HANG_UP } from '../wire/signal.js';
import { SignallingError } from './errors.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./line.js').Line} Line */
/** @typedef {import('./path.js').Path} Path */
/** @typedef {import('../wire/signal.js').Signal} Signal */

/** The states. The caller's are up to ringing. */
export const STATE = Object.freeze({
  resolving: 1, // caller: we ask where the other can be reached
  offering: 2, // caller: offers are out
  ringing: 3, // caller: a device of the other's rings
  alerting: 4, // called: it rings here
  yielding: 5, // called: our own call to them stays, if it succeeds
  answering: 6, // called: our answer is out
  open: 7, // both
  over: 8,
});

/** Outcomes of a call of ours that could not be set up. @type {Set<import('./effects.js').Outcome>} */
const NOT_SET_UP = new Set(['unreachable', 'not_there', 'away', 'too_many', 'wrong_clock']);

export const RING_EVERY = 3000;
export const ANSWER_EVERY = 1000;

export class Call {
  /** Whether the user knows nothing of it, or goes on with another under this number. */ hidden = false;
  state = 0;
  target = ''; // fingerprint of the other
  /** The other's key, when a record came. @type {Bytes | null} */ other = null;
  name = '';

  /** @type {Bytes} */ callId = new Uint8Array(0);
  /** @type {Bytes} */ nonce = new Uint8Array(0);
  /** @type {import('../e2ee/secret.js').Secret | null} */ secret = null;
  /** Of entry; null once it was given away. @type {JoinKey | null} */ joins = null;
  /** Ours, when it is made. @type {import('../wire/entry.js').BuiltEntry | null} */ entry = null;
  /** Of an open call. @type {Bytes | null} */ theirs = null;
  /** @type {import('../wire/entry.js').Entry | null} */ member = null;

  /** Caller: one a device; called: one. @type {Path[]} */ paths = [];
  /** Caller: whose answer we took; called: the one. @type {Path | null} */ chosen = null;

  asking = { tries: 0, due: 0, found: false, reached: 0 }; // caller: see caller.js
  repeat = 0; // called: when ringing or the answer is said again
  /** @type {Signal[]} */ early = [];
  /**
   * What the ends have said of themselves: changed, if we have said something; held, muting: counters of
   * what the other said last, and one more, for relays may reorder messages.
   */
  talk = {
    byUs: false, byTheirs: false, muted: false, changed: false, theirMuted: false, held: 0, muting: 0,
  };
  silence = { since: 0, tries: 0, due: 0 }; // see recover.js
  parting = 0; // we go on with another: when this call is hung up at the latest; 0: we do not

  /** That the other asked last. @type {import('./transfer.js').Question | null} */ question = null;

  /** @param {Line} line @param {boolean} caller @param {number} now */
  constructor(line, caller, now) {
    this.line = line;
    this.id = ++line.last;
    this.caller = caller;
    this.since = now; // of the state
    line.calls.push(this);
  }

  /** @param {number} state @param {number} now */
  enter(state, now) {
    this.state = state;
    this.since = now;
  }

  /** The path of an open or called call. @returns {Path} */
  get way() {
    return /** @type {Path} */ (this.chosen);
  }

  /** Makes our entry of the call, which is for our relay of now. */
  async makeEntry() {
    const { identity, name } = this.line.config;
    const joins = await JoinKey.create();
    this.entry = await buildCall({
      room: callRoom(this.callId), name, identity,
      homeRelay: /** @type {Bytes} */ (this.line.relay),
      joinKey: joins.publicKey,
      secret: this.secret,
      staySecret: crypto.getRandomValues(new Uint8Array(STAY_SECRET_SIZE)),
    });
    this.joins = joins;
  }

  /** Makes the call one that is up, over the chosen path. @param {number} now */
  async open(now) {
    const { line, caller, callId, way } = this;
    this.enter(STATE.open, now);
    await way.heardAt(now);
    line.emit({
      type: 'up', call: this.id,
      details: /** @type {import('./effects.js').Details} */ ({
        callId, caller, secret: this.secret, joinKey: this.joins, entry: this.entry,
        otherEntry: this.theirs, other: this.member, path: way.id,
      }),
    });
    this.joins = null;
    await line.direct(now);
    for (const s of this.early) await upSignal(this, s, 0, now);
    this.early = [];
    await this.rival()?.end('elsewhere', null, now);
    for (const other of [...line.calls]) {
      if (other.parting !== 0) await other.end('transferred', HANG_UP_TRANSFERRED, now);
    }
  }

  /**
   * Ends the call.
   * @param {import('./effects.js').Outcome} outcome
   * @param {Signal | null} last is said on all its paths; null: nothing, for the other has ended it
   * @param {number} now
   */
  async end(outcome, last, now) {
    if (this.state === STATE.over) return;
    const { line } = this;
    const heir = NOT_SET_UP.has(outcome) ? this.rival() : null;
    heir?.takeOver(this);
    this.enter(STATE.over, now);
    line.calls = line.calls.filter((other) => other !== this);
    this.joins?.erase();
    for (const p of this.paths) await p.close(last, now);
    if (!this.hidden) line.emit({ type: 'ended', call: this.id, outcome });
    const rival = this.rival();
    if (rival?.hidden) await rival.end('missed', null, now);
    const { transfer } = line;
    if (transfer && (transfer.from === this || transfer.to === this)) endTransfer(line, false);
    await line.direct(now);
    if (heir) await answer(heir, now);
  }

  /** Makes it what the user knows as own. @param {Call} own */
  takeOver(own) {
    this.id = own.id;
    this.hidden = false;
    own.hidden = true;
  }

  /** The call that yields to this one, which is ours. @returns {Call | undefined} */
  rival() {
    const { target, line } = this;
    if (!this.caller) return undefined;
    return line.calls.find((other) => other.state === STATE.yielding && other.target === target);
  }

  /** Does what is due. @param {number} now @returns {Promise<number>} */
  async tick(now) {
    switch (this.state) {
      case STATE.resolving: case STATE.offering: case STATE.ringing: return tickCaller(this, now);
      case STATE.alerting: case STATE.yielding: case STATE.answering: return tickCalled(this, now);
      case STATE.open: return tickOpen(this, now);
      default: return 0;
    }
  }

  /**
   * Takes what the other says by one of the call's paths, once.
   * @param {Path} p @param {Signal} s @param {number} counter @param {number} now
   */
  async signalCame(p, s, counter, now) {
    if (s.type === 'alive') {
      if (!this.caller) p.generation = Math.max(p.generation, s.generation);
    } else if (this.state === STATE.open && p === this.chosen) await upSignal(this, s, counter, now);
    else if (this.caller) await callerSignal(this, p, s, now);
    else await calledSignal(this, s, now);
  }

  /** Has the call go on over a new session. @param {number} now */
  async sessionFresh(now) {
    if (this.state === STATE.resolving) askRoute(this, now);
    for (const p of this.paths) await p.sessionFresh(now);
  }

  /**
   * Says how things are: when it has come to that, and again when some of it may have been lost.
   * @param {number} now
   */
  async sayState(now) {
    switch (this.state) {
      case STATE.alerting:
        this.repeat = now + RING_EVERY;
        await this.way.say({ type: 'ringing' }, now);
        break;
      case STATE.answering:
        this.repeat = now + ANSWER_EVERY;
        if (this.entry) await this.way.say({ type: 'answer', entry: this.entry.entry }, now);
        break;
      case STATE.open:
        await this.way.sayAlive(now);
        if (this.talk.changed) {
          await sayHold(this, now);
          await sayMute(this, now);
        }
        break;
      default:
    }
  }
}

/**
 * Ends a call: an open one, one that rings at the other's (cancel) or one that rings here (decline).
 * @param {Line} line @param {number} id @param {number} now
 */
export async function hangUp(line, id, now) {
  const c = line.call(id);
  if (!c) throw new SignallingError('state');
  withdraw(c);
  if (c.state === STATE.open || c.state === STATE.answering) {
    await c.end('hung_up_here', { type: 'hang up', reason: HANG_UP.normal }, now);
  } else if (c.caller) {
    await c.end('cancelled', { type: 'cancel' }, now);
  } else {
    await c.end('declined', { type: 'decline' }, now);
  }
}
