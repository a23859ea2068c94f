/**
 * Links that say who somebody is (docs/protocol.md, section 5.4). As ContactLink of package identity in Go.
 * What follows "#c=" is base64url of:
 *
 *     version (1) = 1 || identity key (32) || name (0 to 64, UTF-8) || checksum (4)
 *
 *     checksum = SHA-256("wzp/1 contact" || version || identity key || name)[:4]
 *
 * The checksum finds links that were cut or mistyped; it proves nothing, for anybody can make one.
 */

import { concat, equal, fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../wire/bytes.js';
import { MAX_NAME, memberFault } from '../names/names.js';
import { IdentityError } from './errors.js';
import { usableKey } from './identity.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/**
 * What is wrong with a contact link: the first of these.
 * @typedef {'absent' | 'encoding' | 'version' | 'length' | 'checksum' | 'key' | 'name'} ContactFault
 */

const VERSION = 1;
const KEY_SIZE = 32;
const SUM_SIZE = 4;
const LEAST = 1 + KEY_SIZE + SUM_SIZE;
const LONGEST = Math.ceil(((LEAST + MAX_NAME) * 8) / 6); // characters

/** A contact link that cannot be used; its code says why. */
export class ContactLinkError extends IdentityError {
  /** @param {ContactFault} fault */
  constructor(fault) {
    super(fault, `contact link: ${fault}`);
    this.fault = fault;
  }
}

/**
 * The part of a link from "#c=" on.
 * @param {Bytes} publicKey @param {string} name which may be empty @returns {Promise<string>}
 */
export async function contactLink(publicKey, name) {
  const body = concat([VERSION], publicKey, toUtf8(name));
  return '#c=' + toBase64Url(concat(body, await sumOf(body)));
}

/**
 * Reads a contact link: a whole address, the part from "#c=" on, or what follows that alone. Neither name nor
 * key is proven. It rejects with a ContactLinkError.
 * @param {string} link @returns {Promise<{publicKey: Bytes, name: string}>}
 */
export async function readContactLink(link) {
  const bytes = bytesOf(partOf(link.trim()));
  const body = bytes.subarray(0, -SUM_SIZE);
  if (!equal(bytes.subarray(-SUM_SIZE), await sumOf(body))) throw new ContactLinkError('checksum');
  const publicKey = body.slice(1, 1 + KEY_SIZE);
  if (!usableKey(publicKey)) throw new ContactLinkError('key');
  return { publicKey, name: nameIn(body.subarray(1 + KEY_SIZE)) };
}

/** What follows "#c=", or the first c= of several parts. @param {string} link */
function partOf(link) {
  const at = link.indexOf('#');
  if (at < 0) {
    if (link === '' || /[/:.]/.test(link)) throw new ContactLinkError('absent'); // an address without one
    return link.replace(/^c=/, '');
  }
  const part = link.slice(at + 1).split('&').find((one) => one.startsWith('c='));
  if (part === undefined) throw new ContactLinkError('absent');
  return part.slice(2);
}

/** @param {string} text @returns {Bytes} of this version, and as many as there may be */
function bytesOf(text) {
  if (text.length > LONGEST) throw new ContactLinkError('length');
  /** @type {Bytes} */ let bytes;
  try {
    bytes = fromBase64Url(text);
  } catch {
    throw new ContactLinkError('encoding');
  }
  if (bytes.length > 0 && bytes[0] !== VERSION) throw new ContactLinkError('version');
  if (bytes.length < LEAST) throw new ContactLinkError('length');
  return bytes;
}

/** @param {Bytes} bytes @returns {string} */
function nameIn(bytes) {
  try {
    const name = fromUtf8(bytes);
    if (memberFault(name) === null) return name;
  } catch {
    // Not UTF-8.
  }
  throw new ContactLinkError('name');
}

/** @param {Bytes} body */
async function sumOf(body) {
  const digest = await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 contact'), body));
  return new Uint8Array(digest).subarray(0, SUM_SIZE);
}
