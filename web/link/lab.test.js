/**
 * What tests of link/ share: a clock of virtual time, carriers that lose, delay, repeat and die, and a relay
 * that speaks the relay's side of docs/protocol.md, section 8. It holds no tests.
 */

import { Identity } from '../identity/identity.js';
import { equal, toHex } from '../wire/bytes.js';
import { decode, encode } from '../wire/control.js';
import { webHelloValue } from '../wire/hello.js';
import { Client } from './client.js';
import { LinkError } from './carrier.js';
import { Session } from './session.js';

/** A clock that stands still until run is called. */
export class VirtualClock {
  #now = 1000;
  #timers = new Map();
  #id = 0;

  now = () => this.#now;

  setTimeout = (callback, ms) => {
    this.#timers.set(++this.#id, { at: this.#now + Math.max(0, ms), callback });
    return this.#id;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  get pending() {
    return this.#timers.size;
  }

  /** Lets ms pass; between two timers everything that promises hold up is done. */
  async run(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      let next = null;
      for (const [id, timer] of this.#timers) {
        if (timer.at <= end && (!next || timer.at < next.at)) next = { id, ...timer };
      }
      if (!next) break;
      this.#timers.delete(next.id);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settle();
    }
    this.#now = end;
  }
}

// WebCrypto works on other threads: virtual time must wait for it.
let working = 0;
for (const name of ['sign', 'verify', 'digest', 'importKey', 'deriveBits', 'exportKey']) {
  const real = crypto.subtle[name].bind(crypto.subtle);
  crypto.subtle[name] = (...args) => {
    working++;
    return real(...args).finally(() => { working--; });
  };
}

async function settle() {
  for (let quiet = 0; quiet < 2; quiet++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (working > 0) quiet = -1;
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

/**
 * A path, of both directions: {delay, jitter (ms), loss, duplicates (0 to 1), dead}. It may be changed at any
 * time.
 */
export class Path {
  delay = 20;
  jitter = 0;
  loss = 0;
  duplicates = 0;
  dead = false;
  constructor(profile = {}, seed = 1) {
    Object.assign(this, profile);
    this.random = random(seed);
  }
}

/** One end of a carrier. */
class End {
  control = { send: (text) => this.#deliver(text), onmessage: () => {} };
  onpacket = () => {};
  sent = 0;
  open = true;
  started = false;

  constructor(kind, path, clock, binding) {
    Object.assign(this, { kind, path, clock, binding });
    this.closed = new Promise((resolve) => { this.end = resolve; });
  }

  #deliver(text) {
    const { path, clock, other } = this;
    if (!path.dead && this.open) {
      clock.setTimeout(() => other.open && !path.dead && other.control.onmessage(text), path.delay);
    }
  }

  sendPacket(packet) {
    const { path, clock, other } = this;
    this.sent++;
    const copies = path.random() < path.loss ? 0 : path.random() < path.duplicates ? 2 : 1;
    for (let i = 0; i < copies && !path.dead; i++) {
      clock.setTimeout(
        () => other.open && !path.dead && other.onpacket(packet.slice()),
        path.delay + path.random() * path.jitter,
      );
    }
  }

  start() {
    this.started = true;
  }

  queued = () => 0;
  dropped = () => 0;

  close() {
    this.#shut('closed here');
    if (!this.path.dead) {
      this.clock.setTimeout(() => this.other.#shut('closed by the other side'), this.path.delay);
    }
  }

  #shut(why) {
    this.open = false;
    this.end(why);
  }
}

/** Returns the two ends of a carrier. */
export function carrierPair(kind, path, clock, binding = new Uint8Array([1, 2, 3])) {
  const a = new End(kind, path, clock, binding);
  const b = new End(kind, path, clock, binding);
  a.other = b;
  b.other = a;
  return [a, b];
}

/** A relay of one room, that keeps what it gets. */
export class FakeRelay {
  sessions = new Map(); // by id: {session, incarnation, media, urgent}
  hellos = [];
  entries = [];
  records = []; // of lines
  refuse = null; // {code, reason} for whoever comes
  refuseKind = null; // only those by this kind
  answers = true; // control messages
  proves = true; // its key
  greetings = true;
  carriers = [];

  constructor(identity, clock) {
    Object.assign(this, { identity, clock });
  }

  /** Forgets all, as after a restart. */
  restart() {
    for (const { session } of this.sessions.values()) session.abandon();
    this.sessions.clear();
    for (const carrier of this.carriers) carrier.close();
    this.carriers = [];
  }

  accept(carrier) {
    this.carriers.push(carrier);
    const challenge = crypto.getRandomValues(new Uint8Array(32));
    const peer = { challenge };
    let queue = Promise.resolve();
    carrier.control.onmessage = (text) => {
      queue = queue.then(() => this.#message(carrier, peer, decode(text)));
    };
    if (this.greetings) {
      carrier.control.send(encode('Greeting', { relay: this.identity.publicKey, challenge }));
    }
  }

  async #message(carrier, peer, m) {
    if (this.refuse && (!this.refuseKind || this.refuseKind === carrier.kind)) {
      carrier.control.send(encode('Refused', this.refuse));
      this.clock.setTimeout(() => carrier.close(), 50);
    } else if (m.name === 'Hello') {
      peer.hello = m;
      peer.value = await webHelloValue(peer.challenge, carrier.binding);
      this.hellos.push({ kind: carrier.kind, session: toHex(m.session) });
    } else if (m.name === 'Join' || m.name === 'Available') {
      await this.#join(carrier, peer, m);
    } else if (this.answers && m.name === 'Members') {
      carrier.control.send(encode('MemberPage', { entries: [] }));
    }
  }

  async #join(carrier, { hello, value }, join) {
    const line = join.name === 'Available';
    if (line) this.records.push(join.record);
    else this.entries.push(toHex(join.entry));
    const id = toHex(hello.session);
    if (!this.sessions.has(id)) this.sessions.set(id, this.#newSession());
    const known = this.sessions.get(id);
    const fields = [value, hello.session, hello.identity];
    const signature = await this.identity.sign(this.proves ? 'web welcome' : 'hello', fields);
    carrier.control.send(
      encode('Welcome', {
        connectionId: 1, resetToken: new Uint8Array(16), incarnation: known.incarnation, relay: 'fake',
        features: [], signature,
      }),
    );
    known.session.install(carrier);
    carrier.control.send(
      line ? encode('Line') : encode('Joined', { room: join.room, member: new Uint8Array(6), members: 1 }),
    );
  }

  #newSession() {
    const known = {
      incarnation: crypto.getRandomValues(new Uint8Array(8)), media: [], urgent: [], takes: () => true,
      ended: null,
    };
    known.session = new Session({
      bind: (kid) => ({ next: 0, kid }),
      media: (frame) => {
        frame.bound.next = Math.max(frame.bound.next, frame.ctr + 1);
        known.media.push(frame);
      },
      urgent: (kind, body) => known.takes(kind) && known.urgent.push({ kind, body }) > 0,
      ended: (code) => { known.ended = code; },
      silent: () => {},
      failed: (error) => { throw error; },
    }, this.clock, { asks: false });
    return known;
  }

  /** The one session that there is. */
  get only() {
    return [...this.sessions.values()].at(-1);
  }
}

/** A client, its relay, and a path for each kind of carrier. */
export class Lab {
  clock = new VirtualClock();
  paths = { webtransport: new Path({}, 11), websocket: new Path({}, 12) };
  blocked = new Set(); // kinds that do not connect: they hang, or fail at once if in `failing`
  failing = new Set();
  opened = [];
  events = new EventTarget();
  told = []; // what the handler was told
  media = [];
  urgent = [];
  takes = () => true;
  find = async (_signal) => this.place;
  fetch = async () => { throw new TypeError('nothing answers'); };
  wrong = () => false; // whether a binding does not fit: the carrier fails

  static async make(config = {}) {
    const lab = new Lab();
    lab.relay = new FakeRelay(await Identity.fromSeed(new Uint8Array(32).fill(7)), lab.clock);
    lab.identity = await Identity.fromSeed(new Uint8Array(32).fill(8));
    const hash = new Uint8Array(32).fill(3);
    lab.place = {
      relay: toHex(lab.relay.identity.publicKey), webtransport: { url: 'https://r/wt', hashes: [hash] },
      websocket: 'wss://r/ws',
    };
    lab.client = new Client({
      connectUrl: 'https://r/connect.json',
      identity: lab.identity,
      name: 'a',
      program: 'test',
      clock: lab.clock,
      makeJoin: async (relay) => {
        lab.joins = (lab.joins ?? 0) + 1;
        if (!equal(relay, lab.relay.identity.publicKey)) throw new Error('another relay');
        return { room: 'x', entry: crypto.getRandomValues(new Uint8Array(100)) };
      },
      handler: lab.#handler(),
      random: random(5),
      events: lab.events,
      place: (signal) => lab.find(signal),
      fetch: (...args) => lab.fetch(...args),
      open: {
        webtransport: (place, signal, { hash: i }) =>
          lab.#open('webtransport', signal, place.webtransport.hashes[i]),
        websocket: (_place, signal) => lab.#open('websocket', signal, new Uint8Array([9])),
      },
      ...config,
    });
    return lab;
  }

  #handler() {
    return {
      attached: ({ name }, fresh) => this.told.push(name === 'Line' ? name : fresh ? 'fresh' : 'attached'),
      detached: (cause) => this.told.push(`detached: ${cause}`),
      bind: () => ({ next: 0 }),
      media: (frame) => {
        frame.bound.next = Math.max(frame.bound.next, frame.ctr + 1);
        this.media.push(frame.ctr);
      },
      urgent: (kind, body) => this.takes(kind) && this.urgent.push({ kind, body }) > 0,
      ended: (error) => this.told.push(`ended: ${error.code}`),
      failed: (error) => this.told.push(`failed: ${error.stack}`),
    };
  }

  #open(kind, signal, binding) {
    this.opened.push({ kind, at: this.clock.now(), binding: binding[0] });
    return new Promise((resolve, reject) => {
      const fail = () => reject(new LinkError('connect', `${kind} failed`));
      signal.addEventListener('abort', fail);
      if (this.failing.has(kind) || this.wrong(binding)) {
        this.clock.setTimeout(fail, 10);
      } else if (!this.blocked.has(kind)) {
        const path = this.paths[kind];
        this.clock.setTimeout(() => {
          if (path.dead || signal.aborted) return;
          const [here, there] = carrierPair(kind, path, this.clock, binding);
          resolve(here);
          this.relay.accept(there);
        }, 2 * path.delay);
      }
    });
  }

  /** Joins within ms of virtual time. */
  async joined(ms = 5000) {
    const join = this.client.join();
    join.catch(() => {});
    await this.clock.run(ms);
    await join;
    return this;
  }

  /** Lets the client talk for ms, a frame each 20 ms; returns how many frames it sent. */
  async talk(ms, from = 0) {
    let ctr = from;
    for (let at = 0; at < ms; at += 20) {
      this.client.sendMedia(0x0102030405060000n, ctr++, new Uint8Array(60).fill(ctr % 256));
      await this.clock.run(20);
    }
    return ctr - from;
  }
}
