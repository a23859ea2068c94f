/**
 * Who else is in the room.
 *
 *     pages of the list -- page --> members <-- joined, left -- news, in any order
 *                           ^                        |
 *                           +-- begin, finish <-- doubt: news that contradict each other
 *
 * A member id stands for one stay in the room. Who comes back to a relay that forgot it has the same one
 * again, so of "joined" and "left" close to each other nobody knows which one is true: then the list is
 * fetched, which is the truth of the moment. Who comes back by a new entry that replaces its old one is not
 * shown twice: the old one leaves with the news of the new one, and what is still said of it contradicts
 * nothing. Nothing here sends, and nothing waits but for the signatures of entries: what was looked up before
 * is looked up again after.
 */

import { equal, toHex } from '../wire/bytes.js';
import { fingerprintOf } from '../identity/identity.js';
import { hashEntry, parse as parseEntry } from '../wire/entry.js';
import { MEMBER_ID_SIZE } from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../e2ee/secret.js').Secret} Secret */

/**
 * A member as keys are wrapped for it.
 * @typedef {object} Member
 * @property {string} id 12 hexadecimal digits
 * @property {string} name as it calls itself
 * @property {Bytes} identity Ed25519 public key
 * @property {string} fingerprint
 * @property {boolean} outside without the room's invite secret, or with one when we have none
 * @property {Bytes} hash of its entry
 * @property {Bytes} joinKey X25519 public key
 * @property {string} stay of its entry
 * @property {string} replaces the stay that it replaces, or ''
 * @property {string} home id of the relay that it is on, half of its fingerprint; empty: ours
 */

/** @typedef {{joined?: Member, left?: Member}} News one change of the list */

const MAX_MEMBERS = 20_000; // more than any relay allows
/** How far apart two contradicting pieces of news are surely in order, in ms. */
const DOUBT_TIME = 10_000;
const MAX_DOUBTED = 4096;
const MAX_LABELS = 1024;
const RELAY_ID_LENGTH = 19; // four groups of a fingerprint

/** Remembers for DOUBT_TIME when something was said of members. */
export class Recent {
  /** @type {Map<string, number>} */ #at = new Map();

  get size() {
    return this.#at.size;
  }

  /** @param {string} id @param {number} now */
  add(id, now) {
    if (this.#at.size >= MAX_DOUBTED) {
      for (const [old, at] of this.#at) {
        if (now - at >= DOUBT_TIME) this.#at.delete(old);
      }
      if (this.#at.size >= MAX_DOUBTED) this.#at.clear();
    }
    this.#at.set(id, now);
  }

  /** @param {string} id @param {number} now */
  has(id, now) {
    const at = this.#at.get(id);
    return at !== undefined && now - at < DOUBT_TIME;
  }
}

/** The list of the others. */
export class Roster {
  /** Whether the whole list came once. */
  complete = false;

  #room;
  #relay;
  #self;
  #before;
  #secret;
  #read;
  /** @type {Map<string, Member>} */ #members = new Map();
  /** @type {Map<string, number>} stays that members replace, and how many of them do */
  #replaced = new Map();
  #gone = new Recent();
  #absent = new Recent();
  #twice = new Recent();
  /** @type {Map<string, string>} what our relay calls others, by id */ #labels = new Map();
  #fetching = false;
  #again = false;
  /** @type {Set<string>} while fetching: who left meanwhile */ #left = new Set();
  /** @type {Set<string>} while fetching: who is there */ #listed = new Set();

  /**
   * @param {{room: string, relay: Bytes, self: string, before?: string, secret: Secret | null,
   *   read?: typeof parseEntry}} config self is our member id, before the stay of our own that we replace; read
   *   reads entries, in the place of those of rooms
   */
  constructor({ room, relay, self, before = '', secret, read = parseEntry }) {
    this.#room = room;
    this.#relay = relay;
    this.#self = self;
    this.#before = before;
    this.#secret = secret;
    this.#read = read;
  }

  /** Everybody who is there. @returns {Member[]} */
  members() {
    return [...this.#members.values()];
  }

  /** Those who get our keys. @returns {Member[]} */
  inside() {
    return this.members().filter((m) => !m.outside);
  }

  /** @param {string} id @returns {Member | undefined} */
  member(id) {
    return this.#members.get(id);
  }

  get size() {
    return this.#members.size;
  }

  /** Takes what our relay calls other relays. @param {Map<string, string>} labels by id */
  name(labels) {
    for (const [id, label] of labels) {
      if (this.#labels.has(id) || this.#labels.size < MAX_LABELS) this.#labels.set(id, label);
    }
  }

  /** What people are told of a member's relay; undefined: it is ours. @param {Member} member */
  relayOf({ home }) {
    return this.#labels.get(home) || home || undefined;
  }

  /**
   * Reads an entry; null if it is not genuine, or not for this room. Who is known is not read again.
   * @param {Bytes} entry not to be changed before this resolves
   * @returns {Promise<Member | null>}
   */
  async #memberOf(entry) {
    const hash = await hashEntry(entry);
    const id = toHex(hash.subarray(0, MEMBER_ID_SIZE));
    if (id === this.#self) return null;
    if (!this.#members.has(id)) {
      const m = await this.#parse(entry);
      if (!this.#members.has(id)) return m;
    }
    // Ids are short enough to be searched for: another entry with the same one is refused.
    const known = /** @type {Member} */ (this.#members.get(id));
    return equal(known.hash, hash) ? known : null;
  }

  /** @param {Bytes} entry @returns {Promise<Member | null>} */
  async #parse(entry) {
    let e;
    try {
      e = await this.#read(entry);
    } catch {
      return null; // a FormatError: it is not genuine
    }
    if (e.room !== this.#room) return null;
    const proved = e.proof !== undefined;
    const outside = this.#secret ? !(await this.#secret.check(e.room, e.proved, e.proof)) : proved;
    const { name, identity, fingerprint, hash, joinKey, stay, replaces } = e;
    const home = equal(e.homeRelay, this.#relay)
      ? ''
      : (await fingerprintOf(e.homeRelay)).slice(0, RELAY_ID_LENGTH);
    return { id: toHex(e.id), name, identity, fingerprint, outside, hash, joinKey, stay, replaces, home };
  }

  /** Takes a page of the list. @param {Bytes[]} entries @returns {Promise<News[]>} what is new */
  async page(entries) {
    /** @type {News[]} */ const news = [];
    for (const entry of entries) {
      const m = await this.#memberOf(entry);
      if (!m || !this.#fetching || this.#left.has(m.id)) continue;
      this.#listed.add(m.id);
      this.#add(news, m);
    }
    return news;
  }

  /**
   * Takes news of joins.
   * @param {Bytes[]} entries @param {number} now ms
   * @returns {Promise<{news: News[], doubt: boolean}>} doubt: fetch the list
   */
  async joined(entries, now) {
    /** @type {News[]} */ const news = [];
    let doubt = false;
    for (const entry of entries) {
      const m = await this.#memberOf(entry);
      if (!m || this.#isReplaced(m)) continue;
      const gone = this.#gone.has(m.id, now);
      if (gone || this.#members.has(m.id) || this.#absent.has(m.id, now)) this.#twice.add(m.id, now);
      if (gone) {
        doubt = true;
        continue;
      }
      if (this.#fetching) this.#listed.add(m.id);
      this.#add(news, m);
    }
    return { news, doubt };
  }

  /** Adds a member, in the place of the one that it replaces. @param {News[]} news @param {Member} m */
  #add(news, m) {
    if (this.#members.has(m.id) || this.#isReplaced(m)) return;
    const old = m.replaces && this.#members.get(m.replaces.slice(0, m.id.length)); // it begins with the hash
    if (old && old.stay === m.replaces) this.#remove(news, old);
    if (this.#members.size >= MAX_MEMBERS) return;
    this.#members.set(m.id, m);
    if (m.replaces) this.#replaced.set(m.replaces, (this.#replaced.get(m.replaces) ?? 0) + 1);
    news.push({ joined: m });
  }

  /** Whether somebody who is here, or we, took the place of a member. @param {Member} m */
  #isReplaced(m) {
    return m.stay === this.#before || this.#replaced.has(m.stay);
  }

  /** @param {News[]} news @param {Member} m who is here */
  #remove(news, m) {
    this.#members.delete(m.id);
    const others = (this.#replaced.get(m.replaces) ?? 0) - 1;
    if (others > 0) this.#replaced.set(m.replaces, others);
    else this.#replaced.delete(m.replaces);
    news.push({ left: m });
  }

  /**
   * Takes news of leaves.
   * @param {string[]} ids @param {number} now ms
   * @returns {{news: News[], doubt: boolean}} doubt is as with joined
   */
  leave(ids, now) {
    /** @type {News[]} */ const news = [];
    let doubt = false;
    for (const id of ids) {
      doubt ||= this.#twice.has(id, now);
      this.#gone.add(id, now);
      if (this.#fetching && this.#left.size < MAX_MEMBERS) {
        this.#left.add(id);
        this.#listed.delete(id);
      }
      const m = this.#members.get(id);
      if (m) this.#remove(news, m);
    }
    return { news, doubt };
  }

  /** Starts a fetch; false: one is under way, and is followed by another. @returns {boolean} */
  begin() {
    if (this.#fetching) {
      this.#again = true;
      return false;
    }
    this.#fetching = true;
    this.#left = new Set();
    this.#listed = new Set();
    return true;
  }

  /**
   * Ends a fetch. After a complete one, who was not listed is gone.
   * @param {boolean} complete @param {number} now ms
   * @returns {{news: News[], again: boolean}} again: start another
   */
  finish(complete, now) {
    /** @type {News[]} */ const news = [];
    const again = this.#again;
    if (complete && !again) {
      for (const [id, m] of this.#members) {
        if (this.#listed.has(id)) continue;
        this.#absent.add(id, now);
        this.#remove(news, m);
      }
    }
    this.complete ||= complete;
    this.#fetching = this.#again = false;
    this.#left = new Set();
    this.#listed = new Set();
    return { news, again };
  }
}
