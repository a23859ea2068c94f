/**
 * Somebody calls: over the door as a screen of its own, in a room as a strip, which leaves the big control in
 * reach; in a call nobody rings. No key answers by accident: the focus is on the name, and each button is
 * gone to.
 */

import { CallCard } from './call-card.js';
import { h, makeButton } from './dom.js';
import { icon } from './icons.js';
import { say } from '../words/say.js';

/**
 * @typedef {object} IncomingOptions
 * @property {string} fingerprint
 * @property {import('./key-state.js').KeyState} state
 * @property {string} note what answering does to a room that there is, '' if there is none
 * @property {() => void} answer
 * @property {() => void} decline
 * @property {() => void} compare
 * @property {() => void} later it goes on ringing elsewhere, and for the caller
 */

/** @param {IncomingOptions} options @param {'h1' | 'h2'} level @returns {CallCard} */
function card({ fingerprint, state, note, answer, decline, compare }, level) {
  const shown = new CallCard(level);
  shown.show(fingerprint, state, { phase: say('call.incoming'), note });
  const changed = state.known === 'changed';
  const answers = makeButton(changed ? '' : 'primary', answer, icon('call'), say('call.answer'));
  const compares = makeButton('primary', compare, icon('lock'), say('warnings.look'));
  const declines = makeButton('danger', decline, icon('hangUp'), say('call.decline'));
  for (const [button, name] of /** @type {const} */ (
    [[answers, 'answer'], [compares, 'compare'], [declines, 'decline']])) button.dataset.call = name;
  // Who may not be who they seem is compared first.
  shown.setButtons(changed && compares, answers, declines);
  return shown;
}

/** A strip. @param {IncomingOptions} options */
export function incomingStrip(options) {
  const { element, heading } = card(options, 'h2');
  const label = say('call.calls', { name: options.state.title });
  const strip = h('section', { class: 'strip incoming', 'aria-label': label }, element);
  strip.dataset.known = options.state.known;
  return { element: strip, heading, label };
}

/** A screen over all. @param {IncomingOptions} options @returns {HTMLDialogElement} to be shown */
export function incomingScreen(options) {
  const { element, heading } = card(options, 'h1');
  heading.id = 'incoming-name';
  const later = h('button', { type: 'button', class: 'link', onclick: options.later }, say('call.later'));
  const dialog = h('dialog', { class: 'call-over', 'aria-labelledby': heading.id }, element, later);
  dialog.dataset.known = options.state.known;
  dialog.addEventListener('cancel', (event) => {
    event.preventDefault(); // Esc puts it away, and answers nothing
    options.later();
  });
  return dialog;
}
