/** The keys of the room: which key does what, and when a key belongs to something else. */

import { openSheet } from './sheet.js';

/**
 * @typedef {object} Actions
 * @property {(down: boolean) => void} talk
 * @property {() => void} mute
 * @property {() => void} mode
 * @property {() => void} hand
 * @property {() => void} invite
 * @property {() => void} people
 * @property {() => void} keys
 */

/** Where letters are text. */
const text =
  'input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]';
/** What the space bar does something to by itself. */
const active = 'button, a[href], summary, input:not([type=radio]:checked), select';

/** Listens until it is closed. In a sheet, only the keys of one's own voice work. */
export class Keyboard {
  #actions;
  #talkKey;
  #stop = new AbortController();
  #held = ''; // the code of the key that talks now

  /**
   * @param {Actions} actions
   * @param {() => string} talkKey the code of the key that talks, besides the space bar; '' if there is none
   */
  constructor(actions, talkKey) {
    this.#actions = actions;
    this.#talkKey = talkKey;
    const { signal } = this.#stop;
    document.addEventListener('keydown', (event) => this.#down(event), { signal });
    document.addEventListener('keyup', (event) => this.#up(event), { signal });
    // Nobody tells the page that a key went up elsewhere.
    window.addEventListener('blur', () => this.#release(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden && this.#release(), { signal });
  }

  close() {
    this.#stop.abort();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (event.metaKey) this.#release(); // macOS tells of no key that goes up meanwhile
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.matches(text)) return;
    if (event.code === 'Space' || event.code === this.#talkKey()) return this.#talk(event, target);
    if (event.repeat) return;
    const { mute, mode, hand, invite, people, keys } = this.#actions;
    const own = { m: mute, h: hand };
    /** @type {Record<string, () => void>} */
    const actions = openSheet() ? own : { ...own, r: mode, i: invite, p: people, '?': keys };
    const key = letterOf(event.key, event.code);
    const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** @param {KeyboardEvent} event @param {Element} target */
  #talk(event, target) {
    // Who came to a button by keyboard means that button; who clicked one and presses space wants to talk.
    const meant = target.matches(active) && target.matches(':focus-visible') && !target.matches('.talk');
    if (event.code === 'Space' && meant) return;
    event.preventDefault(); // no scrolling, no click
    if (event.repeat || this.#held !== '') return;
    this.#held = event.code;
    this.#actions.talk(true);
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    if (event.code !== this.#held) return;
    event.preventDefault();
    this.#release();
  }

  #release() {
    if (this.#held === '') return;
    this.#held = '';
    this.#actions.talk(false);
  }
}

/**
 * The letter that a key stands for: the one that it writes; by its place where the keyboard has others, but
 * for the question mark, which is elsewhere on each.
 * @param {string} key @param {string} code
 */
export function letterOf(key, code) {
  if (key === '؟') return '?';
  return key.length === 1 && key < '\x7f' ? key.toLowerCase() : code.replace('Key', '').toLowerCase();
}
