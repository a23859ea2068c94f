/** Names that people take for the same, in one form. As Fold of package names in Go. */

import { fromUtf8, toUtf8 } from '../wire/bytes.js';

/** How often folding starts over at most. Three rounds are the most that any name is known to need. */
const MAX_FOLDS = 16;

/**
 * What is there without being seen, or only changes how others are shown. The last three are blank in most
 * fonts: braille pattern blank, khitan small script filler, musical symbol null notehead.
 */
const unseen =
  /[\p{Cc}\p{Cf}\p{Variation_Selector}\p{Default_Ignorable_Code_Point}\u2800\u{16fe4}\u{1d159}]/gu;

/**
 * Compatibility form (Unicode NFKC), without case, without characters that print nothing, with single spaces
 * between words. The result is its own; it is empty if the name shows nothing. Letters of different scripts
 * that look alike stay different.
 * @param {string} name
 */
export function foldName(name) {
  name = fromUtf8(toUtf8(name)); // half a surrogate pair becomes U+FFFD
  // What was taken out may have kept apart what composes, and so may case: until nothing changes.
  for (let i = 0; i < MAX_FOLDS; i++) {
    const before = name;
    name = name.normalize('NFKC').replace(/\p{White_Space}/gu, ' ').replace(unseen, '');
    name = [...name].map(foldCase).join('').split(' ').filter((word) => word !== '').join(' ');
    if (name === before) break;
  }
  return name;
}

/**
 * Lower case of upper case, one character for one, as Unicode's simple case mapping has it: "ss" stays
 * another spelling than sharp s.
 * @param {string} c one character
 */
function foldCase(c) {
  const upper = simple(c, c.toUpperCase());
  if (upper === '\u0130') return 'i'; // the only one whose simple and full lower case differ
  return simple(upper, upper.toLowerCase());
}

/** @param {string} c @param {string} mapped */
function simple(c, mapped) {
  return [...mapped].length === 1 ? mapped : c;
}
