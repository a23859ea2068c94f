/**
 * Warnings across the full width of the room. A changed key stays until the user has said what it is.
 *
 * @module page/warnings
 */

import { fill, h } from './dom.js';
import { icon } from './icons.js';
import { nameOf } from './people.js';
import { warnings as words } from './words.js';

/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('./model.js').Warning} Warning */

/** See the module. */
export class Warnings {
  element = h('div', { class: 'warnings', role: 'alert' });
  #call;
  #person;
  #safety;
  #shown = '';

  /** @param {Call} call @param {{person: (id: string) => void, safety: () => void}} open */
  constructor(call, { person, safety }) {
    this.#call = call;
    this.#person = person;
    this.#safety = safety;
  }

  show() {
    const { warnings, members } = this.#call.model;
    const key = JSON.stringify(warnings.map(({ code, member, text }) => [code, members.get(member)?.name, member, text]));
    if (key === this.#shown) return; // or screen readers would say them again
    this.#shown = key;
    fill(this.element, ...warnings.map((warning) => warning.code === 'name' ? this.#changed(warning) : this.#other(warning)));
  }

  /** @param {Warning} warning @returns {string} */
  #name({ member }) {
    const found = this.#call.model.members.get(member);
    return found ? nameOf(found) : '';
  }

  /** @param {Warning} warning */
  #changed(warning) {
    const name = this.#name(warning) || words.somebody;
    const { member } = warning;
    return h('section', { class: 'warning danger', 'data-warning': 'name' }, icon('warning'),
      h('div', { class: 'warning-words' },
        h('h2', {}, words.changedTitle(name)),
        h('p', {}, words.changedText(name)),
        h('div', { class: 'buttons' },
          button(words.look, 'primary', () => this.#person(member)),
          button(words.trust, '', () => this.#call.trust(member)),
          button(words.keep, '', () => this.#call.acknowledge(warning)))));
  }

  /** @param {Warning} warning */
  #other(warning) {
    const text = words.texts[warning.code]?.(this.#name(warning)) ?? (warning.text || words.unknown(warning.code));
    const compare = ['members', 'unknown_member'].includes(warning.code);
    return h('section', { class: 'warning', 'data-warning': warning.code }, icon('warning'),
      h('div', { class: 'warning-words' }, h('p', {}, text),
        h('div', { class: 'buttons' },
          compare && button(words.look, '', () => this.#safety()),
          button(words.understood, '', () => this.#call.acknowledge(warning)))));
  }
}

/** @param {string} label @param {string} look @param {() => void} onclick */
function button(label, look, onclick) {
  return h('button', { type: 'button', class: `button small ${look}`.trim(), onclick }, label);
}
