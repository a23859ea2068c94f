/** The keys of the room: which key does what, and when a key belongs to something else; the sheet of them. */

import { h } from './dom.js';
import { Sheet, openSheet } from './sheet.js';
import { say } from '../words/say.js';

/**
 * @typedef {object} Actions
 * @property {(down: boolean) => void} space
 * @property {() => void} mute
 * @property {() => void} mode
 * @property {() => void} invite
 * @property {() => void} people
 * @property {() => void} keys
 */

/** Where letters are text. */
const text =
  'input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]';
/** What the space bar does something to by itself. */
const active = 'button, a[href], summary, input:not([type=radio]:checked), select';

/** Listens until it is closed. */
export class Keyboard {
  #actions;
  #stop = new AbortController();
  #spaceDown = false;

  /** @param {Actions} actions */
  constructor(actions) {
    this.#actions = actions;
    const { signal } = this.#stop;
    document.addEventListener('keydown', (event) => this.#down(event), { signal });
    document.addEventListener('keyup', (event) => this.#up(event), { signal });
  }

  close() {
    this.#stop.abort();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || openSheet()) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.matches(text)) return;
    if (event.code === 'Space') return this.#space(event, target);
    if (event.repeat) return;
    const { mute, mode, invite, people, keys } = this.#actions;
    /** @type {Record<string, () => void>} */
    const actions = { m: mute, r: mode, i: invite, p: people, '?': keys };
    // By letter, so that it is the key with that letter; by place where the keyboard has other letters.
    const key =
      event.key.length === 1 && event.key < '\x7f'
        ? event.key.toLowerCase()
        : event.code.replace('Key', '').toLowerCase();
    const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** @param {KeyboardEvent} event @param {Element} target */
  #space(event, target) {
    // Who came to a button by keyboard means that button; who clicked one and presses space wants to talk.
    if (target.matches(active) && target.matches(':focus-visible') && !target.matches('.talk')) return;
    event.preventDefault(); // no scrolling, no click
    if (event.repeat || this.#spaceDown) return;
    this.#spaceDown = true;
    this.#actions.space(true);
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    if (event.code !== 'Space' || !this.#spaceDown) return;
    this.#spaceDown = false;
    event.preventDefault();
    this.#actions.space(false);
  }
}

/** The sheet that lists them. @param {() => void} closed */
export function openKeys(closed) {
  const sheet = new Sheet(say('keys.title'), { name: 'keys', closed });
  /** @type {[string, import('../words/say.js').Key][]} */ const list = [
    [say('keys.space'), 'keys.talk'], ['M', 'keys.mute'], ['R', 'keys.mode'], ['I', 'keys.invite'],
    ['P', 'keys.people'], [say('keys.escape'), 'keys.close'], ['?', 'keys.list'],
  ];
  sheet.body.append(h('dl', { class: 'numbers' },
    ...list.map(([key, does]) => h('div', {}, h('dt', {}, h('kbd', {}, key)), h('dd', {}, say(does))))));
}
