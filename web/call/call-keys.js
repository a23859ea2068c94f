/**
 * Turns what a room says about keys to a relay into what the two ends of a call say to each other, and back:
 * there is no relay between them that would know the room. As callKeys in internal/call.
 *
 *     Keys ── sender key, then its wrap ──> signal: key ──────────> the other end: Keys.keyCame
 *     Keys.keyDelivered <────────────────── signal: key received <── at once
 *     Keys ── keys wanted ────────────────> signal: keys wanted ──> Keys.keyWanted
 */

import { toHex } from '../wire/bytes.js';
import {
  KEY, KEYS_WANTED, KEY_DELIVERED, KEY_WRAPS, SENDER_KEY, appendKey, appendKeyDelivered, appendKeysWanted,
  parseKeyWraps, parseSenderKey,
} from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/urgent.js').Key} Key */
/** @typedef {import('../wire/urgent.js').SignedKey} SignedKey */
/** @typedef {import('../wire/urgent.js').KeyWraps} KeyWraps */
/** @typedef {import('../wire/signal.js').Signal} Signal */
/** @typedef {Extract<Signal, {type: 'key' | 'key received'}> | {type: 'keys wanted'}} KeySignal */

const MAX_ANNOUNCED = 4; // of our keys that wait for their wrap: there are no more under way

export class CallKeys {
  #other;
  #say;
  #receive;
  /** @type {SignedKey[]} */ #announced = [];

  /**
   * @param {string} other its member id
   * @param {(signal: KeySignal) => Promise<unknown>} say to the other end
   * @param {(kind: number, body: Bytes) => void} receive as the room gets it of a relay
   */
  constructor(other, say, receive) {
    this.#other = other;
    this.#say = say;
    this.#receive = receive;
  }

  /**
   * Says what the room says about keys.
   * @param {number} kind @param {Bytes} body is kept @param {(taken: boolean) => void} [done]
   * @returns {boolean} false: the room of a call says nothing of that kind
   */
  send(kind, body, done) {
    switch (kind) {
      case SENDER_KEY:
        this.#announced = [...this.#announced, parseSenderKey(body).key].slice(-MAX_ANNOUNCED);
        queueMicrotask(() => done?.(true)); // it waits for its wrap
        return true;
      case KEY_WRAPS:
        this.#sendWraps(parseKeyWraps(body), done);
        return true;
      case KEYS_WANTED:
        this.#tell({ type: 'keys wanted' }, done);
        return true;
      default:
        return false;
    }
  }

  /**
   * Sends the wrap for the other end, with the key that was announced before it.
   * @param {KeyWraps} wraps @param {(taken: boolean) => void} [done]
   */
  #sendWraps({ number, wraps }, done) {
    const key = this.#announced.find((announced) => announced.number === number);
    const own = wraps.find(({ id }) => toHex(id) === this.#other);
    if (key && own) this.#tell({ type: 'key', key, wrap: own.wrap }, done);
    else queueMicrotask(() => done?.(true)); // it is for nobody who is here
  }

  /** @param {KeySignal} signal @param {(taken: boolean) => void} [done] */
  #tell(signal, done) {
    this.#say(signal).then(() => done?.(true), () => done?.(false)); // the call is over
  }

  /** A key of the other end came, and is acknowledged: who lacks one asks. @param {Key} key */
  keyCame(key) {
    this.#receive(KEY, appendKey(key));
    this.#tell({ type: 'key received', number: key.key.number });
  }

  /** @param {number} number */
  keyReceived(number) {
    this.#receive(KEY_DELIVERED, appendKeyDelivered(number));
  }

  keysWanted() {
    this.#receive(KEYS_WANTED, appendKeysWanted([this.#other]));
  }
}
