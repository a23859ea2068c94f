/** Warnings across the full width of the room. Which stay, and with which name, is warning-list.js's. */

import { fill, h, keepFocus, makeButton } from './dom.js';
import { fingerprintBlock } from './fingerprint.js';
import { icon } from './icons.js';
import { nameOf } from './member-rows.js';
import { has, say } from '../words/say.js';

/** @typedef {import('./stay.js').Stay} Stay */
/** @typedef {import('../words/say.js').Key} Key */
/** @typedef {import('./room-model.js').Warning} Warning */

export class Warnings {
  element = h('div', { class: 'warnings', role: 'alert' });
  #stay;
  #person;
  #safety;
  #shown = '';
  /** @type {Map<Warning, HTMLElement>} */ #trusts = new Map();

  #after;

  /**
   * @param {Stay} stay
   * @param {{person: (id: string) => void, safety: () => void, after: () => void}} options `after` takes the
   *   focus when the last warning is gone
   */
  constructor(stay, { person, safety, after }) {
    this.#stay = stay;
    this.#after = after;
    this.#person = person;
    this.#safety = safety;
  }

  show() {
    const { warnings, members } = this.#stay.model;
    const key = JSON.stringify(
      warnings.map(({ code, name, fingerprint, text, count }) => [code, name, fingerprint, text, count]),
    );
    if (key !== this.#shown) { // or screen readers would say them again
      this.#shown = key;
      this.#trusts.clear();
      keepFocus(this.element, () => fill(this.element, ...warnings.map((warning) => (
        warning.code === 'name' && warning.member !== '' ? this.#changed(warning) : this.#other(warning)))),
      this.#after);
    }
    // Who is away cannot be trusted.
    for (const [warning, trust] of this.#trusts) trust.hidden = !members.has(warning.member);
  }

  /** @param {Warning} warning */
  #changed(warning) {
    const name = warning.fingerprint ? nameOf(warning) : say('person.somebody');
    const trust = button(say('warnings.trust'), '', () => this.#stay.trust(warning.member));
    this.#trusts.set(warning, trust);
    return h('section', { class: 'warning danger', 'data-warning': 'name' }, icon('warning'),
      h('div', { class: 'warning-words' },
        h('h2', {}, say('warnings.changedTitle', { name })),
        h('p', {}, say('warnings.changedText', { name })),
        warning.fingerprint !== '' && fingerprintBlock(warning.fingerprint),
        h('div', { class: 'buttons' },
          button(say('warnings.look'), 'primary', () => this.#compare(warning.member)),
          trust,
          button(say('warnings.keep'), '', () => this.#stay.acknowledge(warning)))));
  }

  /** Who is away has no sheet. @param {string} member */
  #compare(member) {
    if (this.#stay.model.members.has(member)) this.#person(member);
    else this.#safety();
  }

  /** @param {Warning} warning */
  #other(warning) {
    const { code, count } = warning;
    const name = warning.fingerprint ? nameOf(warning) : say('person.somebody');
    const key = `warnings.${code}.${count > 1 ? 'several' : 'one'}`;
    const text = has(key)
      ? say(/** @type {Key} */ (key), { name, n: count }) : say('warnings.unknown', { code });
    const compare = ['members', 'unknown_member', 'name'].includes(code);
    return h('section', { class: 'warning', 'data-warning': warning.code }, icon('warning'),
      h('div', { class: 'warning-words' }, h('p', {}, text),
        h('div', { class: 'buttons' },
          compare && button(say('warnings.look'), '', () => this.#safety()),
          button(say('warnings.understood'), '', () => this.#stay.acknowledge(warning)))));
  }
}

/** @param {string} label @param {string} look @param {() => void} onclick */
const button = (label, look, onclick) => makeButton(`small ${look}`.trim(), onclick, label);
