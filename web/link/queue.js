/**
 * The queue of packets in front of a carrier: bounded, it drops the oldest, and media that waited too long
 * (docs/protocol.md, section 8, "Queues"). Urgent messages, reports, acknowledgements and pings are never
 * dropped before media. It is pure.
 */

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/** How many packets may wait. */
export const QUEUE_LIMIT = 64;

export class PacketQueue {
  /** Packets that were not sent. */
  dropped = 0;

  /** @type {{packet: Bytes, media: boolean, at: number}[]} */ #waiting = []; // the oldest first
  #maxAge;

  /** @param {number} maxAge ms that media may wait */
  constructor(maxAge) {
    this.#maxAge = maxAge;
  }

  /** How many packets wait. */
  get size() {
    return this.#waiting.length;
  }

  /**
   * Adds a packet. Where there is no room, the oldest media gives way, or the oldest.
   * @param {Bytes} packet @param {boolean} media @param {number} now
   */
  push(packet, media, now) {
    if (this.#waiting.length >= QUEUE_LIMIT) {
      const oldest = Math.max(0, this.#waiting.findIndex((w) => w.media));
      this.#waiting.splice(oldest, 1);
      this.dropped++;
    }
    this.#waiting.push({ packet, media, at: now });
  }

  /** Takes the next packet that is worth sending; null if there is none. @param {number} now */
  shift(now) {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      if (!next.media || now - next.at < this.#maxAge) return next.packet;
      this.dropped++;
    }
    return null;
  }

  /** Returns for how long the oldest packet has waited. @param {number} now */
  waited(now) {
    return this.#waiting.length > 0 ? now - this.#waiting[0].at : 0;
  }

  /** Forgets all packets. */
  clear() {
    this.dropped += this.#waiting.length;
    this.#waiting = [];
  }
}
