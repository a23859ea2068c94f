/**
 * Copying with an answer: the button says for a moment that it is done, or that the browser does not do it.
 */

import { fill, h } from './dom.js';
import { icon } from './icons.js';
import { say } from '../words/say.js';

const shown = 2000; // ms

/** @param {string} label @param {() => string} text what is copied @param {string} [look] */
export function copyButton(label, text, look = '') {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
  const status = h('span', { class: 'unseen', role: 'status' });
  const face = (/** @type {import('./icons.js').IconName} */ name, /** @type {string} */ said) =>
    fill(button, icon(name), said, status);
  const button = h('button', { type: 'button', class: `button ${look}`.trim(), onclick: async () => {
    clearTimeout(timer);
    try {
      await navigator.clipboard.writeText(text());
      face('check', say('invite.copied'));
      status.textContent = say('invite.copied');
    } catch {
      face('warning', say('invite.copyFailed'));
      status.textContent = say('invite.copyFailed');
    }
    timer = setTimeout(() => {
      face('copy', label);
      status.textContent = '';
    }, shown);
  } });
  face('copy', label);
  return button;
}
