/**
 * What the peer's aliases stand for (docs/protocol.md, section 4.1). It is pure.
 *
 * @module
 */

import { decodeCounter } from '../wire/frame.js';

const ACK_EVERY = 50; // ms that bound how often one alias is acknowledged

/** @typedef {import('../wire/frame.js').Media} Media */

/**
 * What a handler gives for a stream of the peer. next is one above the highest CTR seen: the handler raises it for
 * frames that it trusts, so that the low bits of later ones are understood.
 * @typedef {{next: number}} Bound
 */

/** The aliases of one direction; there are at most 4096. */
export class Aliases {
  /** @type {Map<number, {kid: bigint, bound: Bound, acked: number}>} */
  #table = new Map();

  /**
   * Tells which frame of which stream came; null: the alias is not known, or bind refused the stream.
   * @param {Media} m
   * @param {(kid: bigint) => Bound | null | undefined} bind is asked about streams that are new
   * @param {number} now
   * @returns {{kid: bigint, ctr: number, bound: Bound, ack: boolean} | null} ack: the peer is to be told that we know
   */
  resolve(m, bind, now) {
    let entry = this.#table.get(m.alias);
    if (!m.long) {
      const ctr = entry ? decodeCounter(m.ctr, 16, entry.bound.next) : 0;
      return entry ? { kid: entry.kid, ctr, bound: entry.bound, ack: false } : null;
    }
    const kid = /** @type {bigint} */ (m.kid);
    if (entry?.kid !== kid) {
      const bound = bind(kid);
      if (!bound) {
        return null;
      }
      entry = { kid, bound, acked: -Infinity };
      this.#table.set(m.alias, entry);
    }
    const ack = now - entry.acked >= ACK_EVERY;
    if (ack) {
      entry.acked = now;
    }
    return { kid, ctr: m.ctr, bound: entry.bound, ack };
  }
}
