/** The last words of a line, for the page to send when it is closed: made anew when they would be others. */

import { lastWords, lastWordsKey } from '../signalling/last-words.js';
import { lastWordsRequest } from '../wire/leave.js';

const EVERY = 60_000; // ms that they are good for

export class LineWords {
  #client;
  #machine;
  /** Of those that the page has. */ #known = { key: '', at: 0 };

  /**
   * @param {Pick<import('../link/client.js').Client, 'leaveUrl' | 'session'>} client
   * @param {import('../signalling/line.js').Line} machine
   */
  constructor(client, machine) {
    this.#client = client;
    this.#machine = machine;
  }

  /**
   * @param {boolean} takesCalls @param {number} now
   * @returns {Promise<import('./engine.js').StayMessage['leave'] | null>} null: the page has them, or nobody
   *   can be told them
   */
  async next(takesCalls, now) {
    const { leaveUrl: url, session } = this.#client;
    const key = `${takesCalls} ${lastWordsKey(this.#machine)}`;
    if (!url || (key === this.#known.key && now - this.#known.at < EVERY)) return null;
    this.#known = { key, at: now };
    return { url, body: lastWordsRequest(session, await lastWords(this.#machine)) };
  }
}
