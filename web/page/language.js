/**
 * Which language the page speaks: the user's choice, or the browser's. The words of the door are in the document,
 * if it is in that language; all others come later.
 */

import { choose, directionOf, speak } from '../words/say.js';
import { documentLanguage, documentWords, fileUrl } from './files.js';
import { scriptPart, within } from './part.js';

/** @typedef {import('../words/say.js').Language} Language */
const patience = 5_000; // ms for another language than the document's, before that is spoken

/** @typedef {import('../words/say.js').Catalogue} Catalogue */

/** @type {Map<string, import('./part.js').Part<Record<string, Catalogue>>>} */ const parts = new Map();

/** @param {'door' | 'rest'} which @param {Language} code @returns {Promise<Catalogue>} */
async function wordsOf(which, code) {
  if (which === 'door' && code === documentLanguage) return documentWords;
  const name = `words-${which}-${code}`;
  const part = parts.get(name) ?? scriptPart(fileUrl(name));
  parts.set(name, part);
  return (await part.load())[which] ?? {};
}

/** @type {Language} */ let chosen = 'en';

/**
 * Speaks a language from now on, as far as the door needs it, and tells the document so.
 * @param {string} [wish] '': what the browser wants
 */
export async function speakLanguage(wish = '') {
  chosen = choose(wish === '' ? navigator.languages : [wish]);
  if (chosen === documentLanguage && !parts.has('words-rest-' + chosen)) speak(chosen, documentWords);
  else {
    try {
      await within(patience, allWords());
    } catch (error) {
      if (documentLanguage === '') throw error;
      chosen = choose([documentLanguage]);
      speak(chosen, documentWords);
    }
  }
  Object.assign(document.documentElement, { lang: chosen, dir: directionOf(chosen) });
}

/** Resolves when all words of the language that is spoken are here. */
export async function allWords() {
  const code = chosen;
  const [door, rest] = await Promise.all([wordsOf('door', code), wordsOf('rest', code)]);
  if (code === chosen) speak(code, door, rest);
}
