/**
 * Holds the keys of the talkers that one member listens to, for one stay ("Receiving" of docs/protocol.md,
 * section 7.2). As Listener and Opener in Go's internal/e2ee, with the same rules in the same order.
 *
 *     talker, by member id:  last key number, last first CTR, ReplayWindow of each stream
 *       generation, at most 12:  suite                                   of a header that was accepted
 *         step, at most 16:  W[s], first CTR, FrameKey of each stream    of a header, or ratcheted
 *
 * A step goes 10 s after a later one of its generation came, unless a header brings it back, a generation 10
 * s after another one was accepted, all of a talker 10 s after it left.
 *
 * Keys are accepted one at a time, and frames opened meanwhile, any number at once. WebCrypto makes both
 * wait, so whatever was looked up before is looked up again after: somebody may have replaced or erased it.
 */

import {equal, toHex} from '../wire/bytes.js';
import {MEMBER_ID_SIZE} from '../wire/urgent.js';
import {GoneTalkers} from './gone.js';
import {FRESH_SIZE, RATCHETED_SIZE, hashKey, verifyHeader} from './keys.js';
import {overtaken} from './late.js';
import {BadKey, BusyKey, Early, KnownKey, NoKey} from './errors.js';
import {eraseSteps, generationOf, ratchetAhead, stepOf} from './generation.js';
import {HeldTalker} from './held-talker.js';
import {sameBytes} from './sframe.js';

export {BadKey, BusyKey, Early, KnownKey, NoKey} from './errors.js';

const GENERATIONS = 16; // a generation has 4 bits
// How many talkers that left are remembered as if they were inside; see GoneTalkers for the others.
const MAX_LEFT = 1024;
const MAX_ACCEPTING = 256; // keys that wait to be looked at
const ID_DIGITS = 2 * MEMBER_ID_SIZE;

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/urgent.js').Key} Key */
/** @typedef {import('../wire/urgent.js').KeyHeader} KeyHeader */
/** @typedef {import('./generation.js').Generation} Generation */

/**
 * @typedef {{hash: string, id: string, left: number | null}} Sender of a key that is being accepted; left:
 *   meanwhile
 */

export class Listener {
  /** How many keys were dropped because too many waited. */
  dropped = 0;

  #self;
  #joinKey;
  #room;
  #secret;
  #closed = false;
  /** @type {Map<string, HeldTalker>} by member id */ #talkers = new Map();
  #gone = new GoneTalkers(); // of those who left, those that are not in #talkers any more
  /** @type {Promise<unknown>} the last key that is being accepted, which the next one waits for */
  #last = Promise.resolve();
  /** @type {Set<Sender>} of the keys that are being accepted */ #accepting = new Set();

  /**
   * @param {object} config @param {Bytes} config.self hash of the member's entry
   * @param {import('./keys.js').JoinKey} config.joinKey of that entry @param {string} config.room
   * @param {import('./secret.js').Secret | null} [config.secret] null: the room has none
   */
  constructor({self, joinKey, room, secret = null}) {
    this.#self = self.slice();
    this.#joinKey = joinKey;
    this.#room = room;
    this.#secret = secret;
  }

  /**
   * Takes a key of a member inside. With an error nothing changes: KnownKey is no reason to worry, BadKey is;
   * after BusyKey it may come again.
   * @param {Bytes} hash of the sender's entry @param {Bytes} publicKey of the sender's entry
   * @param {Key} key not to be changed before this resolves
   * @param {number} now ms
   * @returns {Promise<boolean>} whether it is the member's newest: another one was overtaken by it, and what
   *   its header says of the room is out of date
   */
  async accept(hash, publicKey, key, now) {
    if (!equal(key.sender, hash.subarray(0, MEMBER_ID_SIZE))) throw new BadKey('it names another sender');
    if (this.#accepting.size >= MAX_ACCEPTING) {
      this.dropped++;
      throw new BusyKey();
    }
    const hex = toHex(hash);
    const sender = {hash: hex, id: hex.slice(0, ID_DIGITS), left: null};
    this.#accepting.add(sender);
    const accepted = this.#last.then(() => this.#accept(sender, hash.slice(), publicKey, key, now));
    this.#last = accepted.catch(() => {});
    try {
      return await accepted;
    } finally {
      this.#accepting.delete(sender);
    }
  }

  /**
   * @param {Sender} sender @param {Bytes} hash @param {Bytes} publicKey @param {Key} key @param {number} now
   */
  async #accept(sender, hash, publicKey, {key, wrap}, now) {
    this.#isLate(sender, key, now); // before anything costs much
    if (!(await verifyHeader(publicKey, hash, key.signed, key.signature))) {
      throw new BadKey('its signature does not verify');
    }
    const w = await this.#unwrap(hash, key.signed, wrap);
    try {
      await checkWrapped(key, w);
      return await this.#install(sender, key, w, now);
    } finally {
      w.fill(0); // what was installed is a copy
    }
  }

  /** @param {Bytes} hash @param {Bytes} header @param {Bytes} wrap @returns {Promise<Bytes>} */
  async #unwrap(hash, header, wrap) {
    try {
      return await this.#joinKey.unwrap(hash, header, this.#self, wrap);
    } catch {
      throw new BadKey('its wrap does not open');
    }
  }

  /**
   * Compares a header with the talker's last one.
   * @param {Sender} sender @param {KeyHeader} header @param {number} now
   * @returns {boolean} whether the key was overtaken by that
   */
  #isLate({id, hash}, header, now) {
    const talker = this.#talkers.get(id);
    const other = talker !== undefined && talker.hash !== hash; // an id can be searched for
    if (other && talker.left === null) throw new BadKey("another member has the sender's id");
    if (this.#closed || header.number === 0) throw new KnownKey(); // numbers begin with 1
    if (!talker || other) { // another member, after the first one left
      const known = this.#gone.check(hash, header);
      if (known === 'known') throw new KnownKey();
      if (known === 'back') throw new BadKey('its first CTR went back');
      return false;
    }
    if (overtaken(talker, header, now)) return true;
    if (header.number <= talker.number) throw new KnownKey();
    if (header.firstCtr < talker.first) throw new BadKey('its first CTR went back');
    return false;
  }

  /**
   * Takes a copy of w, whose header verified. Frames that are opened meanwhile may add steps and time may
   * take some, a few times at most: then what was found is not true any more, and is looked for again.
   * @param {Sender} sender @param {KeyHeader} header @param {Bytes} w @param {number} now
   * @returns {Promise<boolean>}
   */
  async #install(sender, header, w, now) {
    for (;;) {
      const late = this.#isLate(sender, header, now);
      const known = this.#talkers.get(sender.id);
      if (late && known) {
        known.addLate(header, w.slice());
        return false;
      }
      const talker =
        known?.hash === sender.hash ? known : (this.#gone.back(sender.hash) ?? new HeldTalker(sender.hash));
      const held = talker.generation(generationOf(header.epoch));
      if (held) {
        const follow = await held.follow(header, w);
        if (held.steps !== follow.steps) { // also if it was erased
          eraseSteps(follow.ahead);
          continue;
        }
        if (!follow.bad) {
          held.accept(header, w.slice(), follow.ahead, now);
        } else {
          eraseSteps(follow.ahead);
          if (header.number - held.number < GENERATIONS) throw new BadKey(follow.bad);
          // So many keys later it may be another generation of that number, whose predecessors were lost.
          talker.drop(held);
          talker.add(header, w.slice(), now);
        }
      } else {
        talker.add(header, w.slice(), now);
      }
      talker.accept(header, sender.left);
      if (known && known !== talker) this.#forget(sender.id, known);
      this.#talkers.set(sender.id, talker);
      return true;
    }
  }

  /**
   * Authenticates sealed (ciphertext || tag) as a frame and decrypts it. A frame of a step that is ahead of
   * the key's is opened by ratcheting a copy, which is kept if the frame is authentic. Call record next,
   * before the plaintext is used.
   * @param {bigint} kid @param {number} ctr @param {Bytes} sealed not to be changed before this resolves
   * @param {number} now ms
   * @returns {Promise<Bytes>} the plaintext; rejected with NoKey, Early or AuthError, then nothing changed
   */
  async decrypt(kid, ctr, sealed, now) {
    const epoch = Number(kid & 0xffn);
    const stream = Number((kid >> 8n) & 0xffn);
    const index = stepOf(epoch);
    const id = (kid >> 16n).toString(16).padStart(ID_DIGITS, '0');
    for (;;) {
      const generation = this.#talkers.get(id)?.generation(generationOf(epoch));
      if (!generation) throw new NoKey();
      if (index > generation.newest.index) {
        const plain = await this.#openAhead(generation, {kid, stream, index, ctr, sealed, now});
        if (plain) return plain;
        continue; // somebody was there first
      }
      const step = generation.step(index);
      if (!step || ctr < step.first) throw new Early();
      const derive = () => step.derive(generation.suite, kid, this.#room, this.#secret);
      const plain = await step.open(stream, derive, ctr, sealed);
      if (this.#closed) throw new NoKey();
      return plain;
    }
  }

  /**
   * Notes that a frame came which decrypt has authenticated. That outlives keys, and the talker's stays.
   * @param {bigint} kid @param {number} ctr @returns {'new' | 'replayed' | 'ahead'} see ReplayWindows.accept
   */
  record(kid, ctr) {
    const talker = this.#talkers.get((kid >> 16n).toString(16).padStart(ID_DIGITS, '0'));
    // It was closed, or forgotten, meanwhile.
    return talker?.windows.accept(Number((kid >> 8n) & 0xffn), ctr) ?? 'replayed';
  }

  /**
   * Opens a frame of a step above the newest one, and keeps the steps up to it if the frame is authentic.
   * @param {Generation} generation
   * @param {{kid: bigint, stream: number, index: number, ctr: number, sealed: Bytes, now: number}} frame
   * @returns {Promise<Bytes | null>} null: the steps are others by now, look again
   */
  async #openAhead(generation, {kid, stream, index, ctr, sealed, now}) {
    const {steps, newest, suite} = generation;
    if (ctr < newest.first) throw new Early();
    const ahead = await ratchetAhead(newest, index);
    try {
      if (generation.steps !== steps) return null;
      const last = ahead[ahead.length - 1];
      const derive = () => last.derive(suite, kid, this.#room, this.#secret);
      const plain = await last.open(stream, derive, ctr, sealed);
      if (generation.steps !== steps) return null;
      generation.append(ahead.splice(0), now);
      return plain;
    } finally {
      eraseSteps(ahead); // those that were not kept
    }
  }

  /**
   * Says whose entries are inside now; it follows every change of the roster. Who is not inside has left:
   * what it sealed can be opened for 10 s more, for frames are late. Who is back with the same entry has not,
   * and the keys that it still has stay.
   * @param {ReadonlySet<string>} inside hashes in hexadecimal; read, not kept
   * @param {number} now ms
   */
  sync(inside, now) {
    for (const someone of [...this.#talkers.values(), ...this.#accepting]) {
      if (inside.has(someone.hash)) someone.left = null;
      else someone.left ??= now;
    }
    this.#boundLeft();
  }

  /** Forgets most of who left first, when too many did. A relay cannot make their old keys new by that. */
  #boundLeft() {
    const gone = [...this.#talkers].filter(([, talker]) => talker.left !== null);
    if (gone.length <= MAX_LEFT) return;
    gone.sort(([, a], [, b]) => (a.left ?? 0) - (b.left ?? 0) || (a.hash < b.hash ? -1 : 1));
    for (const [id, talker] of gone.slice(0, gone.length - MAX_LEFT)) this.#forget(id, talker);
  }

  /**
   * Forgets of a talker all that is not needed to hear it again.
   * @param {string} id @param {HeldTalker} talker
   */
  #forget(id, talker) {
    talker.erase();
    this.#talkers.delete(id);
    this.#gone.put(talker);
  }

  /**
   * Erases what is over by now.
   * @param {number} now ms @returns {number} when to call again; 0: when another input came
   */
  expire(now) {
    let next = Infinity;
    for (const talker of this.#talkers.values()) next = Math.min(next, talker.expire(now));
    return next === Infinity ? 0 : next;
  }

  /** Erases all keys. Nothing is accepted and nothing opens from then on, also of what is under way. */
  close() {
    this.#closed = true;
    for (const talker of this.#talkers.values()) talker.erase();
    this.#talkers.clear();
  }
}

/** Checks what a wrap had in it against the header. @param {KeyHeader} header @param {Bytes} w */
async function checkWrapped(header, w) {
  if (!sameBytes(await hashKey(w), header.hash)) throw new BadKey('the wrapped key is not the signed one');
  const length = stepOf(header.epoch) > 0 ? RATCHETED_SIZE : FRESH_SIZE;
  if (w.length !== length) throw new BadKey("the wrapped key's length does not fit its step");
}
