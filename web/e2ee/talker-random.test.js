/**
 * One talker and everybody who is ever in its room, in explicit time: members come and go, key messages are
 * late, lost, repeated and overtaken, frames are late. Whatever happens, this checks what docs/protocol.md,
 * section 7.2, promises. A smaller Go random_test.go.
 */

import assert from 'node:assert/strict';
import test from 'node:test';

import {Party, SUITE32, SUITE64, at, messages, seal} from './talker-party.test.js';

const KEEP_OLD = 10_000;
const SWITCH_AFTER = 8000;
const TICK = 200;

/** Numbers below 1 from a seed (mulberry32). @param {number} seed */
function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @typedef {{kid: bigint, ctr: number, ciphertext: Uint8Array, text: string, at: number}} Spoken */
/**
 * @typedef {{from: number, to: number}} Absence of frames sealed 10 s after from, and before frame to, a peer
 *   must hear none
 */

/** Another member. */
class Peer {
  inside = true;
  /** @type {{at: number, message: Uint8Array}[]} */ inbox = [];
  /** @type {{frame: number, at: number, until: number}[]} frames that it tries */ wanted = [];
  floor = Infinity; // frames before this one are not for it
  from = Infinity; // it must hear the frames from this one on,
  fromTime = 0; // and from this time on
  /** @type {Absence[]} */ deaf = [];

  /** @param {Party} party @param {boolean} lossy its key messages get lost and overtake each other */
  constructor(party, lossy) {
    this.party = party;
    this.lossy = lossy;
  }

  /** Notes that a peer that came back is told of keys from now on. @param {number} frame */
  endAbsence(frame) {
    if (!this.inside) return;
    for (const absence of this.deaf) absence.to = Math.min(absence.to, frame);
  }
}

class World {
  now = at(0);
  next = 0; // of the talker
  armed = false;
  rearmed = false; // since the last distribution
  /** @type {import('./sealer.js').Sealer[]} */ streams = [];
  numbers = 0; // stream numbers used
  /** @type {Peer[]} */ peers = [];
  /** @type {Spoken[]} */ frames = [];
  sealed = new Set();
  number = 0;
  changed = 0; // when the last distribution was made
  /** @type {{at: number, number: number}[]} */ delivered = [];
  // There may be a key that nobody was told of, which is for whoever is there while nothing is sealed.
  untold = false;
  heard = 0;
  epochs = 0;

  /** @param {number} seed */
  constructor(seed) {
    this.random = randomOf(seed);
  }

  async begin() {
    this.talker = await Party.create('talker');
    for (let i = 0; i < 3; i++) await this.enter();
    await this.setMembers();
    await this.arm();
  }

  /** @param {number} p */
  chance(p) {
    return this.random() < p;
  }

  /** @param {number} n */
  below(n) {
    return Math.floor(this.random() * n);
  }

  async enter() {
    this.peers.push(new Peer(await Party.create(`peer ${this.peers.length}`), this.chance(0.3)));
  }

  /** A peer that is inside, or not. @param {boolean} inside @returns {Peer | undefined} */
  pick(inside) {
    const list = this.peers.filter((p) => p.inside === inside);
    return list[this.below(list.length)];
  }

  async setMembers() {
    const list = this.peers.filter((p) => p.inside).map((p) => p.party);
    list.sort(() => this.random() - 0.5);
    this.talker.sees(...list);
    await this.input();
  }

  /** Follows every call but step. */
  async input() {
    if (this.chance(0.2)) await this.seal(1); // before step could do anything
    await this.step();
  }

  async arm() {
    this.talker.talker.arm(this.chance(0.2) ? SUITE32 : SUITE64);
    this.armed = this.rearmed = this.untold = true;
    this.mayHear();
    await this.input();
  }

  /** Notes that a key that nobody was told of is for whoever is inside. */
  mayHear() {
    for (const p of this.peers) {
      if (!p.inside) continue;
      p.floor = Math.min(p.floor, this.frames.length);
      p.endAbsence(this.frames.length);
    }
  }

  async act() {
    const n = this.below(100);
    if (n < 40) await this.seal(1 + this.below(5));
    else if (n < 50) {
      await this.enter();
      await this.setMembers();
    } else if (n < 62) await this.leave();
    else if (n < 65) await this.comeBack();
    else if (n < 72) {
      const p = this.pick(this.chance(0.9));
      if (p) this.talker.talker.wanted(p.party.id);
      await this.input();
    } else if (n < 76) {
      this.talker.talker.delivered(this.below(this.number + 2));
      await this.input();
    } else if (n < 80 || (n < 85 && !this.armed)) await this.arm();
    else if (n < 87) {
      this.talker.talker.disarm();
      this.armed = false;
      await this.input();
    } else if (n < 91 && this.numbers < 256) this.open();
    else if (n < 93 && this.streams.length > 0) {
      this.streams.splice(this.below(this.streams.length), 1)[0].close();
    }
    if (this.chance(0.5)) await this.advance(this.below(1500));
    else if (this.chance(0.03)) await this.advance(this.below(20_000));
  }

  open() {
    this.streams.push(this.talker.talker.stream(this.numbers++));
  }

  async leave() {
    const p = this.pick(true);
    if (!p) return;
    p.inside = false;
    p.from = Infinity;
    p.deaf.push({from: this.now, to: Infinity});
    await this.setMembers();
  }

  /** A member that was taken for gone comes back, which happens when lists cross. */
  async comeBack() {
    const p = this.pick(false);
    if (!p || p.floor === Infinity) return;
    p.inside = true;
    p.endAbsence(this.frames.length);
    await this.setMembers();
  }

  /** @param {number} n */
  async seal(n) {
    if (this.streams.length === 0) {
      if (!this.armed) return;
      this.open();
    }
    const sealing = [];
    for (let i = 0; i < n; i++) { // all at once: what they get is settled in the call
      const text = `frame ${this.frames.length + i}`;
      sealing.push(
        seal(this.streams[this.below(this.streams.length)], text).then((frame) => ({
          ...frame, text, at: this.now,
        })),
      );
    }
    if (!this.armed) {
      for (const refused of await Promise.allSettled(sealing)) assert.equal(refused.reason?.code, 'disarmed');
      return;
    }
    for (const frame of await Promise.all(sealing)) this.spread(frame);
  }

  /** @param {Spoken} frame */
  spread(frame) {
    const pair = `${frame.kid} ${frame.ctr}`;
    assert.ok(!this.sealed.has(pair), `${pair} seals twice`);
    this.sealed.add(pair);
    for (const p of this.peers) {
      if (!p.inside && this.now - p.deaf[p.deaf.length - 1].from >= 30_000) continue;
      const arrives = this.now + this.below(600);
      p.wanted.push({frame: this.frames.length, at: arrives, until: arrives + 3000});
    }
    this.frames.push(frame);
  }

  async step() {
    const {distribution, next} = this.talker.talker.step(this.now);
    this.next = next;
    if (!this.pick(true)) this.untold = true;
    if (this.untold) this.mayHear();
    assert.ok(next === 0 || next > this.now, 'step is to be called again at once');
    if (!distribution) return;
    assert.ok(distribution.number > this.number);
    if (this.number > 0 && !this.rearmed) assert.ok(this.now - this.changed >= 1000, 'changes are too fast');
    this.number = distribution.number;
    this.changed = this.now;
    this.rearmed = this.untold = false;
    this.epochs++;
    const keys = await messages(this.talker, distribution);
    for (const p of this.peers) {
      const message = keys.get(p.party.id);
      if (message) this.send(p, message);
      keys.delete(p.party.id);
    }
    assert.equal(keys.size, 0, 'a key is for somebody unknown');
    if (this.chance(0.7)) this.delivered.push({at: this.now + this.below(3000), number: distribution.number});
  }

  /** Puts a key on its way. @param {Peer} p @param {Uint8Array} message */
  send(p, message) {
    assert.ok(p.inside, 'a key is for who left');
    p.floor = Math.min(p.floor, this.frames.length);
    p.endAbsence(this.frames.length);
    if (p.from === Infinity) {
      p.from = this.frames.length;
      p.fromTime = this.now;
      if (this.next > 0) p.fromTime += SWITCH_AFTER; // a key may wait, which is not in use yet
      // Until the key comes, an old one of the same generation may seem to be that of the frames.
      else if (p.deaf.length > 0) p.fromTime += 1000;
    }
    let arrives = this.now + this.below(400);
    if (!p.lossy) {
      for (const before of p.inbox) arrives = Math.max(arrives, before.at);
      p.inbox.push({at: arrives, message});
      return;
    }
    while (this.chance(0.7)) p.inbox.push({at: this.now + this.below(4000), message});
  }

  /** Lets time pass, a little at a time. @param {number} duration */
  async advance(duration) {
    for (const end = this.now + duration; this.now < end;) {
      const passed = Math.min(this.now + TICK, end);
      while (this.next > 0 && this.next <= passed) {
        this.now = Math.max(this.now, this.next);
        await this.step();
      }
      this.now = passed;
      await this.arrive();
    }
  }

  async arrive() {
    for (const {number, at: when} of this.delivered) {
      if (when <= this.now) this.talker.talker.delivered(number);
    }
    this.delivered = this.delivered.filter(({at: when}) => when > this.now);
    await this.input();
    await Promise.all(this.peers.map(async (p) => {
      if (p.inbox.length > 0) await this.read(p);
      if (p.inside) p.party.listener.expire(this.now);
      if (p.wanted.length > 0) await this.listen(p);
    }));
  }

  /** Gives a peer the keys that arrived. None of them is bad, whatever was lost. @param {Peer} p */
  async read(p) {
    const arrived = p.inbox.filter((letter) => letter.at <= this.now).sort((a, b) => a.at - b.at);
    p.inbox = p.inbox.filter((letter) => letter.at > this.now);
    await Promise.all(arrived.map(async (letter) => {
      try {
        await p.party.accept(this.talker, letter.message, letter.at);
      } catch (error) {
        assert.ok(p.lossy && error.code === 'known_key', `${p.party.id}: ${error.stack}`);
      }
      if (p.lossy && this.chance(0.1)) p.inbox.push({...letter, at: this.now + 1}); // a replay
    }));
  }

  /**
   * Opens what arrived, all at once, and checks that a peer can what it should and no more.
   * @param {Peer} p
   */
  async listen(p) {
    const arrived = p.wanted.filter((attempt) => attempt.at <= this.now);
    p.wanted = p.wanted.filter((attempt) => attempt.at > this.now);
    await Promise.all(arrived.map(async (attempt) => {
      const code = await this.try(p, attempt.frame);
      const {at: sealedAt} = this.frames[attempt.frame];
      if (code === '') this.heard++;
      else if (code === 'no_key' && this.now < attempt.until) p.wanted.push(attempt);
      else if (!p.lossy && p.inside) {
        assert.ok(
          attempt.frame < p.from || sealedAt < p.fromTime,
          `${p.party.id} does not hear frame ${attempt.frame}: ${code}`,
        );
      }
    }));
  }

  /**
   * Lets a peer open a frame, which it may have to fail.
   * @param {Peer} p @param {number} number @returns {Promise<string>} code, empty: it opens
   */
  async try(p, number) {
    const frame = this.frames[number];
    let text;
    try {
      text = await p.party.opens(frame, this.now);
    } catch (error) {
      // Printing a stack is slow.
      if (!['no_key', 'early', 'auth'].includes(error.code)) assert.fail(error.stack);
      return error.code;
    }
    assert.equal(text, frame.text);
    assert.ok(number >= p.floor, `${p.party.id} hears frame ${number}, of before it joined`);
    for (const away of p.deaf) {
      assert.ok(
        number >= away.to || frame.at - away.from < KEEP_OLD,
        `${p.party.id} hears frame ${number} after it left`,
      );
    }
    return '';
  }

  /** Lets everybody try some of all frames with all keys that they got. */
  async finish() {
    await this.advance(5000);
    for (const p of this.peers) {
      const some = Array.from({length: Math.min(30, this.frames.length)}, () =>
        this.below(this.frames.length),
      );
      await Promise.all(some.map((number) => this.try(p, number)));
    }
  }
}

for (const seed of [1, 2]) {
  test(`a random room, ${seed}`, async (t) => {
    const world = new World(seed);
    await world.begin();
    for (let i = 0; i < 250; i++) await world.act();
    await world.finish();
    t.diagnostic(
      `${world.epochs} keys, ${world.peers.length} peers, ${world.frames.length} frames, heard ${world.heard} times in ${(world.now - at(0)) / 1000} s`,
    );
    assert.ok(world.epochs > 20 && world.heard > world.frames.length, 'not enough happened');
  });
}
