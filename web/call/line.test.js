// Lines that call each other, over an exchange in the place of relays, in virtual time.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Contacts } from '../identity/contacts.js';
import { Identity, fingerprintOf } from '../identity/identity.js';
import { KeptStays } from '../identity/kept-stays.js';
import { KnownNames } from '../identity/known-names.js';
import { Notes } from '../identity/notes.js';
import { toHex } from '../wire/bytes.js';
import * as wire from '../wire/call.js';
import { pathIdOf } from '../wire/call-path.js';
import { appendKeptCall, parseKeptWanted } from '../wire/kept.js';
import { deviceOf, isAway, isFresh, parseReach } from '../wire/reach.js';
import { FOUND, appendRoute, parseRouteWanted } from '../wire/route.js';
import * as urgent from '../wire/urgent.js';
import { FakeDecoder, FakeEncoder, Lab, Person, contiguous, memory, settle } from './lab.test.js';
import { Line } from './line.js';

const DELAY = 30; // ms, each way
const EPOCH = 1_900_000_000_000; // of the virtual clock, ms since 1970

/** What relays do with lines and paths, as far as two clients see it. */
class Exchange {
  links = [];
  paths = new Map(); // id: {ends: [caller, called], generation}
  away = new Map(); // device: {record, reach, offers}, of those who are away

  later = 0; // ms that passed without a clock that runs

  constructor(clock, relay) {
    Object.assign(this, { clock, relay });
  }

  /** ms since 1970. */
  unix() {
    return EPOCH + this.later + this.clock.now();
  }

  /** Tells a client something, until it takes it. */
  tell(link, kind, body) {
    const { sessions } = link;
    this.clock.setTimeout(() => {
      if (link.sessions !== sessions || link.gone) return;
      if (!link.config.handler.urgent(kind, body.slice())) this.tell(link, kind, body);
    }, DELAY);
  }

  /** The other end of a path. */
  other(id, link) {
    const path = this.paths.get(id);
    return path?.ends.includes(link) ? path.ends.find((end) => end !== link) : undefined;
  }

  async heard(link, kind, body) {
    switch (kind) {
      case urgent.AVAILABLE: return this.available(link, body);
      case urgent.KEPT_WANTED: return parseKeptWanted(body).forEach((device) => this.#kept(link, device));
      case urgent.ROUTE_WANTED: return this.#route(link, parseRouteWanted(body));
      case urgent.CALL_FORWARD: return this.#forward(link, wire.parseForward(body));
      case urgent.CALL_MEDIA: return void (link.path = wire.parseMedia(body).path);
      case urgent.CALL_MESSAGE: case urgent.CALL_END: {
        const { path } = kind === urgent.CALL_END ? wire.parseEnd(body) : wire.parseMessage(body);
        const other = this.other(path, link);
        if (other) this.tell(other, kind, body);
        if (kind === urgent.CALL_END) this.paths.delete(path);
        return undefined;
      }
      default: return assert.fail(`kind ${kind}`);
    }
  }

  /** A client has given a record, or takes it back. */
  async available(link, record) {
    link.record = record;
    if (record.length > 0) return;
    for (const [device, { link: of }] of this.away) if (of === link) this.away.delete(device);
  }

  /** A client has left. */
  async left(link) {
    this.links = this.links.filter((other) => other !== link);
    const reach = link.record.length > 0 && (await parseReach(link.record));
    if (reach?.keep) this.away.set(await deviceOf(reach.stayKey), { link, reach, offers: [] });
  }

  #kept(link, device) {
    const offers = this.away.get(device)?.offers ?? [];
    this.away.delete(device);
    const of = offers.length;
    const none = { device, of, index: 0, key: null, offer: null };
    const all = offers.map(({ key, offer }, index) => ({ device, of, index, key, offer }));
    for (const m of of > 0 ? all : [none]) {
      this.tell(link, urgent.KEPT_CALL, appendKeptCall(m));
    }
  }

  async #devices(fingerprint) {
    const devices = [];
    for (const link of this.links.filter(({ record, gone }) => record.length > 0 && !gone)) {
      const reach = await parseReach(link.record);
      assert.ok(isFresh(reach, this.unix()));
      if ((await fingerprintOf(reach.identity)) === fingerprint) devices.push({ link, reach });
    }
    return devices;
  }

  async #route(link, target) {
    const devices = await this.#devices(target);
    const none = { target, found: FOUND.nobody, index: 0, of: 0, chain: [], record: null };
    const routes = devices.map(({ link: { record } }, index) => (
      { target, found: FOUND.device, index, of: devices.length, chain: [wire.NO_RELAY], record }));
    for (const { link: { record }, reach } of routes.length > 0 ? [] : this.away.values()) {
      assert.ok(isAway(reach, this.unix()));
      if ((await fingerprintOf(reach.identity)) !== target) continue;
      Object.assign(none, { found: FOUND.away, of: 1, chain: [wire.NO_RELAY], record });
    }
    for (const m of routes.length > 0 ? routes : [none]) this.tell(link, urgent.ROUTE, appendRoute(m));
  }

  async #forward(link, m) {
    assert.ok(await wire.verifyForward(m));
    const path = await pathIdOf(m.key);
    const devices = await this.#devices(m.target);
    let to;
    for (const d of devices) if ((await deviceOf(d.reach.stayKey)) === m.device) to = d.link;
    const gone = this.away.get(m.device);
    gone?.offers.push(m);
    const code = to ? wire.CODE.setUp : gone ? wire.CODE.kept : wire.CODE.notThere;
    if (to) {
      const known = this.paths.get(path);
      this.paths.set(path, { ends: [link, to] });
      if (!known) this.tell(to, urgent.CALL_OFFER, wire.appendForward({ ...m, hops: 1 }));
    }
    this.tell(link, urgent.CALL_STATE, wire.appendState({ path, generation: m.generation, code }));
  }

  media(link, kid, ctr, ciphertext) {
    const other = this.other(link.path, link);
    if (!other || other.gone) return;
    this.clock.setTimeout(() => other.frame(kid, ctr, ciphertext.slice()), DELAY);
  }
}

/** A client of an exchange. */
class FakeLink {
  record = new Uint8Array(0);
  gone = false;
  path = '';
  sessions = 0; // so far
  session = new Uint8Array(16);
  sent = 0; // frames
  #bound = new Map();
  leaveUrl = 'https://relay/leave';
  watched = true;

  constructor(exchange, config) {
    Object.assign(this, { exchange, config });
  }

  async join() {
    this.record = (await this.config.makeLine(this.exchange.relay)).record;
    this.exchange.links.push(this);
    this.config.handler.attached({ name: 'Line' }, true);
    return { name: 'Line' };
  }

  /** The relay was restarted. */
  async restart(ms) {
    this.gone = true;
    this.sessions++;
    this.config.handler.detached('the relay is shutting down');
    await new Promise((resolve) => this.exchange.clock.setTimeout(resolve, ms));
    this.record = (await this.config.makeLine(this.exchange.relay)).record;
    this.gone = false;
    this.#bound.clear();
    this.config.handler.attached({ name: 'Line' }, true);
  }

  sendUrgent(kind, body, done) {
    if (!this.gone) {
      this.exchange.clock.setTimeout(() => {
        this.exchange.heard(this, kind, body);
        done?.(true);
      }, DELAY);
    }
    return true;
  }

  sendMedia(kid, ctr, ciphertext) {
    this.sent++;
    if (!this.gone) this.exchange.media(this, kid, ctr, ciphertext);
  }

  frame(kid, ctr, ciphertext) {
    const bound = this.#bound.get(kid) ?? this.config.handler.bind(kid);
    if (!bound) return;
    this.#bound.set(kid, bound);
    this.config.handler.media({ kid, ctr, ciphertext, bound });
  }

  quality() {
    return {
      lossUp: 0, lossDown: 0, measuredUp: 0, measuredDown: 0, rtt: 2 * DELAY, jitter: 0, bitrateUp: 0,
      bitrateDown: 0, path: 'webtransport', since: 0, queued: 0, stopped: false, up: 'alive', down: 'alive',
    };
  }

  away() {
    return null;
  }

  async request() { assert.fail('a line asks for nothing'); }
  async leave() {
    await this.exchange.left(this);
    return true;
  }
}

/** Somebody with a page that has a line. */
class Phone extends Person {
  told = [];
  calls = new Map(); // by id: what was told of them
  contacts = new Set();

  static async open(lab, exchange, name, {
    takesCalls = true, doNotDisturb = false, keepMissed = false, identity, storage = memory(),
  } = {}) {
    const p = new Phone(lab, name, lab.people.length + 1);
    const { clock } = lab;
    p.identity = identity ?? (await Identity.generate()).identity;
    p.line = await Line.create({
      connectUrl: '', name, clock, takesCalls, doNotDisturb, keepMissed,
      stays: new KeptStays(storage),
      identity: p.identity,
      names: await KnownNames.open(p.identity, storage),
      notes: await Notes.open(p.identity, storage),
      contacts: new Contacts(storage),
      known: (fingerprint) => p.contacts.has(fingerprint),
      unix: () => exchange.unix(),
      tell: (message) => p.#tell(message),
      link: (config) => (p.link = new FakeLink(exchange, config)),
      encoder: (options) => {
        p.encoders.push(new FakeEncoder(options, p.label, clock));
        return p.encoders.at(-1);
      },
      decoder: (options) => new FakeDecoder(options, p),
      vad: () => ({ process: () => p.voice, onset: 60 }),
    });
    // What its microphone takes up, and its loudspeaker plays, is that of the call that is not held.
    p.room = {
      captured: (pcm) => p.talking?.room?.captured(pcm),
      play: (pcm) => p.talking?.room?.play(pcm),
      over: false,
    };
    lab.people.push(p);
    await p.line.open();
    return p;
  }

  #tell(message) {
    if (message.type !== 'of') return void this.told.push(message);
    const { call, event } = message;
    if (!this.calls.has(call)) this.calls.set(call, []);
    this.calls.get(call).push(event);
    if (event.type === 'warning') assert.notEqual(event.code, 'program', event.text);
    return undefined;
  }

  all(type) {
    return this.told.filter((m) => m.type === type);
  }

  of(id, type) {
    return (this.calls.get(id) ?? []).filter((e) => e.type === type);
  }

  /** The phases of a call, and how it ended. */
  phases(id) {
    return this.of(id, 'call').map(({ phase, reason, by }) => [phase, reason, by].filter(Boolean).join(' '));
  }

  async dial(other, id = 'o1') {
    await this.line.dial(id, { fingerprint: other.identity.fingerprint }, (call) => this.#use(call));
    return id;
  }

  /** Answers what rings. */
  async answer(id = this.all('incoming').at(-1).call) {
    this.#use(this.line.call(id));
    await this.line.answer(id);
    return id;
  }

  #use(call) {
    this.talking = call;
    this.capturing = true;
    call.begin({ mode: 'open', muted: false }, { capture: fakePort(), playback: fakePort() });
  }
}

/** A port that the test does not use: what goes by it is given to the call itself. */
const fakePort = () => ({ close() {}, postMessage() {}, onmessage: null });

/** Runs a test with people who have lines, and closes them in the end. */
function withLines(name, people, f) {
  test(name, async () => {
    const lab = await Lab.create();
    const { identity } = await Identity.generate();
    const exchange = new Exchange(lab.clock, identity.publicKey);
    const phones = [];
    for (const [who, options] of Object.entries(people)) {
      phones.push(await Phone.open(lab, exchange, who, options));
    }
    for (const p of phones) {
      for (const q of phones) if (p !== q) p.contacts.add(q.identity.fingerprint);
    }
    await lab.run(200);
    await f({ lab, exchange }, ...phones);
    const closed = Promise.all(phones.map((p) => p.line.close()));
    await lab.run(6000);
    await closed;
    for (const p of phones) {
      p.room.over = true;
      assert.deepEqual(p.all('line').at(-1), { type: 'line', state: 'ended', available: false });
      assert.deepEqual(p.all('warning'), [], p.name);
      assert.ok([...p.encoders, ...p.decoders].every((codec) => codec.closed), `${p.name} left codecs open`);
    }
    lab.people.length = 0;
    await lab.end();
  });
}

/** A call from ann to bob that is up; returns both ids. */
async function talk(lab, ann, bob, id = 'o1') {
  const rang = bob.all('incoming').length;
  await ann.dial(bob, id);
  await lab.run(500);
  assert.equal(bob.all('incoming').length, rang + 1, 'it does not ring');
  const to = await bob.answer();
  await lab.run(500);
  return [id, to];
}

withLines('two call each other, hear each other, and hang up', { ann: {}, bob: {} }, async ({ lab }, ann, bob) => {
  assert.deepEqual(bob.all('line').map(({ state, available }) => [state, available]), [
    ['opening', false], ['up', true],
  ]);
  await ann.dial(bob);
  await lab.run(500);
  const [incoming] = bob.all('incoming');
  assert.deepEqual(incoming, {
    type: 'incoming', call: incoming.call, name: 'ann', answered: false,
    fingerprint: ann.identity.fingerprint, key: toHex(ann.identity.publicKey),
  });
  assert.deepEqual(ann.phases('o1'), ['calling', 'ringing']);
  assert.equal(ann.link.sent + bob.link.sent, 0, 'somebody is heard before the answer');
  const id = await bob.answer();
  await lab.run(4000);
  assert.deepEqual(ann.phases('o1'), ['calling', 'ringing', 'talking']);
  assert.deepEqual(bob.phases(id), ['answering', 'talking']);
  for (const [p, of, other] of [[ann, 'o1', bob], [bob, id, ann]]) {
    assert.deepEqual(p.of(of, 'state').map(({ state }) => state).slice(-1), ['joined']);
    const list = p.of(of, 'members').at(-1).list.filter((m) => !m.self);
    assert.deepEqual(list.map((m) => [m.name, m.fingerprint, m.outside]), [
      [other.name, other.identity.fingerprint, false],
    ]);
    const { key, name } = p.of(of, 'person').at(-1);
    assert.deepEqual([key, name], [toHex(other.identity.publicKey), other.name]);
    const frames = p.frames.get(other.label);
    assert.ok(frames.length > 150, `${p.name} heard ${frames.length} frames`);
    contiguous(frames, `${p.name} heard`);
  }
  const safety = [ann.of('o1', 'safety'), bob.of(id, 'safety')].map((list) => list.at(-1)?.number);
  assert.ok(safety[0] && safety[0] === safety[1], 'the safety numbers differ');

  await ann.line.hold('o1', true);
  await lab.run(300);
  assert.deepEqual(bob.of(id, 'held').at(-1), { type: 'held', us: false, them: true });
  const before = [ann.link.sent, bob.link.sent];
  await lab.run(3000);
  assert.deepEqual([ann.link.sent, bob.link.sent], before, 'media goes over a call that is held');
  await ann.line.hold('o1', false);
  bob.talking.setMuted(true);
  bob.line.setMuted(id, true);
  await lab.run(1000);
  assert.ok(ann.link.sent > before[0]);
  assert.deepEqual(ann.of('o1', 'their_mute').at(-1), { type: 'their_mute', on: true });
  assert.equal(ann.of('o1', 'path').length, 0, 'a path is called lost');
  const left = ann.line.leave('o1');
  await lab.run(1000);
  await left;
  assert.equal(ann.phases('o1').at(-1), 'ended hung_up_here us');
  assert.equal(bob.phases(id).at(-1), 'ended hung_up them');
  for (const [p, of] of [[ann, 'o1'], [bob, id]]) {
    assert.deepEqual(p.calls.get(of).at(-1), { type: 'state', state: 'ended' });
  }
});

withLines('who closes the page in a call hangs up by what was sealed before', { ann: {}, bob: {} }, async (
  { lab, exchange }, ann, bob,
) => {
  const [, id] = await talk(lab, ann, bob);
  await lab.run(70_000); // what is said for an old page counts, too
  ann.link.gone = true; // the Worker is gone
  const { leave: { url, body } } = ann.of('o1', 'stay').at(-1);
  assert.equal(url, 'https://relay/leave');
  assert.deepEqual(ann.all('stay').at(-1).leave.body, body);
  const length = body[17] * 256 + body[18];
  assert.equal(body.length, 19 + length, 'there is one message');
  await exchange.heard(ann.link, urgent.CALL_MESSAGE, body.slice(19));
  await lab.run(500);
  assert.equal(bob.phases(id).at(-1), 'ended hung_up them');
  const none = bob.all('stay').at(-1).leave.body;
  assert.equal(none.length, 17, 'there is nothing to hang up any more');
  ann.link.gone = false;
});

withLines('calls that are not taken', {
  ann: {}, bob: {}, cem: { doNotDisturb: true }, dan: { takesCalls: false },
}, async ({ lab }, ann, bob, cem, dan) => {
  await ann.dial(bob);
  await lab.run(500);
  await bob.line.leave(bob.all('incoming')[0].call);
  await lab.run(500);
  assert.equal(ann.phases('o1').at(-1), 'ended declined them');
  assert.equal(bob.phases(bob.all('incoming')[0].call).at(-1), 'ended declined us');

  await ann.dial(bob, 'o2');
  await lab.run(500);
  await ann.line.leave('o2');
  await lab.run(500);
  assert.equal(ann.phases('o2').at(-1), 'ended cancelled us');
  assert.equal(bob.phases(bob.all('incoming')[1].call).at(-1), 'ended missed');

  await ann.dial(dan, 'o3');
  await lab.run(4000);
  assert.equal(ann.phases('o3').at(-1), 'ended not_there');
  dan.line.setTakesCalls(true);
  await lab.run(500);
  assert.equal(dan.all('line').at(-1).available, true);

  await ann.dial(cem, 'o4');
  await lab.run(34_000);
  assert.equal(ann.phases('o4').at(-1), 'ended no_answer');
  const [{ type, at, ...missed }] = cem.all('missed');
  assert.deepEqual(missed, {
    name: 'ann', fingerprint: ann.identity.fingerprint, key: toHex(ann.identity.publicKey),
  });
  assert.ok(Math.abs(at - EPOCH - lab.clock.now()) < 40_000);
  cem.line.setDoNotDisturb(false);

  bob.contacts.clear();
  await ann.dial(bob, 'o5');
  await lab.run(34_000);
  assert.equal(ann.phases('o5').at(-1), 'ended no_answer');
  assert.deepEqual([bob.all('stranger').length, bob.all('incoming').length], [1, 2]);

  await ann.dial(ann, 'o6');
  const [{ reason, error }] = ann.of('o6', 'call');
  assert.deepEqual([reason, error.code], ['error', 'self']);
  assert.deepEqual(ann.calls.get('o6').at(-1).state, 'ended');
});

withLines('who hangs up while it is being dialled calls nobody', { ann: {}, bob: {} }, async ({ lab }, ann, bob) => {
  const dialled = ann.dial(bob);
  const left = ann.line.leave('o1');
  await Promise.all([dialled, left]);
  assert.deepEqual(ann.phases('o1'), ['calling', 'ended cancelled us']);
  await lab.run(1000);
  assert.deepEqual([...bob.all('incoming'), ...bob.all('missed')], []);
});

withLines('a call goes on when the relay of either was restarted', { ann: {}, bob: {} }, async (at, ann, bob) => {
  const { lab } = at;
  const [, id] = await talk(lab, ann, bob);
  await lab.run(2000);
  for (const p of [ann, bob]) {
    const restarted = p.link.restart(1000);
    await lab.run(1000);
    await restarted;
    assert.deepEqual(p.all('line').slice(-2).map(({ state }) => state), ['down', 'up']);
    await lab.run(6000);
    const before = [ann, bob].map((q) => q.frames.get(q === ann ? bob.label : ann.label).length);
    await lab.run(2000);
    for (const [i, q] of [ann, bob].entries()) {
      const heard = q.frames.get(q === ann ? bob.label : ann.label).length - before[i];
      assert.ok(heard > 80, `${q.name} heard ${heard} frames after ${p.name} was away`);
    }
  }
  assert.deepEqual([ann.of('o1', 'state').at(-1).state, bob.of(id, 'state').at(-1).state], ['joined', 'joined']);
  bob.link.gone = true; // for good
  await lab.run(10_000);
  assert.deepEqual(ann.of('o1', 'path').at(-1), { type: 'path', state: 'lost' });
  assert.equal(ann.of('o1', 'state').at(-1).state, 'reconnecting');
  await lab.run(60_000);
  assert.equal(ann.phases('o1').at(-1), 'ended failed');
  assert.equal(ann.calls.get('o1').at(-1).error.code, 'call_failed');
});

withLines('a call is handed on', { ann: {}, bob: {}, cem: {} }, async ({ lab }, ann, bob, cem) => {
  const [, inBob] = await talk(lab, ann, bob);
  await ann.line.hold('o1', true);
  const [, inCem] = await talk(lab, ann, cem, 'o2');
  cem.contacts.delete(bob.identity.fingerprint);
  await ann.line.transfer('o1', 'o2');
  await lab.run(300);
  const key = (p) => toHex(p.identity.publicKey);
  assert.deepEqual(cem.of(inCem, 'consent_wanted').map((e) => e.key), [key(bob)]);
  await cem.line.consent(inCem, bob.identity.publicKey, true);
  await lab.run(300);
  assert.deepEqual(bob.of(inBob, 'transfer_asked').map((e) => e.key), [key(cem)]);
  await bob.line.acceptTransfer(inBob, cem.identity.publicKey, true);
  await lab.run(300);
  const [{ call }] = bob.of(inBob, 'transferred');
  await bob.answer(call); // its devices: it does not ring
  await lab.run(1000);
  const handed = cem.all('incoming').at(-1);
  assert.deepEqual([handed.answered, handed.key], [true, key(bob)]);
  await cem.answer(handed.call);
  await lab.run(3000);
  assert.deepEqual(ann.of('o1', 'transfer').map(({ state }) => state), ['asking', 'done']);
  for (const [p, id] of [[ann, 'o1'], [ann, 'o2'], [bob, inBob], [cem, inCem]]) {
    assert.equal(p.phases(id).at(-1), 'ended transferred', p.name);
  }
  assert.ok(bob.frames.get(cem.label).length > 80 && cem.frames.get(bob.label).length > 80);
  await settle();
});

withLines('each end makes a fresh key every ten minutes', { ann: {}, bob: {} }, async ({ lab }, ann, bob) => {
  const [, id] = await talk(lab, ann, bob);
  await lab.run(2000);
  lab.people.length = 0; // nobody says or plays anything: that would take a while
  const came = { o1: 0, [id]: 0 };
  for (const [p, of] of [[ann, 'o1'], [bob, id]]) {
    const { keys } = p.line.call(of).link;
    const { keyCame } = keys;
    keys.keyCame = (key) => {
      came[of]++;
      keyCame.call(keys, key);
    };
  }
  await lab.run(590_000);
  assert.deepEqual(came, { o1: 0, [id]: 0 });
  await lab.run(15_000);
  assert.deepEqual(came, { o1: 1, [id]: 1 });
  lab.people.push(ann, bob);
  const before = ann.frames.get(bob.label).length;
  await lab.run(2000);
  assert.ok(ann.frames.get(bob.label).length > before + 50, 'not heard with the fresh key');
});

const HOUR = 3_600_000;
/** What is stored of stays: when they were used last, in hours. */
const stored = async (storage) => (await storage.get('stays') ?? []).map(({ at }) => (at - EPOCH) / HOUR);

withLines('missed calls are kept while one is away, and told in the next stay', { ann: {} }, async (
  { lab, exchange }, ann,
) => {
  const storage = memory();
  const { identity } = await Identity.generate();
  const open = async (more) => {
    const phone = await Phone.open(lab, exchange, 'bob', { identity, storage, ...more });
    phone.contacts.add(ann.identity.fingerprint);
    await lab.run(300);
    return phone;
  };
  const close = async (phone) => {
    const closed = phone.line.close();
    await lab.run(5000);
    await closed;
    phone.room.over = true;
    assert.deepEqual(phone.all('warning'), []);
    lab.people.splice(lab.people.indexOf(phone), 1);
  };
  const bob = await open({ keepMissed: true });
  const [began] = await stored(storage);
  assert.ok(began >= 0 && (await parseReach(bob.link.record)).keep);
  for (const [passed, least] of [[0.9, 0], [0.2, 1]]) {
    exchange.later += passed * HOUR;
    await lab.run(125_000);
    const [used] = await stored(storage);
    assert.ok(used - began >= least && used - began < least + 0.2, `stored after ${used - began} h`);
  }
  await close(bob);
  assert.equal((await stored(storage)).length, 1, 'nothing is left to open what is kept with');

  await ann.dial(bob, 'o1');
  await lab.run(5000);
  assert.equal(ann.phases('o1').at(-1), 'ended away');
  const made = exchange.unix() - 5000;
  exchange.later += 20 * HOUR;
  await lab.run(125_000); // records are renewed
  const only = await open({ takesCalls: false });
  assert.deepEqual(only.all('missed'), [], 'who takes no calls asks for them');
  only.line.setTakesCalls(true);
  await lab.run(500);
  const [{ at, name }] = only.all('missed');
  assert.equal(name, 'ann');
  assert.ok(at >= made - 1000 && at <= made + 5000, `made ${at - made} ms late`);
  assert.deepEqual([await stored(storage), exchange.away.size], [[], 0], 'a key outlives what it is for');

  only.line.setKeepMissed(true);
  await lab.run(300);
  assert.equal((await stored(storage)).length, 1);
  only.line.setKeepMissed(false);
  await lab.run(300);
  assert.deepEqual([await stored(storage), (await parseReach(only.link.record)).keep], [[], false]);
  only.line.setKeepMissed(true);
  await lab.run(300);
  await close(only);
  await ann.dial(bob, 'o2');
  await lab.run(5000);
  const last = await open({ keepMissed: true });
  assert.deepEqual([last.all('missed').length, (await stored(storage)).length], [1, 1]);
  last.line.setTakesCalls(false);
  await lab.run(300);
  assert.deepEqual([await stored(storage), last.link.record.length], [[], 0]);
  await close(last);
  await ann.dial(bob, 'o3');
  await lab.run(5000);
  assert.equal(ann.phases('o3').at(-1), 'ended not_there');
});

withLines('a browser that cannot store keeps no missed calls, and says so', { ann: {} }, async ({ lab, exchange }) => {
  const storage = { ...memory(), set: async () => Promise.reject(new Error('no disk')) };
  const bob = await Phone.open(lab, exchange, 'bob', { keepMissed: true, storage });
  await lab.run(300);
  assert.deepEqual([(await parseReach(bob.link.record)).keep, bob.all('warning').length], [false, 1]);
  const closed = bob.line.close();
  await lab.run(5000);
  await closed;
  bob.room.over = true;
  lab.people.pop();
});

withLines('who cannot be called, for the relay takes no record, says so; too many records are followed by one later', {
  bob: { takesCalls: true },
}, async ({ lab, exchange }, bob) => {
  await lab.run(300);
  const first = bob.link.record;
  exchange.tell(bob.link, urgent.RECORD_REFUSED, urgent.appendRecordRefused(urgent.RECORD.tooOften));
  await lab.run(9000);
  assert.deepEqual([bob.all('line').at(-1).available, bob.link.record === first], [true, true]);
  await lab.run(2000);
  assert.notEqual(bob.link.record, first);
  for (const reason of [urgent.RECORD.invalid, 77]) {
    exchange.tell(bob.link, urgent.RECORD_REFUSED, urgent.appendRecordRefused(reason));
    await lab.run(300);
    const { state, available, error } = bob.all('line').at(-1);
    assert.deepEqual([state, available, error.code], ['up', false, 'record']);
    bob.line.setTakesCalls(true); // as when somebody looks at the page again
    await lab.run(300);
    assert.deepEqual(bob.all('line').at(-1), { type: 'line', state: 'up', available: true });
  }
});
