/**
 * The key that is held to talk, besides the space bar: which keys can be chosen, and the place in the
 * settings where that is done. Keys are told apart by place (KeyboardEvent.code), and called by what is
 * written on them.
 */

import { h, keepFocus, makeButton, setText } from './dom.js';
import { letterOf } from './keyboard.js';
import { say } from '../words/say.js';

/** Keys that write text, and those that do nothing by themselves in browsers. */
const usable = new RegExp('^((Key|Digit|Numpad|Intl)\\w+|F(2|4|8|9|1[3-9]|2[0-4])'
  + '|Backquote|Minus|Equal|Bracket(Left|Right)|Backslash|Semicolon|Quote|Comma|Period|Insert|Pause'
  + '|ScrollLock)$');

/** The letters of the room's other keys. */
const others = ['m', 'h', 'r', 'i', 'p', '?'];

/** Whether a key can be held to talk. @param {Pick<KeyboardEvent, 'code' | 'key'>} event */
export function canTalk({ code, key }) {
  return usable.test(code) && code !== 'NumpadEnter' && !others.includes(letterOf(key, code));
}

/** What is written on it. @param {Pick<KeyboardEvent, 'code' | 'key'>} event */
function labelOf({ code, key }) {
  if (code.startsWith('Numpad')) return `Num ${key}`;
  return key.length === 1 ? key.toUpperCase() : key;
}

/** The part of the settings where it is chosen. */
export class TalkKeyField {
  #prefs;
  #key = h('kbd');
  #hint = h('p', { class: 'hint', id: 'talk-key-hint', role: 'status' });
  #change = makeButton('small', () => this.#listen(), say('settings.talkKeyChange'));
  #none = makeButton('small', () => this.#set('', ''), say('settings.talkKeyNone'));
  /** @type {AbortController | null} while the next key is the one */ #listening = null;
  element = h('div', { class: 'field', role: 'group', 'aria-labelledby': 'talk-key' },
    h('span', { class: 'label', id: 'talk-key' }, say('settings.talkKey')),
    h('div', { class: 'buttons' }, this.#key, this.#change, this.#none), this.#hint);

  /** @param {import('./prefs.js').Prefs} prefs */
  constructor(prefs) {
    this.#prefs = prefs;
    this.#change.id = 'talk-key-change';
    this.#change.setAttribute('aria-describedby', 'talk-key talk-key-hint');
    this.#change.addEventListener('blur', () => this.#listening && this.#show());
    this.#show();
  }

  /** Shows what is chosen; no key is waited for any more. */
  #show() {
    this.#listening?.abort();
    this.#listening = null;
    const label = this.#prefs.get('talkKeyLabel');
    setText(this.#key, label || say('keys.space'));
    setText(this.#hint, label ? say('settings.talkKeyHint') : say('settings.talkKeyNoneHint'));
    keepFocus(this.element, () => (this.#none.hidden = label === ''), () => this.#change);
  }

  /** @param {string} code @param {string} label */
  #set(code, label) {
    this.#prefs.set('talkKey', code);
    this.#prefs.set('talkKeyLabel', label);
    this.#show();
  }

  /** Waits for a key. */
  #listen() {
    this.#listening?.abort();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    // Before anything else of the page, which has meanings of its own for keys.
    window.addEventListener('keydown', (event) => this.#pressed(event), { capture: true, signal });
    setText(this.#hint, say('settings.talkKeyPress'));
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key === 'Tab') return; // the focus goes on, and that ends it
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    if (event.key === 'Escape') this.#show();
    else if (event.code === 'Space') this.#set('', '');
    else if (canTalk(event)) this.#set(event.code, labelOf(event));
    else setText(this.#hint, say('settings.talkKeyTaken', { key: labelOf(event) }));
  }
}
