/**
 * A part of the page that comes after the door: fetched again and again until it is there.
 *
 *     load() ──> attempt ── fails ──> 1, 2, 4 ... 15 s ──> attempt ...     at once: load(), hurry(), 'online'
 */

import { CodedError } from '../wire/bytes.js';

const pauses = [1000, 2000, 4000, 8000, 15_000]; // ms after so many failures
const patience = 20_000; // ms without a byte, after which a request is made anew

/** The server does not have the file: this page is from before an update, and has to be loaded anew. */
export class OldPageError extends CodedError {}

/** @type {Set<() => void>} */ const paused = new Set();

/** Cuts all pauses short: the user waits for a part, which may wait for others. */
export function hurry() {
  for (const go of paused) go();
}

/** @template T */
export class Part {
  #attempt;
  /** @type {Promise<T> | null} */ #loading = null;
  #hurry = () => {};

  /** @param {() => Promise<T>} attempt is made until one succeeds, or throws an OldPageError */
  constructor(attempt) {
    this.#attempt = attempt;
  }

  /**
   * The part. What others wait for as well is loaded once; a pause between attempts is cut short.
   * @returns {Promise<T>} rejects only with an OldPageError
   */
  load() {
    this.#loading ??= this.#load();
    this.#hurry();
    return this.#loading;
  }

  /** Has the next load() begin anew: the part is used up. */
  forget() {
    this.#loading = null;
  }

  async #load() {
    for (let failures = 0; ; failures++) {
      try {
        return await this.#attempt();
      } catch (error) {
        if (error instanceof OldPageError) {
          this.#loading = null;
          throw error;
        }
        await this.#pause(pauses[failures] ?? pauses[pauses.length - 1]);
      }
    }
  }

  /** @param {number | undefined} ms */
  async #pause(ms) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
      globalThis.addEventListener('online', this.#hurry);
      paused.add(this.#hurry);
    });
    globalThis.removeEventListener('online', this.#hurry);
    paused.delete(this.#hurry);
    this.#hurry = () => {};
  }
}

/**
 * Reads a file, so that it is in the browser's cache: what fails here can be tried again, while browsers do
 * not try again what failed as a module. Rejects when nothing comes for long.
 * @param {string} url
 */
export async function fetchFile(url) {
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), patience);
  try {
    const response = await fetch(url, { signal: stop.signal });
    if (response.status === 404) throw new OldPageError('old', `${url} is not there`);
    if (!response.ok) throw new Error(`${url}: status ${response.status}`);
    const reader = response.body?.getReader();
    while (reader && !(await reader.read()).done) {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), patience);
    }
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A script as a part.
 * @param {string} url @returns {Part<any>} its module
 */
export function scriptPart(url) {
  let failures = 0; // of the module: it is never tried again by the same address
  return new Part(async () => {
    await fetchFile(url);
    return import(failures === 0 ? url : `${url}?${failures}`).catch((error) => {
      failures++;
      throw error;
    });
  });
}

/**
 * Rejects when something takes too long.
 * @template T @param {number} ms @param {Promise<T>} promise @returns {Promise<T>}
 */
export function within(ms, promise) {
  /** @type {ReturnType<typeof setTimeout>} */ let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new CodedError('loading', 'the network is slow')), ms);
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (limit)]).finally(() => clearTimeout(timer));
}
