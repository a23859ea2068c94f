/** A direct call that is not a conversation yet, or not any more: what happens, or what it came to. */

import { CallCard } from './call-card.js';
import { h, makeButton } from './dom.js';
import { icon } from './icons.js';
import { has, say } from '../words/say.js';

/** @typedef {import('./call-model.js').CallModel} CallModel */
/** @typedef {import('./key-state.js').KeyState} KeyState */
/** @typedef {import('../words/say.js').Key} Key */

/** What happens now, in words. @param {CallModel} model @param {import('./room-model.js').Mic} mic */
export function phaseWords({ phase }, mic) {
  if (mic === 'asking') return say('control.asking');
  return phase === 'talking' || phase === 'ended' ? '' : say(`call.phase.${phase}`);
}

/** What it came to: a title, and what to do. @param {CallModel} model @param {string} name */
export function endedWords({ reason, error, talked }, name) {
  const code = reason === 'error' ? error?.code ?? '' : reason === 'failed' && talked ? 'lost' : reason;
  const keys = [
    [`callEnd.${code}.title`, `callEnd.${code}.what`], [`ended.${code}.title`, `ended.${code}.what`],
  ];
  const found = keys.find(([key]) => has(key ?? '')) ?? [];
  const [title = 'callEnd.failed.title', what = 'callEnd.failed.what'] = found;
  return {
    title: say(/** @type {Key} */ (title), { name }),
    what: has(what) ? say(/** @type {Key} */ (what), { name, option: '--web-origin' }) : '',
  };
}

/** While it is being set up. */
export class CallingScreen {
  #card = new CallCard('h1', true);
  #trouble = h('p', { class: 'trouble', hidden: true });
  element;

  /** @param {{strips: HTMLElement, hangUp: () => void}} options */
  constructor({ strips, hangUp }) {
    const end = makeButton('danger large', hangUp, icon('hangUp'), say('call.hangUp'));
    end.dataset.call = 'hangUp';
    this.#card.setButtons(end);
    this.element = h('main', { class: 'screen call-screen', 'data-screen': 'calling' }, strips,
      this.#card.element, this.#trouble);
  }

  /** @param {CallModel} model @param {KeyState} state @param {import('./stay.js').Stay} stay */
  show(model, state, stay) {
    const note = model.phase === 'calling' ? say('call.callingNote') : '';
    this.#card.show(model.person.fingerprint, state, { phase: phaseWords(model, stay.model.mic), note });
    const denied = !['on', 'asking', 'none'].includes(stay.model.mic);
    this.#trouble.hidden = !denied;
    if (denied && this.#trouble.textContent === '') {
      this.#trouble.append(icon('micOff'), h('span', {}, say('call.noMic')));
    }
  }

  focus() {
    this.#card.heading.focus({ preventScroll: true });
  }
}

/**
 * What a call came to.
 * @param {CallModel} model @param {KeyState} state
 * @param {{again: (() => void) | null, back: {room: string, join: () => void} | null, door: () => void}} acts
 */
export function callEndedScreen(model, state, { again, back, door }) {
  const { title, what } = endedWords(model, state.title);
  const card = new CallCard('h1');
  card.show(model.person.fingerprint, state, { phase: '' });
  card.setButtons(
    again && makeButton('primary large', again, icon('call'), say('call.again')),
    back && makeButton('large', back.join, say('call.backTo', { room: back.room })),
    makeButton('large', door, say('ended.door')));
  const screen = h('main', { class: 'screen call-screen', 'data-ended': model.reason }, card.element);
  const heading = h('h2', { class: 'outcome', tabIndex: -1 }, title);
  card.element.querySelector('.call-words')?.append(heading, ...what === '' ? [] : [h('p', {}, what)]);
  return screen;
}
