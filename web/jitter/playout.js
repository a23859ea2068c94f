/**
 * Where play-out stands in the talker's media time, and what it appends to the fifo next: decoded frames,
 * concealment, silence.
 *
 *     silent --- frame due ---> playing --- nothing there ---> waiting
 *        ^                       |   ^                           |
 *        |   marker, or jump of  |   +------ packet came --------+
 *        +---- media time -------+                               |
 *        +------------------------- marker, or jump -------------+
 *
 * waiting is credit > 0: concealment is played, media time stands still.
 */

import { concealGain, FADE_CONCEAL, FADE_IN } from './speed.js';
import { Expander } from './expand.js';
import { Fifo } from './fifo.js';
import { lostMedia } from './gap.js';
import { alike } from './pitch.js';
import { MS, NO_GAP, OVERLAP, STEP } from './units.js';

const SHORT_PAUSE = 40 * MS; // a silence is not cut shorter than this
const ACROSS = STEP / 2; // samples of a crossfade between two sounds
const TAIL = 2 * STEP; // samples within which the place for a crossfade is looked for

/**
 * How the next frame continues the sound: as it is; after concealment in whose place it stands, so that time
 * is kept; or after concealment that was inserted, so that none of it is lost.
 * @typedef {'continues' | 'replaces' | 'follows'} Join
 */

export class Playout {
  fifo = new Fifo();
  /** Samples read so far. */
  out = 0;
  /** How early the reader asks: the least of (time of a read - samples read after it) lately. */
  z = 0;
  /** The time of the last call, samples. */
  now = 0;
  silent = true;
  /** Media time up to which everything is in the fifo. */
  end = 0;
  /** Samples of concealment played while waiting. */
  credit = 0;
  /** Samples of concealment since the last good frame. */
  run = 0;

  /** The counters of play-out: frames. */
  played = 0;
  concealed = 0;
  undecodable = 0;
  /** From put of a frame to its first sample being played: mean of the last 16 or so, and of the last. */
  delay = 0;
  lastDelay = 0;

  #buffer;
  #ahead;
  #started;
  #expander = new Expander();
  #tail = new Float32Array(TAIL);
  #frame = 0; // length of the last frame
  #settled = 0; // seq of the front packet for which holeEnd and pause were decided
  #holeEnd = 0; // media time up to which the hole before the front packet is to be filled
  #pause = false; // after that comes silence
  /** @type {Join} */ #join = 'continues';
  #made = false; // the last sound is of the expander
  #gain = 0; // level that the next frame rises from
  #faded = 1; // level of the sound that the expander goes on with
  #lost = 0; // samples concealed since the last frame, not yet counted
  #quiet = 0; // samples of silence played in this silence
  #waited = 0; // samples of silence played while the first frame of a talkspurt was waiting

  /**
   * @param {import('./buffer.js').Buffer} buffer @param {import('./ahead.js').Ahead} ahead
   * @param {() => void} started is told that a talkspurt begins
   */
  constructor(buffer, ahead, started) {
    this.#buffer = buffer;
    this.#ahead = ahead;
    this.#started = started;
  }

  /** Transit time that play-out waits for: of the network, and of the decoder. */
  get due() {
    return this.#buffer.estimator.due + this.#ahead.lead;
  }

  /** Whether sound of packets comes out, or concealment that has not faded. */
  get active() {
    return !this.silent && this.run < FADE_CONCEAL;
  }

  /** The next packet, if it is decoded. */
  get front() {
    return this.#ahead.front(this.now);
  }

  /**
   * Samples until a media time must be there to be played in time, however the reader behaves.
   * @param {number} media @param {import('./buffer.js').Slot} next the packet after it
   */
  until(media, next) {
    const early = this.out + this.z - this.now; // since the reader was there, at the least
    if (!this.silent) return early + media - this.end + this.fifo.unread;
    const head = this.#ahead.oldest?.slot ?? next;
    return early + this.#start(head) + this.fifo.unread + Math.max(0, media - head.media);
  }

  /** Appends until n samples are unread. @param {number} n */
  fill(n) {
    while (this.fifo.unread < n) this.produce(n - this.fifo.unread);
  }

  /**
   * Makes one step: it appends at least one sample, takes a packet, or becomes silent.
   * @param {number} want how many samples are missing
   */
  produce(want) {
    const item = this.front;
    if (this.silent) {
      this.#produceSilence(want);
    } else if (!item) {
      this.#conceal(STEP); // media time stands still: what comes late is still played
      this.credit += STEP;
    } else {
      const { slot } = item;
      if (!slot.silence && !slot.fresh && !slot.skip && this.end - slot.media > OVERLAP) {
        this.#buffer.countLate(slot);
        this.#ahead.pop();
      } else {
        this.#produceSpeech(item);
      }
    }
  }

  /**
   * Plays silence until the next talkspurt is due: on schedule, or soon when play-out is behind.
   * @param {number} want
   */
  #produceSilence(want) {
    let item = this.front;
    while (item?.slot.silence) {
      this.end = item.slot.media;
      this.#ahead.pop();
      item = this.front;
    }
    const start = item ? this.#start(item.slot) : Infinity;
    if (start > 0) {
      const n = Math.min(want, start);
      this.#quiet += n;
      if (item || this.#buffer.front) this.#waited += n;
      this.fifo.zeros(n);
      return;
    }
    const { slot } = /** @type {import('./ahead.js').Item} */ (item);
    this.#beginTalkspurt(slot);
    this.#playFrame(/** @type {import('./ahead.js').Item} */ (item));
  }

  /** Samples of silence before a slot that opens a talkspurt. @param {import('./buffer.js').Slot} slot */
  #start(slot) {
    let start = slot.media - (this.z - this.due) - this.out - this.fifo.unread;
    start = Math.max(start, Math.min(slot.media - this.end, SHORT_PAUSE) - this.#quiet);
    return Math.min(start, this.#buffer.maxDelay + SHORT_PAUSE - this.#waited); // whatever the clocks say
  }

  /** @param {import('./buffer.js').Slot} slot */
  #beginTalkspurt(slot) {
    this.silent = this.#made = false;
    this.#join = 'continues';
    this.#gain = this.run = this.#quiet = this.#waited = this.credit = 0;
    this.end = slot.media;
    this.#frame = slot.length;
    this.#expander.reset();
    this.#started();
  }

  /** Goes on in a talkspurt, or ends it. @param {import('./ahead.js').Item} item the next packet */
  #produceSpeech(item) {
    const { slot } = item;
    this.#settle(slot);
    if (slot.skip && !slot.silence) {
      this.#join = 'follows';
      this.end = slot.media;
      this.#playFrame(item);
    } else if (this.end < Math.min(this.#holeEnd, slot.media)) {
      this.#fillHole(item);
    } else if (this.#pause) {
      this.#endTalkspurt(slot);
    } else {
      this.end = slot.media;
      this.#playFrame(item);
    }
  }

  /**
   * Decides, once for every packet that becomes the front, how much of the media time before it was lost
   * speech, and what the concealment played while waiting for it stood for:
   *
   *     credit <= gap   it filled the gap, or its beginning
   *     credit >  gap   the packet was late, so the delay grew by the difference
   *
   * @param {import('./buffer.js').Slot} slot
   */
  #settle(slot) {
    if (this.#settled === slot.seq && this.credit === 0) return;
    const gap = Math.max(0, slot.media - this.end);
    const known = slot.fresh || slot.skip;
    const lost = known ? 0 : lostMedia(gap, slot.missing, this.#frame);
    this.#settled = slot.seq;
    this.#holeEnd = this.end + lost;
    this.#pause = slot.silence || slot.fresh || (!slot.skip && gap - lost >= NO_GAP);
    if (this.credit === 0) return;
    const covered = Math.min(this.credit, gap);
    this.#lost += Math.min(covered, lost);
    if (!this.#pause) {
      this.#lost += this.credit - covered;
      this.#join = this.credit > covered ? 'follows' : 'replaces';
    }
    this.end += covered;
    this.credit = 0;
  }

  /**
   * Replaces lost speech before a packet: by what the decoder made up for it, where nothing else was played
   * in its place yet, or by more of the last sound.
   * @param {import('./ahead.js').Item} item
   */
  #fillHole({ slot, before }) {
    const n = Math.min(Math.min(this.#holeEnd, slot.media) - this.end, STEP);
    const made = before[0];
    if (made && !this.#made && this.run < FADE_CONCEAL) {
      const part = Math.min(n, made.length);
      this.#fadeOn(made.subarray(0, part), 1);
      if (part < made.length) before[0] = made.subarray(part);
      else before.shift();
      this.end += part;
      this.#lost += part;
      return;
    }
    this.#conceal(n);
    this.#join = 'replaces';
    this.end += n;
    this.#lost += n;
  }

  /**
   * Becomes silent before a slot, which is a marker or, after a pause, the first frame of the next talkspurt.
   * The last sound is faded out over 10 ms.
   * @param {import('./buffer.js').Slot} slot
   */
  #endTalkspurt(slot) {
    this.#countConcealed();
    if (this.run < FADE_CONCEAL) {
      const dst = this.#tail.subarray(0, STEP);
      this.#expand(dst);
      fade(dst, concealGain(this.run) / this.#faded, 0);
      this.fifo.append(dst);
    }
    this.silent = true;
    this.#quiet = this.#waited = this.credit = 0;
    if (slot.silence) {
      this.end = slot.media;
      this.#ahead.pop();
    }
  }

  /** Appends more of the last sound, fading with the length of the run. @param {number} n at most STEP */
  #conceal(n) {
    this.#made = true;
    if (this.run >= FADE_CONCEAL) {
      this.fifo.zeros(n);
      return;
    }
    const dst = this.#tail.subarray(0, n);
    this.#expand(dst);
    this.#fadeOn(dst, this.#faded);
  }

  /** Fills pcm with more of the last sound, at the level that it had. @param {Float32Array} pcm */
  #expand(pcm) {
    if (!this.#expander.begun) this.#faded = concealGain(this.run);
    this.#expander.next(pcm, this.fifo);
  }

  /**
   * Appends concealment.
   * @param {Float32Array} pcm is changed @param {number} level how far it has faded already
   */
  #fadeOn(pcm, level) {
    const from = concealGain(this.run);
    this.run += pcm.length;
    this.#gain = concealGain(this.run);
    fade(pcm, from / level, this.#gain / level);
    this.fifo.append(pcm);
  }

  /** Moves a decoded frame to the fifo. end is its media time. @param {import('./ahead.js').Item} item */
  #playFrame({ slot, pcm }) {
    const join = this.run < FADE_CONCEAL ? this.#join : 'continues';
    this.#frame = slot.length;
    this.end += slot.length;
    this.#countConcealed();
    this.#ahead.pop();
    if (!pcm || pcm.length !== slot.length) {
      this.undecodable++;
      for (let n = 0; n < slot.length; n += STEP) this.#conceal(STEP);
      this.#lost += slot.length;
      this.#join = 'replaces';
      return;
    }
    this.#join = 'continues';
    this.played++;
    this.#measureDelay(slot);
    this.#append(join === 'continues' ? pcm : this.#splice(pcm, join === 'replaces' ? STEP / 2 : 0));
  }

  /**
   * Adds a good frame, rising from the level that was reached before it.
   * @param {Float32Array} pcm is changed
   */
  #append(pcm) {
    if (this.#gain < 1) fade(pcm.subarray(0, FADE_IN), this.#gain, 1);
    this.#gain = 1;
    this.run = 0;
    this.#made = false;
    this.#expander.reset();
    this.fifo.append(pcm);
  }

  /**
   * Joins a frame that does not continue the sound: the expander plays on until where it is most like the
   * frame at from, then fades into it over 5 ms. On average that takes from samples, which the frame loses.
   * @param {Float32Array} frame @param {number} from @returns {Float32Array} what is to be appended
   */
  #splice(frame, from) {
    this.#expand(this.#tail);
    fade(this.#tail, this.#gain / this.#faded, this.#gain / this.#faded);
    const rest = frame.subarray(from);
    const latest = from > 0 ? 2 * from : TAIL - ACROSS;
    const { lag } = alike(rest.subarray(0, ACROSS), this.#tail, 0, latest, from);
    this.fifo.append(this.#tail.subarray(0, lag));
    for (let i = 0; i < ACROSS; i++) {
      const f = i / ACROSS;
      rest[i] = rest[i] * f + this.#tail[lag + i] * (1 - f);
    }
    this.#gain = 1; // it has faded in
    return rest;
  }

  /** Turns the concealed samples into frames of the present length. */
  #countConcealed() {
    if (this.#lost > 0 && this.#frame > 0) this.concealed += Math.ceil(this.#lost / this.#frame);
    this.#lost = 0;
  }

  /** @param {import('./buffer.js').Slot} slot */
  #measureDelay(slot) {
    this.lastDelay = Math.max(0, this.now + this.fifo.unread - slot.arrival);
    if (this.delay === 0) this.delay = this.lastDelay;
    this.delay += (this.lastDelay - this.delay) / 16;
  }
}

/**
 * Scales pcm by a level that goes from one value to another.
 * @param {Float32Array} pcm @param {number} from @param {number} to
 */
function fade(pcm, from, to) {
  if (from === 1 && to === 1) return;
  const step = (to - from) / pcm.length;
  for (let i = 0; i < pcm.length; i++) pcm[i] *= from + step * i;
}
