/**
 * Has packets decoded ahead of the time at which they sound, for the decoder answers later. Requests are made
 * in the order of the stream, each is answered once, in the same order.
 *
 *     Buffer --take--> [ asked | asked | ready | ready ] --> Playout
 *                         |        ^
 *                       decode   decoded
 *
 * A packet whose predecessor was asked for is asked for at once, up to a bound. One after a hole waits for
 * what is missing until there is just time left to decode it: then the hole is given up, and the decoder is
 * asked to conceal it first.
 */

import { lostMedia } from './gap.js';
import { clamp, MS, SECOND } from './units.js';
import { QuantileWindow } from './window.js';

const MAX_AHEAD = 240 * MS; // media that was asked for and is not played
const MAX_ITEMS = 40; // packets, markers included
const MAX_PENDING = 64; // answers that are missing: a decoder that gives none is left alone
const MAX_CONCEAL = 3; // frames that a decoder conceals in a row; what follows has faded
const GIVE_UP = SECOND / 2; // a request without an answer has failed
const LATENCIES = 250; // answers that the lead is made of
const LEAST_LEAD = 2 * MS;
const MOST_LEAD = 80 * MS;
const DOWN = 250; // answers in which the lead comes down by two thirds of what is too much
const START_LEAD = 3 * MS; // until answers have come; a browser takes half a millisecond

/**
 * Samples until a media time is needed, next being the packet after it.
 * @typedef {(media: number, next: import('./buffer.js').Slot) => number} Need
 */

/** A packet on its way through the decoder. */
export class Item {
  /** @type {Float32Array | null} */ pcm = null;
  /** @type {Float32Array[]} what the decoder made up for the frames lost before this one */ before = [];
  done = false; // answered, or needs no answer
  askedAt = 0;

  /** @param {import('./buffer.js').Slot} slot */
  constructor(slot) {
    this.slot = slot;
  }
}

export class Ahead {
  /** Requests that were not answered in time. */
  unanswered = 0;
  /** How much earlier than they sound packets must be there, for the decoder's sake, samples. */
  lead = START_LEAD;

  #buffer;
  #decode;
  /** @type {Item[]} */ #queue = [];
  #samples = 0; // in the queue
  /** @type {{item: Item, conceal: boolean, at: number}[]} */ #pending = [];
  #latencies = new QuantileWindow(LATENCIES);
  #frame = 0; // length of the last frame that was asked for
  #end = 0; // its end
  #feeding = false;
  #started = false; // something was asked for: before, nobody knows which packet is the first
  /** When the first answer came, samples: before, the decoder was starting. */ #answered = Infinity;

  /**
   * @param {import('./buffer.js').Buffer} buffer
   * @param {(payload: Uint8Array | null) => void} decode null: conceal one frame
   */
  constructor(buffer, decode) {
    this.#buffer = buffer;
    this.#decode = decode;
  }

  /** Samples in the packets that were asked for and not played. */
  get samples() {
    return this.#samples;
  }

  /** The oldest packet, whether decoded or not. */
  get oldest() {
    return this.#queue[0];
  }

  /**
   * The next packet that is to be played; undefined while it is not there, or not decoded.
   * @param {number} now samples
   */
  front(now) {
    const item = this.#queue[0];
    if (!item || item.done) return item;
    if (now - item.askedAt <= GIVE_UP) return undefined;
    item.done = true;
    this.unanswered++;
    return item;
  }

  /** Takes the front away. */
  pop() {
    const item = this.#queue.shift();
    if (item) this.#samples -= item.slot.length;
  }

  /**
   * Asks for what is to be asked for now.
   * @param {number} now @param {number} horizon samples until the next call, if no packet comes
   * @param {Need} until
   */
  feed(now, horizon, until) {
    if (this.#feeding) return; // a decoder that answers at once
    this.#feeding = true;
    for (;;) {
      const next = this.#buffer.front;
      if (!next || !this.#ripe(next, horizon, until)) break;
      this.#ask(now);
    }
    this.#feeding = false;
  }

  /** @param {import('./buffer.js').Slot} next @param {number} horizon @param {Need} until */
  #ripe(next, horizon, until) {
    if (this.#queue.length >= MAX_ITEMS) return false;
    if (this.#queue.length > 0 && this.#samples + next.length > MAX_AHEAD) return false;
    if (next.fresh ? this.#started : next.skip || this.#buffer.missing(next) === 0) return true;
    return until(this.#started ? Math.min(this.#end, next.media) : next.media, next) < this.lead + horizon;
  }

  /** @param {number} now */
  #ask(now) {
    this.#started = true;
    const slot = this.#buffer.shift();
    const item = new Item(slot);
    item.askedAt = now;
    this.#queue.push(item);
    this.#samples += slot.length;
    if (slot.silence) {
      item.done = true;
      this.#end = slot.media;
      return;
    }
    if (!slot.fresh && !slot.skip && slot.missing > 0) this.#conceal(item, now);
    this.#frame = slot.length;
    this.#end = slot.media + slot.length;
    this.#request(item, slot.payload, now);
  }

  /** @param {Item} item @param {number} now */
  #conceal(item, now) {
    const lost = lostMedia(item.slot.media - this.#end, item.slot.missing, this.#frame);
    const frames = Math.min(MAX_CONCEAL, this.#frame > 0 ? Math.floor(lost / this.#frame) : 0);
    for (let i = 0; i < frames; i++) this.#request(item, null, now);
  }

  /** @param {Item} item @param {Uint8Array | null} payload @param {number} now */
  #request(item, payload, now) {
    if (this.#pending.length >= MAX_PENDING) {
      item.done = true;
      if (payload) this.unanswered++;
      return;
    }
    this.#pending.push({ item, conceal: payload === null, at: now });
    this.#decode(payload);
  }

  /**
   * Takes the answer to the oldest request.
   * @param {Float32Array | null} pcm null: the decoder could not @param {number} now
   */
  decoded(pcm, now) {
    const request = this.#pending.shift();
    if (!request) return;
    const { item, conceal, at } = request;
    if (conceal) {
      if (pcm) item.before.push(pcm);
      return;
    }
    item.pcm = pcm;
    item.done = true;
    item.slot.payload = NOTHING;
    this.#answered = Math.min(this.#answered, now);
    if (at < this.#answered) return; // that it took to start says nothing of later ones
    this.#latencies.add(Math.max(0, now - at));
    const wanted = clamp(this.#latencies.high(50, 50, 0) + MS, LEAST_LEAD, MOST_LEAD);
    const start = this.#latencies.count < 50 ? START_LEAD : 0;
    // Up at once; down slowly, or the play-out would chase every change.
    const down = Math.max(1, (this.lead - wanted) / DOWN);
    this.lead = Math.max(wanted, start, this.lead - down);
  }
}

const NOTHING = new Uint8Array(0);
