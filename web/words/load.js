/** Which language the page speaks: the user's choice or the browser's, and its catalogue, fetched when needed. */

import { choose, directionOf, speak } from './say.js';

/**
 * Speaks a language from now on, and tells the document so.
 * @param {string} [chosen] '': what the browser wants
 */
export async function load(chosen = '') {
  const code = choose(chosen === '' ? navigator.languages : [chosen]);
  const { door, rest } = await import(`./${code}.js`);
  speak(code, door, rest);
  Object.assign(document.documentElement, { lang: code, dir: directionOf(code) });
}
