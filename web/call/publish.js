/**
 * What this client says: blocks of the microphone become frames, are encoded, encrypted and sent, in order.
 *
 *     block (10 ms) --> frame --talking, and a voice if gated--> Encoder --> payload --> Sealer --> send
 *                          '-- else --> PreRoll: sent first when that changes
 *
 * Silence is told by markers of the size of a packet, and then nothing is sent but that a hand is up
 * (docs/protocol.md, section 7.5). The codec answers later, and so does the Sealer: what was asked for first
 * is sent first, and what they do not answer is not waited for.
 */

import { PreRoll } from '../audio/preroll.js';
import { Vad } from '../audio/vad.js';
import { sleep } from '../link/clock.js';
import { appendPayload, appendSilence } from '../wire/payload.js';
import { Hand } from './hand.js';
import { isOver } from './view.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/payload.js').MicState} MicState */

const MS = 48; // samples
const UNIT = 120; // samples in a unit of a payload's timestamp
const MARKERS = 3; // at the start of a silence
const MARKERS_EVERY = 400; // ms, later ones while the microphone is open
const MAX_WAITING = 100; // payloads that wait for the codec, and as many that wait for a key
const FLUSH_TIME = 200; // ms that the codec gets for the last frames

/**
 * @typedef {{encode(frame: Float32Array, sample: number): void, flush(): Promise<void>, close(): void}}
 *   FrameEncoder
 */

/**
 * What makes a FrameEncoder: onpacket is called once for each frame, in order, with encode's sample.
 * @typedef {(options: {frameMs: number, bitrate: number, onpacket: (packet: Bytes, sample: number) => void,
 *   onerror: (error: unknown) => void}) => FrameEncoder} MakeEncoder
 */

/**
 * @typedef {object} PublicationHooks
 * @property {MakeEncoder} encoder
 * @property {{process(frame: Float32Array): boolean, readonly onset: number}} [vad] absent: a Vad
 * @property {{seal(plain: Bytes): Promise<{kid: bigint, ctr: number, ciphertext: Bytes}>}} sealer
 * @property {(kid: bigint, ctr: number, ciphertext: Bytes) => void} send
 * @property {(on: boolean) => void} transmitting sound goes out, or does not any more
 * @property {(on: boolean) => void} [encoding] the codec answers, or has not for so long that frames are lost
 * @property {(error: unknown) => void} failed
 * @property {import('../link/clock.js').Clock} clock
 */

/**
 * A payload on its way through the codec: a marker, or a frame whose packet is null until it comes.
 * @typedef {{timestamp: number, tag: number, packet: Bytes | null, silence: boolean, mic: MicState,
 *   hand: boolean}} Item
 */

export class Publication {
  /** Payloads that were dropped because the codec or a key was late. */
  dropped = 0;

  #hooks;
  #frameMs;
  #encoder;
  #frame;
  #filled = 0;
  #samples = 0; // captured so far
  #encoded = 0; // frames given to the codec
  #preroll;
  #vad;
  #gated;
  #talking = false;
  /** @type {MicState} what is told of the microphone while it is silent */ #mic = '';
  #hand = new Hand();
  #sending = false; // a talkspurt is under way
  #silent = 0; // frames since the last one that was sent
  #size; // bytes of an Opus packet
  #begun = false;
  /** @type {Item[]} what is to be sent, in order */ #queue = [];
  #sealing = 0; // payloads
  /** @type {Promise<void>} of the last of them */ #sealed = Promise.resolve();
  #stopped = false;
  /** @type {Promise<void> | null} */ #closing = null;

  /**
   * @param {{frameMs?: number, bitrate?: number, gated: boolean}} config gated: an open microphone, of which
   *   silence is not sent; bitrate: of the codec, constant, so that the size of packets tells nothing
   * @param {PublicationHooks} hooks
   */
  constructor({ frameMs = 20, bitrate = 24_000, gated }, hooks) {
    this.#hooks = hooks;
    this.#frameMs = frameMs;
    this.#frame = new Float32Array(frameMs * MS);
    this.#preroll = new PreRoll(this.#frame.length);
    this.#vad = hooks.vad ?? new Vad();
    this.#gated = gated;
    this.#size = Math.ceil((bitrate * frameMs) / 8000); // until one came
    this.#encoder = hooks.encoder({
      frameMs,
      bitrate,
      onpacket: (packet, sample) => this.#packet(packet, sample),
      onerror: (error) => hooks.failed(error),
    });
  }

  /**
   * Opens or closes the microphone. The 200 ms before it opens are sent too: first syllables are whole.
   * @param {boolean} on @param {MicState} [mic] what others are told, also in a silence
   */
  setTalking(on, mic = on ? 'open' : 'muted') {
    this.#talking = on;
    if (mic !== this.#mic) this.#silent = 0; // it is told anew
    this.#mic = mic;
  }

  /** @param {boolean} up whether the hand is, which is told however the microphone is */
  setHand(up) {
    this.#hand.set(up, this.#samples);
  }

  /** What there is to say of the hand, null: nothing. */
  get hand() {
    return this.#hand.says(this.#samples);
  }

  /** Whether silence is kept back while the microphone is open. @param {boolean} on */
  setGated(on) {
    this.#gated = on;
  }

  /** Takes sound: as it comes, without gaps. @param {Float32Array} block any length; it is copied */
  write(block) {
    for (let from = 0; from < block.length && !this.#closing && !this.#stopped; ) {
      const n = Math.min(block.length - from, this.#frame.length - this.#filled);
      this.#frame.set(block.subarray(from, from + n), this.#filled);
      this.#filled += n;
      from += n;
      if (this.#filled === this.#frame.length) {
        this.#filled = 0;
        this.#captured(this.#frame);
      }
    }
  }

  /** @param {Float32Array} frame */
  #captured(frame) {
    const start = this.#samples;
    this.#samples += frame.length;
    const voice = this.#vad.process(frame);
    if (this.#talking && (voice || !this.#gated)) {
      if (!this.#sending) this.#begin(start);
      this.#encode(frame, start);
      return;
    }
    if (this.#sending) this.#pause(start);
    else if (this.#begun || this.#hand.due(start)) this.#stillSilent(start);
    this.#preroll.write(frame);
  }

  /** Sends what was said just before the microphone opened. @param {number} end sample */
  #begin(end) {
    this.#sending = this.#begun = true;
    this.#silent = 0;
    this.#hooks.transmitting(true);
    const worth = this.#gated ? Math.ceil(this.#vad.onset / this.#frameMs) : Infinity;
    const frames = this.#preroll.drain(worth);
    let start = end - frames.length * this.#frame.length;
    for (const frame of frames) {
      this.#encode(frame, start);
      start += frame.length;
    }
  }

  /** Ends a talkspurt: the codec still holds some of what was said. @param {number} start sample */
  #pause(start) {
    this.#sending = false;
    this.#silent = 0;
    this.#encode(new Float32Array(this.#frame.length), start);
    this.#hooks.transmitting(false);
  }

  /** @param {number} start sample */
  #stillSilent(start) {
    this.#silent++;
    const again = this.#talking && this.#silent % (MARKERS_EVERY / this.#frameMs) === 0;
    const first = this.#begun && this.#silent <= MARKERS;
    if (first || again || this.#hand.due(start)) this.#mark(start);
  }

  /** @param {number} start sample from which on there is silence */
  #mark(start) {
    this.#begun = true;
    this.#hand.told(start);
    const said = { mic: this.#mic, hand: this.#hand.up };
    this.#push({ timestamp: timestampOf(start), tag: -1, packet: null, silence: true, ...said });
  }

  /** @param {Float32Array} frame is copied @param {number} start sample */
  #encode(frame, start) {
    const tag = this.#encoded++ * frame.length; // rises, though pre-rolls go back in time
    this.#push({ timestamp: timestampOf(start), tag, packet: null, silence: false, mic: '', hand: false });
    this.#encoder.encode(frame, tag);
  }

  /** @param {Item} item */
  #push(item) {
    if (this.#queue.length >= MAX_WAITING) {
      const oldest = this.#queue.shift(); // which is worth least
      this.dropped++;
      if (oldest && !oldest.silence) this.#hooks.encoding?.(false);
    }
    this.#queue.push(item);
    this.#drain();
  }

  /**
   * Takes a packet of the codec. Frames before it that have none were dropped by the codec.
   * @param {Bytes} packet @param {number} tag
   */
  #packet(packet, tag) {
    const item = this.#queue.find((waiting) => waiting.tag === tag);
    if (!item || this.#stopped) return;
    item.packet = packet;
    this.#hooks.encoding?.(true);
    this.#size = packet.length;
    const lost = (/** @type {Item} */ { silence, packet, tag: other }) =>
      !silence && packet === null && other < tag;
    this.#dropIf(lost);
    this.#drain();
  }

  /** @param {(item: Item) => boolean} which */
  #dropIf(which) {
    const kept = this.#queue.filter((item) => !which(item));
    this.dropped += this.#queue.length - kept.length;
    this.#queue = kept;
  }

  /** Sends what is complete, in order. */
  #drain() {
    for (let [item] = this.#queue; item && (item.silence || item.packet); [item] = this.#queue) {
      this.#queue.shift();
      const { timestamp, packet, mic, hand } = item;
      this.#seal(packet ? appendPayload(timestamp, packet) : appendSilence(timestamp, this.#size, mic, hand));
    }
  }

  /** @param {Bytes} payload */
  #seal(payload) {
    if (this.#sealing >= MAX_WAITING) {
      this.dropped++;
      return;
    }
    this.#sealing++;
    const sealed = this.#hooks.sealer.seal(payload); // CTRs are given out in the order of these calls
    sealed.catch(() => {}); // it is looked at when its turn has come
    this.#sealed = this.#sealed.then(() => this.#send(sealed));
  }

  /** @param {Promise<{kid: bigint, ctr: number, ciphertext: Bytes}>} sealed */
  async #send(sealed) {
    try {
      const { kid, ctr, ciphertext } = await sealed;
      if (!this.#stopped) this.#hooks.send(kid, ctr, ciphertext);
    } catch (error) {
      if (!isOver(error)) this.#hooks.failed(error);
    } finally {
      this.#sealing--;
    }
  }

  /**
   * Ends it: what was said is sent, with the news that this is the end. It never rejects.
   * @param {{gone?: boolean}} [why] gone: the stay goes on without a microphone, which others are told
   * @returns {Promise<void>} when that is done
   */
  close({ gone = false } = {}) {
    return (this.#closing ??= this.#finish(gone));
  }

  /** @param {boolean} gone */
  async #finish(gone) {
    if (gone) this.#mic = 'none';
    this.#hand.set(false, this.#samples);
    if (this.#sending || (gone && this.#begun)) {
      if (this.#sending) this.#pause(this.#samples);
      for (let i = 0; i < MARKERS; i++) this.#mark(this.#samples + this.#frame.length);
    }
    if (this.#queue.length > 0) await this.#flush();
    this.#encoder.close();
    this.#dropIf(({ silence, packet }) => !silence && packet === null);
    this.#drain();
    await this.#sealed;
  }

  /** Waits for the codec, but not for long. */
  async #flush() {
    const flushed = new AbortController();
    const done = this.#encoder.flush().then(() => flushed.abort(), () => flushed.abort());
    await Promise.race([done, sleep(this.#hooks.clock, FLUSH_TIME, flushed.signal)]);
  }

  /** Ends it at once: the room is over. */
  stop() {
    this.#stopped = true;
    this.#queue = [];
    this.#encoder.close();
  }
}

/** @param {number} sample @returns {number} its media time */
function timestampOf(sample) {
  return Math.floor(sample / UNIT) % 65_536;
}
