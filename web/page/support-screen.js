/** The screen of a browser that cannot join: what it lacks, and what to do. */

import { h } from './dom.js';
import { icon } from './icons.js';
import { say } from '../words/say.js';

/** @typedef {import('./screens.js').Feature} Feature */

/** @param {Feature[]} lacking */
export function supportScreen(lacking) {
  const insecure = lacking.includes('secure');
  return h('main', { class: 'screen', 'data-ended': 'support' },
    icon('warning'),
    h('h1', {}, say('support.title')),
    h('p', {}, say('support.what')),
    h('ul', {}, ...lacking.map((feature) => h('li', {}, say(`support.${feature}`)))),
    h('p', {}, insecure ? say('support.open', { scheme: 'https://' }) : say('support.use')));
}
