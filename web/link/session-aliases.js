/** What aliases stand for, those of the relay and ours (docs/protocol.md, section 4.1). It is pure. */

import { decodeCounter } from '../wire/frame.js';

const ACK_EVERY = 50; // ms that bound how often one alias is acknowledged

/** @typedef {import('../wire/frame.js').Media} Media */

/**
 * What a handler gives for a stream of the relay. next is one above the highest CTR seen: the handler raises
 * it for frames that it trusts, so that the low bits of later ones are understood.
 * @typedef {{next: number}} Bound
 */

/**
 * What an alias stands for, and the counters of packets that announced it: the one that came first, after
 * which short frames were sent, and the highest.
 * @typedef {{kid: bigint, bound: Bound, acked: number, first: number, newest: number}} Entry
 */

/**
 * The aliases of one direction; there are at most 4096. What they stand for is what the packet with the
 * highest counter says: one that was overtaken on its way changes nothing.
 */
export class Aliases {
  /** @type {Map<number, Entry>} */ #table = new Map();
  /** @type {Map<bigint, {bound: Bound, aliases: number}>} */ #streams = new Map();

  /** How many streams there are. */
  get streams() {
    return this.#streams.size;
  }

  /**
   * Tells which frame of which stream came; null: the alias is not known, or bind refused the stream.
   * @param {Media} m
   * @param {(kid: bigint) => Bound | null | undefined} bind is asked about streams that are new
   * @param {number} now @param {number} packet counter of the packet that the frame came in
   * @returns {{kid: bigint, ctr: number, bound: Bound, ack: boolean} | null} ack: tell the relay
   */
  resolve(m, bind, now, packet) {
    const entry = this.#table.get(m.alias);
    if (!m.long) {
      if (!entry || packet < entry.first) {
        return null; // in a packet from before that was announced it is another stream's
      }
      return {
        kid: entry.kid, ctr: decodeCounter(m.ctr, 16, entry.bound.next), bound: entry.bound, ack: false,
      };
    }
    const kid = /** @type {bigint} */ (m.kid);
    const late = entry !== undefined && packet < entry.newest;
    const bound = this.#streams.get(kid)?.bound ?? (late ? null : bind(kid));
    if (!bound) return null;
    const own = entry?.kid === kid || late ? entry : this.#bind(kid, m.alias, bound, packet);
    if (own?.kid !== kid) return { kid, ctr: m.ctr, bound, ack: false };
    own.newest = Math.max(own.newest, packet);
    const ack = now - own.acked >= ACK_EVERY;
    if (ack) own.acked = now;
    return { kid, ctr: m.ctr, bound, ack };
  }

  /**
   * Makes an alias stand for a key id.
   * @param {bigint} kid @param {number} alias @param {Bound} bound @param {number} packet @returns {Entry}
   */
  #bind(kid, alias, bound, packet) {
    const stream = this.#streams.get(kid) ?? { bound, aliases: 0 };
    this.#streams.set(kid, stream);
    stream.aliases++;
    this.#forget(this.#table.get(alias)?.kid);
    const entry = { kid, bound, acked: -Infinity, first: packet, newest: packet };
    this.#table.set(alias, entry);
    return entry;
  }

  /** @param {bigint | undefined} kid of which an alias is given to another; absent: of nobody */
  #forget(kid) {
    const stream = kid === undefined ? undefined : this.#streams.get(kid);
    if (stream && kid !== undefined && --stream.aliases === 0) this.#streams.delete(kid);
  }
}

/**
 * Aliases of ours that take no further byte. A key changes at most once a second, and media and views each
 * have a key id of it, so each alias rests for some 14 s.
 */
const SHORT_ALIASES = 28;

/** Gives each key id that we send an alias of its own: frames under way still carry the one before. */
export class OwnAliases {
  #next = 0;
  /** @type {(bigint | null)[]} by alias */ #kids = new Array(SHORT_ALIASES).fill(null);
  /** @type {Set<number>} those that the relay knows */ #known = new Set();

  /** The alias of a key id, and whether the relay knows what it stands for. @param {bigint} kid */
  of(kid) {
    let alias = this.#kids.indexOf(kid);
    if (alias < 0) {
      alias = this.#next = (this.#next + 1) % SHORT_ALIASES;
      this.#kids[alias] = kid;
      this.#known.delete(alias);
    }
    return { alias, known: this.#known.has(alias) };
  }

  /**
   * Notes that the relay knows an alias, if that still stands for the key id.
   * @param {number} alias @param {bigint} kid
   */
  acked(alias, kid) {
    if (this.#kids[alias] === kid) this.#known.add(alias);
  }
}
