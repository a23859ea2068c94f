/**
 * Opus by WebCodecs, the sending side. Packets of one encoder all have the same length (hard CBR), so that
 * lengths tell nothing of what is said (RFC 6562). Silence is not its business: DTX stays off, for the
 * browser's timestamps ignore the frames that it skips; a Vad decides before.
 */

const SAMPLE_RATE = 48_000;
const MAX_QUEUE = 50; // frames that wait for the codec; then new ones are dropped
const MAX_FAILURES = 5; // in a row; then it is given up

/**
 * @typedef {object} EncoderOptions
 * @property {number} [bitrate] of the codec, bit/s, 6000 to 64000
 * @property {number} [frameMs] 10, 20, 40 or 60
 * @property {boolean} [fec] in-band FEC, for lossy paths
 * @property {number} [complexity] 0 to 10: CPU time for quality
 * @property {(packet: Uint8Array<ArrayBuffer>, sample: number) => void} onpacket sample is of encode
 * @property {(error: Error) => void} [onerror] the browser cannot encode; nothing more comes
 */

/**
 * The configuration for WebCodecs.
 * @param {{bitrate: number, frameMs: number, fec: boolean, complexity: number}} options
 */
export function encoderConfig({ bitrate, frameMs, fec, complexity }) {
  return /** @type {AudioEncoderConfig} */ ({
    codec: 'opus',
    sampleRate: SAMPLE_RATE,
    numberOfChannels: 1,
    bitrate,
    bitrateMode: 'constant',
    opus: {
      application: 'voip',
      signal: 'voice',
      frameDuration: frameMs * 1000,
      complexity,
      usedtx: false,
      useinbandfec: fec,
      packetlossperc: fec ? 20 : 0,
    },
  });
}

export class Encoder {
  /** Frames dropped because the codec was behind. */
  dropped = 0;
  /** Times that the codec failed and was made anew. */
  failures = 0;
  /** Packets whose length was not that of the first one: there should be none. */
  uneven = 0;

  #config;
  #onpacket;
  #onerror;
  #length;
  #size = 0; // of a packet
  #failed = 0; // in a row
  /** @type {AudioEncoder | null} */ #codec = null;
  /** @type {number[]} samples of the frames that are being encoded */ #waiting = [];

  /** @param {EncoderOptions} options */
  constructor({ bitrate = 24_000, frameMs = 20, fec = false, complexity = 9, onpacket, onerror = () => {} }) {
    this.#config = encoderConfig({ bitrate, frameMs, fec, complexity });
    this.#length = (SAMPLE_RATE / 1000) * frameMs;
    this.#onpacket = onpacket;
    this.#onerror = onerror;
    this.#open();
  }

  #open() {
    const codec = new AudioEncoder({
      output: (chunk) => this.#output(codec, chunk),
      error: (error) => this.#fail(codec, error),
    });
    codec.configure(this.#config);
    this.#codec = codec;
  }

  /** Bytes of every packet; 0 before the first. */
  get packetSize() {
    return this.#size;
  }

  /**
   * Encodes one frame; onpacket is called once for it, later, in the order of the calls.
   * @param {Float32Array} pcm a whole frame; it is copied
   * @param {number} sample anything that tells the frame
   */
  encode(pcm, sample) {
    const codec = this.#codec;
    if (!codec) return;
    if (pcm.length !== this.#length || this.#waiting.length >= MAX_QUEUE) {
      this.dropped++;
      return;
    }
    this.#waiting.push(sample);
    const data = new AudioData({
      format: 'f32-planar',
      sampleRate: SAMPLE_RATE,
      numberOfFrames: pcm.length,
      numberOfChannels: 1,
      timestamp: Math.round((sample * 1000) / 48),
      data: /** @type {Float32Array<ArrayBuffer>} */ (pcm),
    });
    try {
      codec.encode(data);
    } catch (error) {
      this.#fail(codec, error);
    }
    data.close();
  }

  /** @param {AudioEncoder} codec @param {EncodedAudioChunk} chunk */
  #output(codec, chunk) {
    const sample = this.#waiting.shift();
    if (codec !== this.#codec || sample === undefined) return;
    this.#failed = 0;
    const packet = new Uint8Array(chunk.byteLength);
    chunk.copyTo(packet);
    if (this.#size === 0) this.#size = packet.length;
    if (packet.length !== this.#size) this.uneven++;
    this.#onpacket(packet, sample);
  }

  /**
   * What was waiting is lost; the next frame has a new codec.
   * @param {AudioEncoder} codec @param {unknown} error
   */
  #fail(codec, error) {
    if (codec !== this.#codec) return;
    this.failures++;
    this.dropped += this.#waiting.length;
    this.#waiting.length = 0;
    this.#codec = null;
    if (codec.state !== 'closed') codec.close();
    if (++this.#failed <= MAX_FAILURES) this.#open();
    else this.#onerror(error instanceof Error ? error : new Error(String(error)));
  }

  /** Has what was given encoded to the end. */
  async flush() {
    await this.#codec?.flush().catch(() => {}); // an error has its own way
  }

  /** Ends it; what waits is not encoded. It may be called again. */
  close() {
    const codec = this.#codec;
    this.#codec = null;
    if (codec && codec.state !== 'closed') codec.close();
    this.#waiting.length = 0;
  }
}
