/**
 * How fast the urgent messages of one direction leave (docs/protocol.md, section 4.4), so that media keeps
 * three quarters of a bottleneck whatever its rate is. Loss does not slow them down, a queue does. Pure.
 *
 *      begin: a third of media's rate
 *        |
 *        v     round trip near its least, while messages wait
 *     rate <──────────────────────────────────────────────────> rate x 1.5, or x 1.1 once it fell
 *        ^
 *        +─────────────────────────────────────────────────────> rate x 0.7 or 0.5, once a round trip
 *              60 ms above its least
 *
 * The round trip is that of pings which ride in front of urgent frames. What a large packet takes to be sent
 * over a slow link is no queue, so samples are compared with those of packets of about the same size only.
 */

import { MAX_SAMPLE } from './session-reports-in.js';

/** Bytes a second, to begin with: a third of the rate of media, or more if that is high, but at most this. */
export const PACE_START = 4096;
/** Bytes a second, below which it does not go. */
export const PACE_LEAST = 256;
/** Bytes a second, above which it does not go. */
export const PACE_MOST = 65_536;
/** Bytes that leave at once: two packets do, whatever their size. */
export const PACE_BURST = 1200;
/** ms between two samples. */
export const PACE_PING = 100;
/** Of the rate, the first time that it falls, or when the queue is long. */
export const PACE_FIRST = 0.5;

const PACE_FLOOR = 512; // bytes a second, at first at least
const PACE_NARROW = 4096; // bytes a second of media, above which the path is not taken for narrow
const PACE_STEP = 200; // ms that a rate is kept at least, and a round trip, before it grows
const PACE_STEPS = 3; // at once, at most
const PACE_FAST = 1.5; // growth while no queue was met
const PACE_SLOW = 1.1; // and near a rate that built one
const PACE_FALL = 0.7;
const PACE_QUEUE = 60; // ms above the least that count as a queue, and twice the jitter
const PACE_JITTER = 20; // ms of which are believed: a queue looks like jitter, too
const PACE_RECENT = 300; // ms of samples, the least of which counts
const PACE_REST = 10_000; // ms without messages that wait: the path may be another one when the next do
const RECENT = 4; // samples

/**
 * How many kinds of pings are told apart: 0 is one that travels alone, the others ride in front of urgent
 * frames, by the size of the packet.
 */
export const PING_SIZES = 4;

const PING_STEP = 384; // bytes of message from one kind to the next
const MAX_MESSAGE = 1024;

/** Returns the kind of a ping in a packet with a message of n bytes. @param {number} n */
export function pingSize(n) {
  return 1 + Math.min(Math.floor(n / PING_STEP), PING_SIZES - 2);
}

/**
 * What a session knows about its path when urgent messages are to be paced.
 * @typedef {object} PathView
 * @property {number} media bytes a second of media sent, with all headers
 * @property {number} rtt ms, smoothed; 0: unknown
 * @property {number} jitter ms
 */

export class Pacer {
  /** Bytes a second. */
  rate = 0;
  /** Bytes that may leave now; below 0 by at most one packet. */
  budget = 0;
  /** When the rate last fell; -Infinity: it never did since the beginning. */
  fell = -Infinity;
  /** Least round trip, by size of the packet; 0: none yet. */
  least = [0, 0, 0];

  #filled = -Infinity; // when the budget was last filled up
  #wait = false; // a message has to wait
  #learned = false; // rate comes from samples
  #proved = -Infinity; // when a message last had to wait: it is not known what more the path takes
  #sent = 0; // bytes since #proved
  #sampled = -Infinity; // when the newest sample came
  #pinged = -Infinity;
  #grown = -Infinity; // when rate was last set
  #recent = new Array(RECENT).fill({ at: -Infinity, over: 0 });
  #next = 0; // in #recent
  #small = [0, 0]; // least round trip of other packets, of the last 10 s and of those before; 0: none
  #turned = -Infinity; // when that began
  #path = PACE_START; // bytes a second that the path takes at least
  #queue = 0; // ms of delay that count as a queue
  #overhead;

  /** @param {number} overhead bytes of headers that a packet costs beside its frames */
  constructor(overhead) {
    this.#overhead = overhead;
  }

  /** Adds to the budget what has come up since the last time. @param {number} now @param {PathView} path */
  fill(now, path) {
    const rest = now - this.#proved;
    if (!this.#wait && rest > PACE_REST) this.#rest(now, rest, path);
    if (this.#filled === -Infinity) {
      this.budget = PACE_BURST;
    } else {
      const most = Math.max(PACE_BURST, this.rate / 8);
      this.budget = Math.min(this.budget + ((now - this.#filled) / 1000) * this.rate, most);
    }
    this.#filled = now;
    this.#path = Math.max(path.media, PACE_START);
  }

  /**
   * Sets the rate with which to begin if a message had to wait. What was learned is not proved any more then,
   * but twice what was used is, about, and for a while half of it is a better guess than none.
   * @param {number} now @param {number} rest @param {PathView} path
   */
  #rest(now, rest, path) {
    let start = PACE_START;
    if (path.media > 0) {
      start = Math.min(Math.max(path.media / 3, 2 * (path.media - PACE_NARROW), PACE_FLOOR), PACE_START);
    }
    if (this.#learned) {
      const used = (2 * this.#sent) / (rest / 1000);
      this.rate = Math.min(this.rate, Math.max(this.rate / 2 ** Math.floor(rest / PACE_REST), used));
      this.#learned = this.rate > start;
      this.#proved = now;
      this.#sent = 0;
    }
    if (!this.#learned) {
      this.rate = start;
      this.#grown = now;
      this.fell = -Infinity;
      this.#queue = PACE_QUEUE + 2 * Math.min(path.jitter, PACE_JITTER);
    }
    if (now - this.#sampled > PACE_REST) this.least.fill(0);
  }

  /** Notes that the path is another one. */
  forget() {
    this.#learned = false;
    this.#wait = false;
    this.#proved = -Infinity;
    this.least.fill(0);
    this.#small.fill(0);
    this.#recent.fill({ at: -Infinity, over: 0 });
  }

  /** Tells whether a message may leave now. */
  allows() {
    return this.budget > 0;
  }

  /** Takes a packet of n bytes from the budget. @param {number} n */
  spend(n) {
    this.budget -= n;
    this.#sent += n;
  }

  /** Notes whether a message has to wait. @param {number} now @param {boolean} yes */
  waits(now, yes) {
    this.#wait = yes;
    if (yes) {
      this.#proved = now;
      this.#sent = 0;
    }
  }

  /**
   * Tells whether the next packet is to carry a ping, if more messages wait behind it.
   * @param {number} now @param {boolean} more
   */
  ping(now, more) {
    if ((!more && !this.#wait) || now - this.#pinged < PACE_PING) return false;
    this.#pinged = now;
    return true;
  }

  /**
   * Takes the round trip of a ping of a kind.
   * @param {number} now @param {number} kind @param {number} rtt
   */
  pong(now, kind, rtt) {
    if (kind === 0) {
      this.alone(now, now - rtt, rtt);
    } else if (rtt > 0 && rtt <= MAX_SAMPLE && this.rate > 0) { // else nothing was asked
      this.#sample(now, kind, rtt);
    }
  }

  /**
   * Takes the round trip of a packet that was sent at a time and may have been a small one.
   * @param {number} now @param {number} sent @param {number} rtt
   */
  alone(now, sent, rtt) {
    if (!(rtt > 0 && rtt <= MAX_SAMPLE)) return;
    const least = this.#leastSmall();
    if (least > 0 && rtt <= least + this.#queue / 2) this.#grow(now, sent);
    // What urgent messages add to it must not become the least.
    if (!this.#wait && now - this.#turned > PACE_REST) {
      this.#turned = now;
      this.#small = [0, this.#small[0]];
    }
    if (this.#small[0] === 0 || rtt < this.#small[0]) this.#small[0] = rtt;
  }

  /**
   * Returns the most that the round trip of a packet with a ping of a kind can be where there is no queue:
   * the first of them may have met one.
   * @param {number} kind
   */
  #allowed(kind) {
    const small = this.#leastSmall();
    if (small === 0) return MAX_SAMPLE;
    const size = Math.min(kind * PING_STEP, MAX_MESSAGE) + this.#overhead;
    return small + (size / this.#path) * 1000;
  }

  /** Returns the least round trip of packets that carried no ping for pacing; 0 if there was none. */
  #leastSmall() {
    const [last, before] = this.#small;
    return last === 0 || (before > 0 && before < last) ? before : last;
  }

  /**
   * Takes the round trip of a ping of a kind from 1 up.
   * @param {number} now @param {number} kind @param {number} rtt
   */
  #sample(now, kind, rtt) {
    const least = Math.min(this.least[kind - 1] || this.#allowed(kind), rtt);
    this.least[kind - 1] = least;
    const over = rtt - least;
    this.#sampled = now;
    this.#recent[this.#next] = { at: now, over };
    this.#next = (this.#next + 1) % RECENT;
    const sent = now - rtt;
    const delay = this.#delay(now);
    if (delay > this.#queue) {
      if (sent >= this.fell) { // else it tells of a rate that is no more
        this.#fall(now, delay);
      }
    } else if (over <= this.#queue / 2) {
      this.#grow(now, sent);
    }
  }

  /**
   * Takes the acknowledgement of a message first sent at a time: the round trip was that at most.
   * @param {number} now @param {number} kind @param {number} sent
   */
  acked(now, kind, sent) {
    const least = this.least[kind - 1] || this.#allowed(kind);
    if (least < MAX_SAMPLE && now - sent <= least + this.#queue / 2) this.#grow(now, sent);
  }

  /** Returns by how much the round trip was above its least at least, recently. @param {number} now */
  #delay(now) {
    let delay = MAX_SAMPLE;
    for (const recent of this.#recent) {
      if (now - recent.at <= PACE_RECENT) delay = Math.min(delay, recent.over);
    }
    return delay;
  }

  /** Lowers the rate because of a queue that takes so long. @param {number} now @param {number} delay */
  #fall(now, delay) {
    const factor = this.fell === -Infinity || delay > 2 * this.#queue ? PACE_FIRST : PACE_FALL;
    this.rate = Math.max(PACE_LEAST, this.rate * factor);
    this.#grown = now;
    this.fell = now;
    this.#learned = true;
  }

  /**
   * Raises the rate because what was sent at a time met no queue: by as many steps as fit into the time since
   * the rate was set, so that it does not depend on how many samples get lost.
   * @param {number} now @param {number} sent
   */
  #grow(now, sent) {
    const steps = Math.floor((now - this.#grown) / Math.max(PACE_STEP, now - sent));
    if (!this.#wait || sent < this.#grown || steps === 0) return;
    const factor = this.fell === -Infinity ? PACE_FAST : PACE_SLOW;
    this.rate = Math.min(PACE_MOST, this.rate * factor ** Math.min(steps, PACE_STEPS));
    this.#grown = now;
    this.#learned = true;
  }
}
