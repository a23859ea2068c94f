/**
 * Where the files of the page are, and what of them is here already. The build (tools/page) puts a module of
 * its own in the place of this one: there each file is a bundle, whose name says what is in it.
 */

import { languages } from '../words/say.js';

/** Where the page was loaded from, which ends in a slash: `/` of a host, or a path that a proxy leads to. */
export const home = new URL('../', import.meta.url);

/** @type {Record<string, string>} */
const names = {
  room: 'page/room.js',
  sheets: 'page/sheets.js',
  mnemonic: 'identity/mnemonic.js',
  calls: 'page/switchboard.js',
  worker: 'call/worker.js',
  line: 'call/line-worker.js',
  worklet: 'audio/worklet.js',
};
for (const code of languages) {
  for (const stage of ['door', 'room', 'sheets', 'calls']) {
    names[`words-${stage}-${code}`] = `words/${code}.js`;
  }
}

/** @param {string} part @returns {string} */
export const fileUrl = (part) => new URL(names[part], home).href;

/** The language of this document, and its words for the door; '' where they have to be fetched. */
export const documentLanguage = /** @type {import('../words/say.js').Language | ''} */ ('');
/** @type {import('../words/say.js').Catalogue} */ export const documentWords = {};
