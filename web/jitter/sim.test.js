/**
 * A talker, a network, a decoder and a reader in virtual time, for the tests of this folder. Not served.
 *
 * The simulated talker's codec packet is its media time, so that every sample that comes out tells what it
 * was made from. Times are ms, media time is samples.
 */

import assert from 'node:assert/strict';
import { Player } from './player.js';
import { SAMPLE_RATE } from './units.js';

const TONE_PERIOD = 200; // samples: 240 Hz
const TONE_LEVEL = 0.5;
const RAMP_PERIOD = 1024 * SAMPLE_RATE; // the ramp rises from 0 to 1 in so many samples

/** The greatest step between two samples of the tone. */
export const TONE_STEP = (TONE_LEVEL * 2 * Math.PI) / TONE_PERIOD;
/** A click is a step beyond the tone's own; fades over 5 ms and crossfades of two phases add a little. */
export const CLICK = TONE_STEP * 1.6;

const SINE = Float32Array.from(
  { length: TONE_PERIOD }, (_, i) => TONE_LEVEL * Math.sin((2 * Math.PI * i) / TONE_PERIOD),
);

/** A sine by media time. @param {number} media */
export const tone = (media) => SINE[media % TONE_PERIOD];
/** The media time itself. @param {number} media */
export const ramp = (media) => media / RAMP_PERIOD;
/** The media time of a sample of the ramp. @param {number} sample */
export const mediaOf = (sample) => Math.round(sample * RAMP_PERIOD);

/** A network that delays everything by the same 40 ms. */
export const steady = () => 40;

/** Numbers in [0, 1), always the same ones. @param {number} seed */
export function random(seed) {
  let state = seed + 0x6d2b79f5;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes packets; media is what its clock says. */
export class Talker {
  counter = 7;
  media = 65_530 * 120; // the timestamp wraps early
  duration = 20;

  frame() {
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, BigInt(this.media));
    const packet = {
      counter: this.counter++, timestamp: this.#timestamp(), duration: this.duration, payload,
    };
    this.media += this.duration * 48;
    return packet;
  }

  marker() {
    return { counter: this.counter++, timestamp: this.#timestamp(), silence: true };
  }

  #timestamp() {
    return Math.floor(this.media / 120) % 65_536;
  }
}

/** Delivers packets, answers the player's requests and reads, in virtual time. */
export class Sim {
  now = 3; // of the next read
  length = 480; // samples a read
  step = 0; // ms between reads; 0: the reads' own length
  latency = () => 2; // ms that the decoder takes; less than 0: it refuses
  forget = false; // keep no output
  blind = false; // look for no clicks
  /** @type {number[]} media times that were decoded, in order */ decoded = [];
  conceals = 0;
  /** @type {{at: number, pcm: Float32Array}[]} */ reads = [];
  /** @type {Player} */ player;
  maxStep = 0;
  maxStepAt = 0;

  #wave;
  #at = 0; // media time that the decoder reached
  #frame = 960;
  /** @type {{at: number, packet: any}[]} */ #pending = [];
  #given = 0; // of them, so many were put: taking them off the front is slow in half an hour's worth
  /** @type {{at: number, pcm: Float32Array | null}[]} */ #answers = [];
  #clock = 0;
  #last = 0;
  #total = 0;

  /** @param {(media: number) => number} wave @param {object} [options] of the Player */
  constructor(wave, options = {}) {
    this.#wave = wave;
    this.player = new Player({ decode: (payload) => this.#decode(payload), minDelay: 0, ...options });
  }

  /** @param {Uint8Array | null} payload */
  #decode(payload) {
    const latency = this.latency();
    const last = this.#answers.at(-1)?.at ?? 0;
    const at = Math.max(last, this.#clock + Math.abs(latency));
    if (payload) {
      this.#at = Number(new DataView(payload.buffer, payload.byteOffset).getBigUint64(0));
      this.decoded.push(this.#at);
    } else {
      this.conceals++;
    }
    const pcm = new Float32Array(this.#frame);
    for (let i = 0; i < pcm.length; i++) pcm[i] = this.#wave(this.#at + i);
    this.#at += this.#frame;
    this.#answers.push({ at, pcm: latency < 0 ? null : pcm });
  }

  /** @param {number} at @param {any} packet */
  send(at, packet) {
    this.#pending.push({ at, packet });
  }

  /**
   * Schedules n frames from time at on; each is delayed by delay(i), which may say lost by a negative number.
   * Returns the end.
   * @param {Talker} talker @param {number} at @param {number} n @param {(i: number) => number} delay
   */
  talk(talker, at, n, delay) {
    this.#frame = talker.duration * 48;
    for (let i = 0; i < n; i++) {
      const packet = talker.frame();
      const d = delay(i);
      if (d >= 0) this.send(at + d, packet);
      at += talker.duration;
    }
    return at;
  }

  /** Schedules the three markers that end a talkspurt. @param {Talker} talker @param {number} at */
  hush(talker, at) {
    for (let i = 0; i < 3; i++) {
      this.send(at, talker.marker());
      at += 20;
      talker.media += 960;
    }
  }

  /** Reads until the given time. @param {number} until */
  run(until) {
    this.#pending.splice(0, this.#given);
    this.#given = 0;
    this.#pending.sort((a, b) => a.at - b.at);
    while (this.now < until) {
      this.#happen();
      const pcm = new Float32Array(this.length);
      this.#clock = this.now;
      this.player.read(pcm, this.now);
      if (!this.blind) this.#inspect(pcm);
      if (!this.forget) this.reads.push({ at: this.now, pcm });
      this.now += this.step > 0 ? this.step : this.length / 48;
    }
  }

  /** Packets and answers up to now, in their order. */
  #happen() {
    for (;;) {
      const [packet, answer] = [this.#pending[this.#given], this.#answers[0]];
      const at = Math.min(packet?.at ?? Infinity, answer?.at ?? Infinity);
      if (at > this.now) return;
      this.#clock = at;
      if (answer?.at === at) {
        this.#answers.shift();
        this.player.decoded(answer.pcm, at);
      } else {
        this.#given++;
        this.player.put(packet.packet, at);
      }
    }
  }

  /** Looks for the greatest step. @param {Float32Array} pcm */
  #inspect(pcm) {
    for (let i = 0; i < pcm.length; i++) {
      const step = Math.abs(pcm[i] - this.#last);
      if (step > this.maxStep) {
        this.maxStep = step;
        this.maxStepAt = this.#total + i;
      }
      this.#last = pcm[i];
    }
    this.#total += pcm.length;
  }

  /** The greatest level in the output between two times. @param {number} from @param {number} to */
  loudness(from, to) {
    let loudest = 0;
    for (const { at, pcm } of this.reads) {
      if (at >= from && at < to) for (const v of pcm) loudest = Math.max(loudest, Math.abs(v));
    }
    return loudest;
  }

  /** Fails when a step between samples was greater than a limit. */
  clicks(limit = CLICK) {
    const where = `step of ${this.maxStep.toFixed(4)} at ${(this.maxStepAt / SAMPLE_RATE).toFixed(3)} s`;
    assert.ok(this.maxStep <= limit, `${where}, limit ${limit.toFixed(4)}`);
  }

  get inOrder() {
    return this.decoded.every((media, i) => i === 0 || media > this.decoded[i - 1]);
  }
}
