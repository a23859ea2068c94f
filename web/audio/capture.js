/**
 * The microphone, on the page's side: asks for it, and has its sound sent to a MessagePort in blocks of 10
 * ms. The sound itself never passes the main thread.
 *
 *     getUserMedia --> MediaStreamSource --> capture.worklet --port--> the engine's Worker
 *          ^                                       |
 *          '--- Firefox: anew <--- CaptureLag <----' level
 */

import { CaptureLag } from './capture-lag.js';
import { CodedError, messageOf } from '../wire/bytes.js';

/** Firefox, which keeps what it did not get to take from the microphone in time, and hands it out late. */
const hoards = /\bFirefox\//.test(globalThis.navigator?.userAgent ?? '');

/**
 * Why there is no microphone: it was not allowed; there is none; another program has it; it was unplugged or
 * taken away; the page is not secure (https); anything else.
 * @typedef {'denied' | 'missing' | 'busy' | 'gone' | 'insecure' | 'other'} CaptureFault
 */

/** There is no microphone; `code` says why. */
export class CaptureError extends CodedError {}

/** @type {Record<string, CaptureFault>} by the name of the DOMException */
const FAULTS = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/** What an error of getUserMedia means. @param {unknown} error @returns {CaptureFault} */
export function captureFault(error) {
  if (error instanceof CaptureError) return /** @type {CaptureFault} */ (error.code);
  const name = /** @type {{name?: unknown} | null} */ (error)?.name;
  return (typeof name === 'string' && Object.hasOwn(FAULTS, name) && FAULTS[name]) || 'other';
}

/**
 * @typedef {object} CaptureOptions
 * @property {string} [deviceId] absent, empty or gone: the default
 * @property {boolean} [noiseSuppression]
 * @property {string} worklet address of worklet.js
 */

/**
 * Opens the microphone. It throws CaptureError.
 * @param {AudioContext} context at 48 kHz @param {CaptureOptions} options
 */
export async function startCapture(context, { deviceId = '', noiseSuppression = true, worklet }) {
  const open = () => openMicrophone(deviceId, noiseSuppression);
  const stream = await open();
  try {
    await context.audioWorklet.addModule(worklet);
    return new Capture(context, stream, open);
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    throw new CaptureError('other', `cannot start the sound: ${messageOf(error)}; reload the page`);
  }
}

/** @param {string} deviceId @param {boolean} noiseSuppression @returns {Promise<MediaStream>} */
async function openMicrophone(deviceId, noiseSuppression) {
  if (!globalThis.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new CaptureError('insecure', 'the page may not use a microphone: open it by https');
  }
  const audio = { echoCancellation: true, noiseSuppression, autoGainControl: true, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio,
    });
  } catch (error) {
    const code = captureFault(error);
    if (deviceId && code === 'missing') return openMicrophone('', noiseSuppression);
    throw new CaptureError(code, `no microphone: ${messageOf(error)}`);
  }
}

/** An open microphone. */
export class Capture {
  /** Told once when the microphone is lost. @type {((code: CaptureFault) => void) | null} */ onended = null;
  /** Told its level, dBFS, ten times a second. @type {((dbfs: number) => void) | null} */ onlevel = null;

  #context;
  #stream;
  #open;
  #source;
  #over = false;
  #flow = { count: 0, sounding: 0 };
  #lag = hoards ? new CaptureLag() : null;

  /**
   * @param {AudioContext} context @param {MediaStream} stream
   * @param {() => Promise<MediaStream>} open opens the microphone once more
   */
  constructor(context, stream, open) {
    this.#context = context;
    this.#stream = stream;
    this.#open = open;
    const { port1, port2 } = new MessageChannel();
    /** For the Worker. Gives {pcm: Float32Array(480), frame}; wants {back: pcm.buffer} when done. */
    this.port = port1;
    this.node = new AudioWorkletNode(context, 'wzp-capture', {
      numberOfInputs: 1,
      numberOfOutputs: 1, // of silence: a node that leads nowhere is not run
      channelCount: 1,
      channelCountMode: 'explicit',
    });
    this.node.port.postMessage({ port: port2 }, [port2]);
    this.node.port.onmessage = ({ data }) => {
      this.#flow.count++;
      if (data.sounds) this.#flow.sounding++;
      this.onlevel?.(data.level);
      if (this.#lag?.look(performance.now(), context.currentTime * 1000, data.level)) void this.#renew();
    };
    this.#source = this.#listen(stream);
    this.node.connect(context.destination);
  }

  /** @param {MediaStream} stream */
  #listen(stream) {
    const source = this.#context.createMediaStreamSource(stream);
    source.connect(this.node);
    const [track] = stream.getAudioTracks();
    track.addEventListener('ended', () => this.#stream === stream && this.#lost('gone'));
    return source;
  }

  /** Gives the microphone back and opens it anew; for some 100 ms there is silence. */
  async #renew() {
    this.#source.disconnect();
    this.#end(); // else the new one is late, too
    try {
      const stream = await this.#open();
      this.#stream = stream;
      if (this.#over) this.#end();
      else this.#source = this.#listen(stream);
    } catch (error) {
      this.#lost(captureFault(error));
    }
  }

  /** What passes, for SoundWatch; null when it was given back. */
  get flow() {
    return this.#over ? null : { ...this.#flow, muted: this.#track.muted };
  }

  get #track() {
    return this.#stream.getAudioTracks()[0];
  }

  /** @param {CaptureFault} code */
  #lost(code) {
    if (this.#over) return;
    this.stop();
    this.onended?.(code);
  }

  #end() {
    for (const track of this.#stream.getTracks()) track.stop();
  }

  /** Gives the microphone back; nothing more comes. It may be called again. */
  stop() {
    if (this.#over) return;
    this.#over = true;
    this.#end();
    this.#source.disconnect();
    this.node.disconnect();
    this.node.port.postMessage({ stop: true });
    this.node.port.onmessage = null;
  }
}
