/**
 * When to ask the relay for a sign of life (docs/protocol.md, section 6), and what a ping holds. It is pure.
 */

/** ms between two looks at a session that has something to do. */
export const TICK_EVERY = 50;
/** ms between two looks while nothing is due. */
export const IDLE_TICK = 500;
/** ms, and a round trip, without a sign that what we send arrives, from which there is doubt. */
export const DOUBT_AFTER = 1500;
/** ms without such a sign after which no more media is sent (RFC 8083). */
export const BREAK_AFTER = 5000;
/** ms of silence after which a client attaches anew. */
export const SILENT_AFTER = 4000;

const PING_IDLE = 2000; // a client that sent nothing for so long pings
const PING_REPEAT = 200; // while there is doubt
const PING_SLOW = 1000; // after PING_LONG of doubt
const PING_LONG = 10_000;

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
