/** Who talked in the last minutes, for those who came late to a sentence. Pure: the time is handed in. */

const marked = 10_000; // ms that a row is marked for
const listed = 180_000; // ms that somebody is in the list for
const most = 4; // names in it
const kept = 32; // who talk now are not in it, and may be many

/** @typedef {import('../call/engine.js').Member} Member */

export class Talked {
  /** @type {Map<string, {member: Member, at: number}>} by member, who was heard last is the last */
  #last = new Map();

  /** Somebody is heard. @param {Member} member @param {number} now ms, monotonic */
  heard(member, now) {
    this.#last.delete(member.id);
    this.#last.set(member.id, { member, at: now });
    for (const [id, { at }] of this.#last) {
      if (now - at > listed || this.#last.size > kept) this.#last.delete(id);
    }
  }

  /** Whether somebody was heard a moment ago. @param {string} id @param {number} now */
  isMarked(id, now) {
    return now - (this.#last.get(id)?.at ?? -Infinity) < marked;
  }

  /**
   * Those who are not talking now, the latest first.
   * @param {readonly string[]} talking ids @param {number} now
   */
  list(talking, now) {
    return [...this.#last.values()]
      .filter(({ member, at }) => now - at < listed && !talking.includes(member.id))
      .map(({ member }) => member).reverse().slice(0, most);
  }
}
