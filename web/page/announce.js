/**
 * What screen readers are told of a room: politely, every few seconds at most, the latest in one sentence.
 */

import { h } from './dom.js';
import { announce as words } from './words-room.js';

const pause = 4000; // ms between two announcements

/** A live region, and what waits to be said in it. */
export class Announcer {
  element = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
  /** @type {Set<string>} */ #came = new Set();
  /** @type {Set<string>} */ #went = new Set();
  /** @type {string[]} */ #talking = [];
  #said = ''; // the talkers who were said last
  #state = '';
  #at = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {string[]} came @param {string[]} went names */
  people(came, went) {
    for (const name of came) this.#went.delete(name) || this.#came.add(name);
    for (const name of went) this.#came.delete(name) || this.#went.add(name);
    this.#soon();
  }

  /** @param {string[]} names of who talks now */
  talkers(names) {
    this.#talking = names;
    if (names.length > 0) this.#soon();
  }

  /** @param {string} text of the connection, which goes before everything else */
  state(text) {
    this.#state = text;
    this.#soon();
  }

  /** Says nothing more. */
  close() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.element.remove();
  }

  #soon() {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#say(), Math.max(300, this.#at + pause - performance.now()));
  }

  #say() {
    this.#timer = undefined;
    const sentences = [];
    if (this.#state) sentences.push(this.#state);
    if (this.#came.size > 0) sentences.push(words.came([...this.#came]));
    if (this.#went.size > 0) sentences.push(words.went([...this.#went]));
    const talking = this.#talking.join();
    if (talking !== '' && talking !== this.#said) sentences.push(words.talking(this.#talking));
    this.#said = talking;
    this.#state = '';
    this.#came.clear();
    this.#went.clear();
    if (sentences.length === 0) return;
    this.#at = performance.now();
    this.element.textContent = sentences.join('. ') + '.';
  }
}
