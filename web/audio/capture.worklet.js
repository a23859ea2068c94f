/// <reference path="./worklet.d.ts" />
/**
 * The microphone on the audio thread: sends blocks of 10 ms to whoever has the other end of the port that it
 * is given, and the level to the page. Nothing is decided here.
 *
 *     node.port  in:  {port: MessagePort}           out: {level: dBFS, sounds: not all zeros}, ten times a second
 *     port       in:  {back: ArrayBuffer}           out: {pcm: Float32Array(480), frame: its first sample}
 */

import { Blocks } from './blocks.js';
import { Level } from './level.js';

const LEVEL_EVERY = 10; // blocks

class CaptureProcessor extends AudioWorkletProcessor {
  /** @type {MessagePort | null} */ #to = null;
  #level = new Level();
  #count = 0;
  #sounds = false;
  #blocks = new Blocks((pcm, frame) => this.#emit(pcm, frame));
  #ended = false;
  #silence = new Float32Array(128);

  /** @param {any} options */
  constructor(options) {
    super(options);
    this.port.onmessage = ({ data }) => this.#command(data);
  }

  /** @param {{port?: MessagePort, stop?: boolean}} data */
  #command({ port, stop }) {
    if (stop) this.#ended = true;
    if (!port && !stop) return;
    this.#to?.close();
    this.#to = port ?? null;
    if (port) port.onmessage = ({ data }) => this.#blocks.recycle(data?.back);
  }

  /** @param {Float32Array<ArrayBuffer>} pcm @param {number} frame */
  #emit(pcm, frame) {
    this.#level.write(pcm);
    this.#sounds ||= pcm.some((v) => v !== 0);
    if (++this.#count % LEVEL_EVERY === 0) {
      this.port.postMessage({ level: this.#level.dbfs, sounds: this.#sounds });
      this.#sounds = false;
    }
    if (this.#to) this.#to.postMessage({ pcm, frame }, [pcm.buffer]);
    else this.#blocks.recycle(pcm.buffer);
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    // Without a track there is no channel: time goes on all the same.
    this.#blocks.write(inputs[0]?.[0] ?? this.#silence, currentFrame);
    return !this.#ended;
  }
}

registerProcessor('wzp-capture', CaptureProcessor);
