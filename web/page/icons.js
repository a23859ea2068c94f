/** The icons: one set, 24 by 24, one stroke width (of the style sheet). Paths only, no colours. */

import { h, svg } from './dom.js';

const doorPaths = {
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  unlock: 'M6 11h12v9H6zM8.5 11V7a3.5 3.5 0 0 1 6.8-1',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z'
    + 'M9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5 10 17.5 19.5 7',
  warning: 'M12 4 2.5 20h19zM12 10v5M12 17.4v.2',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.6v.2',
  key: 'M14.5 14a5 5 0 1 0-4.6-3L3 18v3h3.5v-2.5H9V16h2.2l1-1.2c.7.3 1.5.4 2.3.2zM16 8.2v.1',
};

/** @typedef {keyof typeof doorPaths | keyof typeof import('./icons-room.js').roomPaths} IconName */

/** @type {Partial<Record<IconName, string>>} */ let paths = doorPaths;

/** Adds those that the door does without. @param {typeof import('./icons-room.js').roomPaths} more */
export function addIcons(more) {
  paths = { ...doorPaths, ...more };
}

/** Those that point along the line of reading. @type {Set<IconName>} */
const directed = new Set(/** @type {IconName[]} */ (['chevron', 'leave', 'listen', 'silent']));

/** @param {IconName} name @returns {SVGSVGElement} */
export function icon(name) {
  return svg('0 0 24 24', [{ d: paths[name] ?? '' }], directed.has(name) ? 'icon flip' : 'icon');
}

/**
 * A button that is an icon only: the label is for screen readers, the title for pointers.
 * @param {IconName} name @param {string} label @param {() => void} onclick @param {string} [title]
 */
export function iconButton(name, label, onclick, title) {
  const names = { 'aria-label': label, title, 'data-icon': name };
  return h('button', { type: 'button', class: 'icon-button', ...names, onclick }, icon(name));
}

/** The mark of the product: three arcs of speech that pass a gap. @returns {SVGSVGElement} */
export function mark() {
  return svg('0 0 24 24', [{ d: 'M3 10v4M7.5 6.500v11M12 3v5M12 16v5M16.5 6.500v11M21 10v4' }], 'icon mark');
}
