/**
 * What the user noted of people: that they compared a key, and how loud somebody is played. As known names,
 * it is kept under keyed hashes, so that the storage alone does not tell of whom.
 *
 *     "notes" -> {hex(tag): {compared: ms since 1970} | {volume: 0 to 4}}
 *
 * What was compared is noted of a name with a key, for it was that person whose key it is; a volume of the
 * key alone, which is the tag of the empty name. Only the user makes notes: strangers cannot fill the
 * storage.
 */

import { foldName } from '../names/fold.js';
import { personTag } from './known-names.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./known-names.js').Storage} Storage */
/** @typedef {{compared?: number, volume?: number}} Note */

export const MAX_NOTES = 1000; // the oldest make way
const MAX_VOLUME = 4;
const KEY = 'notes';

export class Notes {
  #key;
  #storage;
  /** @type {Map<string, Note>} by tag, the oldest first */ #notes;
  /** @type {Map<string, Note>} what is not written yet; an empty one goes */ #changed = new Map();
  /** @type {Promise<void> | null} */ #writing = null;
  /** @type {Promise<unknown>} */ #last = Promise.resolve();

  /** Use open. @param {CryptoKey} key @param {Storage} storage @param {unknown} kept */
  constructor(key, storage, kept) {
    this.#key = key;
    this.#storage = storage;
    this.#notes = read(kept);
  }

  /** @param {import('./identity.js').Identity} identity @param {Storage} storage */
  static async open(identity, storage) {
    return new Notes(await identity.namesKey(), storage, await storage.get(KEY));
  }

  /** What is noted of somebody. @param {string} name @param {Bytes} publicKey @returns {Promise<Note>} */
  async of(name, publicKey) {
    const [person, key] = await Promise.all([this.#tag(name, publicKey), this.#tag('', publicKey)]);
    return { compared: this.#notes.get(person)?.compared, volume: this.#notes.get(key)?.volume };
  }

  /**
   * The user compared somebody's key, or takes that back.
   * @param {string} name @param {Bytes} publicKey @param {number | undefined} compared ms since 1970
   */
  async setCompared(name, publicKey, compared) {
    await this.#change(this.#tag(name, publicKey), { compared });
  }

  /** @param {Bytes} publicKey @param {number} volume 1 as sent, which needs no note */
  async setVolume(publicKey, volume) {
    await this.#change(this.#tag('', publicKey), { volume: volume === 1 ? undefined : volume });
  }

  /** @param {string} name @param {Bytes} publicKey */
  #tag(name, publicKey) {
    return personTag(this.#key, foldName(name), publicKey);
  }

  /** In the order in which it was asked for. @param {Promise<string>} tagged @param {Note} part */
  async #change(tagged, part) {
    const before = this.#last;
    this.#last = Promise.all([tagged, before]);
    await before;
    const tag = await tagged;
    const note = { ...this.#notes.get(tag), ...part };
    apply(this.#notes, tag, note);
    this.#changed.set(tag, note);
    this.#writing ??= this.#write().finally(() => (this.#writing = null));
    await this.#writing;
  }

  /** Writes what changed, and what changes meanwhile, beside what other pages wrote. */
  async #write() {
    while (this.#changed.size > 0) {
      const changed = [...this.#changed];
      this.#changed.clear();
      const locks = globalThis.navigator?.locks;
      const task = async () => {
        const kept = read(await this.#storage.get(KEY));
        for (const [tag, note] of changed) apply(kept, tag, note);
        await this.#storage.set(KEY, Object.fromEntries(kept));
      };
      await (locks ? locks.request('wzp notes', task) : task());
    }
  }
}

/** @param {Map<string, Note>} notes @param {string} tag @param {Note} note */
function apply(notes, tag, note) {
  notes.delete(tag);
  if (note.compared !== undefined || note.volume !== undefined) notes.set(tag, note);
  for (const oldest of notes.keys()) {
    if (notes.size <= MAX_NOTES) break;
    notes.delete(oldest);
  }
}

/** The notes of the storage, without what cannot be right. @param {unknown} kept */
function read(kept) {
  const number = (/** @type {unknown} */ v, /** @type {number} */ most) =>
    typeof v === 'number' && v >= 0 && v <= most ? v : undefined;
  /** @type {Map<string, Note>} */ const notes = new Map();
  if (typeof kept !== 'object' || kept === null) return notes;
  for (const [tag, note] of Object.entries(kept)) {
    const compared = number(note?.compared, Number.MAX_SAFE_INTEGER);
    const volume = number(note?.volume, MAX_VOLUME);
    if (compared !== undefined || volume !== undefined) notes.set(tag, { compared, volume });
  }
  return notes;
}
