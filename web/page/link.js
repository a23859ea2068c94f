/**
 * Room names and invites as addresses: `/{room}#k={secret}`. Pure: no page, no storage. The secret is after the #, which
 * browsers do not send, and the page takes it out of the address bar as soon as it has read it (app.js).
 *
 * @module page/link
 */

const maxBytes = 64; // of a room name and of a name (docs/protocol.md, section 5)
const control = /\p{Cc}/u;
const encoder = new TextEncoder();

/** Names that addresses cannot hold, or that the server answers with something else (web.go, isRoom). */
const reserved = /^(\.{1,2}|favicon\.ico|robots\.txt|connect\.json|ws|.*\.(html|css|js|svg|png|webmanifest))$/i;

/** @typedef {'empty' | 'long' | 'control' | 'underscore' | 'reserved'} NameFault */

/**
 * What the user typed as a room, as the protocol wants it, or what is wrong with it.
 *
 * @param {string} typed @returns {{room: string, fault: NameFault | null}}
 */
export function roomName(typed) {
  const room = typed.normalize('NFC').trim();
  return { room, fault: faultOf(room) ?? (room.startsWith('_') ? 'underscore' : reserved.test(room) ? 'reserved' : null) };
}

/** @param {string} typed @returns {{name: string, fault: NameFault | null}} */
export function personName(typed) {
  const name = typed.normalize('NFC').trim();
  return { name, fault: faultOf(name) };
}

/** @param {string} text @returns {NameFault | null} */
function faultOf(text) {
  if (text === '') return 'empty';
  if (control.test(text)) return 'control';
  return encoder.encode(text).length > maxBytes ? 'long' : null;
}

/**
 * What an address says: room '' is the first door. A part that cannot be read is as if it were not there: a mangled link
 * leads to a door where the room can be typed. `secret` is the text after `#k=`, unchecked.
 *
 * @param {{pathname: string, hash: string}} location
 * @returns {{room: string, secret: string}}
 */
export function readAddress({ pathname, hash }) {
  const part = pathname.slice(1).replace(/\/$/, '');
  let room = '';
  try {
    room = part.includes('/') ? '' : decodeURIComponent(part);
  } catch {
    // Not UTF-8: there is no such room.
  }
  const secret = new URLSearchParams(hash.slice(1)).get('k') ?? '';
  return { room: roomName(room).room, secret };
}

/** @param {string} room @returns {string} the path of a room's door */
export function roomPath(room) {
  return '/' + encodeURIComponent(room);
}

/** @param {string} origin @param {string} room @param {string} [secret] @returns {string} */
export function inviteLink(origin, room, secret) {
  return origin + roomPath(room) + (secret ? '#k=' + secret : '');
}

const onsets = ['b', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const vowels = ['a', 'e', 'i', 'o', 'u'];

/**
 * Makes a room name that can be said over a telephone and that nobody guesses by accident: three words of two syllables
 * (37 bits). It is not the secret, only the address.
 *
 * @returns {string} such as `tavo-miru-pesa`
 */
export function newRoomName() {
  const random = crypto.getRandomValues(new Uint16Array(12));
  const letters = Array.from(random, (value, i) => {
    const from = i % 2 === 0 ? onsets : vowels;
    return from[value % from.length];
  }).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4, 8)}-${letters.slice(8)}`;
}
