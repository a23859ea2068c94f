/**
 * The loudspeaker, on the page's side. What is played comes from the engine's Worker by a MessagePort, asked
 * for by the sound card's clock.
 *
 *     the engine's Worker <--port--> playback.worklet --> volume --> context.destination
 *                                                            '--> loopbackRoute (loopback.js), where our own sound would be heard
 */

import { loopbackRoute } from './loopback.js';

/**
 * Starts to play.
 * @param {AudioContext} context at 48 kHz
 * @param {{sinkId?: string, volume?: number, worklet: string}} options sinkId: which loudspeaker; worklet:
 *   address of worklet.js
 */
export async function startPlayback(context, { sinkId = '', volume = 1, worklet }) {
  await context.audioWorklet.addModule(worklet);
  const playback = new Playback(context);
  playback.setVolume(volume);
  if (sinkId) await playback.beginSink(sinkId);
  return playback;
}

/** Sound on its way out. */
export class Playback {
  #context;
  #loudness;
  /** @type {import('./loopback.js').LoopbackRoute | null} */ #route = null;
  #sink = '';
  #flow = { count: 0, starved: false, astray: false };

  /** @param {AudioContext} context */
  constructor(context) {
    this.#context = context;
    const { port1, port2 } = new MessageChannel();
    /** Gives {need: blocks}; wants {pcm: Float32Array(480)} for each. To be transferred to the Worker. */
    this.port = port1;
    this.node = new AudioWorkletNode(context, 'wzp-playback', {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
    });
    this.node.port.postMessage({ port: port2 }, [port2]);
    this.node.port.onmessage = ({ data }) => {
      this.#flow.count++;
      this.#flow.starved = data.starved;
    };
    this.#loudness = context.createGain();
    this.node.connect(this.#loudness).connect(context.destination);
  }

  /** How loud everything is played: 1 as it is. @param {number} volume */
  setVolume(volume) {
    this.#loudness.gain.setTargetAtTime(volume, this.#context.currentTime, 0.01); // s: it does not click
  }

  /** What passes, for SoundWatch. */
  get flow() {
    return this.#flow;
  }

  /**
   * Chooses the loudspeaker; '' is the default. Resolves to whether that worked: else nothing changed.
   * @param {string} sinkId
   */
  async setSink(sinkId) {
    try {
      /** @type {{setSinkId?: (id: string) => Promise<void>}} */
      const context = /** @type {any} */ (this.#context);
      if (this.#route) await this.#route.setSink(sinkId);
      else if (context.setSinkId) await context.setSinkId(sinkId);
      else return false;
      this.#sink = sinkId;
      this.#flow.astray = false;
      return true;
    } catch {
      return false;
    }
  }

  /** Begins with the loudspeaker that was chosen before; it may not be there today. @param {string} sinkId */
  async beginSink(sinkId) {
    this.#flow.astray = !(await this.setSink(sinkId));
  }

  /** Plays by way of a peer connection, so that the browser's echo canceller knows our sound. */
  async cancelEcho() {
    if (this.#route) return;
    const route = await loopbackRoute(this.#context, this.#loudness);
    this.#loudness.disconnect(this.#context.destination);
    this.#route = route;
    if (this.#sink) await this.setSink(this.#sink);
  }

  /** Ends it. It may be called again. */
  stop() {
    this.#route?.close();
    this.#route = null;
    this.node.disconnect();
    this.#loudness.disconnect();
    this.node.port.postMessage({ stop: true });
    this.node.port.onmessage = null;
  }
}
