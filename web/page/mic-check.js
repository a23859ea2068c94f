/** The microphone at the door and in the settings: a bar that moves, or what is wrong and what to do. */

import { fill, h, keepFocus, makeButton, setAttribute, smallPrint } from './dom.js';
import { icon } from './icons.js';
import { LevelBar, loudness } from './level-bar.js';
import { say } from '../words/say.js';

/** @typedef {import('./devices.js').Devices} Devices */
/** @typedef {import('./devices.js').Microphone} Microphone */

/**
 * What is wrong with the microphone, and what to do; '' if nothing is.
 * @param {import('./room-model.js').Mic} mic @param {'' | 'Door' | 'Room'} [where] one is told of it
 * @returns {string}
 */
export function micTrouble(mic, where = '') {
  switch (mic) {
    case 'denied':
    case 'missing':
    case 'busy':
    case 'gone':
    case 'failed':
      return say(`mic.${mic}${where}`);
    default:
      return '';
  }
}

/** The check before joining. It keeps the microphone that it opened, for the call to take. */
export class MicCheck {
  element = h('div', { class: 'mic-check', tabIndex: -1 });
  #devices;
  #bar = new LevelBar();
  /** @type {Microphone | null} */ #microphone = null;
  /** @type {import('./room-model.js').Mic} */ state = 'none';
  #closed = false;

  /** @param {Devices} devices */
  constructor(devices) {
    this.#devices = devices;
    this.#render();
  }

  /** Checks at once where the browser does not ask any more. */
  async begin() {
    if (await this.#devices.allowed()) await this.check();
  }

  /** Asks for the microphone, and shows its level. */
  async check() {
    if (this.#closed || this.state === 'asking') return;
    this.#set('asking');
    try {
      const microphone = await this.#devices.microphone();
      if (this.#closed) return microphone.stop();
      this.#microphone?.stop();
      this.#microphone = microphone;
      microphone.onended = () => {
        this.#microphone = null;
        this.#set('gone');
      };
      microphone.onlevel = (dbfs) => {
        this.#bar.show(loudness(dbfs));
        this.#devices.onlevel(loudness(dbfs));
      };
      this.#set('on');
    } catch (error) {
      this.#set(this.#devices.faultOf(error));
    }
  }

  /** Another microphone was chosen. */
  async again() {
    if (this.state !== 'none') await this.check();
  }

  /** Hands the microphone over, if there is one; the check is over. @returns {Microphone | null} */
  handOver() {
    const microphone = this.#microphone;
    this.#microphone = null;
    this.close();
    return microphone;
  }

  close() {
    this.#closed = true;
    this.#microphone?.stop();
    this.#microphone = null;
  }

  /** @param {import('./room-model.js').Mic} state */
  #set(state) {
    this.state = state;
    if (!this.#closed) keepFocus(this.element, () => this.#render(), () => this.element);
  }

  #render() {
    setAttribute(this.element, 'data-mic', this.state);
    const check = (/** @type {string} */ label) =>
      makeButton('quiet', () => void this.check(), icon('mic'),
        label);
    if (this.state === 'none') return fill(this.element, check(say('mic.check')));
    if (this.state === 'asking') {
      return fill(this.element, h('p', { class: 'note', role: 'status' }, say('mic.asking')));
    }
    if (this.state === 'on') {
      return fill(this.element, h('div', { class: 'mic-line' }, icon('mic'), this.#bar.element),
        smallPrint(say('mic.on')));
    }
    return fill(this.element, h('p', { class: 'trouble', role: 'alert' }, icon('micOff'),
        h('span', {}, micTrouble(this.state, 'Door'))),
      check(say('mic.retry')));
  }
}
