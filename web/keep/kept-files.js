/** What a browser keeps of the page. The build (tools/page) puts a list of its own in place of this one. */

/** Says what is in all of it. */ export const version = '';
/** Paths from the page's home, for every language. @type {string[]} */ export const files = [];
/**
 * By language: the paths of its words, and that of the door's document, with its SHA-256, hexadecimal.
 * @type {Record<string, {words: string[], document: string, hash: string}>}
 */
export const languages = {};
