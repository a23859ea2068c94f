/**
 * One stay of a line: its key, which offers of calls are sealed to, and its reach records. While missed calls
 * are to be kept, its key outlives it (docs/protocol.md, section 14.10), and keys of stays before are here.
 *
 *     record ── the key is stored, if calls are to be kept; else it is removed ──> record for the relay
 *     earlier ──> the machine, which gets what was kept ── over ──> the key of such a stay is removed
 */

import { StayKey } from '../e2ee/stay-key.js';
import { equal } from '../wire/bytes.js';
import { deviceOf } from '../wire/reach.js';
import { ReachRecords } from './line-record.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../identity/kept-stays.js').KeptStays} KeptStays */
/** @typedef {import('../signalling/kept.js').EarlierStay} EarlierStay */

const STORE_EVERY = 3_600_000; // ms: what is stored says about when it was used last

/**
 * @typedef {object} LineStayConfig
 * @property {import('../identity/identity.js').Identity} identity
 * @property {KeptStays} stays where keys outlive a stay
 * @property {boolean} takesCalls
 * @property {boolean} keepMissed
 * @property {(error: unknown) => void} failed what could not be stored
 */

export class LineStay {
  /** Others may call. */ takesCalls;
  /** Missed calls are to be kept while we are away. */ keepMissed;
  #config;
  #records;
  /** Of stays before, by device. @type {Map<string, StayKey>} */ #earlier = new Map();
  /** What is stored of this one. @type {{at: number, relay: Bytes} | null} */ #stored = null;

  /** Use create. @param {LineStayConfig} config @param {StayKey} key @param {string} device of it */
  constructor(config, key, device) {
    this.#config = config;
    this.key = key;
    this.device = device;
    this.takesCalls = config.takesCalls;
    this.keepMissed = config.keepMissed;
    this.#records = new ReachRecords(config.identity, key.publicKey);
  }

  /** @param {LineStayConfig} config */
  static async create(config) {
    const key = await StayKey.create();
    return new LineStay(config, key, await deviceOf(key.publicKey));
  }

  /**
   * A new reach record for the relay with this key; no bytes: we take no calls.
   * @param {Bytes} relay @param {number} unix ms since 1970 @returns {Promise<Bytes>}
   */
  async record(relay, unix) {
    const keep = this.takesCalls && this.keepMissed && await this.#store(relay, unix);
    if (!keep && this.#stored) await this.#remove();
    return this.takesCalls ? this.#records.make(relay, unix, keep) : new Uint8Array(0);
  }

  /**
   * Stores the key, before a relay may keep what only it opens.
   * @param {Bytes} relay @param {number} at ms since 1970 @returns {Promise<boolean>} whether it is stored
   */
  async #store(relay, at) {
    const { identity, stays, failed } = this.#config;
    const stored = this.#stored;
    if (stored && equal(stored.relay, relay) && at - stored.at < STORE_EVERY) return true;
    try {
      const { device, key } = this;
      await stays.keep({ device, identity: identity.publicKey, relay, ...key.pair, at });
      this.#stored = { at, relay };
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  }

  async #remove() {
    this.#stored = null;
    await this.#config.stays.remove(this.device).catch(this.#config.failed);
  }

  /** Those before, for which calls may be kept. @param {number} unix @returns {Promise<EarlierStay[]>} */
  async earlier(unix) {
    const { identity, stays, failed } = this.#config;
    const kept = await stays.of(identity.publicKey, unix).catch((error) => {
      failed(error);
      return [];
    });
    return kept.filter(({ device }) => device !== this.device).map(({ device, relay, ...pair }) => {
      const key = this.#earlier.get(device) ?? new StayKey(pair);
      this.#earlier.set(device, key);
      return { key, device, relay };
    });
  }

  /** All was told that was kept for a device. @param {string} device */
  async over(device) {
    if (device === this.device) return;
    this.#earlier.get(device)?.erase();
    this.#earlier.delete(device);
    await this.#config.stays.remove(device).catch(this.#config.failed);
  }

  /** Nothing more opens; what is stored stays. */
  erase() {
    for (const key of [this.key, ...this.#earlier.values()]) key.erase();
  }
}
