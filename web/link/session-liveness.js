/**
 * Whether a session lives: when it asks for signs of life, the circuit breaker, and when silence has lasted
 * too long (docs/protocol.md, section 6). It is pure.
 *
 *     expect ──(5 s without a sign)──> stopped: no media
 *        ^                                |
 *        +──────────── progress <─────────+     a report with more packets, a pong, an urgent ack
 */

import { Signs, enough, patience, unanswered } from './session-signs.js';

/** ms between two ticks of a session that has something to do. */
export const TICK_EVERY = 50;
/** ms between two ticks while nothing is due. */
export const IDLE_TICK = 500;
/** ms without a sign that what we send arrives after which no more media is sent (RFC 8083). */
export const BREAK_AFTER = 5000;
/** ms of silence after which a client attaches anew. */
const SILENT_AFTER = 4000;

/** ms between two signs of life: a ping is sent so that its answer comes by then. */
const SIGN_EVERY = Object.freeze({ watched: 350, flows: 700, unwatched: 2000 });
const ASK_LEAST = 100; // ms after a sign without a ping: while nothing is known yet they come so often
const ASK_LATE = 2000; // while we send no media and others are heard: only the way out is not known
const FLOW = 60; // ms: packets that come more often than that are speech,
const FLOW_ENDS = 150; // of which a gap of so many ms makes one ask
/**
 * ms between two pings when an answer is overdue: until there are enough for doubt, as far as media carries
 * them; until their answers are due; in doubt, until there are enough to be certain; and then.
 */
const REPEAT = Object.freeze({ first: 20, more: 40, doubt: 10, known: 100 });
const REPEAT_FIRST = 6; // do not wait for media
const REPEATS = 60; // pings without an answer that may come as often as that, and as many `more` of them
/**
 * `most` pings may come as fast as that, of which `back` come back in a ms. Who has spent them waits `spent`
 * ms until loss alone explains the silence one time in five at most: loss that lasts must not make one send
 * ever more, for on a narrow path that is where it comes from.
 */
const SPARE = Object.freeze({ most: 30, back: 0.008, spent: 60, chance: 0.2 });
const TALKS = 1000; // ms after media was sent that it counts as talking
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
  /** Whether somebody looks at what is said of the path. */
  watched = true;

  #signs = new Signs();
  #pinged = -Infinity; // when the last ping was sent
  /** @type {number} of pings */ #spare = SPARE.most;
  #between = Infinity; // ms between two packets that come, smoothed
  /** Since when sent packets have shown no sign of arriving. @type {number | null} */ #waiting = null;
  /** When hurry was called last, until something is heard. @type {number | null} */ #hurried = null;

  /** Whether what we send arrives. */
  get up() {
    const { up } = this.#signs;
    return this.stopped && up !== 'measuring' ? 'lost' : up; // of another path nothing is known yet
  }

  /** Whether anything comes. */
  get down() {
    return this.#signs.down;
  }

  /** Whether a ping is not answered. */
  get asking() {
    return this.#signs.askedAt !== null;
  }

  /** The path is another one. @param {number} now */
  moved(now) {
    this.#signs.reset(now);
    this.heardAt = now; // a handshake is as good as a packet
    this.#between = Infinity;
    this.#hurried = null;
  }

  /** Notes that something is sent that the relay will report. @param {number} now */
  expect(now) {
    this.#waiting ??= now;
  }

  /**
   * Notes that what is sent arrives: what was sent until a time needs no answer any more.
   * @param {number} now @param {number} [sent]
   */
  progress(now, sent = now) {
    this.#waiting = null;
    this.stopped = false;
    this.#signs.arrived(now, sent);
  }

  /** Notes that something came. @param {number} now */
  heard(now) {
    const between = Math.min(now - this.heardAt, SIGN_EVERY.watched);
    this.#between = Math.min(this.#between, SIGN_EVERY.watched) * 0.9 + between * 0.1;
    this.heardAt = now;
    this.#hurried = null;
    this.#signs.heard(now);
  }

  /** Notes that a ping is sent. @param {number} now */
  pinged(now) {
    const back = (now - Math.max(this.#pinged, 0)) * SPARE.back;
    this.#spare = Math.max(0, Math.min(SPARE.most, this.#spare + back) - 1);
    this.#pinged = now;
    this.expect(now);
    this.#signs.asked(now);
  }

  /** Makes silence noticed sooner, since the network may be another one. @param {number} now */
  hurry(now) {
    this.#hurried = now;
    this.#signs.forget(); // asked anew
  }

  /**
   * Judges the silence so far.
   * @param {number} now @param {Path} path
   * @returns {boolean} nothing is heard though it was asked: the path is to be given up
   */
  check(now, path) {
    if (this.#waiting !== null && now - this.#waiting > BREAK_AFTER) this.stopped = true;
    this.#signs.judge(now, path);
    if (!this.asking) return false;
    const hurried = this.#hurried !== null && now - this.#hurried > HURRY_AFTER + 4 * path.rtt;
    return hurried || now - this.heardAt > SILENT_AFTER;
  }

  /**
   * Returns when the next ping is due. One asks after a while without a sign, or when speech does not go on;
   * when the answer is overdue, many follow, so that it is known soon whether that is loss or the end of the
   * path.
   * @param {Path} path @param {number} now
   */
  pingAt(path, now) {
    const talks = now - path.mediaAt < TALKS;
    const certain = talks || this.watched;
    const flows = certain && this.#between < FLOW; // then a gap tells sooner
    const every = flows ? SIGN_EVERY.flows : certain ? SIGN_EVERY.watched : SIGN_EVERY.unwatched;
    const { askedAt } = this.#signs;
    if (askedAt === null) {
      const next = this.#askAt(path, talks, every);
      return flows ? Math.min(next, Math.max(this.heardAt, this.#pinged) + FLOW_ENDS) : next;
    }
    const overdue = askedAt + patience(path);
    if (now < overdue) return Math.min(overdue, this.#pinged + every);
    return Math.max(overdue, this.#pinged + this.#repeat(path, talks, now - askedAt));
  }

  /** @param {Path} path @param {boolean} talks @param {number} every ms @returns {number} when to ask */
  #askAt({ rtt }, talks, every) {
    const { arrivedAt, up } = this.#signs;
    const wait = up === 'measuring' ? ASK_LEAST : Math.max(every - rtt, ASK_LEAST);
    const due = talks
      ? arrivedAt + wait
      : Math.min(Math.max(arrivedAt, this.heardAt) + wait, arrivedAt + ASK_LATE);
    return up === 'measuring' ? due : Math.max(due, this.#pinged + every); // it may not be answered yet
  }

  /**
   * @param {Path} path @param {boolean} talks @param {number} asking for how many ms
   * @returns {number} ms between two pings
   */
  #repeat({ loss, rtt }, talks, asking) {
    if (asking > PING_LONG) return PING_SLOW;
    if (asking > BREAK_AFTER) return PING_REPEAT;
    const { doubt, lost } = enough(loss);
    const { asks } = this.#signs;
    if (asks >= 2 * REPEATS) return REPEAT.known;
    if (this.#spare < 1 && asks - rtt / SPARE.spent < unanswered(SPARE.chance, loss)) return SPARE.spent;
    if (this.up === 'lost' || asks >= Math.min(lost, REPEATS)) return REPEAT.more;
    if (this.up === 'doubt') return REPEAT.doubt;
    return asks < (talks ? doubt : REPEAT_FIRST) ? REPEAT.first : REPEAT.more;
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
