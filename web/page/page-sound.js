/**
 * Microphone and loudspeaker for the page: who uses them now, the check at the door or the call, and what the
 * user is told of them.
 *
 *     Devices ── sound, level, a device was added ──> PageSound ──> MicCheck | Call, bars
 *     settings, bars ── another device, again ──> PageSound ──> MicCheck | Call
 */

import { offerDevice } from './device-offer.js';
import { MicCheck } from './mic-check.js';
import { showSound } from './sound-bar.js';
import { say } from '../words/say.js';

/** @typedef {import('./app.js').ShownCall} Call */

export class PageSound {
  /** @type {((level: number) => void) | null} shows the level of the microphone, besides check or call */
  onlevel = null;
  devices;
  #bars;
  /** @type {MicCheck | null} */ #check = null;
  /** @type {Call | null} */ #call = null;

  /**
   * @param {import('./devices.js').Devices} devices @param {import('./prefs.js').Prefs} prefs
   * @param {import('./bars.js').Bars} bars
   */
  constructor(devices, prefs, bars) {
    this.devices = devices;
    this.#bars = bars;
    devices.onsound = (sound) => this.#show(sound);
    devices.onadded = (added) => offerDevice(bars, prefs, this, added);
    devices.onlevel = (level) => this.onlevel?.(level);
  }

  /** The check of a door, which uses the microphone from now on. */
  atDoor() {
    this.#call = null;
    this.#check = new MicCheck(this.devices);
    return this.#check;
  }

  /** A call uses both from now on. @param {Call} call */
  inCall(call) {
    this.#check = null;
    this.#call = call;
  }

  /** Nobody uses them: there is neither a door nor a call. */
  rest() {
    this.#check = this.#call = null;
  }

  /** Whether the microphone is in use. */
  get heard() {
    return this.#call ? this.#call.stay.model.mic === 'on' : this.#check?.state === 'on';
  }

  /** Begins to use the microphone, if it is not in use, to be tested. */
  test() {
    if (this.#call) void this.#call.stay.askMicrophone();
    else void this.#check?.check();
  }

  /** The settings have another microphone now. */
  microphoneChanged() {
    if (this.#call) void this.#call.stay.askMicrophone();
    else void this.#check?.again();
  }

  /** The settings have another loudspeaker now. @param {string} id '' is the system's choice */
  async loudspeakerChanged(id) {
    if (!(await this.devices.loudspeaker(id))) this.#bars.show('device', { text: say('bar.device') });
  }

  /** Says why sound does not run, and what to do. @param {import('../audio/sound-watch.js').Sound} sound */
  #show(sound) {
    if (this.#call) return this.#call.setSound(sound);
    showSound(this.#bars, this.devices, sound.cause, () => void this.#check?.again());
  }
}
