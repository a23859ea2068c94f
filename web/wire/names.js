/**
 * Rules for texts that people see: names, room names, reasons (docs/protocol.md, sections 5 and 5.1).
 *
 * @module
 */

import { FormatError, toUtf8 } from './bytes.js';

// Limits in bytes of UTF-8.
export const MAX_ROOM_NAME = 64;
export const MAX_NAME = 64;

/**
 * Refuses a text of more than limit bytes, and one with half a surrogate pair or a control character (Unicode category
 * Cc): logs and terminals obey some of them.
 * @param {string} part for errors
 * @param {string} text
 * @param {number} limit
 */
export function checkText(part, text, limit) {
  if (text.length > limit || toUtf8(text).length > limit) throw new FormatError(part, 'limit', 'too many bytes');
  if (/\p{Cs}/u.test(text)) throw new FormatError(part, 'invalid', 'is not UTF-8');
  if (/\p{Cc}/u.test(text)) throw new FormatError(part, 'invalid', 'contains a control character');
}

/**
 * Refuses what is no room name: Unicode NFC, 1 to 64 bytes, no control characters, no leading underscore (rooms of the
 * relays themselves).
 * @param {string} name
 * @param {string} [part] for errors
 */
export function checkRoomName(name, part = 'room name') {
  checkText(part, name, MAX_ROOM_NAME);
  if (name === '') throw new FormatError(part, 'invalid', 'is empty');
  if (name.startsWith('_')) throw new FormatError(part, 'invalid', 'begins with an underscore');
  if (name.normalize('NFC') !== name) throw new FormatError(part, 'invalid', 'is not in Unicode NFC');
}

/**
 * Refuses what is no member's name: at most 64 bytes, no control characters. It may be empty.
 * @param {string} name
 * @param {string} [part] for errors
 */
export function checkName(name, part = 'name') {
  checkText(part, name, MAX_NAME);
}
