/**
 * Invite secrets (docs/protocol.md, section 7.3): 32 random bytes of a room's members that no relay sees.
 *
 *     text: "wzp-" || base64url of: secret (32) || SHA-256("wzp/1 secret" || secret)[:4]
 *
 *     secret, room --HKDF--> media key  --> base keys (keys.js)
 *                  --HKDF--> member key --HMAC, entry before its proof--> room proof
 *
 * Here lives what is made of the secret but for the safety number (safety.js). The keys of a room are
 * WebCrypto's and cannot be taken out; the secret itself stays bytes, for it is shown and is part of the
 * safety number. It shows up in no error, and in no text that a Secret turns into by itself.
 */

import {CodedError, concat, fromBase64Url, toBase64Url, toUtf8} from '../wire/bytes.js';
import {importHkdf, sameBytes} from './sframe.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {{media: Promise<CryptoKey>, member: Promise<CryptoKey>}} RoomKeys */

const SECRET_SIZE = 32;
const SUM_SIZE = 4; // bytes of checksum: against slips of the hand, not against attackers
const PREFIX = 'wzp-';
const TEXT_FORM = /^wzp-[A-Za-z0-9_-]{48}$/;
const SUM_LABEL = toUtf8('wzp/1 secret');
const HMAC = {name: 'HMAC', hash: 'SHA-256', length: 256};

/** A text is no invite secret. It shows none of the text, which may be a secret that is nearly right. */
export class SecretError extends CodedError {}

/** An invite secret. It is immutable; generate and parse make it. */
export class Secret {
  #bytes;
  #text;
  #ikm;
  #room = '';
  /** @type {RoomKeys|null} */ #keys = null; // of #room

  /**
   * Use generate, parse or fromBytes.
   * @param {Bytes} bytes @param {string} text @param {CryptoKey} ikm of HKDF
   */
  constructor(bytes, text, ikm) {
    this.#bytes = bytes;
    this.#text = text;
    this.#ikm = ikm;
  }

  /** @returns {Promise<Secret>} a random one */
  static generate() {
    return Secret.fromBytes(crypto.getRandomValues(new Uint8Array(SECRET_SIZE)));
  }

  /**
   * Reads what text returns and nothing else: no white space, no padding, no passwords.
   * @param {string} text @returns {Promise<Secret>} @throws {SecretError} which says what to do
   */
  static async parse(text) {
    if (typeof text !== 'string' || text.length !== PREFIX.length + 48 || !TEXT_FORM.test(text)) {
      throw new SecretError(
        'form',
        'an invite secret is wzp- and 48 more characters, as somebody in the room can copy it for you; '
          + 'passwords are not accepted',
      );
    }
    const raw = fromBase64Url(text.slice(PREFIX.length));
    const secret = await Secret.fromBytes(raw.slice(0, SECRET_SIZE));
    const right = sameBytes(toUtf8(secret.text), toUtf8(text));
    raw.fill(0);
    if (!right) {
      throw new SecretError(
        'checksum',
        'the invite secret has a typing error or belongs to another version: copy it anew, whole; '
          + 'passwords are not accepted',
      );
    }
    return secret;
  }

  /** @param {Bytes} bytes 32, which the Secret takes over @returns {Promise<Secret>} */
  static async fromBytes(bytes) {
    if (bytes.length !== SECRET_SIZE) throw new RangeError('an invite secret has 32 bytes');
    const [sum, ikm] = await Promise.all([
      crypto.subtle.digest('SHA-256', concat(SUM_LABEL, bytes)),
      importHkdf(bytes),
    ]);
    const text = PREFIX + toBase64Url(concat(bytes, new Uint8Array(sum, 0, SUM_SIZE)));
    return new Secret(bytes, text, ikm);
  }

  /** The secret as people pass it on: "wzp-" and 48 characters. With revealTo, it is what shows it. */
  get text() {
    return this.#text;
  }

  /**
   * Calls use with the 32 bytes, which it neither changes nor keeps, and returns what that returns.
   * @template T @param {(bytes: Bytes) => T} use @returns {T}
   */
  revealTo(use) {
    return use(this.#bytes);
  }

  /**
   * Returns the room proof of a member entry: only who has the secret can make it.
   * @param {string} room @param {Bytes} proved the entry's bytes before its proof
   * @returns {Promise<Bytes>} 32 bytes
   */
  async proof(room, proved) {
    const bytes = proved.slice(); // the caller may use its buffer again
    return new Uint8Array(await crypto.subtle.sign('HMAC', await this.#keysOf(room).member, bytes));
  }

  /**
   * Reports, in constant time, whether proof is the room proof over proved. No proof is not.
   * @param {string} room @param {Bytes} proved @param {Bytes|null|undefined} proof
   * @returns {Promise<boolean>}
   */
  async check(room, proved, proof) {
    if (!proof) return false;
    const got = proof.slice();
    return sameBytes(await this.proof(room, proved), got);
  }

  /**
   * The salt of a room's base keys, as a key of HMAC-SHA256: HKDF-Extract(salt, W) is HMAC(salt, W).
   * @param {string} room @returns {Promise<CryptoKey>} not extractable
   */
  mediaKey(room) {
    return this.#keysOf(room).media;
  }

  /** What a Secret is as text and as JSON: that there is one, not which. */
  toString() {
    return 'secret';
  }

  toJSON() {
    return 'secret';
  }

  /** Keeps the keys of the last room: a client is in one. @param {string} room @returns {RoomKeys} */
  #keysOf(room) {
    if (this.#keys === null || this.#room !== room) {
      this.#room = room;
      this.#keys = {media: this.#derive('wzp/1 media' + room), member: this.#derive('wzp/1 member' + room)};
    }
    return this.#keys;
  }

  /** @param {string} info */
  #derive(info) {
    const algorithm = {name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: toUtf8(info)};
    return crypto.subtle.deriveKey(algorithm, this.#ikm, HMAC, false, ['sign']);
  }
}
