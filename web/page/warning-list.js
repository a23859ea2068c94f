/**
 * The warnings that wait for the user. A relay decides who is in the list of members and what comes with
 * which key, so nothing that it does may take a warning away which it would like unseen: those that last go
 * only when the user says so, and each keeps the name and fingerprint that it was first shown with. Pure.
 *
 *     engine ──> add ──> at most 8 entries ──> views
 *                         full: light ones go, then those of the most frequent code become one with a count
 */

/** @typedef {import('../call/engine.js').Member} Member */

/**
 * `member` is an id, '' for the room or for several; `name` and `fingerprint` are as they were first shown;
 * `count` is how many it stands for, more than 1 only where `member` is ''; `keys` are acknowledged with it.
 * @typedef {{code: string, member: string, text: string, name: string, fingerprint: string, count: number,
 *   keys: string[]}} Warning
 */

const maxShown = 8; // a hostile relay must not fill the page
const maxKeys = 4096; // of all that is shown, so that it must not fill the memory either

/** Codes that go only when the user acknowledges them. There must be fewer than maxShown: see #merge. */
const lasting = new Set(['members', 'unknown_member', 'key', 'no_key', 'name', 'names']);

/** Codes that are of the room, whoever was looked at when it was found. */
const ofRoom = new Set(['names', 'crowd']);

export class WarningList {
  /** @type {Warning[]} oldest first */ list = [];
  #find;
  /** @type {Set<string>} keys of what is shown */ #shown = new Set();
  /** @type {Set<string>} keys of what the user has seen */ #acknowledged = new Set();

  /** @param {(id: string) => Member | undefined} find a member who is there now */
  constructor(find) {
    this.#find = find;
  }

  /**
   * @param {string} code @param {string} id of a member, or '' @param {string} text
   * @returns {boolean} whether there is more to show
   */
  add(code, id, text) {
    const member = ofRoom.has(code) ? '' : id;
    const { name = '', fingerprint = '' } = this.#find(member) ?? {};
    const key = keyOf(code, member, name, fingerprint);
    if (this.#acknowledged.has(key)) return false;
    if (this.#shown.has(key)) return this.#moved(key, member);
    if (
      fingerprint === '' && member !== ''
      && this.list.some((other) => other.code === code && other.member === member)
    )
      return false;
    // It is told of already.
    if (this.#shown.size >= maxKeys && this.list.some((other) => other.code === code)) return false;
    this.#shown.add(key);
    this.list.push({ code, member, text, name, fingerprint, count: 1, keys: [key] });
    if (code === 'unknown_member') this.#mergeInto(code);
    while (this.list.length > maxShown) this.#shorten();
    return true;
  }

  /**
   * Somebody is back, maybe under another id: what the user chooses must reach them.
   * @param {string} key @param {string} id
   */
  #moved(key, id) {
    const warning = this.list.find(({ member, keys }) => member !== '' && keys.includes(key));
    if (!warning || warning.member === id) return false;
    warning.member = id;
    return true;
  }

  /** The list of members is another: light warnings go with whom they are about, others get a name. */
  membersChanged() {
    for (const warning of [...this.list]) {
      if (warning.member === '') continue;
      const found = this.#find(warning.member);
      if (!found && !lasting.has(warning.code)) this.#remove(warning);
      else if (found && warning.fingerprint === '') this.#name(warning, found);
    }
  }

  /** @param {Warning} warning @param {Member} found */
  #name(warning, { name, fingerprint }) {
    const key = keyOf(warning.code, warning.member, name, fingerprint);
    for (const old of warning.keys) this.#shown.delete(old);
    this.#shown.add(key);
    Object.assign(warning, { name, fingerprint, keys: [key] });
  }

  /** Makes room for one. */
  #shorten() {
    const light = this.list.find(({ code }) => !lasting.has(code));
    if (light) return this.#remove(light);
    /** @type {Map<string, number>} */ const counts = new Map();
    for (const { code } of this.list) counts.set(code, (counts.get(code) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [code, count] of counts) if (count === most) return this.#mergeInto(code);
  }

  /**
   * Makes one of the last two entries of a code: who was warned of first keeps an entry of their own, and so
   * does every other code. There are two wherever the list is too long.
   * @param {string} code
   */
  #mergeInto(code) {
    const all = this.list.filter((other) => other.code === code);
    const several = all.find(({ member }) => member === '');
    const single = all.filter((other) => other !== several);
    const last = /** @type {Warning} */ (single.pop());
    const into = several ?? single.pop();
    if (!into) { // an unknown member, the first
      last.member = '';
      return;
    }
    into.count += last.count;
    into.keys.push(...last.keys);
    Object.assign(into, { member: '', name: '', fingerprint: '' });
    this.list = this.list.filter((other) => other !== last);
  }

  /** Takes away what is over. @param {string} code */
  drop(code) {
    for (const warning of [...this.list]) if (warning.code === code) this.#remove(warning);
  }

  /** The user has seen a warning. @param {Warning} warning */
  acknowledge(warning) {
    for (const key of warning.keys) this.#acknowledged.add(key);
    this.#remove(warning);
  }

  /** @param {Warning} warning */
  #remove(warning) {
    for (const key of warning.keys) this.#shown.delete(key);
    this.list = this.list.filter((other) => other !== warning);
  }
}

/**
 * What a warning is about, for the user: who has the same name and key is the same, whatever the id.
 * @param {string} code @param {string} id @param {string} name @param {string} fingerprint
 */
function keyOf(code, id, name, fingerprint) {
  return JSON.stringify(fingerprint === '' ? [code, id] : [code, name, fingerprint]);
}
