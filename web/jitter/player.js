/**
 * The jitter buffer and play-out of one received stream of speech: packets go in as the network delivers
 * them, PCM comes out as the sound card asks for it. PCM is mono float at 48 kHz. It is pure: it reads no
 * clock, starts no timer and knows the codec by one function only, so every behaviour is tested in virtual
 * time. Networking, keys, the codec and mixing live elsewhere.
 *
 *     put(packet, now)                                        read(out, now)
 *           |                                                       ^
 *           v                                                       |
 *     Buffer: order, media time,      Ahead: decode,        Playout: frame | conceal | wait | silence
 *       loss or late or silence  -->    ahead of time  -->    v
 *     Estimator: arrival - media      ^          |          Fifo: crossfades, pitch periods less or more
 *       time -> target, schedule A    |          v            v
 *                             decoded(pcm)   decode(packet) Resampler: +-0.4 %, clock drift
 *
 * The schedule. All times are counted in samples. Packet k holds the media from time m(k) on and arrives at
 * a(k); x(k) = a(k) - m(k) is its transit time on an unknown offset. The estimator turns the recent x into
 * one number, A, to which the time is added that the decoder takes (Ahead.lead): a frame is played in time
 * when its packet's x <= A.
 *
 *     A      = base + target + lead          base: the least x of late
 *     target = max(q98(2 s), q98(10 s)) - base + guard     (see target-delay.js)
 *
 * The reader is measured in the same way. A read at time r that brings the number of samples ever read to N
 * has z = r - N, and the least z of the last two seconds tells how early this reader asks. With O = (media
 * time at the output) - (samples read), all samples are there in time when O <= z - x, so play-out aims at
 *
 *     O* = min z - A,    e = O* - O    (e > 0: behind, e < 0: ahead)
 *
 * which covers the length of the reads, reads in bursts, and any phase between packets and reads. How e is
 * closed:
 *
 *     in silence          the next talkspurt starts at O*, or at once if behind
 *     |e| small           resampling by at most 0.4 %: also what absorbs clock drift
 *     e < -8 ms           one pitch period is repeated, speed down to 0.9
 *     e > 12 ms           one pitch period is removed, speed 1.1 up to 1.5
 *
 * Speech that arrived is never thrown away to catch up; only the bound of the buffer drops packets, the
 * oldest first. What a gap is:
 *
 *     counters missing                       loss: concealment, by the decoder where it knows in time
 *     no counter missing, media time jumped  silence of the talker
 *     a silence marker                       silence from its timestamp on
 *     nothing there at all                   wait: conceal, fade out by 120 ms; what comes then is played
 */

import { Ahead } from './ahead.js';
import { Buffer } from './buffer.js';
import { AHEAD_LIMIT, driftRate, LATE_LIMIT, likeness, pause, speed } from './speed.js';
import { MAX_PERIOD, MIN_PERIOD, QUIET } from './pitch.js';
import { Playout } from './playout.js';
import { Resampler } from './resample.js';
import { clamp, MS, SECOND, STEP, toSamples } from './units.js';
import { MinWindow } from './window.js';

const MOST_GAP = 60 * MS; // between reads: a reader that was away is not waited for
const CLIP = 4; // decoders that emit more than this are broken

/**
 * Counters never fall, except lost, when a packet that was missing comes after all. Times are ms.
 *
 * @typedef {object} PlayerStats
 * @property {number} received packets given to put, markers and duplicates included
 * @property {number} lost packets that never came, by their counters; markers included
 * @property {number} late frames that came after their time and were discarded
 * @property {number} duplicate packets that came twice
 * @property {number} dropped frames dropped, oldest first, because the buffer was full
 * @property {number} invalid packets with an impossible counter, duration or payload
 * @property {number} resets new time lines: the talker restarted or was away for 30 s
 * @property {number} played frames decoded
 * @property {number} concealed frames filled by concealment while the talker was talking
 * @property {number} undecodable frames that the decoder refused or answered late, concealed too
 * @property {number} accelerated pitch periods removed by time scaling
 * @property {number} decelerated pitch periods repeated by time scaling
 * @property {number} targetMs what play-out adds to the fastest packet: jitter, a read, the decoder
 * @property {number} delayMs from put of a frame to its first sample being played, mean of the last 16 or so
 * @property {number} lastDelayMs the same of the last frame
 * @property {number} jitterMs interarrival jitter, RFC 3550 section 6.4.1
 * @property {number} leadMs how long the decoder takes, by its slow answers
 * @property {number} bufferedMs media that is held, decoded or not
 */

/** Call put, decoded and read from one thread; none of them waits. */
export class Player {
  #buffer;
  #ahead;
  #playout;
  #resampler = new Resampler();
  #reader = new MinWindow(SECOND / 4); // z of the last reads
  #readLength = 0; // samples the last read asked for
  #readTime = 0; // of the last read, samples
  #scale = 0; // samples read from which time scaling may act again
  #accelerated = 0;
  #decelerated = 0;
  #gap = 0; // samples of time between reads, at most, of late
  /** @type {import('./ahead.js').Need} */ #until;

  /**
   * @param {object} options
   * @param {(payload: Uint8Array | null) => void} options.decode is called with packets in order, and null to
   *   conceal one frame. Each call is answered by one of decoded.
   * @param {number} [options.minDelay] least target delay, ms
   * @param {number} [options.maxDelay] greatest target delay, ms
   * @param {number} [options.maxBuffer] most media held, ms, e.g. after a stall; then the oldest is dropped
   * @param {number} [options.startDelay] target delay of the first frames, ms, until enough have come to
   *   know: what the player before this one of the same stream had learned
   */
  constructor({ decode, minDelay = 15, maxDelay = 2000, maxBuffer = 3500, startDelay = 0 }) {
    const most = clamp(maxBuffer, 200, 10_000);
    const upper = clamp(maxDelay, 0, most);
    this.#buffer = new Buffer({
      minDelay: clamp(minDelay, 0, upper), maxDelay: upper, maxBuffer: most, startDelay,
    });
    this.#ahead = new Ahead(this.#buffer, decode);
    this.#playout = new Playout(this.#buffer, this.#ahead, () => this.#resampler.reset());
    this.#until = (media, next) => this.#playout.until(media, next);
  }

  /**
   * Takes in a packet that arrived at a time, which may be past. The payload is copied.
   * @param {import('./buffer.js').Packet} packet @param {number} now ms
   */
  put(packet, now) {
    this.#buffer.put(packet, toSamples(now));
    this.#ahead.feed(this.#at(now), 0, this.#until);
  }

  /**
   * Takes the answer to the oldest call of decode that has none.
   * @param {Float32Array | null} pcm is the player's from now on; null: it could not be decoded
   * @param {number} now ms
   */
  decoded(pcm, now) {
    this.#ahead.decoded(pcm, this.#at(now));
    this.#ahead.feed(this.#playout.now, 0, this.#until);
  }

  /** The clock: the latest of the times that were told. @param {number} now ms */
  #at(now) {
    this.#playout.now = Math.max(this.#playout.now, toSamples(now));
    return this.#playout.now;
  }

  /**
   * Fills dst with what is to be played next; any length will do.
   * @param {Float32Array} dst @param {number} now ms
   */
  read(dst, now) {
    const p = this.#playout;
    const before = this.#readTime;
    this.#readTime = toSamples(now);
    this.#readLength = dst.length;
    this.#gap = clamp(this.#readTime - before, Math.max(dst.length, this.#gap - MS / 8), MOST_GAP);
    p.now = this.#readTime;
    p.z = this.#reader.add(this.#readTime - p.out - dst.length, this.#readTime);
    this.#ahead.feed(p.now, 0, this.#until);
    for (let from = 0; from < dst.length; from += STEP) {
      const part = dst.subarray(from, Math.min(from + STEP, dst.length));
      p.now = this.#readTime + from;
      p.fill(this.#resampler.need(part.length));
      this.#steer();
      p.fill(this.#resampler.need(part.length));
      this.#resampler.read(part, p.fifo);
      sanitize(part);
      p.out += part.length;
    }
    p.now = this.#readTime;
    this.#ahead.feed(p.now, this.#gap, this.#until);
  }

  /** Whether the stream is sounding: in a talkspurt, and concealment has not faded out. */
  get active() {
    return this.#playout.active;
  }

  /** What the target delay has come to, ms. */
  get learned() {
    return this.#buffer.estimator.target / MS;
  }

  /** Changes the least target delay. @param {number} ms */
  setMinDelay(ms) {
    this.#buffer.estimator.setLower(toSamples(ms));
  }

  /** @returns {PlayerStats} */
  stats() {
    const [b, p] = [this.#buffer, this.#playout];
    return {
      received: b.received,
      lost: b.lost,
      late: b.late,
      duplicate: b.duplicate,
      dropped: b.dropped,
      invalid: b.invalid,
      resets: b.resets,
      played: p.played,
      concealed: p.concealed,
      undecodable: p.undecodable,
      accelerated: this.#accelerated,
      decelerated: this.#decelerated,
      targetMs: (b.estimator.target + this.#readLength + this.#ahead.lead) / MS,
      delayMs: p.delay / MS,
      lastDelayMs: p.lastDelay / MS,
      jitterMs: b.jitter / MS,
      leadMs: this.#ahead.lead / MS,
      bufferedMs: (b.held + this.#ahead.samples) / MS,
    };
  }

  /** e of the module's comment. */
  #behind() {
    const p = this.#playout;
    return p.z - p.due - (p.end - p.fifo.unread + this.#resampler.frac - p.out);
  }

  /** Closes the error of the schedule while speech plays. */
  #steer() {
    const p = this.#playout;
    if (p.silent || p.credit > 0) {
      this.#resampler.set(0);
      return;
    }
    const e = this.#behind();
    this.#resampler.set(driftRate(e));
    if (p.out < this.#scale) return;
    if (e > LATE_LIMIT) this.#hurry(e);
    else if (e < AHEAD_LIMIT) this.#linger(e);
  }

  /** Removes one pitch period. @param {number} e */
  #hurry(e) {
    const p = this.#playout;
    while (p.fifo.unread < 2 * MAX_PERIOD && !p.silent && p.front) p.produce(1);
    if (p.fifo.unread < 2 * MAX_PERIOD) return;
    const found = p.fifo.forward(Math.min(MAX_PERIOD, Math.floor(e)));
    if (!this.#rescale(e, found)) return;
    p.fifo.remove(found.period);
    this.#accelerated++;
  }

  /** Plays one pitch period twice. @param {number} e */
  #linger(e) {
    const p = this.#playout;
    if (p.fifo.unread < MAX_PERIOD || p.run > 0) return;
    const found = p.fifo.backward(clamp(Math.floor(-e), MIN_PERIOD, MAX_PERIOD));
    if (!this.#rescale(e, found)) return;
    p.fifo.repeat(found.period);
    this.#decelerated++;
  }

  /**
   * Reports whether the signal allows a change of length here, and sets when the next may be.
   * @param {number} e @param {{period: number, correlation: number, power: number}} found
   */
  #rescale(e, { period, correlation, power }) {
    const { out } = this.#playout;
    if (correlation < likeness(e) && power > QUIET) {
      this.#scale = out + STEP;
      return false;
    }
    this.#scale = out + pause(period, speed(e));
    return true;
  }
}

/** Bounds what a broken decoder may hand to the mixer. @param {Float32Array} pcm */
function sanitize(pcm) {
  for (let i = 0; i < pcm.length; i++) {
    if (!(pcm[i] >= -CLIP && pcm[i] <= CLIP)) pcm[i] = 0; // also NaN
  }
}
