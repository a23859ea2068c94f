/**
 * Whether a session lives: the circuit breaker, the pings while there is doubt, and when silence has lasted
 * too long (docs/protocol.md, section 6). It is pure.
 *
 *     expect ──(1.5 s)──> doubt: pings ──(5 s)──> stopped: no media
 *        ^                   |                       |
 *        +──── progress <────+───────────────────────+     a report with more packets, a pong, an urgent ack
 */

/** ms between two ticks of a session that has something to do. */
export const TICK_EVERY = 50;
/** ms between two ticks while nothing is due. */
export const IDLE_TICK = 500;
/** ms, and a round trip, without a sign that what we send arrives, from which there is doubt. */
export const DOUBT_AFTER = 1500;
/** ms without such a sign after which no more media is sent (RFC 8083). */
export const BREAK_AFTER = 5000;
/** ms of silence after which a client attaches anew. */
const SILENT_AFTER = 4000;

const PING_IDLE = 2000; // a client that sent nothing for so long pings
const PING_REPEAT = 200; // while there is doubt
const PING_SLOW = 1000; // after PING_LONG of doubt
const PING_LONG = 10_000;
const HURRY_AFTER = 1000; // ms, and four round trips, of silence that are enough after hurry()

/**
 * What a look needs to know of a session.
 * @typedef {object} Signs
 * @property {number} sent packets, ever
 * @property {number} rtt ms
 * @property {number} heardAt when something came last
 */

export class Liveness {
  /** The circuit breaker is open: no media. */
  stopped = false;

  #pinger = new Pinger();
  /** Since when sent packets have shown no sign of arriving. @type {number | null} */ #waiting = null;
  /** When hurry was called last, until something is heard. @type {number | null} */ #hurried = null;

  /** Notes that something is sent that the relay will report. @param {number} now */
  expect(now) {
    this.#waiting ??= now;
  }

  /** Notes that what is sent arrives. */
  progress() {
    this.#waiting = null;
    this.stopped = false;
  }

  /** Notes that something came. */
  heard() {
    this.#hurried = null;
  }

  /** Notes a pong. */
  answered() {
    this.#pinger.answered();
    this.progress();
  }

  /** Notes that a ping is sent whose answer matters. @param {number} now */
  ask(now) {
    this.#pinger.ask(now);
  }

  /** Makes silence noticed sooner, since the network may be another one. @param {number} now */
  hurry(now) {
    this.#hurried = now;
  }

  /**
   * Tells what is to be done now.
   * @param {number} now @param {Signs} signs
   * @returns {{ping: boolean, silent: boolean}} silent: nothing is heard though it was asked
   */
  check(now, { sent, rtt, heardAt }) {
    const unsure = this.#waiting === null ? 0 : now - this.#waiting;
    if (unsure > BREAK_AFTER) this.stopped = true;
    const doubt = unsure > DOUBT_AFTER + rtt;
    const ping = this.#pinger.due(now, sent, doubt, doubt && unsure <= BREAK_AFTER);
    const hurried = this.#hurried !== null && now - this.#hurried > HURRY_AFTER + 4 * rtt;
    return { ping, silent: this.#pinger.asked !== null && (hurried || now - heardAt > SILENT_AFTER) };
  }

  /** Whether a ping is not answered. */
  get asking() {
    return this.#pinger.asked !== null;
  }

  /** Returns when there will be doubt if nothing shows that what was sent arrives. @param {number} rtt */
  doubtAt(rtt) {
    return this.#waiting === null ? Infinity : this.#waiting + DOUBT_AFTER + rtt;
  }
}

/** Decides when to ping. */
export class Pinger {
  /**
   * When the first of the pings was sent that were not answered; null: none is open.
   * @type {number | null}
   */
  asked = null;

  #last = -Infinity;
  #count = -1; // packets sent, at the last look
  #sentAt = 0;

  /**
   * Tells whether to ping now.
   * @param {number} now @param {number} sent how many packets were ever sent
   * @param {boolean} doubt it is not sure that they arrive
   * @param {boolean} hurry and the circuit breaker is about to open
   */
  due(now, sent, doubt, hurry) {
    if (sent !== this.#count) {
      this.#count = sent;
      this.#sentAt = now;
    }
    if (this.asked !== null || doubt) {
      if (now - this.#last < this.#every(now, hurry)) return false;
    } else if (now - this.#sentAt < PING_IDLE) {
      return false;
    }
    this.asked ??= now;
    this.#last = now;
    return true;
  }

  /**
   * Returns the time between two pings. In a hurry it is a tick: many must be lost in a row, there or back,
   * for loss alone to open the breaker.
   * @param {number} now @param {boolean} hurry
   */
  #every(now, hurry) {
    if (hurry) return TICK_EVERY;
    return this.asked !== null && now - this.asked > PING_LONG ? PING_SLOW : PING_REPEAT;
  }

  /** Notes that a ping is sent whose answer matters: until one comes it is repeated. @param {number} now */
  ask(now) {
    this.asked = now;
    this.#last = now;
  }

  /** Notes a pong. */
  answered() {
    this.asked = null;
  }
}

// Of the 62 bits that say when a ping was sent, in microseconds, those above the low 32.
const TIME_HIGH = 2 ** 30;

/**
 * Returns the 8 bytes of a ping of a kind from 0 to 3, sent at a time.
 * @param {number} at @param {number} kind @returns {import('../wire/bytes.js').Bytes}
 */
export function pingData(at, kind) {
  const us = Math.round(at * 1000);
  const data = new DataView(new ArrayBuffer(8));
  data.setUint32(0, kind * TIME_HIGH + Math.floor(us / 2 ** 32));
  data.setUint32(4, us % 2 ** 32);
  return new Uint8Array(data.buffer);
}

/** Returns what pingData was given. @param {Uint8Array} data @returns {{at: number, kind: number}} */
export function parsePing(data) {
  const view = new DataView(data.buffer, data.byteOffset, 8);
  const high = view.getUint32(0);
  return {
    at: ((high % TIME_HIGH) * 2 ** 32 + view.getUint32(4)) / 1000, kind: Math.floor(high / TIME_HIGH),
  };
}
