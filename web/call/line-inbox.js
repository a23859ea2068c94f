/**
 * What the relay says of calls, on its way to the machine: read at once, told when it is its turn. As
 * lineInbox in internal/call.
 */

import { FormatError } from '../wire/bytes.js';
import { parseEnd, parseForward, parseMessage, parseState } from '../wire/call.js';
import { parseKeptCall } from '../wire/kept.js';
import { parseRoute } from '../wire/route.js';
import { CALL_END, CALL_MESSAGE, CALL_OFFER, CALL_STATE, KEPT_CALL, ROUTE } from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../signalling/line.js').Line} Machine */
/** @typedef {(machine: Machine, now: number) => Promise<unknown>} Told */

const MAX_WAITING = 256; // messages: more are not accepted, and come again

export class LineInbox {
  #turn;
  #waiting = 0;
  #session = 0; // counts the new ones

  /** @param {(act: Told) => void} turn does something when it is its turn */
  constructor(turn) {
    this.#turn = turn;
  }

  /** There is a new session. What came by the one before counts for nothing any more. */
  opened() {
    this.#session++;
  }

  /** Whether messages of a kind are for it. @param {number} kind */
  takes(kind) {
    return kind in parsers;
  }

  /** @param {number} kind of those @param {Bytes} body is copied @returns {boolean} false: too many wait */
  receive(kind, body) {
    if (this.#waiting >= MAX_WAITING) return false;
    let told;
    try {
      told = parsers[kind](body.slice());
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return true; // the relay's fault: or it would come again and again
    }
    const session = this.#session;
    this.#waiting++;
    this.#turn(async (machine, now) => {
      this.#waiting--;
      if (session === this.#session) await told(machine, now);
    });
    return true;
  }
}

/** By the kind of message. @type {Record<number, (body: Bytes) => Told>} */
const parsers = {
  [ROUTE]: reads(parseRoute, (machine, m, now) => machine.routeCame(m, now)),
  [CALL_OFFER]: reads(parseForward, (machine, m, now) => machine.offerCame(m, now)),
  [CALL_MESSAGE]: reads(parseMessage, (machine, m, now) => machine.messageCame(m, now)),
  [CALL_STATE]: reads(parseState, (machine, m, now) => machine.stateCame(m, now)),
  [CALL_END]: reads(parseEnd, (machine, m, now) => machine.endCame(m, now)),
  [KEPT_CALL]: reads(parseKeptCall, (machine, m, now) => machine.keptCame(m, now)),
};

/**
 * @template T
 * @param {(body: Bytes) => T} parse @param {(machine: Machine, m: T, now: number) => Promise<unknown>} tell
 * @returns {(body: Bytes) => Told}
 */
function reads(parse, tell) {
  return (body) => {
    const m = parse(body);
    return (machine, now) => tell(machine, m, now);
  };
}
