/**
 * The packets of one stream that wait to be decoded: in order, on one time line, with loss told from
 * lateness, duplicates and restarts; and the delay estimate. It knows nothing of sound.
 */

import { Estimator } from './target-delay.js';
import { packetSamples } from './opus.js';
import { MAX_PAYLOAD, MS, NO_GAP, SECOND, toSamples, UNIT } from './units.js';

const RESET_AFTER = 30 * SECOND; // no packet for so long: the 16-bit timestamp says nothing any more
const BACK_FRAMES = 100; // media time further back than this many frames: the talker restarted
const PRE_ROLL = SECOND / 5; // a talkspurt may begin this much before the marker that it follows
const COUNTER_WINDOW = 4096; // a counter further away than this belongs to another count
const SEEN_WINDOW = 1024; // packets back to which duplicates are recognised
const FIRST_SEQ = 2 ** 20; // leaves room below for packets sent before the first to arrive
const LENGTHS = new Set([10 * MS, 20 * MS, 40 * MS, 60 * MS]);

/**
 * One packet of the stream, after decryption. `counter` counts the talker's packets, markers included,
 * without gaps; `timestamp` is the media time of the first sample in units of 2.5 ms, 16 bits; a packet has a
 * `payload`, or is a marker: `silence` from its timestamp on. `duration` (ms) is what the payload's framing
 * says when it is left out.
 *
 * @typedef {{counter: number, timestamp: number, payload?: Uint8Array | null, silence?: boolean, duration?:
 * number}}
 *   Packet
 */

/** A packet on the stream's time line. All times are samples. */
export class Slot {
  seq = 0; // position in the stream: the counter, unwrapped over restarts
  media = 0; // extended media time of the first sample
  length = 0; // samples; 0 in a marker
  arrival = 0;
  silence = false;
  fresh = false; // the first packet of another time line: the talker restarted
  skip = false; // packets before this one were dropped: join without filling the gap
  opening = false; // the first after a silence
  missing = 0; // packets before this one that had not come when it left for the decoder
  /** @type {Uint8Array} */ payload = EMPTY;
}

const EMPTY = new Uint8Array(0);

export class Buffer {
  /** The counters of arrival. */
  received = 0;
  invalid = 0;
  late = 0;
  duplicate = 0;
  dropped = 0;
  resets = 0;
  /** Interarrival jitter, samples (RFC 3550, section 6.4.1). */
  jitter = 0;
  /** Samples in all waiting packets. */
  held = 0;

  #maxHeld;
  #most;
  /** @type {Slot[]} by rising seq */ #list = [];
  #started = false;
  #first = 0; // least seq of the stream
  #newest = FIRST_SEQ; // greatest seq
  #counter = 0; // of the newest packet
  #timestamp = 0; // of the newest packet
  #media = 0; // of the newest packet
  #wasSilence = true; // the newest packet was a marker
  #length = 0; // of the last frame
  #end = 0; // end of the furthest frame: where a new time line begins
  #lastArrival = 0;
  #lastSeq = 0; // seq of the last packet that left; 0: none did
  #seen = new Uint8Array(SEEN_WINDOW);
  #expected = 0;
  #unique = 0;
  /** @type {number | null} x of the last frame */ #transit = null;

  /** @param {{minDelay: number, maxDelay: number, maxBuffer: number, startDelay?: number}} config ms */
  constructor({ minDelay, maxDelay, maxBuffer, startDelay = 0 }) {
    this.maxDelay = toSamples(maxDelay);
    this.#maxHeld = toSamples(maxBuffer);
    this.#most = Math.ceil(maxBuffer / 10) + 16; // room for the shortest frames, and for markers
    this.estimator = new Estimator(toSamples(minDelay), this.maxDelay, toSamples(startDelay));
  }

  /** Packets that never came, by their counters; markers included. */
  get lost() {
    return Math.max(0, this.#expected - this.#unique);
  }

  /** How many packets wait. */
  get size() {
    return this.#list.length;
  }

  /** Takes in one packet; the payload is copied. @param {Packet} packet @param {number} now samples */
  put(packet, now) {
    const slot = this.#slotOf(packet, now);
    if (!slot) {
      this.invalid++;
      return;
    }
    this.received++;
    this.#place(slot, packet, now);
    if (!this.#mark(slot.seq)) return;
    if (!slot.silence) this.#measure(slot, now);
    if (this.#lastSeq !== 0 && slot.seq <= this.#lastSeq) {
      this.countLate(slot);
      return;
    }
    this.#makeRoom(slot);
    this.#insert(slot);
  }

  /** Null for a packet that cannot be played at all. @param {Packet} packet @param {number} now */
  #slotOf({ counter, timestamp, payload, silence, duration }, now) {
    if (!Number.isSafeInteger(counter) || counter < 0 || !(timestamp >= 0 && timestamp <= 0xffff)) {
      return null;
    }
    const slot = new Slot();
    slot.arrival = now;
    if (silence) {
      slot.silence = true;
      return slot;
    }
    if (!payload || payload.length === 0 || payload.length > MAX_PAYLOAD) return null;
    slot.length = duration === undefined ? packetSamples(payload) : toSamples(duration);
    if (!LENGTHS.has(slot.length)) return null;
    slot.payload = payload.slice();
    this.#length = slot.length;
    return slot;
  }

  /**
   * Gives the packet its seq and extended media time; a new time line where its numbers cannot continue the
   * old.
   *
   *     no packet for 30 s, or media time ahead of the clock by more than the buffer, or back by more than
   *     100 frames (at least the greatest delay), or at all, but for a pre-roll, while the counter goes on
   *                               new time line: it begins where the old one ended
   *     counter far off, or older while the media time is newer
   *                               new count: the packet counts as the next one
   *
   * Anything else that is older came late.
   * @param {Slot} slot @param {Packet} packet @param {number} now
   */
  #place(slot, { counter, timestamp }, now) {
    const step = (((timestamp - this.#timestamp) << 16) >> 16) * UNIT;
    let count = counter - this.#counter;
    const restart = !this.#started || this.#restarted(step, count, now);
    const recount = Math.abs(count) > COUNTER_WINDOW
      || (count <= 0 && (restart || step >= Math.max(this.#length, 1)));
    if (!this.#started || recount) count = 1;
    slot.seq = this.#newest + count;
    slot.media = this.#media + step;
    slot.opening = this.#wasSilence || (count === 1 && step - this.#length >= NO_GAP);
    if (restart) this.#beginLine(slot);
    this.#lastArrival = now;
    if (!this.#started) {
      this.#started = true;
      this.#first = slot.seq;
    }
    if (slot.seq <= this.#newest) return;
    this.#counter = counter;
    this.#timestamp = timestamp;
    this.#media = slot.media;
    this.#wasSilence = slot.silence;
    this.#end = Math.max(this.#end, slot.media + slot.length);
  }

  /** @param {number} step @param {number} count @param {number} now */
  #restarted(step, count, now) {
    const elapsed = Math.max(0, now - this.#lastArrival);
    return elapsed > RESET_AFTER
      || step - this.#length < -Math.max(BACK_FRAMES * this.#length, this.maxDelay)
      || (step < -PRE_ROLL && count > 0)
      || step > elapsed + this.#maxHeld;
  }

  /** @param {Slot} slot the first of another time line */
  #beginLine(slot) {
    slot.media = this.#end + NO_GAP;
    slot.fresh = slot.opening = true;
    if (!this.#started) return;
    this.estimator.reset();
    this.#transit = null;
    this.resets++;
  }

  /**
   * Counts the packet as expected and received. False: a duplicate, or too old to tell.
   * @param {number} seq
   */
  #mark(seq) {
    if (seq > this.#newest) {
      for (let n = Math.max(this.#newest + 1, seq - SEEN_WINDOW + 1); n <= seq; n++) {
        this.#seen[n % SEEN_WINDOW] = 0;
      }
      this.#expected += seq - Math.max(this.#newest, this.#first - 1);
      this.#newest = seq;
    } else if (seq <= this.#newest - SEEN_WINDOW) {
      this.late++;
      return false;
    }
    if (this.#seen[seq % SEEN_WINDOW]) {
      this.duplicate++;
      return false;
    }
    this.#seen[seq % SEEN_WINDOW] = 1;
    if (seq < this.#first) {
      this.#expected += this.#first - seq;
      this.#first = seq;
    }
    this.#unique++;
    return true;
  }

  /**
   * Feeds the arrival of a frame to the delay estimate and to the interarrival jitter: J += (|D| - J) / 16.
   * @param {Slot} slot @param {number} now
   */
  #measure(slot, now) {
    this.estimator.observe(slot.media, slot.length, now, slot.opening);
    const x = now - slot.media;
    if (this.#transit !== null) this.jitter += (Math.abs(x - this.#transit) - this.jitter) / 16;
    this.#transit = x;
  }

  /** Drops the oldest packets until the slot fits. @param {Slot} slot */
  #makeRoom(slot) {
    while (
      this.#list.length >= this.#most || (this.#list.length > 0 && this.held + slot.length > this.#maxHeld)
    ) {
      if (!this.shift().silence) this.dropped++;
      (this.front ?? slot).skip = true;
    }
  }

  /** The search starts at the newest, where packets nearly always belong. @param {Slot} slot */
  #insert(slot) {
    let at = this.#list.length;
    while (at > 0 && this.#list[at - 1].seq > slot.seq) at--;
    this.#list.splice(at, 0, slot);
    this.held += slot.length;
  }

  /** The oldest packet; undefined when none waits. @returns {Slot | undefined} */
  get front() {
    return this.#list[0];
  }

  /** How many packets between the last one that left and the slot have not come. @param {Slot} slot */
  missing(slot) {
    return this.#lastSeq === 0 ? 0 : Math.max(0, slot.seq - this.#lastSeq - 1);
  }

  /** Hands the front packet over; what is older is late from now on. */
  shift() {
    const slot = /** @type {Slot} */ (this.#list.shift());
    slot.missing = this.missing(slot);
    this.#lastSeq = slot.seq;
    this.held -= slot.length;
    return slot;
  }

  /** Counts a frame whose time has passed; markers are not missed. @param {Slot} slot */
  countLate(slot) {
    if (!slot.silence) this.late++;
  }
}
