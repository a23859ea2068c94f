/**
 * Urgent messages (docs/protocol.md, section 4.4): what is sent until it is acknowledged, and what came.
 * Pure.
 *
 *     add ──> waiting ──(due: at once, after 100 ms, or 50, then every 100 ms, at the pacer's rate)──> sent
 *     sent ──ack──> gone
 */

import { URGENT_UNDER_WAY, URGENT_WINDOW, acknowledges } from '../wire/frame.js';
import { CALL_MEDIA, ROUTE_WANTED } from '../wire/urgent.js';
import { Pacer, pingSize } from './session-pace.js';

/** @typedef {import('../wire/frame.js').UrgentAck} UrgentAck */
/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/** Bytes of a ping that is not the last frame. */
export const PING_FRAME = 10;

const URGENT_REPEAT = 100; // ms, without back-off: a bad path must not silence it
/** When what sets a call up is repeated first, ms: a dozen of such messages follow each other. */
const URGENT_QUICK = 50;
const ACK_BITS = 64;

/**
 * @typedef {object} UrgentMessage
 * @property {number} number
 * @property {number} kind
 * @property {Bytes} body
 * @property {((acked: boolean) => void) | undefined} done called once
 * @property {number} first when it was sent first
 * @property {number} sent and last
 * @property {number} due when it is repeated
 */

/** @typedef {import('./session-pace.js').PathView} PathView */

/** Tells whether messages of a kind set calls up: each waits for the one before. @param {number} kind */
function isQuick(kind) {
  return kind >= ROUTE_WANTED && kind <= CALL_MEDIA;
}

/** Keeps the urgent messages of one direction until they are acknowledged. */
export class UrgentOut {
  /** Not sent yet, in order of number. @type {UrgentMessage[]} */ waiting = [];
  /** Sent, the next one due first. @type {UrgentMessage[]} */ pending = [];
  /** @type {Pacer} */ pace;

  #next = 0;
  #repeat = false; // it is a repeat's turn
  #overhead;

  /** @param {number} overhead bytes of headers that a packet costs beside its frames */
  constructor(overhead) {
    this.#overhead = overhead;
    this.pace = new Pacer(overhead);
  }

  /**
   * Queues a message; body is kept. False: too many are under way, and done is not called.
   * @param {number} kind @param {Bytes} body @param {(acked: boolean) => void} [done]
   */
  add(kind, body, done) {
    if (this.size >= URGENT_UNDER_WAY) return false;
    this.waiting.push({
      number: this.#next++, kind, body, done, first: -Infinity, sent: -Infinity, due: -Infinity,
    });
    return true;
  }

  /** How many messages are not acknowledged. */
  get size() {
    return this.waiting.length + this.pending.length;
  }

  /**
   * Calls send for each message whose time has come, as far as the pacer allows; ping is the kind of the ping
   * to put in front, 0 for none.
   * @param {number} now @param {PathView} path @param {(m: UrgentMessage, ping: number) => void} send
   */
  due(now, path, send) {
    if (this.size === 0) {
      this.pace.waits(now, false);
      return;
    }
    this.pace.fill(now, path);
    while (this.pace.allows() && this.#any(now)) this.#send(this.#pick(now, path.rtt), now, send);
    this.pace.waits(now, this.#any(now));
  }

  /** Tells whether a message is to be sent now. @param {number} now */
  #any(now) {
    return this.waiting.length > 0 || (this.pending.length > 0 && this.pending[0].due <= now);
  }

  /**
   * Takes the next message to send, of which there is one. First sendings and repeats whose acknowledgement
   * is overdue take turns; other repeats leave when nothing else waits.
   * @param {number} now @param {number} rtt @returns {UrgentMessage}
   */
  #pick(now, rtt) {
    const silent = this.pending.length === 0 ? 0 : now - this.pending[0].sent;
    const overdue = silent >= Math.max(URGENT_REPEAT, (rtt * 5) / 4);
    this.#repeat = !(this.waiting.length === 0 || (overdue && this.#repeat));
    const m = this.#repeat ? this.waiting.shift() : this.pending.shift();
    return /** @type {UrgentMessage} */ (m);
  }

  /**
   * Calls send with a message, which is pending from then on.
   * @param {UrgentMessage} m @param {number} now @param {(m: UrgentMessage, ping: number) => void} send
   */
  #send(m, now, send) {
    m.sent = now;
    m.due = now + (m.first === -Infinity && isQuick(m.kind) ? URGENT_QUICK : URGENT_REPEAT);
    if (m.first === -Infinity) m.first = now;
    let size = m.body.length + this.#overhead;
    let kind = 0;
    if (this.pace.ping(now, this.#any(now))) {
      kind = pingSize(m.body.length);
      size += PING_FRAME;
    }
    this.pace.spend(size);
    const i = this.pending.findLastIndex((other) => other.due <= m.due);
    this.pending.splice(i + 1, 0, m);
    send(m, kind);
  }

  /**
   * Forgets what the relay has received. The caller calls the done of what it returns.
   * @param {UrgentAck} ack @param {number} now @returns {UrgentMessage[]}
   */
  ack(ack, now) {
    /** @type {UrgentMessage[]} */ const gone = [];
    this.pending = this.pending.filter((m) => {
      if (!acknowledges(ack, m.number)) return true;
      this.pace.acked(now, pingSize(m.body.length), m.first);
      gone.push(m);
      return false;
    });
    return gone;
  }

  /** Forgets all messages. The caller calls the done of what it returns, with false. */
  clear() {
    const gone = this.pending.concat(this.waiting);
    this.pending = [];
    this.waiting = [];
    return gone;
  }
}

/** Remembers which urgent messages of one direction came and were taken. A new one has received none. */
export class UrgentIn {
  #base = 0; // all numbers below were received
  /** Numbers above #base that were taken, all within the window. @type {Set<number>} */ #taken = new Set();

  /**
   * Tells of a number whether it has not been taken yet; ok: it is within the window.
   * @param {number} number @returns {{fresh: boolean, ok: boolean}}
   */
  fresh(number) {
    if (number < this.#base) return { fresh: false, ok: true };
    if (number - this.#base >= URGENT_WINDOW) return { fresh: false, ok: false };
    return { fresh: !this.#taken.has(number), ok: true };
  }

  /** Records a number that is fresh. @param {number} number */
  accept(number) {
    this.#taken.add(number);
    while (this.#taken.delete(this.#base)) this.#base++;
  }

  /** Returns what an acknowledgement says now. @returns {UrgentAck} */
  ack() {
    let bitmap = 0n;
    for (let i = 0; i < ACK_BITS && this.#taken.size > 0; i++) {
      if (this.#taken.has(this.#base + 1 + i)) bitmap |= 1n << BigInt(i);
    }
    return { base: this.#base, bitmap };
  }
}
