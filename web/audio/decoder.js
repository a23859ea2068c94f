/**
 * Opus by WebCodecs, the receiving side: one decoder per stream. Every request is answered once, in order,
 * whatever happens to the codec.
 *
 *     decode(packet) --> AudioDecoder --> onpcm(pcm)
 *     decode(null): conceal               onpcm(null): it could not
 *
 * Answers are told apart by their timestamps. Browsers count those on from the first packet's by the samples
 * that came out, so that is how packets are stamped, too.
 */

import { packetSamples } from '../jitter/opus.js';

const CONFIG = { codec: 'opus', sampleRate: 48_000, numberOfChannels: 1 };
const MAX_SAMPLES = 5760; // in a packet, 120 ms
const CLOSE = 1000; // us: timestamps that differ by less are the same
const MAX_WAITING = 64; // requests; more are answered with null
const MAX_FAILURES = 8; // in a row ...
const REST = 50; // ... then only one request in so many tries a new codec

export class Decoder {
  /** Times that the codec failed and was made anew. */
  failures = 0;

  #onpcm;
  #closed = false;
  /** @type {AudioDecoder | null} */ #codec = null;
  #next = 0; // timestamp of the next request, us
  /** @type {number[]} timestamps of requests without an answer */ #waiting = [];
  #failed = 0; // in a row
  #resting = 0;
  /** @type {number | null} */ #toc = null; // of the last packet

  /**
   * @param {{onpcm: (pcm: Float32Array<ArrayBuffer> | null) => void}} options onpcm owns pcm: mono, 48 kHz
   */
  constructor({ onpcm }) {
    this.#onpcm = onpcm;
  }

  /** Decodes a packet; null has one frame concealed. @param {Uint8Array | null} packet */
  decode(packet) {
    if (packet === null) {
      this.conceal();
    } else {
      if (packet.length > 0) this.#toc = packet[0];
      this.#request(packet);
    }
  }

  /**
   * Makes up a frame as long as the last packet's frames. A packet that is one byte long, of code 0, is an
   * empty frame to libopus, which conceals it (RFC 6716, section 3.4, R2 and R3).
   */
  conceal() {
    this.#request(this.#toc === null ? null : Uint8Array.of(this.#toc & 0xfc));
  }

  /** @param {Uint8Array | null} packet */
  #request(packet) {
    if (this.#closed) return;
    const samples = packet ? packetSamples(packet) : 0;
    const timestamp = this.#next;
    this.#next += samples > 0 ? (samples * 1000) / 48 : CLOSE;
    // Whether the codec hangs or the packet would close it: it is not asked.
    const codec = samples === 0 || this.#waiting.length >= MAX_WAITING ? null : this.#open();
    this.#waiting.push(timestamp);
    if (!codec || !packet) {
      queueMicrotask(() => this.#answer(timestamp, null));
      return;
    }
    try {
      const data = /** @type {Uint8Array<ArrayBuffer>} */ (packet);
      codec.decode(new EncodedAudioChunk({ type: 'key', timestamp, data }));
    } catch {
      this.#fail(codec);
    }
  }

  /** The codec, made anew where there is none. @returns {AudioDecoder | null} */
  #open() {
    if (this.#codec) return this.#codec;
    if (this.#failed > MAX_FAILURES && ++this.#resting % REST !== 0) return null;
    const codec = new AudioDecoder({
      output: (data) => this.#output(codec, data),
      error: () => this.#fail(codec),
    });
    codec.configure(CONFIG);
    this.#codec = codec;
    return codec;
  }

  /** @param {AudioDecoder} codec @param {AudioData} data */
  #output(codec, data) {
    const { timestamp } = data;
    const samples = data.numberOfFrames;
    /** @type {Float32Array<ArrayBuffer> | null} */ let pcm = null;
    if (codec === this.#codec && samples <= MAX_SAMPLES) {
      pcm = new Float32Array(samples);
      data.copyTo(pcm, { planeIndex: 0, format: 'f32-planar' });
      this.#failed = 0;
    }
    data.close();
    if (pcm) this.#answer(timestamp, pcm);
  }

  /**
   * Answers a request, and with null all before it that got nothing.
   * @param {number} timestamp @param {Float32Array<ArrayBuffer> | null} pcm
   */
  #answer(timestamp, pcm) {
    while (this.#waiting.length > 0 && this.#waiting[0] <= timestamp - CLOSE) this.#tell(null);
    if (this.#waiting.length > 0 && this.#waiting[0] < timestamp + CLOSE) this.#tell(pcm);
  }

  /** @param {Float32Array<ArrayBuffer> | null} pcm */
  #tell(pcm) {
    this.#waiting.shift();
    if (!this.#closed) this.#onpcm(pcm);
  }

  /** What was asked is answered with null; the next request has a new codec. @param {AudioDecoder} codec */
  #fail(codec) {
    if (codec !== this.#codec) return;
    this.failures++;
    this.#failed++;
    this.#codec = null;
    if (codec.state !== 'closed') codec.close();
    const lost = this.#waiting.length;
    for (let i = 0; i < lost; i++) this.#tell(null);
  }

  /** Ends it; nothing more is answered. It may be called again. */
  close() {
    this.#closed = true;
    const codec = this.#codec;
    this.#codec = null;
    if (codec && codec.state !== 'closed') codec.close();
    this.#waiting.length = 0;
  }
}
