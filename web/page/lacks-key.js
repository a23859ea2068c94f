/** In a room whose people all have its key, without one: that nobody hears us, and what to do. */

import { h } from './dom.js';
import { icon } from './icons.js';
import { PasteInvite } from './paste-invite.js';
import { say } from '../words/say.js';

/**
 * @param {string} room @param {ConstructorParameters<typeof PasteInvite>[1]} options
 * @returns {HTMLElement}
 */
export function lacksKeySection(room, options) {
  return h('section', { class: 'warning', 'data-warning': 'lacks_key', role: 'alert' }, icon('key'),
    h('div', { class: 'warning-words' }, h('h2', {}, say('lacksKey.title')), h('p', {}, say('lacksKey.what')),
      new PasteInvite(room, options).element));
}
