/** The screen of a stay that ended. */

import { h, makeButton } from './dom.js';
import { icon } from './icons.js';
import { has, say } from '../words/say.js';

/** @typedef {import('../words/say.js').Key} Key */

const maxDetails = 600; // characters

/**
 * @param {{code: string, text: string} | null} error null if the user left
 * @param {{again: () => void, door: () => void}} actions
 */
export function endedScreen(error, { again, door }) {
  const known = error === null || has(`ended.${error.code}.title`);
  const key = error === null ? 'left' : known ? error.code : 'other';
  const title = say(/** @type {Key} */ (`ended.${key}.title`));
  const values = { option: '--web-origin' };
  const what = error === null ? '' : say(/** @type {Key} */ (`ended.${key}.what`), values);
  return h('main', { class: 'screen', 'data-ended': error?.code ?? 'left' },
    icon(error ? 'warning' : 'check'),
    h('h1', { tabIndex: -1 }, title),
    what !== '' && h('p', {}, what),
    error && error.text !== '' && details(known, error.text),
    h('div', { class: 'buttons' },
      error?.code !== 'relay_key' && makeButton('primary large', again, say('ended.again')),
      makeButton('large', door, say('ended.door'))));
}

/**
 * What the program says, for who has to mend it.
 * @param {boolean} known whether the page has words of its own
 * @param {string} text
 */
function details(known, text) {
  const said = h('p', { class: 'hint', dir: 'ltr', lang: 'en' }, text.slice(0, maxDetails));
  return known ? h('details', {}, h('summary', { class: 'hint' }, say('ended.details')), said) : said;
}
