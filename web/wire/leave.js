/**
 * The request by which a relay has a member leave whose session may not get anything out any more
 * (docs/protocol.md, section 8). Whoever has the secret of its stay may make it.
 *
 *     room length (1) || room || entry hash (32) || stay secret (32)
 */

import { checkRoomName } from '../names/names.js';
import { Writer, toUtf8 } from './bytes.js';

/**
 * @param {string} room @param {import('./entry.js').StayProof} stay
 * @returns {import('./bytes.js').Bytes}
 */
export function leaveRequest(room, { hash, secret }) {
  checkRoomName(room, 'room name');
  const bytes = toUtf8(room);
  return new Writer().uint8(bytes.length).bytes(bytes).bytes(hash).bytes(secret).done();
}
