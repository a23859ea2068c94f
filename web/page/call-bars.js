/** The strips of a call: who holds it, another call that waits, what is asked, that the way is lost. */

import { fill, h, keepFocus, makeButton } from './dom.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { say } from '../words/say.js';

/** @typedef {import('./call-model.js').CallModel} CallModel */

/**
 * What they show. `title`: of who is in the call; `waiting`: of who is in the other call, '' for nobody;
 * `third`: of whom a question is.
 * @typedef {{model: CallModel, title: string, waiting: string, waitingFace: string, third: string}} Shown
 */

/**
 * @typedef {object} BarActions
 * @property {() => void} resume
 * @property {() => void} swap the other call comes to the front
 * @property {() => void} handOver
 * @property {(yes: boolean) => void} answer what was asked
 */

export class CallBars {
  element = h('div', { class: 'call-bars', role: 'status' });
  #actions;
  #shown = '';

  /** @param {BarActions} actions */
  constructor(actions) {
    this.#actions = actions;
  }

  /** @param {Shown} shown */
  show(shown) {
    const { us, them, lost, question, transfer, phase } = shown.model;
    const key = JSON.stringify([us, them, lost, question, transfer, phase, { ...shown, model: 0 }]);
    if (key === this.#shown) return; // or screen readers would say it again
    this.#shown = key;
    keepFocus(this.element, () => fill(this.element, ...this.#bars(shown)));
  }

  /** @param {Shown} shown */
  *#bars({ model, title, waiting, waitingFace, third }) {
    const { resume, swap, handOver, answer } = this.#actions;
    if (model.question) yield this.#question(model.question.kind, title, third, answer);
    if (model.lost) yield bar('lost', icon('info'), say('call.lost'));
    if (model.us) {
      yield bar('held', icon('hold'), say('call.held'), small(resume, say('call.resume'), 'resume'));
    } else if (model.them) {
      yield bar('theyHold', icon('hold'), say('call.theyHold', { name: title }));
    }
    const going = model.transfer === 'asking';
    if (model.transfer !== '' && waiting !== '') {
      const names = { name: title, other: waiting };
      yield bar('transfer', icon('info'), say(`call.transfer.${model.transfer}`, names));
    }
    if (waiting === '') return;
    yield bar('waiting', h('span', { class: 'face' }, identicon(waitingFace)),
      say('call.waiting', { name: waiting }), small(swap, say('call.swap'), 'swap'),
      !going && model.phase === 'talking' && small(handOver, say('call.handOver'), 'handOver'));
  }

  /**
   * @param {'consent' | 'transfer'} kind @param {string} name @param {string} other
   * @param {(yes: boolean) => void} answer
   */
  #question(kind, name, other, answer) {
    return bar('question', icon('info'), say(`call.ask.${kind}`, { name, other }),
      small(() => answer(true), say('call.yes'), 'yes'), small(() => answer(false), say('call.no'), 'no'));
  }
}

/**
 * @param {string} name for styles and tests @param {Element} sign @param {string} text
 * @param {...import('./dom.js').Child} buttons
 */
function bar(name, sign, text, ...buttons) {
  return h('div', { class: 'strip', 'data-strip': name }, sign, h('p', {}, text),
    h('div', { class: 'buttons' }, ...buttons));
}

/** @param {() => void} act @param {string} label @param {string} name for tests */
function small(act, label, name) {
  const button = makeButton('small', act, label);
  button.dataset.call = name;
  return button;
}
