/**
 * Microphone, loudspeaker and sounds, as the page uses them: one AudioContext, errors as one of a few faults,
 * and ports for the Worker. How samples are captured and played is web/audio's; nothing of the DOM.
 */

import { startCapture } from '../audio/capture.js';
import { startPlayback } from '../audio/playback.js';
import { playSound } from '../audio/sounds.js';
import { SoundWatch } from '../audio/sound-watch.js';
import { realClock, sleep } from '../link/clock.js';
import { newAudioContext } from './audio-context.js';
import { KnownDevices } from './device-list.js';
import { within } from './part.js';

/** @typedef {import('../audio/sounds.js').SoundName} SoundName */
/** @typedef {import('../audio/sound-watch.js').Sound} Sound */
/** @typedef {import('./prefs.js').Prefs} Prefs */
/** @typedef {import('./parts.js').Parts} Parts */
/** @typedef {import('../audio/capture.js').Capture} Capture */

const loadTime = 30_000; // ms that what sound needs may take

/** Of what web/audio says is wrong with a microphone, what the user can do something about. */
const faults = /** @type {const} */ (['denied', 'missing', 'busy', 'gone']);

const MOST_WAIT = 2000; // ms for sound to begin

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
    // Until the engine takes the port, what it gives is thrown away here: nothing said at the door may be
    // kept, and heard later.
    this.#port.onmessage = ({ data }) =>
      data?.pcm && this.#port?.postMessage({ back: data.pcm.buffer }, [data.pcm.buffer]);
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

  /** What passes, for SoundWatch. */
  get flow() {
    return this.#capture.flow;
  }

  stop() {
    this.ended = true;
    this.onended = this.onlevel = () => {};
    this.#capture.stop();
  }
}

export class Devices {
  /** @type {(level: number) => void} */ onlevel = () => {};
  /** @type {(sound: Sound) => void} it does not run any more, or does again */ onsound = () => {};
  /** @type {(lists: import('./device-list.js').DeviceLists) => void} there are others now */
  onlist = () => {};
  /** @type {(added: import('./device-list.js').Added) => void} one was plugged in */ onadded = () => {};
  #known = new KnownDevices();
  #prefs;
  #parts;
  #context;
  /** @type {import('../audio/playback.js').Playback | null} */ #playback = null;
  /** @type {Microphone | null} the last one */ #microphone = null;
  #watch = new SoundWatch(realClock, () => this.#flows(), (sound) => this.onsound(sound));

  /**
   * @param {Prefs} prefs @param {Pick<Parts, 'worklet' | 'sheets'>} parts
   * @param {AudioContext | null} [context] that was made before, in a click
   */
  constructor(prefs, parts, context = null) {
    this.#prefs = prefs;
    this.#parts = parts;
    this.#context = context;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.#playback) void this.wake();
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.#devicesChanged());
    for (const gesture of ['pointerup', 'keydown']) { // which browsers may wait for
      document.addEventListener(gesture, () => {
        if (this.#context && this.#context.state !== 'running') void this.wake();
      });
    }
  }

  /** Whether the user can choose a loudspeaker here. */
  get choosesLoudspeaker() {
    return typeof AudioContext !== 'undefined' && 'setSinkId' in AudioContext.prototype;
  }

  #audio() {
    return (this.#context ??= newAudioContext());
  }

  /** Whether sound runs. @returns {Sound} */
  get running() {
    return this.#watch.sound;
  }

  #flows() {
    const { state, currentTime: time } = this.#audio();
    // A browser that was told to begin by the user, and has not, lacks a loudspeaker.
    const tried = time === 0 && state === 'suspended' && navigator.userActivation?.hasBeenActive;
    return {
      paused: state !== 'running' && !tried,
      time,
      capture: this.#microphone?.flow ?? null,
      playback: this.#playback?.flow ?? null,
    };
  }

  /**
   * Lets sound begin; to be called while the browser still knows that the user did something.
   * @returns {Promise<boolean>} whether it has
   */
  async wake() {
    const context = this.#audio();
    const begun = context.resume().catch(() => {});
    await Promise.race([begun, sleep(realClock, MOST_WAIT)]); // without a loudspeaker it never begins
    return context.state === 'running';
  }

  /** Gives up what plays and records: what is asked for next begins anew. */
  renew() {
    this.rest();
    this.#microphone?.stop();
    this.#microphone = null;
    void this.#context?.close().catch(() => {});
    this.#context = null;
  }

  /** @returns {Promise<boolean>} whether the microphone may be used without a question */
  async allowed() {
    try {
      const name = /** @type {PermissionName} */ ('microphone');
      return (await navigator.permissions.query({ name })).state === 'granted';
    } catch {
      return false; // a browser that does not tell
    }
  }

  /** Starts the microphone that the settings name. Rejects with what faultOf understands. */
  async microphone() {
    const context = this.#audio();
    void context.resume().catch(() => {});
    const microphone = new Microphone(await this.#capture(context));
    this.#microphone = microphone;
    this.#watch.start();
    void this.list().then((lists) => this.#known.update(lists)); // now they have names
    return microphone;
  }

  /** @param {AudioContext} context */
  async #capture(context) {
    const worklet = await this.#worklet();
    const [deviceId, noiseSuppression] = [this.#prefs.get('microphone'), this.#prefs.get('noise')];
    return startCapture(context, { deviceId, noiseSuppression, worklet });
  }

  /** The address of the processors of sound. */
  #worklet() {
    return within(loadTime, this.#parts.worklet.load());
  }

  /** What an error of the microphone is for the user. @param {unknown} error */
  faultOf(error) {
    const code = error instanceof Error && Reflect.get(error, 'code');
    return faults.find((fault) => fault === code) ?? 'failed';
  }

  /** The loudspeaker's port for the engine of a stay; the one before falls silent. */
  async playback() {
    const context = this.#audio();
    const worklet = await this.#worklet();
    this.#playback?.stop();
    const [sinkId, volume] = [this.#prefs.get('loudspeaker'), this.#prefs.get('volume')];
    const playback = await startPlayback(context, { sinkId, volume, worklet });
    this.#playback = playback;
    this.#watch.start();
    if (this.#prefs.get('echo')) await playback.cancelEcho().catch(() => this.#prefs.set('echo', false));
    return playback.port;
  }

  /** The stay is over: nothing is played any more. */
  rest() {
    this.#playback?.stop();
    this.#playback = null;
  }

  /** @param {string} id '' is the system's choice @returns {Promise<boolean>} whether it will be used */
  async loudspeaker(id) {
    return this.#playback ? this.#playback.setSink(id) : true;
  }

  /** How loud the people are played, all of them: 1 as they are. @param {number} volume */
  setVolume(volume) {
    this.#playback?.setVolume(volume);
  }

  /** Labels are empty until the microphone was allowed. */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const of = (/** @type {MediaDeviceKind} */ kind) => devices.filter((device) => device.kind === kind)
      .map(({ deviceId, label, groupId }) => ({ id: deviceId, label, group: groupId }));
    return { microphones: of('audioinput'), loudspeakers: of('audiooutput') };
  }

  async #devicesChanged() {
    const lists = await this.list();
    this.onlist(lists);
    const added = this.#known.update(lists);
    if (added) this.onadded(added);
  }

  /** @param {SoundName} name */
  sound(name) {
    playSound(this.#audio(), name);
  }

  /**
   * Listens for a second and a half whether the microphone hears the loudspeaker in spite of the browser's
   * echo canceller. If so, speech is played by a way that the canceller knows, from now on.
   * @returns {Promise<boolean>} whether it was heard
   */
  async testEcho() {
    const context = this.#audio();
    await this.wake();
    const { testEcho } = await this.#parts.sheets.load();
    const capture = await this.#capture(context);
    try {
      const { heard } = await testEcho(context, capture.port);
      if (heard) {
        this.#prefs.set('echo', true);
        await this.#playback?.cancelEcho();
      }
      return heard;
    } finally {
      capture.stop();
    }
  }
}
