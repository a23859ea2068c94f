/**
 * What arrived of one direction of a session, and the reports of it (docs/protocol.md, section 4.3). Pure.
 *
 *     packet(counter, size, now) ──> window, losses, bursts ──> due(now)? ──> report(now) ──> the relay
 */

import { ReplayWindow } from '../wire/replay.js';

const WINDOW_SIZE = 4096; // counters below the highest that are told apart
const REPORT_EVERY = 1000; // ms
const REPORT_OFTEN = 300; // while more than REPORT_LOSSY of the packets is lost
const REPORT_LOSSY = 0.1;
const REPORT_JUDGE = 16; // packets since the last report that are enough to see that
const REPORT_SHARE = 0.045; // of the bytes received a second: with acks and pongs it is to stay below 0.05
const REPORT_BODY = 28; // bytes of a report, about
const REPORT_SAMPLES = 4; // more of them tell the sender little more
const JUDGE_AFTER = 64; // a missing counter this far below the highest is lost: reordering is over

/** How long a report that is due waits for a packet to follow, in ms. */
export const REPORT_SLACK = 100;

/** @typedef {import('../wire/report.js').Report} Report */

export class ReceiveStats {
  window = new ReplayWindow(WINDOW_SIZE);
  /** Packets, replays not counted. */
  received = 0;
  /** Bytes, with headers. */
  bytes = 0;
  /** Packets that did not come and are not waited for any more. */
  lost = 0;
  /** @type {number[]} */ bursts = [0, 0, 0, 0, 0, 0];
  /** Something came since the last report that wants one. */
  eliciting = false;
  /** ms between reports. */
  interval = 0;

  #judged = 0; // counters below are counted, as received or lost
  #run = 0; // length of the burst of loss that ends at #judged
  /** @type {{counter: number, at: number}[]} */ #recent = []; // newest last, counters rising
  #reported = -Infinity;
  #last = { bytes: 0, next: 0, received: 0 }; // at the last report
  #reportSize;

  /** @param {number} overhead bytes of headers that a packet costs beside its frames */
  constructor(overhead) {
    this.#reportSize = overhead + REPORT_BODY;
  }

  /**
   * Notes a fresh packet of size bytes.
   * @param {number} counter @param {number} size @param {number} now
   * @returns {boolean} its counter is the highest so far
   */
  packet(counter, size, now) {
    const newest = counter >= this.window.next;
    const gap = counter > this.window.next;
    this.#judge(counter - JUDGE_AFTER);
    this.window.accept(counter);
    this.received++;
    this.bytes += size;
    if (newest) {
      if (this.#recent.length > REPORT_SAMPLES) this.#recent.shift();
      this.#recent.push({ counter, at: now });
    }
    if (gap) this.#hasten(now);
    return newest;
  }

  /**
   * Counts the counters below end as received or lost. Every packet calls it before it moves the window, so
   * what is judged one by one is always still inside.
   * @param {number} end
   */
  #judge(end) {
    for (; this.#judged < end && this.#judged < this.window.next; this.#judged++) {
      if (this.window.judge(this.#judged) === 'replayed') {
        this.#endBurst();
      } else {
        this.#run++;
        this.lost++;
      }
    }
    if (this.#judged < end) { // nothing at all came of these
      this.#run += end - this.#judged;
      this.lost += end - this.#judged;
      this.#judged = end;
    }
  }

  #endBurst() {
    if (this.#run > 0) {
      this.bursts[burstClass(this.#run)]++;
      this.#run = 0;
    }
  }

  /**
   * Tells whether it is time for a report, or was time slack ago.
   * @param {number} now @param {number} slack
   */
  due(now, slack) {
    return (
      this.eliciting && this.received > 0
      && now - this.#reported >= Math.max(this.interval, REPORT_OFTEN) + slack
    );
  }

  /** When the next report may be due. */
  get dueAt() {
    return this.#reported + Math.max(this.interval, REPORT_OFTEN);
  }

  /** Returns the report of now, and decides when the next one may follow. @param {number} now */
  report(now) {
    const highest = this.window.next - 1;
    const samples = [];
    let prev = this.#recent[this.#recent.length - 1];
    const age = prev ? Math.max(0, now - prev.at) : 0;
    for (let i = this.#recent.length - 2; i >= 0 && samples.length < REPORT_SAMPLES; i--) {
      const a = this.#recent[i];
      samples.push({ counterBack: prev.counter - a.counter, arrivalBack: Math.max(0, prev.at - a.at) });
      prev = a;
    }
    this.#schedule(highest, now);
    return {
      highest,
      received: this.received,
      lost: this.lost % 65536,
      bursts: this.bursts.map((n) => n % 256),
      age,
      samples,
    };
  }

  /** Makes the next report come sooner if the path became lossy since the last one. @param {number} now */
  #hasten(now) {
    if (this.interval !== REPORT_EVERY || this.window.next - this.#last.next < REPORT_JUDGE) return;
    this.interval = this.#interval(now);
  }

  /**
   * Returns the time from one report to the next: short while the path is lossy, but within its share of what
   * arrives.
   * @param {number} now
   */
  #interval(now) {
    const expected = this.window.next - this.#last.next;
    const got = this.received - this.#last.received;
    const rate = (this.bytes - this.#last.bytes) / Math.max((now - this.#reported) / 1000, 0.001);
    if (expected === 0 || got >= (1 - REPORT_LOSSY) * expected || rate <= 0) return REPORT_EVERY;
    const share = (this.#reportSize / (REPORT_SHARE * rate)) * 1000;
    return Math.min(Math.max(share, REPORT_OFTEN), REPORT_EVERY);
  }

  /**
   * Sets the time to the next report.
   * @param {number} highest @param {number} now
   */
  #schedule(highest, now) {
    this.interval = this.#interval(now);
    this.#last = { bytes: this.bytes, next: highest + 1, received: this.received };
    this.#reported = now;
    this.eliciting = false;
  }
}

/** @param {number} run */
function burstClass(run) {
  return run <= 2 ? run - 1 : run <= 4 ? 2 : run <= 8 ? 3 : run <= 16 ? 4 : 5;
}
