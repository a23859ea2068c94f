/** What the relay's reports say of the packets that were sent to it (docs/protocol.md, section 4.3). Pure. */

import { RecentLoss } from './session-loss.js';

/** @typedef {import('../wire/report.js').Report} Report */

/** How many of the newest packets a sender knows the sending time of. */
export const SENT_RING = 256;

/** Bounds what one sample of a relay may claim, in ms. */
export const MAX_SAMPLE = 60_000;

/** Remembers when the newest packets were sent. */
export class SentTimes {
  #counters = new Float64Array(SENT_RING).fill(-1);
  #times = new Float64Array(SENT_RING);

  /** @param {number} counter @param {number} at */
  put(counter, at) {
    this.#counters[counter % SENT_RING] = counter;
    this.#times[counter % SENT_RING] = at;
  }

  /** Returns when counter was sent, or null if that is not known any more. @param {number} counter */
  at(counter) {
    return counter >= 0 && this.#counters[counter % SENT_RING] === counter
      ? this.#times[counter % SENT_RING]
      : null;
  }
}

export class SendStats {
  /** ms, smoothed as in RFC 6298; 0: not measured yet. */
  rtt = 0;
  /** How much round trips differ, in ms: RTTVAR of RFC 6298. */
  spread = 0;
  /** Interarrival jitter, RFC 3550, section 6.4.1, in ms. */
  jitter = 0;
  /** What of the newest packets got lost. */
  recent = new RecentLoss();
  /** Packets lost for good, since the session began. */
  residual = 0;
  /** @type {number[]} bursts of loss: of 1, 2, 3-4, 5-8, 9-16, 17 or more packets */
  bursts = [0, 0, 0, 0, 0, 0];
  /** The newest round trip in ms; 0: the last report told none. */
  sample = 0;
  /** When the packet of `sample` was sent. */
  sampled = 0;

  /** @type {Report | null} */ #last = null;
  #from = 0; // the first counter that went the present way

  /** The packets from next on go another way: what was measured says nothing of it. @param {number} next */
  reset(next) {
    this.rtt = this.spread = this.jitter = this.sample = 0;
    this.resetLoss(next);
  }

  /** What became of the packets before next says nothing of those that follow. @param {number} next */
  resetLoss(next) {
    this.recent.reset();
    this.#from = next;
  }

  /** One above the highest counter that was reported. */
  get acked() {
    return this.#last ? this.#last.highest + 1 : 0;
  }

  /**
   * Takes a report that came now. Old ones, and what claims counters from next up, are ignored.
   * @param {Report} p @param {number} next @param {SentTimes} sent @param {number} now
   * @returns {boolean} packets arrive over there
   */
  report(p, next, sent, now) {
    const last = this.#last;
    if (p.highest >= next || p.received > p.highest + 1) return false;
    if (last && (p.highest < last.highest || p.received < last.received)) {
      return false; // overtaken by a newer one
    }
    this.sample = 0;
    const progress = !last || p.received > last.received;
    if (!last || p.highest > last.highest) {
      const at = sent.at(p.highest);
      if (at !== null) {
        this.roundTrip(now - at - p.age);
        this.sampled = at;
      }
      this.#jitter(p, sent);
    }
    this.#loss(p, now);
    this.#last = p;
    return progress;
  }

  /** Takes a round trip in ms. @param {number} sample */
  roundTrip(sample) {
    if (!(sample > 0 && sample <= MAX_SAMPLE)) return;
    this.sample = sample;
    if (this.rtt === 0) {
      this.rtt = sample;
      this.spread = sample / 2;
    } else {
      this.spread += (Math.abs(sample - this.rtt) - this.spread) / 4;
      this.rtt += (sample - this.rtt) / 8;
    }
  }

  /**
   * Compares the spacing of arrivals with that of sendings, going back from the newest.
   * @param {Report} p @param {SentTimes} sent
   */
  #jitter(p, sent) {
    let counter = p.highest;
    let later = sent.at(counter);
    for (const sample of p.samples) {
      counter -= sample.counterBack;
      const earlier = sent.at(counter);
      if (later !== null && earlier !== null) {
        const d = Math.min(Math.abs(later - earlier - sample.arrivalBack), MAX_SAMPLE);
        this.jitter += (d - this.jitter) / 16;
      }
      later = earlier;
    }
  }

  /** @param {Report} p @param {number} now */
  #loss(p, now) {
    const last = this.#last;
    let expected = p.highest + 1;
    let got = p.received;
    if (last) {
      expected = p.highest - last.highest;
      got = p.received - last.received;
      this.residual += (p.lost - last.lost + 65536) % 65536;
      p.bursts.forEach((n, i) => {
        this.bursts[i] += (n - last.bursts[i] + 256) % 256;
      });
    }
    const known = last && last.highest >= this.#from;
    if (!known) expected = Math.max(0, p.highest + 1 - this.#from); // of what went before nothing is told
    if (expected > 0) this.recent.add(expected, expected - got, now);
  }
}
