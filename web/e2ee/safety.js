/**
 * The safety number (docs/protocol.md, section 7.4): what people compare to know that all of them see the
 * same people in the room. It is short enough to be read out, 133 bits; the rounds make it dear to search for
 * identities that give the same one.
 *
 *     room, identity keys (sorted, each once), secret --PBKDF2--> 40 bytes --> eight groups of five digits
 *
 * When it is made anew and shown is web/call's and web/page's.
 */

import {compare, equal, toUtf8, Writer} from '../wire/bytes.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./secret.js').Secret} Secret */

const ROUNDS = 100_000;
const GROUPS = 8; // of five digits
const GROUP_SIZE = 5; // bytes that a group is made of
const SALT = toUtf8('wzp/1 safety number');

/**
 * Returns the safety number: "12345 67890 ...". It takes 50 ms and more, on another thread: keep the result.
 * @param {string} room 1 to 64 bytes of UTF-8
 * @param {Bytes[]} people identity keys of all members inside, one's own too, 32 bytes each; their order and
 *   repetitions do not matter, and stay
 * @param {Secret|null} secret null where the room has none
 * @returns {Promise<string>}
 */
export async function safetyNumber(room, people, secret) {
  const password = passwordOf(room, people, secret);
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
  password.fill(0);
  const algorithm = {name: 'PBKDF2', hash: 'SHA-256', salt: SALT, iterations: ROUNDS};
  const bits = new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 8 * GROUPS * GROUP_SIZE));
  const groups = [];
  for (let at = 0; at < bits.length; at += GROUP_SIZE) {
    const n = bits.subarray(at, at + GROUP_SIZE).reduce((sum, octet) => 256 * sum + octet, 0); // below 2^40
    groups.push(String(n % 100_000).padStart(5, '0'));
  }
  return groups.join(' ');
}

/** @param {string} room @param {Bytes[]} people @param {Secret|null} secret @returns {Bytes} */
function passwordOf(room, people, secret) {
  const name = toUtf8(room);
  if (name.length < 1 || name.length > 64) throw new RangeError('a room name has 1 to 64 bytes');
  const keys = people.toSorted(compare).filter((key, i, sorted) => i === 0 || !equal(key, sorted[i - 1]));
  const out = new Writer().uint8(name.length).bytes(name);
  out.uint32(keys.length); // or a secret might be one more identity
  for (const key of keys) {
    if (key.length !== 32) throw new RangeError('an identity key has 32 bytes');
    out.bytes(key);
  }
  if (secret !== null) secret.revealTo((bytes) => out.bytes(bytes));
  return out.done();
}
