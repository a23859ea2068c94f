/** Fingerprints and safety numbers as people read them to each other: in groups, in order, selectable. */

import { h } from './dom.js';

/**
 * Eight groups of four hexadecimal digits; `...` of a skeleton until there is one.
 * @param {string} fingerprint
 */
export function fingerprintBlock(fingerprint) {
  const groups = fingerprint.split(':');
  return h('code', { class: 'groups', dir: 'ltr', 'data-fingerprint': fingerprint }, ...spaced(groups));
}

/** The safety number's eight groups of five digits. @param {string} number */
export function numberBlock(number) {
  return h(
    'code', { class: 'groups number', dir: 'ltr', 'data-safety': number }, ...spaced(number.split(' ')),
  );
}

/** With spaces between the groups, so that what is copied reads the same. @param {string[]} groups */
function spaced(groups) {
  return groups.flatMap((group, i) => (i === 0 ? [h('span', {}, group)] : [' ', h('span', {}, group)]));
}
