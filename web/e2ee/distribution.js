/**
 * What a talker sends of a key: the bodies of urgent messages 6 and 7 (docs/protocol.md, sections 4.4 and
 * 7.2). Who gets which key is decided by web/e2ee/talker.js, and messages travel by web/link.
 *
 *     announce:  recipients || header || signature                one message, first
 *     wraps:     number || size || (member id || wrap) ...        as many as are needed, 14 or 11 wraps each
 */

import {toHex} from '../wire/bytes.js';
import * as urgent from '../wire/urgent.js';
import {digestMembers, hashKey, signHeader, wrapKey} from './keys.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */

const MAX_URGENT = 1024; // bytes of an urgent message

/**
 * Another member inside, as far as keys matter.
 * @typedef {object} Recipient
 * @property {Bytes} hash of its entry, 32 bytes
 * @property {Bytes} joinKey X25519 public key of its entry, 32 bytes
 */

/**
 * What a distribution is made of.
 * @typedef {object} Announced
 * @property {import('../identity/identity.js').Identity} identity of the sender
 * @property {Bytes} self hash of the sender's entry
 * @property {number} number of the header
 * @property {import('./media-key.js').MediaKey} key which is copied
 * @property {Bytes[]} everyMember hashes of all inside, the sender's own too
 * @property {Recipient[]} to whose join keys must be sound
 */

/**
 * @type {FinalizationRegistry<import('./media-key.js').MediaKey>} erases the keys of distributions that
 *   nothing refers to
 */
const unused = new FinalizationRegistry((key) => key.erase());

/**
 * One header of a sender key and those who get the key under it. The Talker's later keys do not change it.
 */
export class Distribution {
  /** @readonly the key number */ number;

  #from;
  #key; // a copy
  /** @type {Set<string>} member ids */ #ids;
  /** @type {Promise<{header: Bytes, announce: Bytes}> | null} */ #signed = null;

  /** Talker.step makes Distributions. @param {Announced} from */
  constructor(from) {
    this.number = from.number;
    const {key, ...rest} = from;
    this.#from = {...rest, everyMember: [...from.everyMember], to: [...from.to]};
    this.#key = key.copy();
    this.#ids = new Set(from.to.map(({hash}) => toHex(hash.subarray(0, urgent.MEMBER_ID_SIZE))));
    unused.register(this, this.#key);
  }

  /** Whether a member is among the recipients. @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /** The body of the urgent message of kind 6. It is not to be changed. @returns {Promise<Bytes>} */
  async announce() {
    return (await this.#sign()).announce;
  }

  /**
   * The bodies of the urgent messages of kind 7, at most 1024 bytes each. Each is made when it is asked for,
   * at the price of an X25519 key agreement a recipient, so that who gives up a large room saves them.
   * @returns {AsyncGenerator<Bytes, void, void>}
   */
  async *wraps() {
    const {number, to} = this.#from;
    const size = this.#key.step > 0 ? urgent.WRAP_RATCHETED : urgent.WRAP_FRESH;
    const begin = urgent.appendKeyWraps(number, size);
    const each = Math.floor((MAX_URGENT - begin.length) / (urgent.MEMBER_ID_SIZE + size));
    for (let i = 0; i < to.length; i += each) yield await this.#wrap(size, to.slice(i, i + each));
  }

  /** Makes one message of kind 7. @param {number} size of a wrap @param {Recipient[]} group */
  async #wrap(size, group) {
    const {self, number} = this.#from;
    const {header} = await this.#sign();
    const wraps = await this.#key.use((w) =>
      Promise.all(group.map(({hash, joinKey}) => wrapKey(joinKey, self, header, hash, w))));
    return urgent.appendKeyWraps(
      number, size, group.map(({hash}, i) => ({id: hash.subarray(0, urgent.MEMBER_ID_SIZE), wrap: wraps[i]})),
    );
  }

  #sign() {
    return (this.#signed ??= this.#makeHeader());
  }

  async #makeHeader() {
    const {identity, self, number, everyMember, to} = this.#from;
    const {suite, epoch, first: firstCtr} = this.#key;
    const [hash, members] = await Promise.all([
      this.#key.use(hashKey),
      digestMembers(everyMember),
    ]);
    const header = urgent.appendKeyHeader({suite, number, epoch, firstCtr, hash, members});
    const signature = await signHeader(identity, self, header);
    return {
      header, announce: urgent.appendSenderKey({recipients: to.length, key: {signed: header, signature}}),
    };
  }
}
