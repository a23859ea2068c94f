/**
 * The room's keys: makes ours, checks the others', and warns. What keys are is in web/e2ee; when they are
 * made, to whom they go and what else keeps a relay honest is here (docs/protocol.md, section 7.2).
 *
 *     roster, relay -- changed, keyCame, delivered, wanted --> inputs -- work --> our key, wraps, asking
 *     Publication -- arm --> Talker -- Sealer                               '--> Listener; held frames play
 *
 * work runs one at a time; what comes meanwhile waits in inputs, whose lists are bounded. Whatever work waits
 * for, others may arm, disarm or change the roster meanwhile: so it asks the roster anew after each wait.
 */

import { digestMembers } from '../e2ee/keys.js';
import { Listener } from '../e2ee/listener.js';
import { Talker } from '../e2ee/talker.js';
import { Views } from '../e2ee/views.js';
import { FormatError, toHex } from '../wire/bytes.js';
import * as urgent from '../wire/urgent.js';
import { MAX_HELD_TIME } from './held.js';
import { Opening } from './opening.js';
import { Outstanding } from './hand-out.js';
import { SafetyNumber } from './safety.js';
import { soonest } from '../link/clock.js';
import { ViewSender } from './view.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./roster.js').Member} Member */

const MAX_KEYS_QUEUED = 256; // key messages that wait to be checked
const MAX_KEYS_UNKNOWN = 64; // of senders that the relay has not told of
const MAX_MEMBERS = 20_000;
const UNKNOWN_FETCH = 1000; // ms after which the list is fetched for them
const UNKNOWN_WARN = 10_000; // after which people are warned, and the message is dropped
const MAX_UNKNOWN_WARNED = 1024; // senders whom nobody knows, of whom people are told one by one
const RETRY_AFTER = 1000; // ms after work that failed

/**
 * What the keys needs of its room.
 * @typedef {object} Surroundings
 * @property {string} name of the room
 * @property {import('./roster.js').Roster} roster
 * @property {import('../identity/identity.js').Identity} identity
 * @property {Bytes} self hash of our entry
 * @property {import('../e2ee/secret.js').Secret | null} secret
 * @property {import('../e2ee/keys.js').JoinKey} joinKey which the keys erases in the end
 * @property {number} [renew] after which our keys are made anew, ms; absent, 0: never
 * @property {import('../link/clock.js').Clock} clock
 * @property {(kind: number, body: Bytes, done?: (acked: boolean) => void) => boolean} sendUrgent
 * @property {() => boolean | null} hand what there is to say of it, null: nothing
 * @property {(kid: bigint, ctr: number, ciphertext: Bytes) => void} sendView
 * @property {() => number} mediaAt when media was sent last, ms; -Infinity: never
 * @property {() => boolean} publishing whether a microphone is armed
 * @property {(id: string) => void} playHeld
 * @property {(now: number) => {ask: Set<string>, hopeless: Set<string>, next: number}} waiting
 * @property {() => void} fetch the member list
 * @property {(code: string, id: string) => void} warn
 * @property {(number: string | null, people: number) => void} safety
 * @property {(error: unknown) => void} failed
 */

/** @typedef {{message: Bytes, since: number, fetched: boolean}} UnknownKey its sender is not listed */

export class Keys {
  /** Key messages that came faster than they could be checked. */
  dropped = 0;
  /** @type {Promise<void>} resolved when we know who is there, or wait no longer, or it is over */ opened;
  /** Opens frames. */
  listener;

  #at;
  #talker;
  #views = new Views();
  #outstanding = new Outstanding();
  #view;
  #number;
  /** @type {Opening | null} null: not started yet */ #opening = null;
  #open = () => {};
  #alone = false;
  /** @type {UnknownKey[]} */ #unknown = [];
  /**
   * @type {Map<string, Set<string>>} ids by code: what the relay makes up for one leaves room for the others
   */
  #warned = new Map();
  #inputs = noInputs();
  #running = false;
  #again = false;
  #closed = false;
  #ends = 0; // when our keys do not follow the members any more; 0: not yet, or no longer
  /** @type {any} */ #timer;

  /** @param {Surroundings} at */
  constructor(at) {
    this.#at = at;
    this.opened = new Promise((resolve) => (this.#open = resolve));
    const { identity, self, name: room, secret, joinKey } = at;
    const wake = () => this.wake();
    this.#talker = new Talker({ identity, self, room, secret });
    this.#talker.renew(at.renew ?? 0);
    this.listener = new Listener({ self, joinKey, room, secret });
    this.#view = new ViewSender(this.#talker, at);
    this.#number = new SafetyNumber({ name: room, secret, safety: at.safety, failed: at.failed, wake });
  }

  /**
   * Begins, when the relay has accepted us.
   * @param {boolean} alone the relay said that nobody else is there
   */
  start(alone) {
    this.#alone = alone;
    this.#opening = new Opening(this.#at.clock.now());
    this.wake();
  }

  /** Forgets every key. It may be called again. */
  close() {
    this.#closed = true;
    this.#at.clock.clearTimeout(this.#timer);
    this.#talker.close();
    this.listener.close();
    this.#at.joinKey.erase();
    this.#open();
  }

  /** Notes that the roster changed. */
  membersChanged() {
    this.#inputs.changed = true;
    this.wake();
  }

  /** Queues a key message. @param {Bytes} message is copied */
  keyCame(message) {
    if (this.#inputs.keys.length < MAX_KEYS_QUEUED) this.#inputs.keys.push(message.slice());
    else this.dropped++;
    this.wake();
  }

  /** Notes that a key of ours is where it should be. @param {number} number */
  keyDelivered(number) {
    if (this.#inputs.delivered.length < MAX_KEYS_QUEUED) this.#inputs.delivered.push(number);
    this.wake();
  }

  /** Notes who lacks our key. @param {string[]} ids at most 32 */
  keyWanted(ids) {
    if (this.#inputs.wanted.length < MAX_MEMBERS) this.#inputs.wanted.push(...ids);
    this.wake();
  }

  /** Notes what a member sees, as it says in its media. @param {string} by @param {Bytes} digest */
  seen(by, digest) {
    const { seenBy } = this.#inputs;
    if (seenBy.size < MAX_MEMBERS || seenBy.has(by)) seenBy.set(by, digest);
    this.wake();
  }

  /** Notes that a member, whose media comes, does not say what it sees. @param {string} by */
  unseen(by) {
    if (this.#inputs.blind.length < MAX_KEYS_QUEUED) this.#inputs.blind.push(by);
    this.wake();
  }

  /**
   * Gets keys ready for a stream that begins. It throws a SealError when the room is over.
   * @param {number} suite @param {number} stream
   */
  arm(suite, stream) {
    this.#ends = 0;
    this.#setMembers();
    this.#talker.arm(suite);
    this.#view.open();
    const sealer = this.#talker.stream(stream);
    this.wake();
    return sealer;
  }

  /**
   * Ends what arm began. Keys still follow the members for as long as what was said last is held by those who
   * lack its key: of whom we learn only now, or who asks, may have been there all the time.
   * @param {{close(): void}} sealer
   */
  disarm(sealer) {
    sealer.close();
    this.#ends = this.#at.clock.now() + MAX_HELD_TIME;
    this.wake();
  }

  #setMembers() {
    this.#talker.setMembers(this.#at.roster.inside());
  }

  /** Has work look at the inputs soon. */
  wake() {
    if (this.#closed || !this.#opening) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    this.#at.clock.clearTimeout(this.#timer);
    queueMicrotask(() => void this.#run());
  }

  /** Works until there is nothing more to do now. It never rejects. */
  async #run() {
    const { clock, failed } = this.#at;
    let next = 0;
    try {
      do {
        this.#again = false;
        next = await this.#work(clock.now());
      } while (this.#again && !this.#closed);
    } catch (error) {
      failed(error);
      next = clock.now() + RETRY_AFTER; // or what was due is never done
    }
    this.#running = false;
    if (next > 0 && !this.#closed) {
      this.#timer = clock.setTimeout(() => this.wake(), Math.max(0, next - clock.now()));
    }
  }

  /**
   * Does what is due.
   * @param {number} now @returns {Promise<number>} when to be called again if nothing comes in; 0: never
   */
  async #work(now) {
    const { roster, sendUrgent } = this.#at;
    const opening = /** @type {Opening} */ (this.#opening);
    const inputs = this.#inputs;
    this.#inputs = noInputs();
    const { complete } = roster;
    const before = opening.over;
    const lasts = opening.lasts(complete, now);
    const opened = opening.check({ complete, alone: this.#alone, now });
    if (opened.ask) sendUrgent(urgent.MEMBERS_WANTED, new Uint8Array(0));
    if (inputs.changed) await this.#rosterChanged(complete, now);
    if (inputs.changed || !before) this.#setMembers(); // the first key is for whom we know then
    let next = soonest(opened.next, await this.#accept(inputs.keys, now));
    this.#noteViews(inputs, now);
    if (!opening.over || this.#closed) return next;
    next = soonest(next, await this.#send(inputs, lasts, now));
    this.#open(); // not before the first key went to all: who seals with it before makes newcomers of them
    if (this.#closed) return 0;
    next = soonest(next, this.#view.send(now));
    next = soonest(next, this.#compare(now));
    next = soonest(next, this.#askForKeys(now));
    next = soonest(next, this.#number.make(complete, now));
    return soonest(next, this.listener.expire(now));
  }

  /** Takes a changed roster. @param {boolean} complete @param {number} now */
  async #rosterChanged(complete, now) {
    const { roster, self, identity } = this.#at;
    const members = roster.inside();
    const hashes = [self, ...members.map((m) => m.hash)];
    const ids = new Set(members.map((m) => m.id));
    this.listener.sync(new Set(hashes.map(toHex)), now);
    this.#views.retain((id) => ids.has(id));
    this.#number.setIdentities([identity.publicKey, ...members.map((m) => m.identity)], now);
    if (!complete) return;
    const digest = await digestMembers(hashes);
    this.#views.mine(digest, now);
    this.#view.changed(digest, now);
  }

  /**
   * Takes what members say that they see, and that they do not say it.
   * @param {Inputs} inputs @param {number} now
   */
  #noteViews(inputs, now) {
    for (const id of inputs.blind) this.#warnOf('members', id);
    for (const [by, digest] of inputs.seenBy) {
      const m = this.#at.roster.member(by);
      if (m && !m.outside) this.#views.theirs(by, digest, now);
    }
  }

  /**
   * Checks key messages, and those again whose sender was not known before.
   * @param {Bytes[]} messages @param {number} now
   * @returns {Promise<number>} when to look again at those whose sender is still not known
   */
  async #accept(messages, now) {
    const waiting = [
      ...this.#unknown, ...messages.map((message) => ({ message, since: now, fetched: false })),
    ];
    this.#unknown = [];
    let next = 0;
    for (const u of waiting) {
      const key = parseKey(u.message);
      if (!key || this.#closed) continue;
      const sender = this.#at.roster.member(toHex(key.sender));
      if (!sender) next = soonest(next, this.#unknownCame(u, toHex(key.sender), now));
      else if (!sender.outside) await this.#check(sender, key, now);
    }
    return next;
  }

  /**
   * Keeps a key message until its sender is known.
   * @param {UnknownKey} u @param {string} id of the sender @param {number} now
   * @returns {number} when to look again; 0: it is dropped
   */
  #unknownCame(u, id, now) {
    if (now - u.since >= UNKNOWN_WARN) {
      this.#warn('unknown_member', id);
      return 0;
    }
    if (this.#unknown.length >= MAX_KEYS_UNKNOWN) {
      this.dropped++;
      return 0;
    }
    this.#unknown.push(u);
    if (now < u.since + UNKNOWN_FETCH) return u.since + UNKNOWN_FETCH;
    if (!u.fetched) this.#at.fetch();
    u.fetched = true;
    return u.since + UNKNOWN_WARN;
  }

  /** Takes a key of a member inside. @param {Member} sender @param {urgent.Key} key @param {number} now */
  async #check(sender, key, now) {
    const { id, hash, identity } = sender;
    try {
      const newest = await this.listener.accept(hash, identity, key, now);
      if (newest) this.#views.theirs(id, key.key.members, now);
    } catch (error) {
      const { code } = /** @type {{code?: string}} */ (error);
      if (code === 'bad_key') this.#warn('key', id);
      else if (code === 'busy') this.dropped++;
      else if (code !== 'known_key') this.#at.failed(error);
      return;
    }
    this.#at.playHeld(id);
    if (this.#at.roster.member(id) !== sender) this.membersChanged(); // it left meanwhile
  }

  /**
   * Hands out our keys. While it lasts, in the opening, who is found gets the key in use as it is.
   * @param {Inputs} inputs @param {boolean} opening @param {number} now
   */
  async #send(inputs, opening, now) {
    const { roster, fetch } = this.#at;
    this.#outstanding.delivered(inputs.delivered);
    if (this.#ends > 0 && now >= this.#ends) {
      this.#ends = 0;
      this.#talker.disarm();
    }
    this.#talker.opening(opening);
    for (const number of inputs.delivered) this.#talker.delivered(number);
    for (const id of inputs.wanted) {
      if (!roster.member(id)) fetch(); // it cannot be helped before
      // Otherwise it asks again, if need be.
      else if (!this.#outstanding.reaching(id, now)) this.#talker.wanted(id);
    }
    this.#talker.hold(this.#outstanding.busy); // stirs when it is not
    const { distribution, next } = this.#talker.step(now);
    if (distribution) await this.#handOut(distribution);
    return soonest(next, this.#ends);
  }

  /**
   * Sends a key to the relay, for its recipients; resolves when all has been given to the link.
   * @param {import('../e2ee/distribution.js').Distribution} distribution
   */
  async #handOut(distribution) {
    const { clock, sendUrgent } = this.#at;
    const key = this.#outstanding.add(distribution);
    const acked = () => {
      if (this.#outstanding.acked(key, clock.now())) this.wake();
    };
    const send = (/** @type {number} */ kind, /** @type {Bytes} */ body) => {
      this.#outstanding.sending(key);
      const sent = sendUrgent(kind, body, acked);
      if (!sent) acked(); // who lacks the key asks for it
      return sent && !this.#closed;
    };
    try {
      if (!send(urgent.SENDER_KEY, await distribution.announce())) return;
      for await (const wraps of distribution.wraps()) {
        if (!send(urgent.KEY_WRAPS, wraps)) return;
      }
    } finally {
      acked();
    }
  }

  /** Sees to it that all see the same members. @param {number} now */
  #compare(now) {
    const { ask, warn, next } = this.#views.due(now);
    for (const id of warn) this.#warnOf('members', id);
    this.#ask(ask);
    return next;
  }

  /**
   * Asks the talkers whose frames are held for long for their keys, and warns when none comes.
   * @param {number} now
   */
  #askForKeys(now) {
    const { ask, hopeless, next } = this.#at.waiting(now);
    for (const id of hopeless) this.#warnOf('no_key', id);
    this.#ask([...ask].filter((id) => this.#isInside(id)));
    return next;
  }

  /** @param {string} id */
  #isInside(id) {
    return this.#at.roster.member(id)?.outside === false;
  }

  /** @param {string[]} ids of talkers whose key we lack */
  #ask(ids) {
    for (let i = 0; i < ids.length; i += urgent.MAX_WANTED) {
      const some = ids.slice(i, i + urgent.MAX_WANTED);
      if (!this.#at.sendUrgent(urgent.KEYS_WANTED, urgent.appendKeysWanted(some))) return; // later again
    }
  }

  /** Warns of a member, if it is inside. @param {string} code @param {string} id */
  #warnOf(code, id) {
    if (this.#isInside(id)) this.#warn(code, id);
  }

  /** Warns of something once. @param {string} code @param {string} id */
  #warn(code, id) {
    const warned = this.#warned.get(code) ?? new Set();
    if (warned.has(id) || warned.size >= (code === 'unknown_member' ? MAX_UNKNOWN_WARNED : MAX_MEMBERS)) {
      return;
    }
    this.#warned.set(code, warned.add(id));
    this.#at.warn(code, id);
  }
}

/**
 * What others tell the keys.
 * @typedef {object} Inputs
 * @property {boolean} changed the roster
 * @property {Bytes[]} keys
 * @property {number[]} delivered
 * @property {string[]} wanted
 * @property {Map<string, Bytes>} seenBy what others see, as they said last
 * @property {string[]} blind who did not say it for long
 */

/** @returns {Inputs} */
function noInputs() {
  return { changed: false, keys: [], delivered: [], wanted: [], seenBy: new Map(), blind: [] };
}

/** @param {Bytes} message @returns {urgent.Key | null} null: the relay's fault */
function parseKey(message) {
  try {
    return urgent.parseKey(message);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
