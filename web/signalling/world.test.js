/**
 * Some people with one line each, and relays between them that do with paths what section 13 of
 * docs/protocol.md says, in virtual time. What a client and its relay tell each other arrives late and in
 * any order; what crosses a path that is cut is lost. As internal/signalling/world_test.go; it holds no
 * tests.
 */

import assert from 'node:assert/strict';
import { Identity } from '../identity/identity.js';
import { sealOffer } from '../e2ee/offer.js';
import { Secret } from '../e2ee/secret.js';
import { StayKey } from '../e2ee/stay-key.js';
import { equal, toUtf8 } from '../wire/bytes.js';
import * as wire from '../wire/call.js';
import { callIdOf, callRoom } from '../wire/call-id.js';
import { PATH_SEED_SIZE, PathKey, pathIdOf } from '../wire/call-path.js';
import { buildCall } from '../wire/entry.js';
import { appendKeptCall, parseKeptCall, parseKeptWanted } from '../wire/kept.js';
import { MAX_REACH, deviceOf, signReach } from '../wire/reach.js';
import { FOUND, parseRouteWanted } from '../wire/route.js';
import * as urgent from '../wire/urgent.js';
import { Line } from './line.js';
import { answerCall } from './called.js';
import { dial } from './caller.js';
import { STATE, hangUp } from './call.js';

export const SECOND = 1000;

/** Random numbers from 0 to 1 that are the same each time (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function testIdentity(name) {
  return Identity.fromSeed(
    new Uint8Array(await crypto.subtle.digest('SHA-256', toUtf8(`wzp test identity ${name}`))),
  );
}

export const newSeed = () => crypto.getRandomValues(new Uint8Array(PATH_SEED_SIZE));

class Person {
  known = new Set(); // fingerprints
  away = false; // nobody finds it
  offline = false; // it has no session
  refusal = 0; // what its relay answers all its forwards, if not 0
  gone = 0; // when it gave its last record; 0: it still does
  talks = false; // it sends media whenever it may
  offers = null; // that its relay keeps for it while it is not there: [{key, offer}]; null: none
  to = null; // the newest media effect
  sent = 0; // media frames
  heard = 0;
  session = 0;
  got = []; // effects but for sends
  sends = {}; // how many urgent messages, by kind
  due = 0; // when the line is ticked

  constructor(w, name, id, stay, relay, more) {
    Object.assign(this, { w, name, id, stay, relay });
    const known = (fingerprint) => this.known.has(fingerprint);
    this.line = new Line({ identity: id, name, stay, known, ...more });
  }

  /** Does something with the line, and what follows. */
  async do(f) {
    const result = await f(this.line, this.w.now);
    await this.tick();
    return result;
  }

  /** What whoever owns a line does: it calls tick after every input, and when that wants it. */
  async tick() {
    const next = await this.line.tick(this.w.now);
    for (const e of this.line.drain()) await this.#effect(e);
    if (next === 0 || (this.due !== 0 && next >= this.due)) return;
    this.due = next;
    this.w.at(next - this.w.now, async () => {
      if (this.due !== next) return;
      this.due = 0;
      await this.tick();
    });
  }

  async #effect(e) {
    if (e.type === 'send') {
      this.sends[e.kind] = (this.sends[e.kind] ?? 0) + 1;
      this.w.tap?.(this, e);
      await this.#send(e);
      return;
    }
    this.got.push(e);
    if (e.type !== 'media') return;
    this.to = e;
    if (e.on && this.talks) await this.#speak(e.path);
  }

  /** How many urgent messages of a kind it has sent. */
  sentOf(kind) {
    return this.sends[kind] ?? 0;
  }

  /** Whether no media of it goes. */
  get quiet() {
    return !this.to?.on;
  }

  /** Sends a frame each 100 ms for as long as it may. */
  async #speak(path) {
    const { w } = this;
    if (this.quiet || this.to.path !== path || !this.talks) return;
    this.sent++;
    this.line.mediaSent(path, w.now);
    w.at(0, () => this.tick());
    const r = w.routes.get(path);
    if (r && !this.offline) {
      w.cross(r, this, async (other) => {
        other.heard++;
        await other.line.mediaHeard(path, w.now);
      });
    }
    w.at(100, () => this.#speak(path));
  }

  /** Brings an urgent message to it, if its session is still the one of now. */
  tell(f) {
    const { session } = this;
    this.w.at(this.w.latency(), async () => {
      if (this.session === session && !this.offline) await this.do(f);
    });
  }

  /** Its relay. */
  async #send({ kind, body }) {
    const { w } = this;
    if (this.offline) return;
    switch (kind) {
      case urgent.ROUTE_WANTED: return this.#route(parseRouteWanted(body));
      case urgent.KEPT_WANTED: return parseKeptWanted(body).forEach((device) => this.#kept(device));
      case urgent.CALL_FORWARD: return this.#forward(wire.parseForward(body));
      case urgent.CALL_MESSAGE: {
        const m = wire.parseMessage(body);
        const r = w.routes.get(m.path);
        if (r?.caller !== this && r?.called !== this) return undefined;
        w.cross(r, this, (other) => other.line.messageCame(m, w.now));
        return undefined;
      }
      case urgent.CALL_MEDIA: {
        const m = wire.parseMedia(body);
        const r = w.routes.get(m.path);
        if (!m.proof || r?.called !== this) return undefined;
        assert.ok(await wire.verifyProof(m, this.relay, this.id.publicKey), 'a proof does not verify');
        r.waits = true;
        return undefined;
      }
      case urgent.CALL_END: {
        const m = wire.parseEnd(body);
        const r = w.routes.get(m.path);
        if (!r || m.generation < r.generation) return undefined;
        w.cross(r, this, (other) => other.line.endCame(m, w.now));
        w.at(0, () => { r.cut = true; });
        if (r.generation === m.generation) w.at(w.delay + w.jitter, () => w.routes.delete(m.path));
        return undefined;
      }
      default: return undefined;
    }
  }

  async #route(target) {
    const { w } = this;
    const there = w.people.filter((q) => q.id.fingerprint === target && !q.away && !q.offline);
    const kept = w.people.find((q) => q.id.fingerprint === target && q.offers !== null);
    if (there.length === 0) {
      const none = { target, found: FOUND.nobody, index: 0, of: 0, chain: [], record: null };
      const away = kept && { found: FOUND.away, of: 1, chain: [wire.NO_RELAY], record: await kept.record() };
      this.tell((line, now) => line.routeCame({ ...none, ...away }, now));
    }
    for (const [index, q] of there.entries()) {
      const record = await q.record();
      const m = { target, found: FOUND.device, index, of: there.length, chain: [wire.NO_RELAY], record };
      this.tell((line, now) => line.routeCame(m, now));
    }
  }

  /** A reach record of now. */
  record(more = {}) {
    const { now } = this.w;
    return signReach(this.id, {
      stayKey: this.stay.key.publicKey, homeRelay: this.relay, sequence: BigInt(now),
      expiry: BigInt(Math.floor((this.gone || now) / 1000) + MAX_REACH), keep: this.offers !== null, ...more,
    });
  }

  async #forward(m) {
    const { w } = this;
    const path = await pathIdOf(m.key);
    const answer = (code) =>
      this.tell((line, now) => line.stateCame({ path, generation: m.generation, code }, now));
    assert.ok(await wire.verifyForward(m), 'a forward does not verify');
    const q = w.people.find((q) => q.stay.device === m.device && !q.offline && !q.away);
    const r = w.routes.get(path);
    if (this.refusal) return answer(this.refusal);
    const kept = w.people.find((q) => q.stay.device === m.device && q.offers !== null);
    if (!q && kept) {
      if (!kept.offers.some(({ key }) => equal(key, m.key))) kept.offers.push(m);
      return answer(wire.CODE.kept);
    }
    if (!q) return answer(wire.CODE.notThere);
    if (r && m.generation <= r.generation) return answer(wire.CODE.stale);
    const route = new Route(m.generation, this, q);
    route.cut = w.swallow > 0;
    const offer = !route.cut && (!r || (!r.waits && !r.stands(q)));
    w.swallow -= Number(route.cut);
    w.routes.set(path, route);
    if (offer) q.tell((line, now) => line.offerCame({ ...m, hops: 1 }, now));
    return answer(wire.CODE.setUp);
  }

  /** Tells what is kept for a device of its, and forgets it. */
  #kept(device) {
    const q = this.w.people.find((q) => q.stay.device === device && q.id.fingerprint === this.id.fingerprint);
    const offers = q?.offers?.splice(0) ?? [];
    const none = { device, of: 0, index: 0, key: null, offer: null };
    const all = offers.map(({ key, offer }, index) => ({ device, of: offers.length, index, key, offer }));
    for (const m of all.length > 0 ? all : [none]) {
      const came = parseKeptCall(appendKeptCall(m));
      this.tell((line, now) => line.keptCame(came, now));
    }
    if (q && q !== this) q.offers = null;
  }

  /** Its page is closed. */
  leave() {
    this.gone = this.w.now;
    this.offline = true;
  }

  /** Gets a new session. */
  async fresh() {
    this.session++;
    this.offline = false;
    this.gone = 0;
    await this.do((line, now) => line.sessionFresh(this.relay, now));
  }

  /** Calls somebody. */
  dial(q) {
    return this.do((line, now) => dial(line, { fingerprint: q.id.fingerprint }, now));
  }

  answer(id = this.last('incoming').call) {
    return this.do((line, now) => answerCall(line, id, now));
  }

  hangUp(id = this.last('incoming').call) {
    return this.do((line, now) => hangUp(line, id, now));
  }

  /** The effects of one type that it got, in order. */
  all(type) {
    return this.got.filter((e) => e.type === type);
  }

  count(type) {
    return this.all(type).length;
  }

  /** The newest of them. */
  last(type) {
    return this.got.findLast((e) => e.type === type) ?? {};
  }

  /** The codes of what it refused. */
  get refused() {
    return this.all('refused').map((e) => e.why.code);
  }

  state(id) {
    return this.line.call(id)?.state ?? STATE.over;
  }

  isOpen(id) {
    return this.state(id) === STATE.open;
  }

  /** The outcome of a call; '': it goes on. */
  ended(id) {
    const outcomes = this.all('ended').filter((e) => e.call === id).map((e) => e.outcome);
    assert.ok(outcomes.length < 2, `${this.name}: call ${id} ended twice`);
    return outcomes[0] ?? '';
  }
}

/** A path at the relays. */
class Route {
  cut = false;
  waits = false; // the called's leg waits for a generation

  constructor(generation, caller, called) {
    Object.assign(this, { generation, caller, called });
    this.sessions = [caller.session, called.session]; // by which the path goes
  }

  /** Whether the path goes by somebody's session of now. */
  stands(p) {
    return !this.cut && this.sessions[p === this.called ? 1 : 0] === p.session;
  }
}

export class World {
  now = 1_900_000_000_000;
  delay = 50; // one way, from end to end
  jitter = 0; // and up to so much more
  loss = 0; // of packets: urgent messages are repeated every 100 ms until one arrives
  people = [];
  routes = new Map(); // by path id
  swallow = 0; // so many forwards are set up by a relay that passes nothing on
  tap = null; // sees what goes to relays
  #queue = [];
  #serial = 0;

  /** @param {number} seed */
  constructor(seed) {
    this.random = random(seed);
  }

  static async make(seed, ...names) {
    const w = new World(seed);
    for (const name of names) await w.add(name);
    for (const p of w.people) {
      for (const q of w.people) if (p !== q) p.known.add(q.id.fingerprint);
    }
    return w;
  }

  /** Adds somebody, or one more device. @param {string} name @param {object} [more] of the line's config */
  async add(name, more = {}) {
    const key = await StayKey.create();
    const stay = { key, device: await deviceOf(key.publicKey) };
    const relay = (await testIdentity(`relay of ${name}`)).publicKey;
    const p = new Person(this, name, await testIdentity(name), stay, relay, more);
    this.people.push(p);
    await p.do((line, now) => line.sessionFresh(relay, now));
    return p;
  }

  at(ms, act) {
    const event = { at: this.now + ms, serial: ++this.#serial, act };
    const before = (e) => e.at < event.at || (e.at === event.at && e.serial < event.serial);
    this.#queue.splice(this.#queue.findLastIndex(before) + 1, 0, event);
  }

  /** Lets time pass. */
  async run(ms) {
    const end = this.now + ms;
    while (this.#queue.length > 0 && this.#queue[0].at <= end) {
      const e = this.#queue.shift();
      this.now = e.at;
      await e.act();
    }
    this.now = end;
  }

  /** Lets time pass until ok, at most a minute and a half. */
  async until(what, ok) {
    for (const end = this.now + 90 * SECOND; this.now < end;) {
      if (ok()) return;
      await this.run(10);
    }
    assert.fail(`never: ${what}${this.log()}`);
  }

  /** What everybody was told. */
  log() {
    return this.people.map((p) => {
      const got = p.got.map((e) => [e.type, e.outcome ?? e.why?.code ?? ''].join(' ').trim());
      return `\n${p.name} (${p.line.calls.length} calls): ${got.join(', ')}`;
    }).join('');
  }

  /** How long something is on its way. */
  latency() {
    let ms = this.delay + Math.floor(this.random() * (this.jitter + 1));
    while (this.random() < this.loss) ms += 100;
    return ms;
  }

  /** Brings something to the other end of a path, if that stands when it arrives. */
  cross(r, from, arrive) {
    const to = from === r.called ? r.caller : r.called;
    const { session } = to;
    const { generation } = r;
    if (!r.stands(from) || !r.stands(to)) return;
    this.at(this.latency(), async () => {
      if (!r.stands(to) || to.session !== session || r.generation < generation || to.offline) return;
      await to.do(() => arrive(to));
    });
  }

  /** Makes a call from p to q that is up; returns both ends' numbers of it. */
  async talk(p, q) {
    const rang = q.count('incoming');
    const at = await p.dial(q);
    await this.until('it rings', () => q.count('incoming') > rang);
    const to = q.last('incoming').call;
    await q.answer(to);
    await this.until('both are up', () => p.isOpen(at) && q.isOpen(to));
    return [at, to];
  }

  /** Fails unless nobody has a call, and nothing is remembered a minute later. */
  async quiet() {
    await this.run(60 * SECOND);
    for (const { name, line, quiet } of this.people) {
      const { calls, closing, paths, media, transfer } = line;
      const left = [calls.length, closing.length, paths.size, media, transfer, quiet];
      assert.deepEqual(left, [0, 0, 0, null, null, true], `${name}${this.log()}`);
    }
    assert.equal(this.routes.size, 0, 'relays still know paths');
  }
}

/** A forward with an offer of somebody, made by hand. */
export async function offerOf(caller, bob, now) {
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const secret = await Secret.generate();
  const room = callRoom(await callIdOf(caller.publicKey, bob.id.publicKey, nonce));
  const key = new Uint8Array(32).fill(9);
  const { entry } = await buildCall({
    room, name: '', identity: caller, homeRelay: key, joinKey: key, secret, staySecret: key,
  });
  const offer = { nonce, seed: newSeed(), secret, entry };
  const { sealed, path } = await sealOffer(bob.stay.key.publicKey, offer, now);
  return signed(path, bob, now, sealed);
}

/** A forward to somebody, signed by a path's key. */
export async function signed(path, bob, now, offer, more = {}) {
  const fields = {
    generation: 1, expiry: BigInt(Math.floor(now / 1000) + 45), target: bob.id.fingerprint,
    device: bob.stay.device, offer, ...more,
  };
  return { ...await wire.signForward(path, fields), hops: 1 };
}

export const newPath = () => PathKey.of(newSeed());
