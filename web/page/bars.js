/**
 * Calm bars across the top for what happened to the page as a whole: errors, no network, paused sound. Never
 * silent, never more than a few.
 */

import { messageOf } from '../wire/bytes.js';
import { h, keepFocus, makeButton } from './dom.js';
import { icon, iconButton } from './icons.js';
import { say } from '../words/say.js';

const most = 3;

/**
 * @typedef {{text: string, detail?: string, kind?: 'danger' | 'note', action?: string, act?: () => void,
 *   fixed?: boolean}} Bar
 *   `detail`: what the program says, for who has to mend it; `fixed`: without a button to dismiss it
 */

/** The place of the bars. */
export class Bars {
  element = h('div', { class: 'bars', role: 'alert' });
  /** @type {((leave: () => void) => void) | null} asks before a call is left */ ask = null;
  /** @type {Map<string, HTMLElement>} by key */ #shown = new Map();

  /** @param {string} key one bar of a key at a time @param {Bar} bar */
  show(key, { text, detail, kind = 'note', action, act, fixed = false }) {
    const button = action && makeButton('small', act, action);
    const dismiss = !fixed && iconButton('close', say('bar.dismiss'), () => this.hide(key));
    const made = h('div', { class: 'bar', 'data-bar': key, 'data-kind': kind },
      icon(kind === 'danger' ? 'warning' : 'info'), 
      h('p', {}, text, detail && h('small', { dir: 'ltr', lang: 'en' }, detail)), button, dismiss);
    const old = this.#shown.get(key);
    if (old?.textContent === made.textContent) return; // not said twice to screen readers
    if (old) old.replaceWith(made);
    else this.element.append(made);
    this.#shown.set(key, made);
    if (this.#shown.size > most) this.hide([...this.#shown.keys()][0] ?? '');
  }

  /** @param {string} key */
  hide(key) {
    keepFocus(this.element, () => this.#shown.get(key)?.remove(), 
      () => document.querySelector('#app :is(.talk, [type=submit])'));
    this.#shown.delete(key);
  }

  /** Something broke: says what, and offers to reload. @param {unknown} error @param {string} [key] */
  error(error, key = 'error') {
    const what = messageOf(error);
    const reload = () => location.reload();
    this.show(key, {
      text: say('bar.error'), detail: what.slice(0, 200), kind: 'danger', action: say('bar.reload'),
      act: () => (this.ask ? this.ask(reload) : reload()),
    });
  }
}
