/** Rates of what a session sends and receives, from counts that its ticks look at. It is pure. */

const METER_EVERY = 500; // ms between the looks of a meter, at least
const METER_REST = 1000; // after so long without media its rate is measured anew
const METER_FIRST = 200; // for so long nothing is known of it then

import { RecentLoss } from './session-loss.js';

/** @typedef {{at: number, bytes: number}} Look the count at a time */
/** @typedef {import('./session-reports-out.js').ReceiveStats} ReceiveStats */

/** Tells the rate of about the last second, or since it began after a rest. */
export class Meter {
  /** @type {Look | null} */ #before = null;
  /** @type {Look | null} */ #last = null;
  /** When there was a first byte after a rest. @type {Look | null} */ #began = null;
  /** When the count last changed. @type {Look} */ #moved = { at: -Infinity, bytes: 0 };

  /** Notes the count now. @param {number} bytes @param {number} at */
  sample(bytes, at) {
    const now = { at, bytes };
    if (!this.#last || at - this.#last.at >= METER_EVERY) {
      this.#before = this.#last;
      this.#last = now;
    }
    if (bytes === this.#moved.bytes) return;
    if (at - this.#moved.at > METER_REST) this.#began = now;
    this.#moved = now;
  }

  /** Returns bytes a second; 0 in the first moments. @param {number} bytes @param {number} now */
  rate(bytes, now) {
    let from = this.#before ?? this.#last;
    if (this.#began && from && this.#began.at > from.at) { // what was before would make it too low
      from = this.#began;
      if (now - from.at < METER_FIRST) return 0;
    }
    return from && now > from.at ? (bytes - from.bytes) / ((now - from.at) / 1000) : 0;
  }
}

const LOSS_EVERY = 200; // ms over which the share of lost packets is taken, at least,
const LOSS_LEAST = 10; // and packets, but
const LOSS_LONG = 1000; // ms are enough

/** Tells the share of packets lost on the way here, of what the window and the count of packets say. */
export class LossMeter {
  /** What of the newest packets got lost. */
  recent = new RecentLoss();

  #at = -Infinity;
  #next = 0;
  #received = 0;

  /**
   * What comes from now on goes another way: what was measured says nothing of it.
   * @param {number} next as for sample @param {number} received @param {number} now
   */
  reset(next, received, now) {
    this.recent.reset();
    this.#at = now;
    this.#next = next;
    this.#received = received;
  }

  /**
   * Notes one above the highest counter received, and how many packets came.
   * @param {number} next @param {number} received @param {number} now
   */
  sample(next, received, now) {
    const expected = next - this.#next;
    const enough = expected >= LOSS_LEAST && now - this.#at >= LOSS_EVERY;
    if (!enough && (expected === 0 || now - this.#at < LOSS_LONG)) return;
    this.recent.add(expected, expected - (received - this.#received), now);
    this.#at = now;
    this.#next = next;
    this.#received = received;
  }
}

/** How much a session sends and receives, of what its ticks see. */
export class Traffic {
  #sent = 0; // bytes with headers
  #media = 0; // of them in packets with media
  #up = new Meter();
  #down = new Meter();
  #mediaUp = new Meter();
  #loss = new LossMeter();

  /** Counts a packet that is sent, with headers. @param {number} bytes @param {boolean} media */
  sent(bytes, media) {
    this.#sent += bytes;
    if (media) this.#media += bytes;
  }

  /** Samples them. @param {ReceiveStats} recv @param {number} now */
  sample(recv, now) {
    this.#up.sample(this.#sent, now);
    this.#down.sample(recv.bytes, now);
    this.#loss.sample(recv.window.next, recv.received, now);
    this.#mediaUp.sample(this.#media, now);
  }

  /** Samples what was lost on the way here. @param {ReceiveStats} recv @param {number} now */
  heard(recv, now) {
    this.#loss.sample(recv.window.next, recv.received, now);
  }

  /**
   * The packets from counter next on come another way.
   * @param {ReceiveStats} recv @param {number} next @param {number} now
   */
  moved(recv, next, now) {
    this.#loss.reset(next, recv.received, now);
  }

  /** What of the newest packets got lost on the way here. */
  get lost() {
    return this.#loss.recent;
  }

  /** Returns bytes a second of media sent lately. @param {number} now */
  media(now) {
    this.#mediaUp.sample(this.#media, now);
    return this.#mediaUp.rate(this.#media, now);
  }

  /**
   * Returns bits a second.
   * @param {ReceiveStats} recv @param {number} now
   */
  rates(recv, now) {
    return {
      bitrateUp: 8 * this.#up.rate(this.#sent, now),
      bitrateDown: 8 * this.#down.rate(recv.bytes, now),
    };
  }
}
