/**
 * Which language the page speaks: the user's choice, or the browser's. The words of the door are in the
 * document, if it is in that language; all others come later, with what says them.
 */

import { choose, directionOf, speak, spoken } from '../words/say.js';
import { documentLanguage, documentWords, fileUrl } from './files.js';
import { scriptPart, within } from './part.js';

/** @typedef {import('../words/say.js').Language} Language */
const patience = 5_000; // ms for another language than the document's, before that is spoken
const changeTime = 45_000; // ms for one that the user chooses, before what is spoken is spoken on

/** @typedef {import('../words/say.js').Catalogue} Catalogue */

/** @type {Map<string, import('./part.js').Part<Record<string, Catalogue>>>} */ const parts = new Map();

/** The parts of a catalogue, in the order in which they are needed. */
const stages = /** @type {const} */ (['door', 'room', 'sheets', 'calls']);

/** @typedef {typeof stages[number]} Stage */

/** @param {Stage} stage @param {Language} code @returns {Promise<Catalogue>} */
async function wordsOf(stage, code) {
  if (stage === 'door' && code === documentLanguage) return documentWords;
  const name = `words-${stage}-${code}`;
  const part = parts.get(name) ?? scriptPart(fileUrl(name));
  parts.set(name, part);
  return (await part.load())[stage] ?? {};
}

/** @type {Language} */ let chosen = 'en';
let needed = 1; // of the stages: the door's
let speaking = false; // a language, since the start

/**
 * Speaks a language from now on, as far as it is needed by now, and tells the document so.
 * @param {string} [wish] '': what the browser wants
 */
export async function speakLanguage(wish = '') {
  const code = chosen = choose(wish === '' ? navigator.languages : [wish]);
  try {
    await within(speaking ? changeTime : patience, allWords());
  } catch (error) {
    if (chosen !== code) return; // another one is wished for by now
    if (speaking || documentLanguage === '') { // what was spoken is spoken on
      chosen = /** @type {Language} */ (spoken());
      throw error;
    }
    chosen = choose([documentLanguage]);
    speak(chosen, documentWords);
  }
  speaking = true;
  Object.assign(document.documentElement, { lang: chosen, dir: directionOf(chosen) });
}

/** Resolves when the words of a stage are here, in the language that is spoken. @param {Stage} stage */
export async function wordsFor(stage) {
  needed = Math.max(needed, stages.indexOf(stage) + 1);
  await allWords();
}

/** All that are needed by now. */
async function allWords() {
  const code = chosen;
  const catalogues = await Promise.all(stages.slice(0, needed).map((stage) => wordsOf(stage, code)));
  if (code === chosen) speak(code, ...catalogues);
}
