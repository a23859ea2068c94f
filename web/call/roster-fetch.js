/**
 * Gets the member list, page by page, and says when. The list itself is the Roster's.
 *
 *     fetch(wait) --> Members --> MemberPage --> roster.page --> Members ... --> roster.finish
 *                        ^------------ again, if somebody wanted so meanwhile, or if it failed
 */

import { compare } from '../wire/bytes.js';
import { deadline, sleep } from '../link/clock.js';

const CROWD = 64; // members from which a list is fetched after a random pause,
const CROWD_PAUSE = 2000; // ms, so that not all ask at once
const MAX_PAGES = 180; // of 112 members
const PAGE_EVERY = 200; // ms between two requests, below what relays allow,
const PAGE_BURST = 32; // but for so many that may follow each other at once
const FETCH_TIME = 120_000; // ms for a whole list
const RETRY_AFTER = 5000; // ms after a fetch that failed

/** How long to wait before a list of about so many members is fetched, in ms. @param {number} members */
export function crowdWait(members) {
  return members <= CROWD ? 0 : Math.random() * CROWD_PAUSE;
}

/** A wait so that not all who were told at once ask at once, in ms. */
export function crowdPause() {
  return Math.random() * CROWD_PAUSE;
}

/**
 * @typedef {object} FetchHooks
 * @property {import('./roster.js').Roster} roster
 * @property {(name: string, fields: Record<string, any>, signal: AbortSignal) => Promise<Record<string,
 *   any>>} request asks the relay
 * @property {(news: import('./roster.js').News[]) => void} announce
 * @property {() => void} done is called after each fetch
 * @property {AbortSignal} signal the room is over
 * @property {import('../link/clock.js').Clock} clock
 * @property {(error: unknown) => void} failed
 */

export class MemberFetcher {
  #at;
  #allowed = PAGE_BURST; // requests
  #since = 0; // when that many were

  /** @param {FetchHooks} at */
  constructor(at) {
    this.#at = at;
    this.#since = at.clock.now();
  }

  /**
   * Fetches the list after a while, in the background; if that is being done, once more after it.
   * @param {number} wait ms
   */
  fetch(wait) {
    if (this.#at.signal.aborted || !this.#at.roster.begin()) return;
    this.#fetch(wait).catch((error) => this.#at.failed(error));
  }

  /** @param {number} wait */
  async #fetch(wait) {
    const { roster, clock, announce, done, signal } = this.#at;
    if (wait > 0) await sleep(clock, wait, signal);
    const limit = deadline(clock, FETCH_TIME, signal);
    const complete = await this.#pages(limit.signal).catch(() => false); // refused, or it took too long
    limit.finish();
    if (signal.aborted) return;
    const { news, again } = roster.finish(complete, clock.now());
    announce(news);
    done(); // that the list is complete, too
    if (!complete) this.fetch(RETRY_AFTER + crowdWait(roster.size));
    else if (again) this.fetch(crowdWait(roster.size));
  }

  /**
   * Asks for one page after the other.
   * @param {AbortSignal} signal @returns {Promise<boolean>} whether all came
   */
  async #pages(signal) {
    const { roster, announce, request } = this.#at;
    let after;
    for (let i = 0; i < MAX_PAGES; i++) {
      await this.#turn(signal);
      if (signal.aborted) return false;
      const page = await request('Members', after === undefined ? {} : { after }, signal);
      if (page.name !== 'MemberPage' || signal.aborted) return false;
      announce(await roster.page(page.entries));
      if (page.next === undefined) return true;
      if (after !== undefined && compare(page.next, after) <= 0) return false; // it goes in circles
      after = page.next;
    }
    return false;
  }

  /** Waits until another request is allowed. @param {AbortSignal} signal */
  async #turn(signal) {
    const { clock } = this.#at;
    const now = clock.now();
    this.#allowed = Math.min(PAGE_BURST, this.#allowed + (now - this.#since) / PAGE_EVERY);
    this.#since = now;
    const missing = 1 - this.#allowed--;
    if (missing > 0) await sleep(clock, missing * PAGE_EVERY, signal);
  }
}
