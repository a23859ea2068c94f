/**
 * Sends our keys to the relay, which passes them on, and knows which of them are still on their way.
 *
 *     Distribution -- send --> sender key, key wraps ... --acknowledged--> Outstanding --delivered--> gone
 */

import * as urgent from '../wire/urgent.js';
import { Outstanding } from './outstanding.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

/**
 * @typedef {object} HandOutHooks
 * @property {import('../link/clock.js').Clock} clock
 * @property {(kind: number, body: Bytes, done?: (acked: boolean) => void) => boolean} sendUrgent
 * @property {() => void} wake something is on its way no more
 */

export class HandOut {
  #at;
  #out = new Outstanding();
  #closed = false;

  /** @param {HandOutHooks} at */
  constructor(at) {
    this.#at = at;
  }

  /**
   * Sends a key to the relay, for its recipients; resolves when all has been given to the link.
   * @param {import('../e2ee/distribution.js').Distribution} distribution
   */
  async send(distribution) {
    const key = this.#out.add(distribution);
    const acked = () => {
      if (this.#out.acked(key, this.#at.clock.now())) this.#at.wake();
    };
    /** @param {number} kind @param {Bytes} body */
    const send = (kind, body) => {
      this.#out.sending(key);
      const sent = this.#at.sendUrgent(kind, body, acked);
      if (!sent) acked(); // who lacks the key asks for it
      return sent && !this.#closed;
    };
    try {
      if (!send(urgent.SENDER_KEY, await distribution.announce())) return;
      for await (const wraps of distribution.wraps()) {
        if (!send(urgent.KEY_WRAPS, wraps)) return;
      }
    } finally {
      acked();
    }
  }

  /** Whether no more keys should go out before some of those under way have arrived. */
  get busy() {
    return this.#out.busy;
  }

  /**
   * Whether a key is on its way to a member, so that another one now would not help.
   * @param {string} id @param {number} now
   */
  reaching(id, now) {
    return this.#out.reaching(id, now);
  }

  /** Notes that all have the keys with these numbers. @param {number[]} numbers */
  delivered(numbers) {
    this.#out.delivered(numbers);
  }

  /** Ends it: what is being made is not sent. */
  close() {
    this.#closed = true;
  }
}
