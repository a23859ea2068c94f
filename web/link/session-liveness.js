/**
 * Whether a session lives: when it asks for signs of life, the circuit breaker, and when silence has lasted
 * too long (docs/protocol.md, section 6). It is pure.
 *
 *     expect ──(5 s without a sign)──> stopped: no media
 *        ^                                |
 *        +──────────── progress <─────────+     a report with more packets, a pong, an urgent ack
 */

import { Signs, patience } from './session-signs.js';

/** ms between two ticks of a session that has something to do. */
export const TICK_EVERY = 50;
/** ms between two ticks while nothing is due. */
export const IDLE_TICK = 500;
/** ms without a sign that what we send arrives after which no more media is sent (RFC 8083). */
export const BREAK_AFTER = 5000;
/** ms of silence after which a client attaches anew. */
const SILENT_AFTER = 4000;

const SIGN_EVERY = 500; // ms between two signs of life: a ping is sent so that its answer comes by then
const ASK_LEAST = 100; // ms after a sign without a ping: while nothing is known yet they come so often
const ASK_LATE = 2000; // while we send no media and others are heard: only the way out is not known
/** ms after which a ping is repeated at least, and at most, while it is not known whether the path works. */
const REPEAT = Object.freeze({ least: 20, most: 100, share: 1 / 8 }); // share: of the round trip
const TALKS = 1000; // ms after media was sent that it counts as talking
const IDLE_FACTOR = 2; // who does not talk repeats pings less often
const PING_REPEAT = 200; // after BREAK_AFTER
const PING_SLOW = 1000; // after PING_LONG
const PING_LONG = 10_000;
const HURRY_AFTER = 1000; // ms, and four round trips, of silence that are enough after hurry()

/**
 * What a look needs to know of a session's path.
 * @typedef {import('./session-signs.js').PathSigns & {mediaAt: number}} Path when media was sent last
 */

export class Liveness {
  /** The circuit breaker is open: no media. */
  stopped = false;
  /** When something came last. */
  heardAt = -Infinity;

  #signs = new Signs();
  /** When the first of the pings was sent that nothing answered. @type {number | null} */ #asked = null;
  #pinged = -Infinity; // when the last one was sent
  /** Since when sent packets have shown no sign of arriving. @type {number | null} */ #waiting = null;
  /** When hurry was called last, until something is heard. @type {number | null} */ #hurried = null;

  /** Whether what we send arrives. */
  get up() {
    return this.stopped ? 'lost' : this.#signs.up;
  }

  /** Whether anything comes. */
  get down() {
    return this.#signs.down;
  }

  /** Whether a ping is not answered. */
  get asking() {
    return this.#asked !== null;
  }

  /** The path is another one. @param {number} now */
  moved(now) {
    this.#signs.reset(now);
    this.heardAt = now; // a handshake is as good as a packet
    this.#hurried = null;
  }

  /** Notes that something is sent that the relay will report. @param {number} now */
  expect(now) {
    this.#waiting ??= now;
  }

  /** Notes that what is sent arrives. @param {number} now */
  progress(now) {
    this.#waiting = this.#asked = null;
    this.stopped = false;
    this.#signs.arrived(now);
  }

  /** Notes that something came. @param {number} now */
  heard(now) {
    this.heardAt = now;
    this.#hurried = null;
    this.#signs.heard(now);
  }

  /** Notes that a ping is sent. @param {number} now */
  pinged(now) {
    this.#asked ??= now;
    this.#pinged = now;
    this.expect(now);
    this.#signs.asked(now);
  }

  /** Makes silence noticed sooner, since the network may be another one. @param {number} now */
  hurry(now) {
    this.#hurried = now;
    this.#asked = null; // asked anew
  }

  /**
   * Judges the silence so far.
   * @param {number} now @param {Path} path
   * @returns {boolean} nothing is heard though it was asked: the path is to be given up
   */
  check(now, path) {
    if (this.#waiting !== null && now - this.#waiting > BREAK_AFTER) this.stopped = true;
    this.#signs.judge(now, path);
    if (this.#asked === null) return false;
    const hurried = this.#hurried !== null && now - this.#hurried > HURRY_AFTER + 4 * path.rtt;
    return hurried || now - this.heardAt > SILENT_AFTER;
  }

  /**
   * Returns when the next ping is due. One asks after a while without a sign; when its answer is overdue,
   * many follow, so that it is known soon whether that is loss or the end of the path.
   * @param {Path} path @param {number} now
   */
  pingAt(path, now) {
    const talks = now - path.mediaAt < TALKS;
    if (this.#asked === null) {
      const { arrivedAt } = this.#signs;
      const measuring = this.#signs.up === 'measuring';
      const wait = measuring ? ASK_LEAST : Math.max(SIGN_EVERY - path.rtt, ASK_LEAST);
      return talks
        ? arrivedAt + wait
        : Math.min(Math.max(arrivedAt, this.heardAt) + wait, arrivedAt + ASK_LATE);
    }
    const overdue = this.#asked + patience(path);
    return Math.max(overdue, this.#pinged + this.#repeat(path, talks, now - this.#asked));
  }

  /**
   * @param {Path} path @param {boolean} talks @param {number} asking for how many ms
   * @returns {number} ms between two pings
   */
  #repeat({ rtt }, talks, asking) {
    if (asking > PING_LONG) return PING_SLOW;
    if (asking > BREAK_AFTER) return PING_REPEAT;
    const { least, most, share } = REPEAT;
    return Math.min(Math.max(rtt * share, least), most) * (talks ? 1 : IDLE_FACTOR);
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
