/// <reference path="./worklet.d.ts" />
/**
 * The loudspeaker on the audio thread: asks whoever has the other end of its port for blocks, by the sound
 * card's clock, and plays them.
 *
 *     node.port  in:  {port: MessagePort}           out: {starved}, four times a second: nobody answers
 *     port       in:  {pcm: Float32Array(480)}      out: {need: blocks}
 */

import { PlayQueue } from './play-queue.js';

const TELL_EVERY = 94; // quanta, a quarter of a second

class PlaybackProcessor extends AudioWorkletProcessor {
  /** @type {MessagePort | null} */ #from = null;
  #queue = new PlayQueue();
  #ended = false;
  #quanta = 0;

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
    this.#queue.read(outputs[0][0]);
    const need = this.#from ? this.#queue.wanted() : 0;
    if (need > 0) this.#from?.postMessage({ need });
    if (this.#quanta++ % TELL_EVERY === 0) this.port.postMessage({ starved: this.#queue.starved });
    return !this.#ended;
  }
}

registerProcessor('wzp-playback', PlaybackProcessor);
