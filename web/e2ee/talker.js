/**
 * Makes the sender keys of one member for one stay: decides when there is a new one and who gets it
 * ("Sending" of docs/protocol.md, section 7.2). As Go's Talker, with the same rules in the same order.
 *
 *                arm: fresh                    leave: fresh, for all
 *     (no key) -------------> [key in use] ----------------------------> [key in use, fresh key waiting]
 *                               |  ^   ^                                    |  ^ leave: another fresh one
 *                               +--+   |  delivered, 8 s after the leave    |  | join: wrap of that key
 *                    join: ratchet     +------------------------------------+--+
 *
 * Everything here is synchronous and keeps no clock: after each input, call step. Only what keys are made of
 * is waited for, in MediaKey, Sealer and Distribution. When messages travel, web/call/keys.js says.
 */

import {toHex} from '../wire/bytes.js';
import {Distribution} from './distribution.js';
import {lowOrder} from './keys.js';
import {Sealer} from './sealer.js';
import {GENERATIONS, LAST_STEP, MediaKey} from './media-key.js';
import {TalkerState} from './talker-state.js';

// Times of docs/protocol.md, section 7.2, "Sending", in ms.
const CHANGE_PAUSE = 1000; // between two changes of the key
const OPENING_PAUSE = 500; // and while it is not known who is there
const SWITCH_AFTER = 8000; // from the first leave to the fresh key's use, delivered or not
const LEAVES_WAIT = 4000; // in the opening, from the first leave to the fresh key

const USUAL_SUITE = 2;
const SUITES = [2, 3];
const ID_DIGITS = 12; // of an entry hash in hexadecimal, that are the member id

/** @typedef {import('./distribution.js').Recipient} Recipient */
/** @typedef {Recipient & {hex: string, id: string}} Member hex: the hash, id: its first 6 bytes */

/**
 * What calls for a change.
 * @typedef {object} Due
 * @property {boolean} leavers somebody has the newest key and is not inside
 * @property {boolean} untold the key in use is to be announced to its holders
 * @property {boolean} newcomers somebody inside has no key
 * @property {boolean} asking somebody who should have the newest key asked for it
 * @property {boolean} old the key in use is to make way for a fresh one
 */

/** @typedef {{key: MediaKey, to: Member[]}} Change which key is to be announced, and to whom */

export class Talker {
  #identity;
  #self;
  #selfHex;
  #state; // what the Sealers use

  #suite = USUAL_SUITE;
  /** @type {import('../wire/bytes.js').Bytes[]} all inside and ourselves, for the digest */ #everyMember;
  /** @type {Member[]} those of them who can get keys, by hash */ #members = [];
  /** @type {Set<string>} who has the newest key, or is to get it: hashes */ #holders = new Set();
  /** @type {Set<string>} members who asked: ids */ #wanted = new Set();

  /** @type {MediaKey | null} fresh, announced, not in use yet; null: none */ #waiting = null;
  #until = 0; // when it is used at the latest
  #awaited = 0; // the number whose delivery puts it in use
  #delivered = false;

  #number = 0; // of the last header
  #generation = 0; // of the next fresh key: those that nobody was told of do not count
  #untold = false; // the key in use has no header yet
  #atOnce = false; // ... and must not wait for the pace: the microphone was armed just now
  /** @type {number | null} when a holder was first seen to have left; null: none */ #left = null;
  /** @type {number | null} the last change */ #last = null;
  #renew = 0; // after which a key in use makes way for a fresh one, ms; 0: never
  /** @type {number | null} when the newest fresh key was made; null: not known yet */ #since = null;
  #opening = false; // who is found is no newcomer
  #held = false; // see hold

  /**
   * @param {object} config @param {import('../identity/identity.js').Identity} config.identity
   * @param {import('../wire/bytes.js').Bytes} config.self hash of the member's entry
   * @param {string} config.room
   * @param {import('./secret.js').Secret | null} [config.secret] null: the room has none
   */
  constructor({identity, self, room, secret = null}) {
    this.#identity = identity;
    this.#self = self.slice();
    this.#selfHex = toHex(self);
    this.#state = new TalkerState({self, room, secret});
    this.#everyMember = [this.#self];
  }

  /**
   * Says that a microphone is open, muted or not: from now on keys follow the members. What changed while
   * none was open is made up for: with a fresh key, in use at once, when there is none, when somebody left or
   * when suite is not the last one's. A stream can be had right away; step announces the key.
   * @param {number} suite 2 or 3; the usual one, 2, stands in for one that does not exist
   */
  arm(suite) {
    if (!SUITES.includes(suite)) suite = USUAL_SUITE;
    const state = this.#state;
    if (state.closed) return;
    const rearmed = !state.armed;
    state.armed = true;
    this.#forgetUntold();
    if (!state.key || suite !== this.#suite || (rearmed && this.#due(this.#since ?? 0).leavers)) {
      this.#suite = suite;
      this.#waiting?.erase();
      this.#waiting = null;
      this.#delivered = false;
      state.install(this.#fresh());
      this.#holders = this.#memberSet();
      this.#untold = this.#atOnce = true;
      this.#left = this.#since = null;
    }
  }

  /** The last microphone was closed. Sealers refuse until the next arm, for leaves change no key now. */
  disarm() {
    this.#state.armed = false;
    this.#useWaiting();
  }

  /**
   * Erases all keys and closes all Sealers; frames that were sealed before still come. No stream opens from
   * then on, and step does nothing. Distributions keep their copies until nothing refers to them.
   */
  close() {
    this.#state.close();
    this.#waiting?.erase();
    this.#waiting = null;
    this.#delivered = false;
  }

  /**
   * Opens stream number, 0 to 255, which must not have been used before: its CTR would start again. Its first
   * CTR is that of the newest key. Throws a SealError.
   * @param {number} number
   */
  stream(number) {
    return new Sealer(this.#state, this.#state.open(number));
  }

  /** Replaces the list of all other members inside, in any order. It is copied. @param {Recipient[]} list */
  setMembers(list) {
    /** @type {Map<string, Member>} */ const others = new Map();
    for (const {hash, joinKey} of list) {
      const hex = toHex(hash);
      if (hex === this.#selfHex || others.has(hex)) continue;
      others.set(hex, {hash: hash.slice(), joinKey: joinKey.slice(), hex, id: hex.slice(0, ID_DIGITS)});
    }
    const sorted = [...others.values()].sort((a, b) => (a.hex < b.hex ? -1 : 1));
    this.#everyMember = [this.#self, ...sorted.map(({hash}) => hash)];
    this.#members = sorted.filter(({joinKey}) => !lowOrder(joinKey));
    const inside = new Set(this.#members.map(({id}) => id));
    for (const id of this.#wanted) {
      if (!inside.has(id)) this.#wanted.delete(id);
    }
  }

  /**
   * Says that a member asked for our key. Who is not inside is ignored, so there are never more than members.
   * @param {string} id
   */
  wanted(id) {
    if (this.#members.some((member) => member.id === id)) this.#wanted.add(id);
  }

  /**
   * Says whether it is not known yet who is there: then whoever is found is taken for one who was there
   * before us, and gets the key in use without a ratchet, and sooner. Otherwise what we say at first would be
   * lost to most of a room whose list comes late.
   * @param {boolean} on
   */
  opening(on) {
    this.#opening = on;
  }

  /**
   * Has a key that is in use for so long make way for a fresh one, though nobody left: who gets hold of a key
   * opens no more than was said in that time.
   * @param {number} after ms; 0: never
   */
  renew(after) {
    this.#renew = after;
  }

  /**
   * Says whether keys for newcomers and for those who ask have to wait, because enough are on their way.
   * Nothing waits that keeps the key from who left: the way may be a relay that acknowledges nothing.
   * @param {boolean} on
   */
  hold(on) {
    this.#held = on;
  }

  /** Says that everybody has the key with this number. @param {number} number */
  delivered(number) {
    if (this.#waiting && number === this.#awaited) this.#delivered = true;
  }

  /**
   * Does what is due at now. Call it after every input and when next has come.
   * @param {number} now ms
   * @returns {{distribution: Distribution | null, next: number}} what is to be sent, if anything; without
   *   another input there is nothing to do before next, 0: ever
   */
  step(now) {
    if (!this.#state.armed) return {distribution: null, next: 0};
    if (this.#delivered || now >= this.#until) this.#useWaiting();
    this.#forgetUntold();
    this.#since ??= now;
    let due = this.#due(now);
    if (!due.leavers) this.#left = null;
    else this.#left ??= now;
    /** @type {Change | null} */ let change = null;
    const ripe = this.#ripe(due, now);
    if (this.#may(ripe) && (this.#atOnce || this.#last === null || now - this.#last >= this.#pause())) {
      change = this.#change(ripe, now);
      this.#last = now;
      due = this.#due(now);
    }
    return {distribution: change && this.#distribute(change), next: this.#next(due, now)};
  }

  /** @param {Change} change @returns {Distribution | null} */
  #distribute({key, to}) {
    if (to.length === 0) return null;
    return new Distribution({
      identity: this.#identity, self: this.#self, number: this.#number, key, everyMember: this.#everyMember,
      to,
    });
  }

  /** When step has something to do. @param {Due} due @param {number} now */
  #next(due, now) {
    let next = this.#waiting ? this.#until : Infinity;
    const ripe = this.#ripe(due, now);
    if (this.#may(ripe)) next = Math.min(next, (this.#last ?? 0) + this.#pause());
    if (due.leavers && !ripe.leavers) next = Math.min(next, (this.#left ?? now) + LEAVES_WAIT);
    if (this.#renew > 0 && !due.old) next = Math.min(next, (this.#since ?? now) + this.#renew);
    return next === Infinity ? 0 : next;
  }

  /** The time between two changes. */
  #pause() {
    return this.#opening ? OPENING_PAUSE : CHANGE_PAUSE;
  }

  /** Whether something is due that need not wait. @param {Due} due */
  #may(due) {
    return due.leavers || due.untold || due.old || ((due.newcomers || due.asking) && !this.#held);
  }

  /**
   * What is due, without leavers whose time has not come. They wait in the opening: who is found in it is
   * given what was said before by the key in use, whose place a fresh one would take.
   * @param {Due} due @param {number} now @returns {Due}
   */
  #ripe(due, now) {
    return this.#opening && now - (this.#left ?? now) < LEAVES_WAIT ? {...due, leavers: false} : due;
  }

  /** @param {number} now @returns {Due} */
  #due(now) {
    const old = this.#renew > 0 && !this.#waiting && now - (this.#since ?? now) >= this.#renew;
    let holding = 0;
    let newcomers = false;
    let asking = false;
    for (const member of this.#members) {
      if (!this.#holds(member)) {
        newcomers = true;
        continue;
      }
      if (this.#asks(member)) asking = true;
      holding++;
    }
    const leavers = holding < this.#holders.size;
    return {leavers, untold: this.#untold && holding > 0, newcomers, asking, old};
  }

  /** Makes the one change that is due. @param {Due} due @param {number} now @returns {Change | null} */
  #change(due, now) {
    const state = this.#state;
    if (due.leavers) return this.#rekey(now, (this.#left ?? now) + SWITCH_AFTER);
    if (due.old) return this.#rekey(now, now + SWITCH_AFTER);
    if (due.untold) return this.#announce(this.#members.filter((m) => this.#holds(m)));
    if (!due.newcomers) return this.#announce(this.#members.filter((m) => this.#asks(m)));
    // A key that waits was not used yet, so it opens nothing of before they came; while opening, they were
    // there before us, as far as we know.
    if (!this.#waiting && !this.#opening && state.key) {
      if (state.key.step === LAST_STEP) return this.#rekey(now, now + SWITCH_AFTER);
      state.install(state.key.ratchet(state.nextFirst())); // used from the next frame on
    }
    const to = this.#members.filter((m) => !this.#holds(m) || this.#asks(m));
    for (const {hex} of to) this.#holders.add(hex);
    return this.#announce(to);
  }

  /**
   * Makes a fresh key for all members. It is used when it was delivered, or at until.
   * @param {number} now @param {number} until
   */
  #rekey(now, until) {
    if (this.#waiting) until = Math.min(until, this.#until); // it is for those leaves as well
    this.#waiting?.erase();
    this.#waiting = this.#fresh();
    this.#until = until;
    this.#since = now;
    this.#delivered = false;
    this.#holders = this.#memberSet();
    this.#left = null;
    if (this.#members.length === 0) {
      this.#untold = true;
      this.#useWaiting();
      return null;
    }
    const change = this.#announce(this.#members.filter((m) => this.#holds(m)));
    this.#awaited = this.#number;
    if (now >= until) this.#useWaiting();
    return change;
  }

  /** Takes the newest key for a new header, and forgets who asked for it. @param {Member[]} to */
  #announce(to) {
    const key = this.#waiting ?? this.#state.key;
    if (!key) return null; // not while it is armed
    this.#number++;
    this.#generation = (key.generation + 1) % GENERATIONS;
    this.#untold = this.#atOnce = false;
    this.#wanted.clear();
    return {key, to};
  }

  /** Makes a key of the next generation. Streams that open from now on begin at its first CTR. */
  #fresh() {
    return MediaKey.fresh(this.#suite, this.#generation, this.#state.nextFirst());
  }

  #useWaiting() {
    if (!this.#waiting) return;
    this.#state.install(this.#waiting);
    this.#waiting = null;
    this.#delivered = false;
  }

  /**
   * Settles who is to get a key that nobody was told of: leaving is no reason for another one, and as long as
   * it sealed nothing it is for whoever is there.
   */
  #forgetUntold() {
    if (!this.#untold) return;
    const members = this.#memberSet();
    if (!this.#state.used) {
      this.#holders = members;
      return;
    }
    for (const hex of this.#holders) {
      if (!members.has(hex)) this.#holders.delete(hex);
    }
  }

  /** Whether a member has the newest key, or is to get it under its first header. @param {Member} member */
  #holds(member) {
    return this.#holders.has(member.hex);
  }

  /** Whether a member asked for the key that it should have. @param {Member} member */
  #asks(member) {
    return this.#wanted.has(member.id) && this.#holds(member);
  }

  #memberSet() {
    return new Set(this.#members.map(({hex}) => hex));
  }
}
