/**
 * What one member says on one stream, through all its keys: decrypted packets, each once, become sound.
 *
 *     packet --> Player (web/jitter) <--> decoder
 *                   '--> read, by the mixer
 *
 *     frame that opens --> heard --sound--> live --silent, or member left--> heard --sound--> live ...
 *
 * Live is a jitter buffer and a decoder. What is kept of them through a silence is what makes the next word
 * sound as if they were the same: the delay that was learned, and the last packets.
 */

import { Player } from '../jitter/player.js';

const MIN_DELAY = 15; // ms that the jitter buffer adds at least: everybody is scheduled late now and then
const TAIL = 3000; // ms for which a stream still sounds after its member has left
const RELEASE_AFTER = TAIL + 2000; // ms after which its memory is freed
/**
 * ms for which a stream is silent before its decoder is given up: longer than any sound waits to be played.
 */
const REST_AFTER = 5000;
/**
 * Packets of before a silence that a decoder is made ready with: what follows sounds as if it had been there.
 */
const PRIME = 8;
const MAX_PRIME = 512; // bytes of each: 64 kbit/s for 60 ms
const MAX_MISSING = 4096; // counters between two packets; what is further apart is of another count

const NOTHING = new Float32Array(0);

/** @typedef {import('../jitter/buffer.js').Packet} Packet */
/** @typedef {{decode(packet: Uint8Array | null): void, close(): void}} StreamDecoder null: conceal */
/**
 * @typedef {(options: {onpcm: (pcm: Float32Array | null) => void}) => StreamDecoder} MakeDecoder it answers
 *   each call of decode once, in order
 */

export class Stream {
  /** @type {number | null} since when it is not to be played, ms; null: it is */ retiredAt = 0;
  /** When a packet with sound came last, ms. */
  sounded = -Infinity;

  #now;
  #makeDecoder;
  /** @type {Player | null} null: it is not live */ #player = null;
  /** @type {StreamDecoder | null} */ #decoder = null;
  #broken = false; // there is no decoder
  #delay = 0; // that the last player learned, ms
  #next = 0; // one above the highest counter; 0: none came
  /** @type {Uint8Array[]} with sound, the oldest first */ #last = [];
  /**
   * @type {Record<string, number>} the counters of players before the present one, and of what came without
   */
  #past = {};

  /**
   * @param {string} owner member id @param {number} number
   * @param {{now: () => number, decoder: MakeDecoder}} hooks
   */
  constructor(owner, number, { now, decoder }) {
    this.owner = owner;
    this.number = number;
    this.#now = now;
    this.#makeDecoder = decoder;
  }

  /** Whether the stream sounds now. */
  get active() {
    return this.#player?.active ?? false;
  }

  /** Whether it is live, and so something to read. */
  get playing() {
    return this.#player !== null;
  }

  /**
   * Takes a packet.
   * @param {Packet} packet @param {number} at when it came
   * @param {() => boolean} place whether the stream may become live
   */
  put(packet, at, place) {
    const { counter, payload } = packet;
    if (!this.#player && payload && !this.#broken && place()) this.#begin(counter);
    if (payload) {
      this.sounded = this.#now();
      this.#keep(payload);
    }
    if (this.#player) {
      this.#next = Math.max(this.#next, counter + 1);
      this.#player.put(packet, at);
      return;
    }
    this.#count({ received: 1, unheard: payload ? 1 : 0 });
    this.#missed(counter);
  }

  /** @param {Uint8Array} payload */
  #keep(payload) {
    if (payload.length > MAX_PRIME) return;
    this.#last.push(payload.slice());
    if (this.#last.length > PRIME) this.#last.shift();
  }

  /** Makes the decoder, and what goes with it, with the first packet that sounds. @param {number} counter */
  #begin(counter) {
    let priming = this.#last.length; // what is made of those was heard before
    const player = new Player({
      minDelay: MIN_DELAY, startDelay: this.#delay, decode: (packet) => decoder.decode(packet),
    });
    this.#broken = true; // if this throws
    const decoder = this.#makeDecoder({ onpcm: (pcm) => {
      if (priming > 0) priming--;
      else player.decoded(pcm, this.#now());
    } });
    this.#broken = false;
    for (const packet of this.#last) decoder.decode(packet);
    player.read(NOTHING, this.#now()); // its clock: what was held is of the past
    this.#decoder = decoder;
    this.#player = player;
    this.#missed(counter);
  }

  /**
   * Counts what is missing between a packet and those before it, while no player does.
   * @param {number} counter
   */
  #missed(counter) {
    const missing = counter - this.#next;
    if (this.#next > 0) {
      if (missing >= 0 && missing <= MAX_MISSING) this.#count({ lost: missing });
      else if (missing < 0 && this.#past.lost > 0) this.#past.lost--;
    }
    this.#next = Math.max(this.#next, counter + 1);
  }

  /** @param {Record<string, number>} more */
  #count(more) {
    this.#past = sum(this.#past, more);
  }

  /**
   * Fills pcm with what is to be heard next.
   * @param {Float32Array} pcm any number of samples @param {number} now
   */
  read(pcm, now) {
    if (this.#player && !(this.retiredAt !== null && now - this.retiredAt > TAIL)) {
      this.#player.read(pcm, now);
    }
    else pcm.fill(0);
  }

  /** @returns {Record<string, number>} the player's counters, and our own */
  stats() {
    return sum(this.#past, this.#player ? { ...this.#player.stats() } : {});
  }

  /**
   * Frees what it needs to be heard, if it is silent or was played to the end.
   * @param {number} now @returns {boolean} whether that is done
   */
  rest(now) {
    if (
      now - this.sounded > REST_AFTER || (this.retiredAt !== null && now - this.retiredAt > RELEASE_AFTER)
    ) {
      this.release();
    }
    return !this.playing;
  }

  /** Frees it at once. */
  release() {
    if (!this.#player) return;
    this.#past = counters(this.stats());
    this.#delay = this.#player.learned;
    this.#decoder?.close();
    this.#player = this.#decoder = null;
  }
}

/** What of the statistics outlives a player: its delays do not. @param {Record<string, number>} stats */
export function counters(stats) {
  return Object.fromEntries(Object.entries(stats).filter(([name]) => !name.endsWith('Ms')));
}

/**
 * Adds up counters. Of delays, whose names end with Ms, the greater counts.
 * @param {Record<string, number>} a @param {Record<string, number>} b @returns {Record<string, number>}
 */
export function sum(a, b) {
  const all = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const before = all[name] ?? 0;
    all[name] = name.endsWith('Ms') ? Math.max(before, value) : before + value;
  }
  return all;
}
