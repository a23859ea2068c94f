/** The aliases that our key ids travel under. Pure. */

/**
 * Those that take no further byte. A key changes at most once a second, and media and views each have a key
 * id of it, so each alias rests for some 14 s.
 */
const SHORT_ALIASES = 28;

/** Gives each key id that we send with an alias of its own: frames under way still carry the one before. */
export class AliasPool {
  #next = 0;
  /** @type {(bigint | null)[]} by alias */ #kids = new Array(SHORT_ALIASES).fill(null);

  /** @param {bigint} kid @returns {{alias: number, fresh: boolean}} fresh: the relay must learn it */
  of(kid) {
    const known = this.#kids.indexOf(kid);
    if (known >= 0) return { alias: known, fresh: false };
    this.#next = (this.#next + 1) % SHORT_ALIASES;
    this.#kids[this.#next] = kid;
    return { alias: this.#next, fresh: true };
  }

  /** Whether an alias stands for a key id. @param {number} alias @param {bigint} kid */
  is(alias, kid) {
    return this.#kids[alias] === kid;
  }
}
