/**
 * The Worker's ends of the audio worklets' channels, of one stay or call.
 *
 *     capture worklet -- {pcm} --> captured    {back} when done: capturing makes no garbage
 *     playback worklet -- {need} --> play --> {pcm}
 */

/** @typedef {import('./engine.js').Ports} Ports */

const BLOCK = 480; // samples, 10 ms
const MAX_BLOCKS = 16; // that the loudspeaker may ask for at once

export class SoundPorts {
  #sound;
  /** @type {MessagePort | null} */ #capture = null;
  /** @type {MessagePort | null} */ #playback = null;

  /**
   * @param {object} sound
   * @param {(pcm: Float32Array) => void} sound.captured takes 10 ms of the microphone, which it does not keep
   * @param {(pcm: Float32Array) => void} sound.play fills 10 ms that are silence
   */
  constructor(sound) {
    this.#sound = sound;
  }

  /** Whether there is a microphone. */
  get capturing() {
    return this.#capture !== null;
  }

  /** Takes ports in the place of those before; absent ones stay as they were. @param {Ports} ports */
  take({ capture, playback }) {
    if (playback !== undefined) {
      release(this.#playback);
      this.#playback = playback;
      if (playback) playback.onmessage = ({ data }) => this.#play(data);
    }
    if (capture === undefined) return;
    release(this.#capture);
    this.#capture = capture;
    if (!capture) return;
    capture.onmessage = ({ data, target }) => this.#captured(/** @type {MessagePort} */ (target), data);
  }

  /** @param {MessagePort} port @param {{pcm?: unknown}} block */
  #captured(port, { pcm }) {
    if (!(pcm instanceof Float32Array)) return;
    this.#sound.captured(pcm);
    port.postMessage({ back: pcm.buffer }, [pcm.buffer]);
  }

  /** Answers the loudspeaker, which asks for blocks by its own clock. @param {{need?: number}} asked */
  #play({ need = 0 }) {
    for (let i = 0; i < Math.min(need, MAX_BLOCKS); i++) {
      const pcm = new Float32Array(BLOCK);
      this.#sound.play(pcm);
      this.#playback?.postMessage({ pcm }, [pcm.buffer]);
    }
  }
}

/** @param {MessagePort | null} port */
function release(port) {
  if (!port) return;
  port.onmessage = null;
  port.close();
}
