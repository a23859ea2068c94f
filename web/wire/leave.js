/**
 * The request by which a relay has a member leave whose session may not get anything out any more
 * (docs/protocol.md, section 8). Whoever has the secret of its stay may make it.
 *
 *     room length (1) || room || entry hash (32) || stay secret (32)
 */

import { checkRoomName } from '../names/names.js';
import { Writer, toUtf8 } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/**
 * @param {string} room @param {import('./entry.js').StayProof} stay
 * @returns {Bytes}
 */
export function leaveRequest(room, { hash, secret }) {
  checkRoomName(room, 'room name');
  const bytes = toUtf8(room);
  return new Writer().uint8(bytes.length).bytes(bytes).bytes(hash).bytes(secret).done();
}

/**
 * The request by which a relay has a line take no calls any more, and passes on what it still says by the
 * paths of its calls.
 *
 *     0 (1) || session (16) || 0 to 8 times: length (2) || call message
 *
 * @param {Bytes} session @param {Bytes[]} messages @returns {Bytes}
 */
export function lastWordsRequest(session, messages) {
  const w = new Writer().uint8(0).bytes(session);
  for (const message of messages) w.uint16(message.length).bytes(message);
  return w.done();
}
