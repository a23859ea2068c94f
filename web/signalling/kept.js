/**
 * Missed calls that our relay kept while a device of ours was away (docs/protocol.md, section 14.10).
 *
 *     new session ──> kept wanted ──> relay ──> kept call, one for each ──> missed, stranger
 *                                                         └── all have come, or there is none ──> keptOver
 *
 * Nothing is said to who called, and nothing rings.
 */

import { equal, toHex } from '../wire/bytes.js';
import { MAX_KEPT_WANTED, appendKeptWanted } from '../wire/kept.js';
import { KEPT_WANTED } from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../e2ee/stay-key.js').StayKey} StayKey */
/** @typedef {import('../wire/kept.js').KeptCall} KeptCall */
/** @typedef {import('./line.js').Line} Line */

/**
 * A device of ours that was at a relay before.
 * @typedef {{key: StayKey, device: string, relay: Bytes}} EarlierStay
 */

export class KeptCalls {
  #line;
  /** Of which all was not told yet. @type {Map<string, EarlierStay>} */ #earlier;
  /** By device: what came of those that this session was asked for. */
  /** @type {Map<string, {key: StayKey, came: Set<number>}>} */ #asked = new Map();
  #sessions = 0;

  /** @param {Line} line @param {EarlierStay[]} earlier */
  constructor(line, earlier) {
    this.#line = line;
    this.#earlier = new Map(earlier.map((stay) => [stay.device, stay]));
  }

  /** There is a new session. What was kept for the device itself it has missed since the one before. */
  sessionFresh() {
    this.#asked.clear();
    const { stay } = this.#line.config;
    const own = ++this.#sessions > 1 && stay && this.#line.keeps ? [stay] : [];
    this.#ask([...this.#earlier.values()].filter(({ relay }) => this.#isHere(relay)).concat(
      own.map(({ key, device }) => ({ key, device, relay: new Uint8Array(0) }))));
  }

  /** There were more devices before. @param {EarlierStay[]} stays */
  add(stays) {
    const fresh = stays.filter(({ device }) => !this.#earlier.has(device));
    for (const stay of fresh) this.#earlier.set(stay.device, stay);
    if (this.#line.up) this.#ask(fresh.filter(({ relay }) => this.#isHere(relay)));
  }

  /** @param {Bytes} relay */
  #isHere(relay) {
    return this.#line.relay !== null && equal(relay, this.#line.relay);
  }

  /** @param {Pick<EarlierStay, 'key' | 'device'>[]} stays */
  #ask(stays) {
    for (const { key, device } of stays) this.#asked.set(device, { key, came: new Set() });
    const devices = stays.map(({ device }) => device);
    while (devices.length > 0) {
      this.#line.send(KEPT_WANTED, appendKeptWanted(devices.splice(0, MAX_KEPT_WANTED)));
    }
  }

  /** Takes urgent message 25. @param {KeptCall} m @param {number} now */
  async came(m, now) {
    const asked = this.#asked.get(m.device);
    if (!asked || asked.came.has(m.index)) return; // an index is taken once: it bounds what is opened
    if (m.key && m.offer) {
      asked.came.add(m.index);
      await this.#open(asked.key, m.key, m.offer, now);
    }
    if (asked.came.size < m.of) return;
    this.#asked.delete(m.device);
    if (this.#earlier.delete(m.device)) this.#line.emit({ type: 'keptOver', device: m.device });
  }

  /** @param {StayKey} key @param {Bytes} pathKey @param {Bytes} offer @param {number} now */
  async #open(key, pathKey, offer, now) {
    const { seen, config: { identity, known } } = this.#line;
    let o;
    try {
      o = await key.openKept(pathKey, identity.publicKey, offer, this.#line.unix(now));
    } catch (error) {
      this.#line.refuse(error);
      return;
    }
    const call = toHex(o.call);
    if (seen.has(call) || seen.has(keptId(call))) return;
    const { identity: person, fingerprint, name } = o.caller;
    const contact = known?.(fingerprint) === true;
    // Not as an offer that came: the caller may still be trying, and then it rings.
    seen.add(contact, keptId(call));
    const who = { person, fingerprint, name, at: o.made };
    this.#line.emit(contact ? { type: 'missed', ...who } : { type: 'stranger', ...who, more: 0 });
  }
}

/** @param {string} call */
const keptId = (call) => `kept ${call}`;
