/**
 * What the tab says of itself where tabs are listed: its title, and its icon. So it shows which of them has
 * the open microphone.
 */

import { say } from '../words/say.js';

/**
 * `here`: nothing to say; `elsewhere`: the call is in another tab; `rings`: somebody calls.
 * @typedef {'here' | 'live' | 'muted' | 'elsewhere' | 'rings'} Sign
 */

const microphone = '<rect x="25" y="13" width="14" height="25" rx="7"/>'
  + '<path d="M17 31a15 15 0 0 0 30 0M32 46v7" fill="none" stroke-width="5"/>';

/** On a square of 64 by 64. @type {Record<Sign, string>} */
export const drawings = {
  here: '<rect width="64" height="64" rx="14" fill="#1c1b19"/>' // icon.svg, which the document does without
    + '<path d="M14 27v10M23 19v26M32 11v13M32 40v13M41 19v26M50 27v10" fill="none" stroke="#ffb733"'
    + ' stroke-width="5" stroke-linecap="round"/>',
  live: `<circle cx="32" cy="32" r="30" fill="#ffb733"/><g stroke="#000">${microphone}</g>`,
  muted: `<circle cx="32" cy="32" r="30" fill="#6b6862"/><g fill="#fff" stroke="#fff">${microphone}</g>`
    + '<path d="M14 14l36 36" stroke="#fff" stroke-width="5"/>',
  rings: '<circle cx="32" cy="32" r="30" fill="#ffb733"/>'
    + '<path d="M20 15h9l4 11-6 5a24 24 0 0 0 11 11l5-6 11 4v9a5 5 0 0 1-6 4A36 36 0 0 1 14 21a5 5 0 0 1 6-6'
    + 'z" fill="#000"/>',
  elsewhere: '<g fill="#fff" stroke="#6b6862" stroke-width="7">'
    + '<circle cx="32" cy="32" r="28" stroke-dasharray="12 8"/><path d="M20 44 44 20M27 20h17v17"/></g>',
};

export class TabSign {
  #link = /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel=icon]'));
  /** @type {[Sign, string]} as it is while nobody calls */ #last = ['here', 'wzp'];
  #rings = ''; // who calls

  /**
   * @param {Sign} sign @param {string} room '' at the first door
   * @param {number} [hands] that others have up
   */
  show(sign, room, hands = 0) {
    const plain = room === '' ? 'wzp' : `${room} - wzp`;
    const calm = sign === 'here' ? plain : say(`tab.${sign}`, { room: room === '' ? 'wzp' : room });
    this.#last = [sign, hands === 0 ? calm : say('tab.hands', { n: hands, title: calm })];
    if (this.#rings === '') this.#set(...this.#last);
  }

  /** Somebody calls, until this is told '' of nobody. @param {string} name */
  ring(name) {
    if (name === this.#rings) return;
    this.#rings = name;
    if (name === '') this.#set(...this.#last);
    else this.#set('rings', say('tab.rings', { room: name }));
  }

  /** @param {Sign} sign @param {string} title */
  #set(sign, title) {
    if (document.title !== title) document.title = title;
    const href = pictureOf(drawings[sign]);
    if (this.#link && this.#link.href !== href) this.#link.href = href;
  }
}

/** @param {string} drawing */
function pictureOf(drawing) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">${drawing}</svg>`;
  return 'data:image/svg+xml,' + encodeURIComponent(svg);
}
