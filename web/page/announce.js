/**
 * What screen readers are told of a room: politely, every few seconds at most, the latest in one sentence.
 */

import { h } from './dom.js';
import { say } from '../words/say.js';

const pause = 4000; // ms between two announcements
const named = 3; // more people who come or go at once are only counted

/**
 * @param {'announce.came' | 'announce.went' | 'announce.hand'} key @param {Set<string>} names
 * @returns {string}
 */
function people(key, names) {
  const n = names.size;
  return n > named ? say(`${key}Many`, { n }) : say(key, { n, names: [...names] });
}

/**
 * Who talks, in one sentence.
 * @param {'control.talks' | 'control.mutedTalks'} key @param {string[]} names not empty @returns {string}
 */
export function talkersText(key, [name, ...others]) {
  return others.length === 0 ? say(key, { name }) : say(`${key}More`, { name, n: others.length });
}

/** A live region, and what waits to be said in it. */
export class Announcer {
  element = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
  /** @type {Element | null} */ #home = null;
  /** @type {Set<string>} */ #came = new Set();
  /** @type {Set<string>} */ #went = new Set();
  /** @type {Set<string>} */ #raised = new Set();
  /** @type {string[]} */ #talking = [];
  #said = ''; // the talkers who were said last
  #state = '';
  #at = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {Element} home where it lives while no sheet is open */
  live(home) {
    this.#home = home;
    home.append(this.element);
  }

  /** @param {string[]} came @param {string[]} went names */
  people(came, went) {
    for (const name of came) this.#went.delete(name) || this.#came.add(name);
    for (const name of went) this.#came.delete(name) || this.#went.add(name);
    this.#soon();
  }

  /** @param {string[]} up @param {string[]} down names of others who raised a hand, and lowered it */
  hands(up, down) {
    for (const name of up) this.#raised.add(name);
    for (const name of down) this.#raised.delete(name);
    if (up.length > 0) this.#soon();
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
    if (this.#came.size > 0) sentences.push(people('announce.came', this.#came));
    if (this.#went.size > 0) sentences.push(people('announce.went', this.#went));
    if (this.#raised.size > 0) sentences.push(people('announce.hand', this.#raised));
    const talking = this.#talking.join();
    if (talking !== '' && talking !== this.#said) sentences.push(talkersText('control.talks', this.#talking));
    this.#said = talking;
    this.#state = '';
    this.#came.clear();
    this.#went.clear();
    this.#raised.clear();
    if (sentences.length === 0) return;
    this.#at = performance.now();
    this.#tell(sentences.join('. ') + '.');
  }

  /** What is under a sheet is not read: then it is said in the sheet. @param {string} text */
  #tell(text) {
    const place = document.querySelector('dialog[open]') ?? this.#home;
    if (place && this.element.parentElement !== place) place.append(this.element);
    setTimeout(() => (this.element.textContent = text), 50); // once it is seen that it is a live region
  }
}
