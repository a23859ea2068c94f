/// <reference path="./worklet.d.ts" />
/**
 * The loudspeaker on the audio thread: asks whoever has the other end of its port for blocks, by the sound
 * card's clock, and plays them.
 *
 *     node.port  in:  {port: MessagePort}           out: {queued: ms, depth: ms, underruns, dropped}, twice a second
 *     port       in:  {pcm: Float32Array(480)}      out: {need: blocks, queued: ms}
 */

import { PlayQueue } from './play-queue.js';

const REPORT_EVERY = 24_000; // samples

class PlaybackProcessor extends AudioWorkletProcessor {
  /** @type {MessagePort | null} */ #from = null;
  #queue = new PlayQueue();
  #reported = 0;
  #ended = false;

  /** @param {any} options */
  constructor(options) {
    super(options);
    this.port.onmessage = ({ data }) => this.#command(data);
  }

  /** @param {{port?: MessagePort, stop?: boolean}} data */
  #command({ port, stop }) {
    if (stop) this.#ended = true;
    if (!port && !stop) return;
    this.#from?.close();
    this.#from = port ?? null;
    if (port) port.onmessage = ({ data }) => data?.pcm instanceof Float32Array && this.#queue.push(data.pcm);
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, outputs) {
    const out = outputs[0][0];
    this.#queue.read(out);
    const need = this.#from ? this.#queue.wanted() : 0;
    if (need > 0) this.#from?.postMessage({ need, queued: this.#queue.level / 48 });
    this.#report(out.length);
    return !this.#ended;
  }

  /** @param {number} n samples since the last call */
  #report(n) {
    this.#reported += n;
    if (this.#reported < REPORT_EVERY) return;
    this.#reported = 0;
    const { level, depth, underruns, dropped } = this.#queue;
    this.port.postMessage({ queued: level / 48, depth: depth / 48, underruns, dropped });
  }
}

registerProcessor('wzp-playback', PlaybackProcessor);
