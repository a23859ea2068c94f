/**
 * The big control in thumb reach: the microphone in open mode, the talk button in radio mode, with the switch
 * between them. It turns pointers and clicks into press, release and mute; talk-button-state.js has the
 * words.
 */

import { talkButtonState } from './talk-button-state.js';
import { canSend } from './hearing.js';
import { fill, h, setAttribute, setText } from './dom.js';
import { icon, iconButton } from './icons.js';
import { LevelBar } from './level-bar.js';
import { say } from '../words/say.js';

/** @typedef {import('./stay.js').Stay} Stay */

const slip = 32; // CSS pixels that a finger may slide off the button before it counts as released

export class TalkButton {
  #stay;
  #label = h('span', { class: 'talk-label' });
  #hint = h('span', { class: 'talk-hint' });
  #icon = h('span', { class: 'talk-icon' });
  #bar = new LevelBar();
  #button = h('button', { type: 'button', class: 'talk' }, this.#icon,
    h('span', { class: 'talk-words' }, this.#label, this.#hint), this.#bar.element);
  /** @type {Record<'open' | 'radio', HTMLInputElement> | null} */ #modes = null;
  #hand = iconButton('hand', say('control.hand'), () => this.#stay.setHand(), say('control.hand'));
  element;
  #locked = false; // pressed by a click without a pointer, as screen readers do: the next click ends it
  #icons = '';
  /** @type {number | null} the pointer that holds the button */ #pointer = null;
  /** @type {AbortController} */ #listeners = new AbortController();

  /**
   * @param {Stay} stay
   * @param {{inSheet?: boolean, beside?: Element}} [where] in a sheet it is the button alone; beside: in the
   *   place of our hand
   */
  constructor(stay, { inSheet = false, beside } = {}) {
    this.#stay = stay;
    this.#bar.element.setAttribute('aria-hidden', 'true');
    if (!inSheet) this.#modes = { open: this.#choice('open'), radio: this.#choice('radio') };
    this.element = h('footer', { class: inSheet ? 'sheet-dock' : 'dock' },
      this.#modes && h('div', { class: 'choices' },
        h('fieldset', { class: 'segments' },
          h('legend', { class: 'unseen' }, say('room.mode')), ...this.#segments(this.#modes)),
        beside ?? this.#hand),
      this.#button);
    this.#listen();
  }

  /** @param {'open' | 'radio'} mode @returns {HTMLInputElement} */
  #choice(mode) {
    return h('input', {
      type: 'radio', name: 'mode', value: mode, id: 'mode-' + mode, onchange: () => this.#stay.setMode(mode),
    });
  }

  /** @param {Record<'open' | 'radio', HTMLInputElement>} modes */
  #segments(modes) {
    return /** @type {const} */ (['open', 'radio']).map((mode) =>
      h('label', { for: 'mode-' + mode, title: say(`room.${mode}Hint`) }, modes[mode],
        h('span', {}, say(`room.${mode}`))),
    );
  }

  #listen() {
    const button = this.#button;
    button.addEventListener('pointerdown', (event) => this.#down(event));
    button.addEventListener('pointermove', (event) => this.#move(event));
    for (const type of /** @type {const} */ (['pointerup', 'pointercancel', 'lostpointercapture'])) {
      button.addEventListener(type, (event) => event.pointerId === this.#pointer && this.release());
    }
    button.addEventListener('click', (event) => this.#click(event));
    // Enter that is still down from the door, or is held, is one press.
    button.addEventListener('keydown', (event) => {
      if (event.repeat && event.key === 'Enter') event.preventDefault();
    });
    // A long press opens it on phones.
    button.addEventListener('contextmenu', (event) => event.preventDefault());
    const { signal } = this.#listeners;
    window.addEventListener('blur', () => this.release(), { signal });
    window.addEventListener('pagehide', () => this.release(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden && this.release(), { signal });
  }

  /** Whether a press means talking now. */
  get #talks() {
    const { mode, mic, onHold } = this.#stay.model;
    return mode === 'radio' && mic === 'on' && onHold === '';
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!this.#talks || event.button !== 0 || !event.isPrimary) return;
    this.#pointer = event.pointerId;
    try {
      this.#button.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is gone already: pointercancel follows.
    }
    this.#locked = false;
    this.#stay.press(true);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const box = this.#button.getBoundingClientRect();
    const { clientX: x, clientY: y } = event;
    const off = x < box.left - slip || x > box.right + slip || y < box.top - slip || y > box.bottom + slip;
    if (off) this.release();
  }

  /** Ends talking, whatever held it. */
  release() {
    const pointer = this.#pointer;
    this.#pointer = null;
    this.#locked = false;
    if (pointer !== null && this.#button.hasPointerCapture(pointer)) {
      this.#button.releasePointerCapture(pointer);
    }
    this.#stay.press(false);
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const { model } = this.#stay;
    if (model.mic === 'asking') return;
    if (model.onHold !== '') return this.#stay.resume();
    if (model.mic !== 'on') return void this.#stay.askMicrophone();
    if (model.mode === 'open') return this.#stay.mute();
    if (event.detail !== 0) return; // a pointer, which has pressed and released
    this.#locked = !model.held;
    this.#stay.press(this.#locked);
  }

  /** @param {string[]} talkers names of the others who talk */
  show(talkers) {
    const { model } = this.#stay;
    const state = talkButtonState(model, talkers, {
      locked: this.#locked, keyboard: matchMedia('(hover: hover)').matches,
      key: this.#stay.talkKey().label,
    });
    setText(this.#label, state.label);
    setText(this.#hint, state.hint);
    if (this.#icons !== state.icon) fill(this.#icon, icon(state.icon));
    this.#icons = state.icon;
    setAttribute(this.#button, 'data-kind', state.kind);
    setAttribute(this.#button, 'data-mode', model.mode);
    // Not aria-pressed: the name says what it does, and a name that changes is not pressed as well.
    setAttribute(this.#button, 'data-pressed', state.pressed);
    setAttribute(this.#hand, 'aria-pressed', model.hand);
    for (const [mode, input] of Object.entries(this.#modes ?? {})) input.checked = mode === model.mode;
  }

  /** Our own level. */
  level() {
    const { model } = this.#stay;
    const sent = (model.mode === 'radio' ? model.held : !model.muted) && canSend(model);
    this.#bar.show(sent ? model.me : 0);
  }

  /** Puts the keyboard on it. */
  focus() {
    this.#button.focus({ preventScroll: true });
  }

  close() {
    this.release();
    this.#listeners.abort();
  }
}
