/** The rooms that one was in: notes them and forgets them, with the invites kept for them. */

/** @typedef {import('./prefs.js').RecentRoom} RecentRoom */

export class RoomList {
  #prefs;
  /** @type {Promise<void>} changes come one after the other */ #last = Promise.resolve();

  /** @param {import('./prefs.js').Prefs} prefs */
  constructor(prefs) {
    this.#prefs = prefs;
  }

  /** Notes that one is in a room. @param {RecentRoom} entry */
  async note(entry) {
    await this.#change((rooms) => [entry, ...rooms.filter(({ room }) => room !== entry.room)]);
  }

  /**
   * Forgets rooms, and the invites kept for them.
   * @param {string[]} names @returns {Promise<() => Promise<void>>} the way back
   */
  async forget(names) {
    const prefs = this.#prefs;
    await this.#last;
    const before = await prefs.rooms();
    const secrets = await Promise.all(names.map((room) => prefs.secret(room)));
    await this.#change((rooms) => rooms.filter(({ room }) => !names.includes(room)));
    await Promise.all(names.map((room) => prefs.setSecret(room, '')));
    return async () => {
      await Promise.all(names.map((room, i) => prefs.setSecret(room, secrets[i] ?? '')));
      const gone = before.filter(({ room }) => names.includes(room));
      await this.#change((rooms) => [
        ...rooms, ...gone.filter(({ room }) => !rooms.some((other) => other.room === room)),
      ].sort((a, b) => b.at - a.at));
    };
  }

  /** @param {(rooms: RecentRoom[]) => RecentRoom[]} change */
  #change(change) {
    const changed = this.#last.then(async () => {
      await this.#prefs.setRooms(change(await this.#prefs.rooms()));
    });
    this.#last = changed.catch(() => {});
    return changed;
  }
}
