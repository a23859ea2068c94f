/**
 * Rooms, their people and a relay in virtual time, for the tests of this folder. It holds no tests.
 *
 * A packet of the codec says whose it is and how many came before, so that what is decoded tells what was
 * heard.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Identity } from '../identity/identity.js';
import { Contacts } from '../identity/contacts.js';
import { KnownNames } from '../identity/known-names.js';
import { Notes } from '../identity/notes.js';
import { realClock } from '../link/clock.js';
import { Relay } from './relay.test.js';
import { Room } from './room.js';

const BLOCK = 480;
const FRAME = 960;
const TOC = 0x78; // Opus, 20 ms, one frame

// WebCrypto works on other threads: virtual time must wait for it.
let working = 0;
const waiting = []; // called when nothing works any more
for (const name of [
  'sign', 'verify', 'digest', 'importKey', 'exportKey', 'deriveBits', 'deriveKey', 'encrypt', 'decrypt',
  'generateKey',
]) {
  const real = crypto.subtle[name].bind(crypto.subtle);
  crypto.subtle[name] = (...args) => {
    working++;
    const result = real(...args);
    result.then(worked, worked);
    return result;
  };
}

function worked() {
  if (--working > 0) return;
  for (const resolve of waiting.splice(0)) resolve();
}

/** Resolves when nothing is left to do but what waits for a timer. */
export async function settle() {
  for (let quiet = 0; quiet < 2; quiet++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (working === 0) continue;
    // asking again and again would take the threads' time
    await new Promise((resolve) => waiting.push(resolve));
    quiet = -1;
  }
}

/** A clock that stands still until run is called. */
export class VirtualClock {
  #now = 1000;
  #timers = new Map();
  #id = 0;

  now = () => this.#now;

  setTimeout = (callback, ms) => {
    assert.ok(ms >= 0 && ms < 1e9, `a timer of ${ms} ms`);
    this.#timers.set(++this.#id, { at: this.#now + ms, callback });
    return this.#id;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  get pending() {
    return this.#timers.size;
  }

  /** Lets ms pass; after each moment at which something is due, everything that promises hold up is done. */
  async run(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const at = Math.min(...[...this.#timers.values()].map((timer) => timer.at));
      if (at > end) break;
      this.#now = Math.max(this.#now, at);
      for (const [id, timer] of [...this.#timers]) {
        if (timer.at <= this.#now && this.#timers.delete(id)) timer.callback();
      }
      await settle();
    }
    this.#now = end;
  }
}

/** Random numbers from 0 to 1 that are the same each time (mulberry32). */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A Storage of known names. */
export function memory() {
  const map = new Map();
  return { map, get: async (key) => map.get(key), set: async (key, value) => void map.set(key, value) };
}

/** Answers later, as WebCodecs does. */
export class FakeEncoder {
  closed = false;
  frames = 0;
  #last = Promise.resolve();

  constructor({ onpacket }, label, clock) {
    Object.assign(this, { onpacket, label, clock });
  }

  encode(pcm, sample) {
    const packet = new Uint8Array(60).fill(1);
    packet[0] = TOC;
    packet[1] = this.label;
    packet[2] = this.frames >> 8;
    packet[3] = this.frames & 0xff;
    packet[4] = Math.round(127 * pcm[0]) & 0xff;
    this.frames++;
    this.#last = new Promise((resolve) => this.clock.setTimeout(resolve, 3)).then(() => {
      if (!this.closed) this.onpacket(packet, sample);
    });
  }

  flush() {
    return this.#last;
  }

  close() {
    this.closed = true;
  }
}

export class FakeDecoder {
  closed = false;

  constructor({ onpcm }, person) {
    Object.assign(this, { onpcm, person });
    person.decoders.push(this);
  }

  decode(packet) {
    if (packet) this.person.heard(packet[1], packet[2] << 8 | packet[3]);
    const value = packet ? ((packet[4] << 24) >> 24) / 127 : 0;
    this.person.lab.clock.setTimeout(() => this.closed || this.onpcm(new Float32Array(FRAME).fill(value)), 2);
  }

  close() {
    this.closed = true;
  }
}

/** Somebody with a page. */
export class Person {
  messages = [];
  frames = new Map(); // by label: numbers of the frames that were decoded
  encoders = [];
  decoders = [];
  voice = true; // what the Vad says
  level = 0.25; // of what is said
  capturing = false;
  loudest = 0; // of what was played, since it was looked at

  constructor(lab, name, label) {
    Object.assign(this, { lab, name, label });
    this.pcm = new Float32Array(BLOCK);
  }

  get client() {
    return this.lab.clients.get(this.name);
  }

  get id() {
    return this.client.id;
  }

  heard(label, number) {
    if (!this.frames.has(label)) this.frames.set(label, []);
    this.frames.get(label).push(number);
  }

  /** The frames of somebody that were decoded. */
  of(person) {
    return this.frames.get(person.label) ?? [];
  }

  /** The last message of a type. */
  last(type) {
    return this.messages.findLast((m) => m.type === type);
  }

  /** Codes of warnings, with the name of whom they are about. */
  get warnings() {
    return this.messages.filter((m) => m.type === 'warning').map(({ code, member, text }) => {
      const about = [...this.lab.people].find((p) => p.client?.id === member)?.name ?? '';
      return [code, about, text].filter(Boolean).join(' ');
    });
  }

  /** Names of who is there besides us, as the page knows. */
  get others() {
    return (this.last('members')?.list ?? []).filter((m) => !m.self).map((m) => m.name).sort();
  }

  /** Opens the microphone. */
  async publish(how = {}) {
    this.capturing = true;
    await this.room.publish({ mode: 'open', muted: false, ...how });
  }

  async unpublish() {
    this.capturing = false;
    await this.room.unpublish();
  }

  tick() {
    if (this.capturing) this.room.captured(this.pcm.fill(this.level));
    if (this.room.over) return;
    this.room.play(this.pcm);
    for (const x of this.pcm) this.loudest = Math.max(this.loudest, x);
  }
}

export class Lab {
  clock = new VirtualClock();
  random = random(1);
  people = [];
  clients = new Map();
  #ticking = null;

  /** real: time passes by itself */
  static async create({ real = false } = {}) {
    const lab = new Lab();
    if (real) lab.clock = realClock;
    const { identity } = await Identity.generate();
    lab.relay = new Relay(lab.clock, identity.publicKey, lab.random);
    return lab;
  }

  /** Somebody who has not joined. */
  async person(name, { secret = null, identity, called = name, storage = memory() } = {}) {
    const p = new Person(this, name, this.people.length + 1);
    const { clients, clock, relay } = this;
    p.identity = identity ?? (await Identity.generate()).identity;
    const Client = class extends relay.Client {
      constructor(config) {
        super(config);
        clients.set(name, this);
      }
    };
    p.room = new Room({
      connectUrl: '', room: 'kitchen', name: called, secret, clock,
      identity: p.identity,
      names: await KnownNames.open(p.identity, storage),
      notes: await Notes.open(p.identity, storage),
      contacts: new Contacts(storage),
      tell: (message) => p.messages.push(message),
      link: (config) => new Client(config),
      encoder: (options) => {
        p.encoders.push(new FakeEncoder(options, p.label, clock));
        return p.encoders.at(-1);
      },
      decoder: (options) => new FakeDecoder(options, p),
      vad: () => ({ process: () => p.voice, onset: 60 }),
    });
    this.people.push(p);
    return p;
  }

  /** Has somebody join, and half a second pass. */
  async join(name, options) {
    const p = await this.person(name, options);
    const joined = p.room.join();
    joined.catch(() => {});
    await this.run(options?.wait ?? 500);
    await joined;
    return p;
  }

  /** Lets ms pass, in which microphones and loudspeakers work. */
  async run(ms) {
    if (this.#ticking === null) this.#tick();
    await this.clock.run(ms);
  }

  #tick() {
    for (const p of this.people) p.tick();
    this.#ticking = this.clock.setTimeout(() => this.#tick(), 10);
  }

  /** Everybody leaves, and nothing must be left to do. */
  async end() {
    const done = Promise.all(this.people.map((p) => p.room.leave()));
    await this.run(2000);
    await done;
    await settle();
    this.clock.clearTimeout(this.#ticking);
    await this.clock.run(1000); // what was under way
    assert.equal(this.clock.pending, 0, 'timers are left');
    for (const p of this.people) {
      const program = p.messages.filter((m) => m.code === 'program');
      assert.deepEqual(program, [], `${p.name} has a fault`);
      assert.ok(
        p.encoders.every((e) => e.closed) && p.decoders.every((d) => d.closed), `${p.name} left codecs open`,
      );
    }
  }
}

/** Asserts that numbers go up one by one, and returns the first. */
export function contiguous(numbers, what) {
  const wanted = numbers.map((_, i) => numbers[0] + i);
  assert.deepEqual(numbers, wanted, what);
  return numbers[0];
}

/** Runs a test with a lab whose people all leave in the end. */
export function inLab(name, f) {
  test(name, async () => {
    const lab = await Lab.create();
    await f(lab);
    await lab.end();
  });
}
