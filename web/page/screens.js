/** The screens without a control: a call that ended, and a browser that cannot join. */

import { h, makeButton } from './dom.js';
import { icon } from './icons.js';
import { ended as endedWords, support as supportWords } from './words.js';

const maxDetails = 600; // characters

/**
 * @param {{code: string, text: string} | null} error null if the user left
 * @param {{again: () => void, door: () => void}} actions
 */
export function endedScreen(error, { again, door }) {
  const [title, what] = error ? endedWords.codes[error.code] ?? endedWords.other : endedWords.left;
  const known = error === null || error.code in endedWords.codes;
  return h('main', { class: 'screen', 'data-ended': error?.code ?? 'left' },
    icon(error ? 'warning' : 'check'),
    h('h1', { tabIndex: -1 }, title),
    what !== '' && h('p', {}, what),
    error && error.text !== '' && details(known, error.text),
    h('div', { class: 'buttons' },
      makeButton('primary large', again, endedWords.again),
      makeButton('large', door, endedWords.door)));
}

/**
 * What the program says, for who has to mend it.
 * @param {boolean} known whether the page has words of its own
 * @param {string} text
 */
function details(known, text) {
  const said = h('p', { class: 'hint', dir: 'auto' }, text.slice(0, maxDetails));
  return known ? h('details', {}, h('summary', { class: 'hint' }, endedWords.details), said) : said;
}

/** @param {import('./support.js').Feature[]} lacking */
export function supportScreen(lacking) {
  const insecure = lacking.includes('secure');
  return h('main', { class: 'screen', 'data-ended': 'support' },
    icon('warning'),
    h('h1', {}, supportWords.title),
    h('p', {}, supportWords.what),
    h('ul', {}, ...lacking.map((feature) => h('li', {}, supportWords.missing[feature]))),
    h('p', {}, insecure ? supportWords.secure : supportWords.use));
}
