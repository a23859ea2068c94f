/**
 * Call messages (docs/protocol.md, section 14.4) are encrypted with keys that the offer's HPKE context
 * exports, one for each direction:
 *
 *     key (16) || iv (12) = Export("wzp/1 call caller", 28), and with "called"
 *     nonce               = iv, its last 8 bytes XOR counter
 *     body                = counter (varint) || AES-128-GCM(plaintext), additional data: path id (16)
 */

import {CodedError, concat, fromHex, MAX_NUMBER, Reader, toUtf8, Writer} from '../wire/bytes.js';
import {ReplayWindow} from '../wire/replay.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {{key: CryptoKey, iv: Bytes}} CallKey of one direction */

const KEY_SIZE = 16;
const IV_SIZE = 12;
const EXPORT_SIZE = KEY_SIZE + IV_SIZE;
const TAG_SIZE = 16;
const WINDOW_SIZE = 1024;

/**
 * A call message cannot be used: drop it. 'message': it is not the other end's, or was changed; 'replayed':
 * it came before, or so long after others that nobody knows; 'counter': there were too many, call again.
 */
export class CallMessageError extends CodedError {}

/**
 * The keys of what the caller says, and of what the called says.
 * @param {import('./hpke.js').Context} context which exports
 * @returns {Promise<{caller: CallKey, called: CallKey}>}
 */
export async function callKeys(context) {
  const of = async (/** @type {string} */ label) => {
    return callKeyOf(await context.export(toUtf8(label), EXPORT_SIZE));
  };
  const [caller, called] = await Promise.all([of('wzp/1 call caller'), of('wzp/1 call called')]);
  return {caller, called};
}

/** @param {Bytes} bytes key || iv, erased @returns {Promise<CallKey>} */
export async function callKeyOf(bytes) {
  const raw = bytes.subarray(0, KEY_SIZE);
  const iv = bytes.slice(KEY_SIZE);
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
  bytes.fill(0);
  return {key, iv};
}

/**
 * Seals what one end of a call says to the other, and opens what that says. Its counters go on over all
 * generations of the path, so nothing that was said before one can be said again after it.
 */
export class CallChannel {
  #path;
  #ours;
  #theirs;
  #next = 0; // counter of our next message
  #received = new ReplayWindow(WINDOW_SIZE);

  /** @param {string} path id @param {CallKey} ours @param {CallKey} theirs */
  constructor(path, ours, theirs) {
    this.#path = fromHex(path);
    this.#ours = ours;
    this.#theirs = theirs;
  }

  /**
   * The body of a call message. Counters follow the order of the calls.
   * @param {Bytes} plaintext @returns {Promise<Bytes>}
   */
  async seal(plaintext) {
    if (this.#next > MAX_NUMBER) {
      throw new CallMessageError('counter', 'there were too many call messages: call again');
    }
    const counter = this.#next++;
    const algorithm = this.#algorithm(this.#ours, counter);
    const sealed = await crypto.subtle.encrypt(algorithm, this.#ours.key, plaintext);
    return concat(new Writer().varint(counter).done(), new Uint8Array(sealed));
  }

  /**
   * What a body says, and its counter: who says something later has a higher one. It rejects with a
   * CallMessageError, after which nothing has changed.
   * @param {Bytes} body @returns {Promise<{plaintext: Bytes, counter: number}>}
   */
  async open(body) {
    const {counter, ciphertext} = split(body);
    let opened;
    try {
      const algorithm = this.#algorithm(this.#theirs, counter);
      opened = await crypto.subtle.decrypt(algorithm, this.#theirs.key, ciphertext);
    } catch {
      throw notOpened();
    }
    if (!this.#received.accept(counter)) throw new CallMessageError('replayed', 'it came before, drop it');
    return {plaintext: new Uint8Array(opened), counter};
  }

  /** @param {CallKey} key @param {number} counter */
  #algorithm({iv}, counter) {
    const nonce = iv.slice();
    const view = new DataView(nonce.buffer, IV_SIZE - 8);
    view.setBigUint64(0, view.getBigUint64(0) ^ BigInt(counter));
    return {name: 'AES-GCM', iv: nonce, additionalData: this.#path, tagLength: 8 * TAG_SIZE};
  }
}

/** @param {Bytes} body */
function split(body) {
  const r = new Reader(body, 'call message');
  try {
    const counter = r.varint();
    const ciphertext = r.rest().slice(); // the caller may use its buffer again
    if (ciphertext.length >= TAG_SIZE) return {counter, ciphertext};
  } catch {
    // no counter, or one that nobody reaches
  }
  throw notOpened();
}

function notOpened() {
  return new CallMessageError('message', 'the call message does not authenticate, drop it');
}
