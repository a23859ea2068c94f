/**
 * Learns from arrival times how long to wait for packets.
 *
 * x is the transit time of a packet, arrival - media time, on an unknown but constant offset; player.js has
 * the schedule that is made of it. Observations are taken per release, not per packet: packets that arrive in
 * order within half a frame of each other were held up together, and count once, with the transit time of the
 * first (the longest). So one stall of the network, or one talkspurt held until its key came, is one
 * observation, and stays outside the 98 %: it is caught up with, not waited for. Stalls that repeat are
 * waited for: the second-longest of the last 30 s is a floor. A release that opens a talkspurt counts not at
 * all: it is sound from before the key was pressed (the pre-roll), which is late by intention and every time.
 */

import { clamp, MS, SECOND } from './units.js';
import { MinWindow, QuantileWindow } from './window.js';

const START_TARGET = 6.5 * MS; // until there is evidence: covers +-3 ms around an early first packet
const EVIDENCE = 50; // observations after which the start target no longer counts
const SHORT_WINDOW = 100; // observations, 2 s of 20 ms frames: grows quickly
const LONG_WINDOW = 500; // observations, 10 s: shrinks slowly
const EXCEED_ONE_IN = 50; // one frame in 50 may come later than the target: 98 %
const BASE_BUCKET = 2 * SECOND; // base is the least transit time of 8 such buckets
const STALE_AFTER = 20 * SECOND; // transit times older than this have drifted: keep their spread only
const STALL_PACKETS = 4; // packets released together that make a stall ...
const STALL_MEDIA = 80 * MS; // ... and the media between the first and the last

export class Estimator {
  /** The target delay, samples, without the reader's and the decoder's share. */
  target = 0;

  #lower;
  #upper;
  #start;
  #anchor = 0; // all x are kept relative to it
  #base = 0; // least x of the last 16 s
  #bases = new MinWindow(BASE_BUCKET);
  #short = new QuantileWindow(SHORT_WINDOW);
  #long = new QuantileWindow(LONG_WINDOW);
  #stalls = new Stalls();
  #started = false;
  #seen = 0; // observations since the reset
  #lastArrival = 0;
  #lastMedia = 0;
  #run = new Release();

  /**
   * @param {number} lower least target, samples @param {number} upper greatest
   * @param {number} [start] target until there is evidence
   */
  constructor(lower, upper, start = 0) {
    this.#lower = lower;
    this.#upper = upper;
    this.#start = Math.max(START_TARGET, start);
  }

  /** @param {number} lower samples */
  setLower(lower) {
    this.#lower = clamp(lower, 0, this.#upper);
  }

  reset() {
    this.#started = false;
    this.#start = START_TARGET;
    this.#seen = this.target = 0;
    this.#run = new Release();
    this.#bases.reset();
    this.#short.reset();
    this.#long.reset();
    this.#stalls = new Stalls();
  }

  /** A frame of media time m that is played no earlier than m + due has nearly always arrived. */
  get due() {
    return this.#anchor + this.#base + this.target;
  }

  /**
   * Takes in the arrival of a frame, late ones too, duplicates not.
   * @param {number} media @param {number} length @param {number} now
   * @param {boolean} opening the frame is the first after a silence
   */
  observe(media, length, now, opening) {
    this.#hang(media, now);
    const x = now - media - this.#anchor;
    if (!this.#join(x, media, length, now, opening)) {
      this.#short.add(x);
      this.#long.add(x);
      this.#seen++;
    }
    const base = this.#bases.add(x, now);
    // The schedule does not move because an old minimum expired.
    if (base > this.#base) this.target -= base - this.#base;
    this.#base = base;
    const elapsed = this.#seen <= 1 ? 0 : Math.max(0, now - this.#lastArrival);
    this.target = slewTarget(this.target, this.#wanted(now), elapsed);
    this.#lastArrival = now;
    this.#lastMedia = media;
  }

  /** Chooses the anchor where the old one says nothing. @param {number} media @param {number} now */
  #hang(media, now) {
    if (!this.#started) {
      this.#started = true;
      this.#anchor = now - media;
      this.#base = 0;
    } else if (now - this.#lastArrival > STALE_AFTER) {
      // The clocks have drifted, the route may be another; the spread is still the best guess: hang it here.
      this.#anchor = now - media - this.#long.median();
      this.#bases.reset();
      this.#bases.add(this.#base, now);
      this.#run = new Release();
    }
  }

  /**
   * Reports whether the packet was released together with the one before.
   * @param {number} x @param {number} media @param {number} length @param {number} now
   * @param {boolean} opening
   */
  #join(x, media, length, now, opening) {
    const run = this.#run;
    const together =
      run.packets > 0 && now - this.#lastArrival < length / 2 && (media > this.#lastMedia || run.opening);
    if (!together) {
      this.#run = new Release(1, x, media, opening);
      return false;
    }
    if (++run.packets === 2 && run.opening) {
      this.#short.undo();
      this.#long.undo();
      this.#seen--;
    }
    if (run.packets >= STALL_PACKETS && media - run.media >= STALL_MEDIA && !run.recorded && !run.opening) {
      this.#stalls.add(run.x + this.#anchor, now);
      run.recorded = true;
    }
    return true;
  }

  /** The target that the windows ask for. @param {number} now */
  #wanted(now) {
    const high = Math.max(
      this.#short.high(EXCEED_ONE_IN, EVIDENCE, this.#base),
      this.#long.high(EXCEED_ONE_IN, EVIDENCE, this.#base),
    );
    let want = high - this.#base + guard(high - this.#long.median());
    if (this.#seen < EVIDENCE) want = Math.max(want, this.#start);
    want = Math.max(want, this.#stalls.second(now) - this.#anchor - this.#base);
    return Math.max(this.#lower, Math.min(want, this.#upper));
  }
}

/** A run of packets that arrived together. */
class Release {
  recorded = false;

  /**
   * @param {number} packets @param {number} x of the first packet @param {number} media of the first packet
   * @param {boolean} opening it opens a talkspurt
   */
  constructor(packets = 0, x = 0, media = 0, opening = false) {
    this.packets = packets;
    this.x = x;
    this.media = media;
    this.opening = opening;
  }
}

/**
 * What is added to the 98 % for the tail beyond it: half a millisecond and a sixth of the distance from the
 * median to the 98 %, which for normally distributed jitter makes it 99.2 %.
 * @param {number} spread
 */
function guard(spread) {
  return MS / 2 + Math.max(0, Math.floor(spread / 6));
}

/**
 * Moves the target to what is wanted: up at once, down by 25 ms and a quarter of the distance per second.
 * @param {number} target @param {number} wanted @param {number} elapsed samples
 */
export function slewTarget(target, wanted, elapsed) {
  if (wanted >= target) return wanted;
  const time = Math.min(elapsed, SECOND);
  const fall = Math.floor(time / 40) + Math.floor(((target - wanted) * time) / (4 * SECOND));
  return Math.max(wanted, target - fall);
}

const STALL_MEMORY = 30 * SECOND; // two stalls within this time count
const STALLS = 8;

/** Remembers the transit times of the last stalls, not relative to an anchor. */
export class Stalls {
  /** @type {{x: number, at: number}[]} */ #last = [];

  /** @param {number} x @param {number} now */
  add(x, now) {
    this.#last.push({ x, at: now });
    if (this.#last.length > STALLS) this.#last.shift();
  }

  /**
   * The second-longest transit time of the remembered stalls; -Infinity when there were not two.
   * @param {number} now
   */
  second(now) {
    let first = -Infinity;
    let second = -Infinity;
    for (const { x, at } of this.#last) {
      if (now - at > STALL_MEMORY) continue;
      second = Math.max(second, Math.min(first, x));
      first = Math.max(first, x);
    }
    return second;
  }
}
