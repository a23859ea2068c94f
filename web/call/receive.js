/**
 * The relay's urgent messages, given to whom they are for.
 *
 *     members joined, left --one after the other--> Roster --> announce
 *     fetch again --> MemberFetcher        keys --> Keys
 *
 * Entries take a while to read, so what comes meanwhile waits. If too much does, the link is told that a
 * message cannot be used yet, and it comes again.
 */

import { FormatError, toHex } from '../wire/bytes.js';
import * as urgent from '../wire/urgent.js';
import { crowdPause, crowdWait } from './roster-fetch.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

const MAX_WAITING = 256; // news of members

/**
 * @typedef {object} ReceiverHooks
 * @property {import('./roster.js').Roster} roster
 * @property {import('./keys.js').Keys} keys
 * @property {import('./roster-fetch.js').MemberFetcher} fetcher
 * @property {(news: import('./roster.js').News[]) => void} announce
 * @property {(ids: string[]) => void} gone who was said to have left, whether it had been told of or not
 * @property {() => void} renamed the relays of members are called otherwise
 * @property {(reason: number) => void} dropped the relay drops part of what we send, and why; 0: not any more
 * @property {() => void} shutdown the relay is about to end
 * @property {() => number} now ms
 * @property {(error: unknown) => void} failed
 */

export class Receiver {
  #at;
  #waiting = 0;
  /** @type {Promise<void>} */ #last = Promise.resolve();

  /** @param {ReceiverHooks} at */
  constructor(at) {
    this.#at = at;
  }

  /**
   * Takes an urgent message.
   * @param {number} kind @param {Bytes} body @returns {boolean} false: it cannot be used yet
   */
  receive(kind, body) {
    try {
      return this.#receive(kind, body);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return true; // the relay's fault: or it would come again and again
    }
  }

  /** @param {number} kind @param {Bytes} body */
  #receive(kind, body) {
    const { keys, fetcher, shutdown } = this.#at;
    switch (kind) {
      case urgent.MEMBERS_JOINED:
        return this.#joined(urgent.parseMembersJoined(body).map((entry) => entry.slice()));
      case urgent.MEMBERS_LEFT:
        return this.#left(urgent.parseMembersLeft(body).map(toHex));
      case urgent.RELAYS:
        this.#at.roster.name(urgent.parseRelays(body));
        this.#at.renamed();
        break;
      case urgent.MEDIA_DROPPED:
        this.#at.dropped(urgent.parseMediaDropped(body).reason);
        break;
      case urgent.REFETCH:
        fetcher.fetch(crowdPause());
        break;
      case urgent.SHUTDOWN:
        shutdown();
        break;
      case urgent.KEY:
        keys.keyCame(body);
        break;
      case urgent.KEYS_WANTED:
        keys.keyWanted(urgent.parseKeysWanted(body).map(toHex));
        break;
      case urgent.KEY_DELIVERED:
        keys.keyDelivered(urgent.parseKeyDelivered(body));
    }
    return true;
  }

  /** @param {Bytes[]} entries */
  #joined(entries) {
    const { roster, now } = this.#at;
    return this.#inTurn(async () => this.#took(await roster.joined(entries, now())));
  }

  /** @param {string[]} ids */
  #left(ids) {
    const { roster, now, gone } = this.#at;
    return this.#inTurn(async () => {
      this.#took(roster.leave(ids, now()));
      gone(ids);
    });
  }

  /** @param {() => Promise<void>} task @returns {boolean} false: too many wait */
  #inTurn(task) {
    if (this.#waiting >= MAX_WAITING) return false;
    this.#waiting++;
    this.#last = this.#last.then(task).catch(this.#at.failed).then(() => void this.#waiting--);
    return true;
  }

  /** @param {{news: import('./roster.js').News[], doubt: boolean}} result */
  #took({ news, doubt }) {
    const { announce, fetcher, roster } = this.#at;
    announce(news);
    if (doubt) fetcher.fetch(crowdWait(roster.size));
  }
}
