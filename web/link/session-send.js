/**
 * The sending half of a session: the carrier in use, the counter of its packets, which aliases the relay
 * knows, and what became of what was sent (docs/protocol.md, sections 3 and 4). Session decides when.
 *
 *     frames ── transmit ──> counter || frames ──> carrier
 */

import { PACKET_HEADER, appendMedia, makePacket } from '../wire/frame.js';
import { OwnAliases } from './session-aliases.js';
import { SendStats, SentTimes } from './session-reports-in.js';
import { Traffic } from './session-meter.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Carrier} Carrier */

/** What a packet costs beside its frames: IPv4 20, UDP 8, QUIC's header 6, frame 3, tag 16, counter 4. */
export const PACKET_OVERHEAD = 57;

export class Sender {
  /** @type {Carrier | null} */ carrier = null;
  /** When `carrier` was installed. */
  since = 0;
  /** When media was sent last. */
  mediaAt = -Infinity;
  /** Packets sent: the counter of the next one. */
  packets = 0;
  aliases = new OwnAliases();
  stats = new SendStats();
  traffic = new Traffic();

  #times = new SentTimes();

  /**
   * Makes a carrier the one to send with.
   * @param {Carrier} carrier @param {number} now
   * @returns {boolean} it is of another kind than the one before: another path
   */
  install(carrier, now) {
    const other = this.carrier?.kind !== carrier.kind;
    this.carrier = carrier;
    this.since = now;
    this.stats.reset(this.packets);
    return other;
  }

  /**
   * Sends frames as one packet. Without a carrier it does nothing.
   * @param {number} now @param {boolean} media @param {...Bytes} frames
   */
  transmit(now, media, ...frames) {
    if (!this.carrier) return;
    const counter = this.packets++;
    this.#times.put(counter, now);
    const packet = makePacket(counter, ...frames);
    this.traffic.sent(packet.length + PACKET_OVERHEAD - PACKET_HEADER, media);
    this.carrier.sendPacket(packet, media);
  }

  /**
   * Sends a media frame, in its short form once the relay has acknowledged the alias.
   * @param {number} now @param {bigint} kid @param {number} ctr @param {Bytes} ciphertext
   * @param {...Bytes} before frames that are sent in front of it
   */
  media(now, kid, ctr, ciphertext, ...before) {
    const { alias, known } = this.aliases.of(kid);
    this.mediaAt = now;
    this.transmit(now, true, ...before, appendMedia({ alias, kid, ctr, ciphertext, long: !known }, true));
  }

  /**
   * Takes a report of the relay.
   * @param {import('../wire/report.js').Report} report @param {number} now
   * @returns {boolean} packets arrive over there
   */
  report(report, now) {
    return this.stats.report(report, this.packets, this.#times, now);
  }

  /** What is known about the path, for who asks whether it works. */
  get signs() {
    const { rtt, spread, recent } = this.stats;
    const loss = 1 - (1 - recent.share) * (1 - this.traffic.lost.share);
    return { rtt, spread, loss, mediaAt: this.mediaAt };
  }

  /** What is known about the path, for the pacer. @param {number} now */
  path(now) {
    return { media: this.traffic.media(now), rtt: this.stats.rtt, jitter: this.stats.jitter };
  }
}
