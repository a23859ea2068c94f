/**
 * Which tab has the line by which this browser is called: one of all, so that one rings. A tab that somebody
 * looks at gets it from one that nobody looks at, if that has no call.
 *
 *     lock "wzp line {path}" ── held by one tab; the others wait
 *     channel of that name ── "wanted" ──> the tab that has it gives it up, and waits behind the other
 */

import { home } from './files.js';

const name = `wzp line ${home.pathname}`;

export class LineHold {
  held = false;
  #changed;
  #idle;
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {AbortController | null} ends the waiting */ #stop = null;
  #release = () => {};
  #looked = () => {
    if (!document.hidden && !this.held) this.#channel?.postMessage('wanted');
  };

  /**
   * @param {() => void} changed it is held, or not any more
   * @param {() => boolean} idle whether it may be given up: there is no call
   */
  constructor(changed, idle) {
    this.#changed = changed;
    this.#idle = idle;
  }

  /** Wants it from now on. */
  begin() {
    if (this.#stop) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = () => {
      if (this.held && document.hidden && this.#idle()) this.#again();
    };
    document.addEventListener('visibilitychange', this.#looked);
    this.#wait();
    this.#looked();
  }

  /** Does not want it any more. */
  end() {
    this.#stop?.abort();
    this.#stop = null;
    this.#release();
    this.#channel?.close();
    this.#channel = null;
    document.removeEventListener('visibilitychange', this.#looked);
  }

  #wait() {
    const { signal } = (this.#stop = new AbortController());
    const hold = () => new Promise((resolve) => {
      if (signal.aborted) return resolve(undefined);
      this.#release = () => {
        this.#release = () => {};
        resolve(undefined);
        this.#set(false);
      };
      this.#set(true);
    });
    if (!navigator.locks) return void hold(); // each tab of such a browser rings
    navigator.locks.request(name, { signal }, hold).catch(() => {}); // who ended waiting knows
  }

  /** Lets another tab have it first. */
  #again() {
    this.#stop?.abort();
    this.#release();
    this.#wait();
  }

  /** @param {boolean} held */
  #set(held) {
    if (held === this.held) return;
    this.held = held;
    this.#changed();
  }
}
