/**
 * What the tests of talkers and listeners share: members who talk and listen, and the relay between them.
 */

import assert from 'node:assert/strict';

import {Identity} from '../identity/identity.js';
import {concat, equal, toHex, toUtf8} from '../wire/bytes.js';
import * as urgent from '../wire/urgent.js';
import {JoinKey, digestMembers, frameKey, hashKey, ratchet, signHeader, wrapKey} from './keys.js';
import {Listener} from './listener.js';
import {Talker} from './talker.js';

export const ROOM = 'room';
export const SUITE64 = 2;
export const SUITE32 = 3;
export const NEVER = 0;

/** A time in ms, so many seconds after the test's beginning. @param {number} seconds */
export const at = (seconds) => 1_000_000 + Math.round(seconds * 1000);

/** @param {string} text */
export async function sha256(text) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', toUtf8(text)));
}

/** The hash of an entry. @param {string} entry */
export async function hashEntry(entry) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 member'), toUtf8(entry))));
}

/** One member: what it says and what it hears. */
export class Party {
  /** @param {string} name @param {import('./secret.js').Secret | null} [secret] @param {Uint8Array} [hash] */
  static async create(name, secret = null, hash = undefined) {
    const p = new Party();
    p.identity = await Identity.fromSeed(await sha256(`identity ${name}`));
    p.hash = hash ?? await hashEntry(name);
    p.joinKey = await JoinKey.create();
    p.talker = new Talker({identity: p.identity, self: p.hash, room: ROOM, secret});
    p.listen(ROOM, secret);
    return p;
  }

  /**
   * Gives it a listener that has nothing.
   * @param {string} [room] @param {import('./secret.js').Secret | null} [secret]
   */
  listen(room = ROOM, secret = null) {
    this.listener = new Listener({self: this.hash, joinKey: this.joinKey, room, secret});
  }

  get hex() {
    return toHex(this.hash);
  }

  get id() {
    return this.hex.slice(0, 12);
  }

  get recipient() {
    return {hash: this.hash, joinKey: this.joinKey.publicKey};
  }

  /** @param {...Party} others */
  sees(...others) {
    this.talker.setMembers(others.map((o) => o.recipient));
  }

  /**
   * talker.step, which has to distribute or not, and to say this next.
   * @param {number} now @param {boolean} distributes @param {number} next
   */
  step(now, distributes, next) {
    const got = this.talker.step(now);
    assert.deepEqual({distributes: got.distribution !== null, next: got.next}, {distributes, next});
    return got.distribution;
  }

  /** Gives it a message "key". @param {Party} from @param {Uint8Array} message @param {number} now */
  accept(from, message, now) {
    return this.listener.accept(from.hash, from.identity.publicKey, urgent.parseKey(message), now);
  }

  /** The text of a frame. @param {Frame} frame @param {number} now */
  async opens({kid, ctr, ciphertext}, now) {
    return new TextDecoder().decode(await this.listener.decrypt(kid, ctr, ciphertext, now));
  }

  /** Takes a made key. @param {Party} from @param {MadeKey} key @param {number} now */
  async takes(from, key, now) {
    return this.accept(from, await key.message(from, this), now);
  }

  /**
   * Refuses a made key.
   * @param {Party} from @param {MadeKey} key @param {string} code @param {string} [reason]
   * @param {number} [now]
   */
  async refuses(from, key, code, reason = '', now = at(0)) {
    const message = await key.message(from, this);
    await assert.rejects(this.accept(from, message, now), (error) => {
      assert.equal(error.code, code, error.message);
      assert.ok(error.message.includes(reason), error.message);
      return true;
    });
  }

  /** Says who is inside beside it. @param {number} now @param {...Party} inside */
  syncs(now, ...inside) {
    this.listener.sync(new Set([this.hex, ...inside.map((p) => p.hex)]), now);
  }
}

/** @typedef {{kid: bigint, ctr: number, ciphertext: Uint8Array}} Frame */

/**
 * Seals a text.
 * @param {import('./sealer.js').Sealer} sealer @param {string} text @returns {Promise<Frame>}
 */
export function seal(sealer, text) {
  return sealer.seal(toUtf8(text));
}

/** @param {Frame} frame */
export const epochOf = (frame) => Number(frame.kid & 0xffn);

/** @param {Uint8Array} hash @param {number} stream @param {number} epoch */
export function makeKid(hash, stream, epoch) {
  return BigInt(`0x${toHex(hash.subarray(0, 6))}${toHex([stream, epoch])}`);
}

/**
 * What a relay makes of a distribution: a message "key" for each recipient, by member id.
 * @param {Party} from @param {import('./distribution.js').Distribution | null} distribution
 * @returns {Promise<Map<string, Uint8Array>>}
 */
export async function messages(from, distribution) {
  assert.ok(distribution, 'nothing was distributed');
  const {recipients, key} = urgent.parseSenderKey(await distribution.announce());
  assert.equal(key.number, distribution.number);
  const keys = new Map();
  for await (const message of distribution.wraps()) {
    const {number, wraps} = urgent.parseKeyWraps(message);
    assert.equal(number, distribution.number);
    assert.ok(message.length <= 1024);
    for (const {id, wrap} of wraps) {
      assert.ok(distribution.has(toHex(id)));
      keys.set(toHex(id), urgent.appendKey({sender: from.hash.subarray(0, 6), key, wrap}));
    }
  }
  assert.equal(keys.size, recipients);
  return keys;
}

/** What a distribution says. @param {import('./distribution.js').Distribution | null} distribution */
export async function headerOf(distribution) {
  assert.ok(distribution, 'nothing was distributed');
  return urgent.parseSenderKey(await distribution.announce()).key;
}

/**
 * Gives a distribution to those who are recipients.
 * @param {Party} from @param {any} distribution @param {number} now @param {...Party} to
 */
export async function deliver(from, distribution, now, ...to) {
  const keys = await messages(from, distribution);
  for (const p of to) {
    const message = keys.get(p.id);
    if (message) assert.equal(await p.accept(from, message, now), true);
  }
}

/**
 * Every party opens a frame.
 * @param {Frame} frame @param {string} text @param {number} now @param {...Party} parties
 */
export async function heard(frame, text, now, ...parties) {
  for (const p of parties) assert.equal(await p.opens(frame, now), text);
}

/**
 * No party opens a frame.
 * @param {Frame} frame @param {string} code @param {number} now @param {...Party} parties
 */
export async function unheard(frame, code, now, ...parties) {
  for (const p of parties) await assert.rejects(p.opens(frame, now), {code});
}

/**
 * A distribution has this epoch, these recipients, and the digest of all others.
 * @param {Party} from @param {any} distribution @param {[number, number]} epoch generation and step
 * @param {{hash: Uint8Array}[]} others @param {...Party} to
 */
export async function wantKey(from, distribution, [generation, step], others, ...to) {
  const header = await headerOf(distribution);
  assert.equal(header.epoch, (generation << 4) | step);
  const digest = await digestMembers([from.hash, ...others.map((p) => p.hash)]);
  assert.ok(equal(header.members, digest), 'another member digest');
  const keys = await messages(from, distribution);
  assert.deepEqual([...keys.keys()].sort(), to.map((p) => p.id).sort());
}

/**
 * A talker, armed, and two listeners who have its key, of generation 0, and its stream, which sealed one
 * frame.
 */
export async function armed() {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => Party.create(name)));
  a.sees(b, c);
  a.talker.arm(SUITE64);
  const s = a.talker.stream(0);
  const d = a.step(at(0), true, NEVER);
  await wantKey(a, d, [0, 0], [b, c], b, c);
  await deliver(a, d, at(0), b, c);
  await heard(await seal(s, 'first'), 'first', at(0), b, c);
  return {a, b, c, s};
}

/** A key as a talker may send it: whatever the header says, it is signed. */
export class MadeKey {
  /**
   * @param {{suite: number, number: number, epoch: number, firstCtr: number, hash: Uint8Array, members:
   *   Uint8Array}} header
   * @param {Uint8Array} w
   */
  constructor(header, w) {
    this.header = header;
    this.w = w; // what is wrapped
  }

  /**
   * One that follows all rules.
   * @param {number} number @param {number} epoch @param {number} firstCtr @param {Uint8Array} w
   */
  static async good(number, epoch, firstCtr, w) {
    return new MadeKey(
      {suite: SUITE64, number, epoch, firstCtr, hash: await hashKey(w), members: new Uint8Array(32)}, w,
    );
  }

  /** The key as from sends it to to. @param {Party} from @param {Party} to */
  async message(from, to) {
    const signed = urgent.appendKeyHeader(this.header);
    const signature = await signHeader(from.identity, from.hash, signed);
    const wrap = await wrapKey(to.joinKey.publicKey, from.hash, signed, to.hash, this.w);
    return urgent.appendKey({sender: from.hash.subarray(0, 6), key: {signed, signature}, wrap});
  }

  /**
   * A frame under the key.
   * @param {Party} from @param {number} stream @param {number} ctr @returns {Promise<Frame>}
   */
  async frame(from, stream, ctr) {
    const kid = makeKid(from.hash, stream, this.header.epoch);
    const key = await frameKey(this.header.suite, kid, null, ROOM, this.w);
    return {kid, ctr, ciphertext: await key.seal(ctr, toUtf8('words'))};
  }
}

/** W[0] to W[15] of a fresh key. @param {string} label */
export async function chain(label) {
  const w = [(await sha256(label)).slice(0, 16)];
  while (w.length < 16) w.push(await ratchet(w[w.length - 1]));
  return w;
}
