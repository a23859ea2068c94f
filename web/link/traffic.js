/** How much a session sends and receives, of what its ticks see. It is pure. */

import { LossMeter, Meter } from './meter.js';

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

  /** Looks at the counts. @param {import('./receive-stats.js').ReceiveStats} recv @param {number} now */
  sample(recv, now) {
    this.#up.sample(this.#sent, now);
    this.#down.sample(recv.bytes, now);
    this.#loss.sample(recv.window.next, recv.received, now);
    this.#mediaUp.sample(this.#media, now);
  }

  /** Returns bytes a second of media sent lately. @param {number} now */
  media(now) {
    this.#mediaUp.sample(this.#media, now);
    return this.#mediaUp.rate(this.#media, now);
  }

  /**
   * Returns bits a second, and the share of packets lost on the way here.
   * @param {import('./receive-stats.js').ReceiveStats} recv @param {number} now
   */
  rates(recv, now) {
    return {
      bitrateUp: 8 * this.#up.rate(this.#sent, now),
      bitrateDown: 8 * this.#down.rate(recv.bytes, now),
      lossDown: this.#loss.loss,
    };
  }
}
