/**
 * Room names and invites as addresses: `/{room}#k={secret}`, under whatever path the page was loaded from. No
 * page, no storage. The secret is after the #, which browsers do not send, and the page takes it out of the
 * address bar as soon as it has read it (app.js).
 */

import { toUtf8 } from '../wire/bytes.js';
import { home } from './files.js';
import { MAX_NAME, memberFault, normalize, roomFault } from '../names/names.js';
import { reserved } from './reserved.js';

/** Where the relay says how it is reached. */
export const connectUrl = new URL('connect.json', home).href;

/** @typedef {import('../names/names.js').NameFault | 'reserved' | 'nobody' | 'address'} NameFault */

/**
 * What the user typed as a room, as docs/protocol.md, section 5.2, wants it, or what is wrong with it.
 * @param {string} typed @returns {{room: string, fault: NameFault | null}}
 */
export function roomName(typed) {
  const room = normalize(typed);
  return { room, fault: roomFault(room) ?? (reserved.test(room) ? 'reserved' : null) };
}

/**
 * Likewise for a person, who must have a name here.
 * @param {string} typed @returns {{name: string, fault: NameFault | null}}
 */
export function personName(typed) {
  const name = normalize(typed);
  return { name, fault: memberFault(name) ?? (name === '' ? 'nobody' : null) };
}

/** How many letters at the end of a name are too many. @param {string} name @returns {number} */
export function excess(name) {
  const letters = [...new Intl.Segmenter().segment(name)].map(({ segment }) => toUtf8(segment).length);
  let bytes = letters.reduce((sum, size) => sum + size, 0);
  let over = 0;
  while (bytes > MAX_NAME) bytes -= letters[letters.length - ++over];
  return over;
}

/**
 * What an address says: room '' is the first door. `fault` is what is wrong with its room; one that cannot be
 * read at all is as if it were not there, so that a mangled link leads to a door where the room can be typed.
 * `secret` is the text after `#k=`, `contact` that after `#c=`, both unchecked.
 * @param {{pathname: string, hash: string}} location @param {URL} [from] where the page was loaded from
 * @returns {{room: string, fault: NameFault | null, secret: string, contact: string}}
 */
export function readAddress({ pathname, hash }, from = home) {
  const parts = new URLSearchParams(hash.slice(1));
  const [secret, contact] = ['k', 'c'].map((name) => parts.get(name) ?? '');
  const part = (pathname.startsWith(from.pathname) ? pathname.slice(from.pathname.length) : '').replace(
    /\/$/, '',
  );
  if (part === '') return { room: '', fault: null, secret, contact };
  try {
    if (!part.includes('/')) return { ...roomName(decodeURIComponent(part)), secret, contact };
  } catch {
    // Not UTF-8: there is no such room.
  }
  return { room: '', fault: 'address', secret, contact };
}

/**
 * @param {string} room '' for the first door @param {URL} [from] @returns {string} the path of a room's door
 */
export function roomPath(room, from = home) {
  return from.pathname + encodeURIComponent(room);
}

/** @param {string} room @param {string} [secret] @param {URL} [from] @returns {string} */
export function inviteLink(room, secret, from = home) {
  return from.origin + roomPath(room, from) + (secret ? '#k=' + secret : '');
}

/**
 * The name by which something of a room is kept or locked in this browser, where pages under other paths of
 * this host have rooms of their own. No room's name has a control character.
 * @param {string} room @param {URL} [from] @returns {string}
 */
export function roomKey(room, from = home) {
  return from.pathname === '/' ? room : `${from.pathname}\0${room}`;
}

const onsets = ['b', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
const vowels = ['a', 'e', 'i', 'o', 'u'];

/**
 * Makes a room name that can be said over a telephone and that nobody guesses by accident: three words of two
 * syllables (37 bits). It is not the secret, only the address.
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

/** Whether newRoomName may have made it. @param {string} room */
export function isMadeName(room) {
  return /^(?:(?:[bdfghklmnprstvz][aeiou]){2}(?:-|$)){3}$/.test(room) && !room.endsWith('-');
}
