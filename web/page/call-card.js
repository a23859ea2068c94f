/** Who calls or is called, as all screens and strips show them: face, name, key, and what happens now. */

import { fill, h, setText } from './dom.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { say } from '../words/say.js';

/** @typedef {import('./key-state.js').KeyState} KeyState */

const signs = /** @type {const} */ ({ compared: 'check', same: 'info', new: 'info', changed: 'warning' });

export class CallCard {
  #face = h('span', { class: 'face' });
  #known = h('p', { class: 'known' });
  #called = h('p', { class: 'hint' });
  #phase = h('p', { class: 'phase' });
  #note = h('p', { class: 'hint' });
  #buttons = h('div', { class: 'buttons' });
  #shownFace = '';
  #shownKey = '';
  heading;
  element;

  /** @param {'h1' | 'h2'} level of the heading @param {boolean} [live] what happens is told as it changes */
  constructor(level, live = false) {
    this.heading = h(level, { tabIndex: -1 });
    if (live) this.#phase.setAttribute('role', 'status');
    this.element = h('div', { class: 'call-card' }, this.#face,
      h('div', { class: 'call-words' }, this.#phase, this.heading, this.#called, this.#known, this.#note),
      this.#buttons);
  }

  /**
   * @param {string} fingerprint @param {KeyState} state
   * @param {{phase: string, note?: string}} what happens now, and what that means
   */
  show(fingerprint, state, { phase, note = '' }) {
    if (this.#shownFace !== fingerprint) fill(this.#face, identicon(fingerprint));
    this.#shownFace = fingerprint;
    setText(this.#phase, phase);
    if (this.heading.textContent !== state.title) fill(this.heading, h('bdi', {}, state.title));
    this.#called.hidden = state.called === '';
    setText(this.#called, state.called === '' ? '' : say('call.calledThemselves', { name: state.called }));
    const key = state.known + state.text;
    if (this.#shownKey !== key) fill(this.#known, icon(signs[state.known]), h('span', {}, state.text));
    this.#shownKey = key;
    this.#known.dataset.known = state.known;
    this.#note.hidden = note === '';
    setText(this.#note, note);
  }

  /** @param {...import('./dom.js').Child} buttons */
  setButtons(...buttons) {
    fill(this.#buttons, ...buttons);
  }
}
