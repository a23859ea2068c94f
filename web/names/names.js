/** Rules for texts that people see: names, room names, reasons (docs/protocol.md, sections 5 to 5.2). */

import { FormatError, toUtf8 } from '../wire/bytes.js';

// Limits in bytes of UTF-8.
export const MAX_ROOM_NAME = 64;
export const MAX_NAME = 64;

/**
 * @typedef {'long' | 'utf8' | 'control' | 'empty' | 'underscore' | 'nfc'} NameFault a name has one, the first
 *   of these; 'nfc' only on the wire
 */

/** @type {Record<NameFault, string>} said of faults in what another program made */
const details = {
  long: 'too many bytes',
  utf8: 'is not UTF-8',
  control: 'contains a control character',
  empty: 'is empty',
  underscore: 'begins with an underscore',
  nfc: 'is not in Unicode NFC',
};

/**
 * Makes a name of what a person typed, or what a link says: in Unicode NFC, without the white space around it
 * (section 5.2). What is wrong with it, roomFault and memberFault say.
 * @param {string} typed @returns {string}
 */
export function normalize(typed) {
  return typed.normalize('NFC').replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');
}

/**
 * What is wrong with a room name: it is in Unicode NFC, has 1 to 64 bytes, no control characters, no leading
 * underscore (rooms of the relays themselves).
 * @param {string} name @returns {NameFault | null}
 */
export function roomFault(name) {
  const fault = textFault(name, MAX_ROOM_NAME);
  if (fault) return fault;
  if (name === '') return 'empty';
  if (name.startsWith('_')) return 'underscore';
  return name.normalize('NFC') === name ? null : 'nfc';
}

/**
 * What is wrong with a member's name: it has at most 64 bytes, no control characters. It may be empty.
 * @param {string} name @returns {NameFault | null}
 */
export function memberFault(name) {
  return textFault(name, MAX_NAME);
}

/**
 * The rule for every text that people see. Control characters (Unicode category Cc) and halves of surrogate
 * pairs are refused: logs and terminals obey some of them.
 * @param {string} text @param {number} limit bytes of UTF-8 @returns {NameFault | null}
 */
function textFault(text, limit) {
  if (text.length > limit || toUtf8(text).length > limit) return 'long';
  if (/\p{Cs}/u.test(text)) return 'utf8';
  return /\p{Cc}/u.test(text) ? 'control' : null;
}

/** Refuses what is wrong. @param {string} what for errors @param {NameFault | null} fault */
function refuse(what, fault) {
  if (fault) throw new FormatError(what, fault === 'long' ? 'limit' : 'invalid', details[fault]);
}

/**
 * Refuses a text that people are not to see.
 * @param {string} what for errors @param {string} text @param {number} limit bytes of UTF-8
 */
export function checkText(what, text, limit) {
  refuse(what, textFault(text, limit));
}

/**
 * Refuses what is no room name as it is on the wire.
 * @param {string} name @param {string} [what] for errors
 */
export function checkRoomName(name, what = 'room name') {
  refuse(what, roomFault(name));
}

/** Refuses what is no member's name. @param {string} name @param {string} [what] for errors */
export function checkName(name, what = 'name') {
  checkText(what, name, MAX_NAME);
}
