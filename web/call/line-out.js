/** Urgent messages that the session of a line had no room for yet, the oldest first. */

/** @typedef {{kind: number, body: import('../wire/bytes.js').Bytes}} Message */

const MAX_OUT = 512; // more are dropped: both ends repeat what matters

export class LineOut {
  #send;
  /** @type {Message[]} */ #waiting = [];

  /** @param {(kind: number, body: Message['body']) => boolean} send false: there is no room now */
  constructor(send) {
    this.#send = send;
  }

  /** @param {Message} message */
  add(message) {
    if (this.#waiting.length < MAX_OUT) this.#waiting.push(message);
  }

  /** Drops what was for the session before: all is said again that matters. */
  clear() {
    this.#waiting = [];
  }

  /** Gives the session what waits. @returns {boolean} whether that was all */
  flush() {
    const stays = this.#waiting.findIndex(({ kind, body }) => !this.#send(kind, body));
    this.#waiting = stays < 0 ? [] : this.#waiting.slice(stays);
    return stays < 0;
  }
}
