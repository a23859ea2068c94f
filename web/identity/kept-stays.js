/**
 * The keys of stays for which a relay keeps missed calls (docs/protocol.md, section 14.10), so that a later
 * stay opens what was kept. The private halves are CryptoKeys that cannot be read out.
 *
 *     "stays" -> [{device: hex (16), identity, relay, publicKey: 32 bytes each, privateKey, at: ms since 1970}]
 *
 * A relay keeps calls for a day: what was used last before more than 25 hours is forgotten.
 */

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./known-names.js').Storage} Storage */

/**
 * A stay whose relay keeps calls. identity: whose stay it was; relay: its key; at: when it was used last.
 * @typedef {object} KeptStay
 * @property {string} device
 * @property {Bytes} identity
 * @property {Bytes} relay
 * @property {Bytes} publicKey
 * @property {CryptoKey} privateKey X25519
 * @property {number} at ms since 1970
 */

export const MAX_STAYS = 16; // the oldest make way
const GOOD_FOR = 25 * 3_600_000; // ms
const KEY = 'stays';

export class KeptStays {
  #storage;
  /** @type {Promise<unknown>} the last change; it does not reject */ #last = Promise.resolve();

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * Those of an identity that are not too old, the newest first. All others are forgotten.
   * @param {Bytes} identity @param {number} now ms since 1970
   */
  of(identity, now) {
    const own = identity.join();
    return this.#change((kept) =>
      kept.filter((stay) => Math.abs(now - stay.at) <= GOOD_FOR && stay.identity.join() === own));
  }

  /** Keeps a stay, in the place of what was kept of it. @param {KeptStay} stay */
  async keep(stay) {
    await this.#change((kept) => [stay, ...kept.filter(({ device }) => device !== stay.device)]);
  }

  /** Forgets the stay of a device. @param {string} device */
  async remove(device) {
    await this.#change((kept) => kept.filter((stay) => stay.device !== device));
  }

  /**
   * One change after the other, beside what other pages write.
   * @param {(kept: KeptStay[]) => KeptStay[]} change @returns {Promise<KeptStay[]>} what is kept then
   */
  #change(change) {
    const task = async () => {
      const before = await this.#storage.get(KEY);
      const now = change(read(before)).sort((a, b) => b.at - a.at).slice(0, MAX_STAYS);
      if (now.length > 0 || before !== undefined) {
        await this.#storage.set(KEY, now.length > 0 ? now : undefined);
      }
      return now;
    };
    const locks = globalThis.navigator?.locks;
    const done = this.#last.then(() => (locks ? locks.request('wzp stays', task) : task()));
    this.#last = done.catch(() => {}); // who wants it is told
    return done;
  }
}

/** The stays of the storage, without what cannot be right. @param {unknown} kept @returns {KeptStay[]} */
function read(kept) {
  return Array.isArray(kept) ? kept.filter(isStay) : [];
}

/** @param {unknown} entry @returns {entry is KeptStay} */
function isStay(entry) {
  const stay = /** @type {Partial<KeptStay>} */ (entry ?? {});
  const { device, identity, relay, publicKey, privateKey, at } = stay;
  const keys = [identity, relay, publicKey];
  return typeof device === 'string' && /^[0-9a-f]{16}$/.test(device) && typeof at === 'number'
    && keys.every((key) => key instanceof Uint8Array && key.length === 32) && privateKey instanceof CryptoKey;
}
