/**
 * Microphone, loudspeaker and sounds, as the page uses them: one AudioContext, errors as one of a few faults, and ports for
 * the Worker. How samples are captured and played is web/audio's; nothing of the DOM.
 *
 * @module page/devices
 */

import { captureFault, startCapture } from '../audio/capture.js';
import { startPlayback } from '../audio/playback.js';
import { Sounds } from '../audio/sounds.js';

/** @typedef {'granted' | 'released' | 'joined' | 'left' | 'lost' | 'back'} SoundName */
/** @typedef {{id: string, label: string}} Device */
/** @typedef {import('./prefs.js').Prefs} Prefs */
/** @typedef {Awaited<ReturnType<typeof startCapture>>} Capture */

/** A microphone that runs. */
export class Microphone {
  /** @type {() => void} it was unplugged, or taken away */ onended = () => {};
  /** @type {(dbfs: number) => void} ten times a second */ onlevel = () => {};
  ended = false;
  #capture;
  /** @type {MessagePort | null} */ #port;

  /** @param {Capture} capture */
  constructor(capture) {
    this.#capture = capture;
    this.#port = capture.port;
    // Until the engine takes the port, what it gives is thrown away here: nothing said at the door may be kept, and heard later.
    this.#port.onmessage = ({ data }) => data?.pcm && this.#port?.postMessage({ back: data.pcm.buffer }, [data.pcm.buffer]);
    capture.onlevel = (dbfs) => this.onlevel(dbfs);
    capture.onended = () => {
      this.ended = true;
      this.onended();
    };
  }

  /** @returns {MessagePort | null} for the engine; null if it was taken before */
  takePort() {
    const port = this.#port;
    if (port) port.onmessage = null;
    this.#port = null;
    return port;
  }

  stop() {
    this.ended = true;
    this.onended = this.onlevel = () => {};
    this.#capture.stop();
  }
}

/** See the module. */
export class Devices {
  /** @type {(paused: boolean) => void} the browser holds the sound back, or does not any more */ onpaused = () => {};
  /** @type {(level: number) => void} */ onlevel = () => {};
  #prefs;
  /** @type {AudioContext | null} */ #context = null;
  /** @type {Sounds | null} */ #sounds = null;
  /** @type {Awaited<ReturnType<typeof startPlayback>> | null} */ #playback = null;

  /** @param {Prefs} prefs */
  constructor(prefs) {
    this.#prefs = prefs;
    document.addEventListener('visibilitychange', () => !document.hidden && this.#playback && void this.wake());
  }

  /** Whether the user can choose a loudspeaker here. */
  get choosesLoudspeaker() {
    return typeof AudioContext !== 'undefined' && 'setSinkId' in AudioContext.prototype;
  }

  #audio() {
    if (this.#context) return this.#context;
    const context = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
    context.onstatechange = () => this.onpaused(context.state !== 'running' && context.state !== 'closed');
    this.#context = context;
    return context;
  }

  /** Lets sound begin; to be called while the browser still knows that the user did something. */
  async wake() {
    const context = this.#audio();
    await context.resume().catch(() => {});
    this.onpaused(context.state !== 'running');
  }

  /** @returns {Promise<boolean>} whether the microphone may be used without a question */
  async allowed() {
    try {
      const { state } = await navigator.permissions.query({ name: /** @type {PermissionName} */ ('microphone') });
      return state === 'granted';
    } catch {
      return false; // a browser that does not tell
    }
  }

  /** Starts the microphone that the settings name. Rejects with what faultOf understands. @returns {Promise<Microphone>} */
  async microphone() {
    const context = this.#audio();
    void context.resume().catch(() => {});
    const deviceId = this.#prefs.get('microphone');
    return new Microphone(await startCapture(context, { deviceId, noiseSuppression: this.#prefs.get('noise') }));
  }

  /** What an error of the microphone is for the user. @param {unknown} error @returns {import('./model.js').Mic} */
  faultOf(error) {
    const fault = captureFault(error);
    return fault === 'other' || fault === 'insecure' ? 'failed' : fault;
  }

  /** The loudspeaker's port for the engine of a stay; the one before falls silent. @returns {Promise<MessagePort>} */
  async playback() {
    const context = this.#audio();
    this.#playback?.stop();
    this.#playback = await startPlayback(context, { sinkId: this.#prefs.get('loudspeaker') });
    return this.#playback.port;
  }

  /** The stay is over: nothing is played any more. */
  rest() {
    this.#playback?.stop();
    this.#playback = null;
  }

  /** @param {string} id '' is the system's choice @returns {Promise<boolean>} whether it is in use, or will be */
  async loudspeaker(id) {
    return this.#playback ? this.#playback.setSink(id) : true;
  }

  /** @returns {Promise<{microphones: Device[], loudspeakers: Device[]}>} labels are empty until the microphone was allowed */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const of = (/** @type {MediaDeviceKind} */ kind) => devices.filter((device) => device.kind === kind)
      .map(({ deviceId, label }) => ({ id: deviceId, label }));
    return { microphones: of('audioinput'), loudspeakers: of('audiooutput') };
  }

  /** @param {SoundName} name */
  sound(name) {
    const context = this.#audio();
    void context.resume().catch(() => {});
    this.#sounds ??= new Sounds(context);
    this.#sounds.play(name);
  }
}
