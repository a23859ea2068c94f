// As internal/signalling/call_test.go, with fewer seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare } from '../wire/bytes.js';
import { CODE } from '../wire/call.js';
import * as urgent from '../wire/urgent.js';
import { STATE, hangUp } from './call.js';
import { answerCall } from './called.js';
import { askRoute, dial } from './caller.js';
import { transfer } from './transfer.js';
import { hold, mute, sayKeys } from './up.js';
import { SECOND, World } from './world.test.js';
import { Call } from './call.js';
import { Secret } from '../e2ee/secret.js';

test('a call from dialling to hanging up, by both ends, over a network that reorders', async () => {
  for (let seed = 0; seed < 6; seed++) {
    const w = await World.make(seed, 'ann', 'bob');
    w.jitter = seed * 60;
    const [ann, bob] = w.people;
    ann.talks = bob.talks = true;
    const at = await ann.dial(bob);
    await w.until('it rings', () => bob.count('incoming') > 0 && ann.count('rings') > 0);
    const { call: to, person, fingerprint, name } = bob.last('incoming');
    assert.deepEqual([person, fingerprint, name], [ann.id.publicKey, ann.id.fingerprint, 'ann']);
    assert.equal(bob.sent, 0, 'the called sends before it was chosen');
    await bob.answer(to);
    await w.until('both are up', () => ann.isOpen(at) && bob.isOpen(to));
    const [a, b] = [ann.last('up').details, bob.last('up').details];
    assert.deepEqual([a.callId, a.path, a.secret.text], [b.callId, b.path, b.secret.text]);
    assert.deepEqual([a.caller, b.caller], [true, false]);
    assert.deepEqual([a.entry.entry, b.entry.entry], [b.otherEntry, a.otherEntry]);
    assert.deepEqual([a.other.identity, b.other.identity], [bob.id.publicKey, ann.id.publicKey]);
    assert.ok(a.joinKey.privateKey && b.joinKey.privateKey);
    await w.run(5 * SECOND);
    assert.ok(ann.heard >= 30 && bob.heard >= 30, `heard ${ann.heard} and ${bob.heard} frames`);
    const ended = w.now;
    await (seed % 2 === 0 ? ann.hangUp(at) : bob.hangUp(to));
    await w.until('both know', () => ann.ended(at) !== '' && bob.ended(to) !== '');
    assert.ok(w.now - ended <= SECOND, `hanging up took ${w.now - ended} ms`);
    await w.until('relays forget', () => w.routes.size === 0);
    assert.ok(w.now - ended <= 3 * SECOND, `relays forgot after ${w.now - ended} ms`);
    await w.quiet();
  }
});

test('how calls end that are not answered', async () => {
  const clear = (bob) => bob.known.clear();
  for (const [name, { before, during, caller, called = '', missed = false, within }] of Object.entries({
    'nobody answers': { caller: 'no_answer', called: 'missed', within: 33 },
    declined: { during: (_, bob) => bob.hangUp(), caller: 'declined', called: 'declined', within: 3 },
    cancelled: { during: (ann, _, at) => ann.hangUp(at), caller: 'cancelled', called: 'missed', within: 3 },
    'a stranger': { before: (_, bob) => clear(bob), caller: 'no_answer', within: 33 },
    'not to be disturbed': {
      before: (_, bob) => bob.line.doNotDisturb(true), caller: 'no_answer', missed: true, within: 33,
    },
    busy: { before: (w, bob) => w.talk(bob, w.people[2]), caller: 'busy', missed: true, within: 2 },
    'busy, a stranger': {
      before: async (w, bob) => {
        await w.talk(bob, w.people[2]);
        clear(bob);
      },
      caller: 'no_answer', within: 33,
    },
    'not there': { before: (_, bob) => { bob.away = true; }, caller: 'not_there', within: 3 },
  })) {
    const w = await World.make(1, 'ann', 'bob', 'cem');
    const [ann, bob] = w.people;
    await before?.(w, bob);
    const rang = bob.count('incoming');
    const said = () => [bob.sentOf(urgent.CALL_MESSAGE), bob.sentOf(urgent.CALL_END)];
    const saidBefore = said();
    const began = w.now;
    const at = await ann.dial(bob);
    await w.run(SECOND / 2);
    await during?.(ann, bob, at);
    await w.until('it is over', () => ann.ended(at) !== '');
    assert.ok(w.now - began <= within * SECOND, `${name}: over after ${w.now - began} ms`);
    assert.equal(ann.ended(at), caller, name);
    await w.run(3 * SECOND);
    const rings = called !== '';
    assert.deepEqual([ann.count('rings') > 0, bob.count('incoming') > rang], [rings, rings], name);
    if (rings) assert.equal(bob.ended(bob.last('incoming').call), called, name);
    assert.equal(bob.count('missed') > 0, missed, name);
    const strange = bob.known.size === 0;
    assert.equal(bob.count('stranger'), strange ? 1 : 0, name);
    if (strange && bob.count('up') === 0) assert.deepEqual(said(), saidBefore, 'a stranger was told something');
  }
});

test("to who calls, a stranger's call, one at a bad time and one that nobody answers end alike", async () => {
  const took = async (before) => {
    const w = await World.make(1, 'ann', 'bob');
    const [ann, bob] = w.people;
    before(bob);
    const began = w.now;
    const at = await ann.dial(bob);
    await w.until('it is over', () => ann.ended(at) === 'no_answer');
    return w.now - began;
  };
  const stranger = await took((bob) => bob.known.clear());
  assert.equal(await took((bob) => bob.line.doNotDisturb(true)), stranger);
  assert.equal(await took(() => {}), stranger);
});

test('it rings on all devices, and one answers', async () => {
  const w = await World.make(3, 'ann');
  const [ann] = w.people;
  const bobs = [];
  for (let i = 0; i < 8; i++) {
    bobs.push(await w.add('bob'));
    bobs[i].known.add(ann.id.fingerprint);
  }
  const at = await ann.dial(bobs[0]);
  await w.until('all ring', () => bobs.every((bob) => bob.count('incoming') === 1));
  for (const i of [2, 5]) { // two answer at once: one is chosen, and only that one sends
    bobs[i].talks = true;
    await bobs[i].answer();
  }
  await w.run(2 * SECOND);
  assert.ok(ann.isOpen(at), w.log());
  const up = bobs.filter((bob) => bob.isOpen(bob.last('incoming').call));
  assert.equal(up.length, 1);
  for (const bob of bobs) {
    if (bob !== up[0]) assert.deepEqual([bob.ended(bob.last('incoming').call), bob.sent], ['elsewhere', 0]);
  }
  assert.equal(ann.sentOf(urgent.CALL_FORWARD), 8);
  await ann.hangUp(at);
  await w.quiet();
});

test('one device is busy, another declines for all', async () => {
  const w = await World.make(3, 'ann', 'cem');
  const [ann, cem] = w.people;
  const [one, two] = [await w.add('bob'), await w.add('bob')];
  for (const bob of [one, two]) bob.known.add(ann.id.fingerprint);
  cem.known.add(one.id.fingerprint);
  await w.talk(one, cem);
  const at = await ann.dial(two);
  await w.until('the other rings', () => two.count('incoming') === 1 && one.count('missed') === 1);
  await w.run(SECOND);
  assert.equal(ann.ended(at), '', 'one busy device ended the call');
  await two.hangUp();
  await w.until('declined', () => ann.ended(at) === 'declined');
});

test('hold, mute and keys', async () => {
  const w = await World.make(4, 'ann', 'bob');
  w.jitter = 200;
  const [ann, bob] = w.people;
  ann.talks = bob.talks = true;
  const [at, to] = await w.talk(ann, bob);
  const holds = (p, id, on) => p.do((line, now) => hold(line, id, on, now));
  for (let i = 0; i < 20; i++) { // messages overtake each other: what was said last holds
    await holds(ann, at, true);
    await ann.do((line, now) => mute(line, at, i % 2 === 0, now));
    await w.run(20);
    await holds(ann, at, false);
    await w.run(20);
  }
  await holds(ann, at, true);
  await w.run(SECOND);
  const { byUs, byTheirs } = bob.last('held');
  assert.deepEqual([byUs, byTheirs, bob.last('muted').muted], [false, true, false]);
  const before = ann.heard + bob.heard;
  await w.run(10 * SECOND);
  assert.ok(ann.heard + bob.heard === before && ann.quiet && bob.quiet, 'media goes over a call that is held');
  assert.equal(ann.count('silent') + bob.count('silent'), 0, 'a held call is taken for a broken one');
  await holds(bob, to, true);
  await holds(ann, at, false);
  await w.run(SECOND);
  assert.ok(ann.quiet && bob.quiet, 'media goes though the other holds');
  await holds(bob, to, false);
  await w.run(SECOND);
  assert.ok(!ann.quiet && !bob.quiet, 'no media goes though nobody holds');

  const signed = urgent.appendKeyHeader({
    suite: 2, number: 7, epoch: 0, firstCtr: 0, hash: new Uint8Array(32), members: new Uint8Array(32),
  });
  const key = { signed, signature: new Uint8Array(64) };
  await ann.do((line, now) => sayKeys(line, at, { type: 'key', key, wrap: new Uint8Array(64) }, now));
  await ann.do((line, now) => sayKeys(line, at, { type: 'keys wanted' }, now));
  await w.run(SECOND);
  const got = bob.last('keyCame');
  assert.deepEqual([got.call, got.key.key.number], [to, 7]);
  assert.deepEqual(got.key.sender, bob.last('up').details.other.id);
  await bob.do((line, now) => sayKeys(line, to, { type: 'key received', number: 7 }, now));
  await w.run(SECOND);
  assert.deepEqual([ann.last('keyReceived').number, bob.count('keysWanted')], [7, 1]);
});

test("two who call each other talk, with one call of two, and nobody's device rings", async () => {
  for (let seed = 0; seed < 12; seed++) {
    const w = await World.make(seed, 'ann', 'bob');
    w.jitter = 300;
    const [ann, bob] = w.people;
    const at = await ann.dial(bob);
    await w.run(Math.floor(w.random() * 5) * 20);
    const to = await bob.dial(ann);
    await w.until('both are up', () => ann.isOpen(at) && bob.isOpen(to));
    await w.run(2 * SECOND);
    assert.deepEqual(ann.last('up').details.callId, bob.last('up').details.callId);
    const lower = compare(ann.id.publicKey, bob.id.publicKey) < 0 ? ann : bob;
    assert.equal(ann.count('incoming') + bob.count('incoming'), 0, `seed ${seed}: it rang`);
    assert.ok(lower.last('up').details.caller, `seed ${seed}: the call of the higher key stayed`);
    assert.deepEqual([ann.line.calls.length, bob.line.calls.length], [1, 1], `seed ${seed}`);
    await ann.hangUp(at);
    await w.run(SECOND);
    assert.deepEqual([ann.ended(at), bob.ended(to)], ['hung_up_here', 'hung_up'], `seed ${seed}`);
    await w.quiet();
  }
});

test('of two calls the one that stays cannot be set up: the other one is taken', async () => {
  for (const code of [0, CODE.noRoute, CODE.tooMany, CODE.stale]) {
    const w = await World.make(1, 'ann', 'bob');
    const [lower, higher] = w.people.toSorted((a, b) => compare(a.id.publicKey, b.id.publicKey));
    lower.refusal = code;
    higher.away = code === 0; // nobody finds it, but it calls
    const to = await higher.dial(lower);
    await w.run(20);
    const at = await lower.dial(higher);
    await w.until('both are up', () => lower.isOpen(at) && higher.isOpen(to));
    const { caller } = lower.last('up').details;
    assert.deepEqual([caller, lower.count('ended')], [false, 0], `${code}: which could not be set up is up`);
  }
});

test('what a user cannot do', async () => {
  const w = await World.make(1, 'ann', 'bob', 'cem', 'dan');
  const [ann, bob, cem] = w.people;
  const refuses = (code, act) =>
    assert.rejects(async () => act(ann.line, w.now), { name: 'SignallingError', code });
  const dials = (q, key) => (line, now) => dial(line, { fingerprint: q.id.fingerprint, key }, now);
  await refuses('self', dials(ann));
  await refuses('who', dials(bob, cem.id.publicKey));
  const [at] = await w.talk(ann, bob);
  await refuses('already', dials(bob));
  await refuses('talking', dials(cem));
  await ann.do((line, now) => hold(line, at, true, now));
  const [second] = await w.talk(ann, cem);
  await refuses('talking', (line, now) => hold(line, at, false, now));
  for (const id of [at, second]) await ann.hangUp(id);
  await w.run(SECOND);
  for (let i = 0; i < 8; i++) await ann.hangUp(await ann.dial(bob));
  await refuses('rate', dials(bob));
  await w.run(60 * SECOND);
  await ann.dial(bob);
  await refuses('state', (line, now) => hangUp(line, 99, now));
  await refuses('state', (line, now) => answerCall(line, at, now));
  await refuses('state', (line, now) => hold(line, at, true, now));
  await refuses('state', (line, now) => transfer(line, at, second, now));
  await refuses('state', (line, now) => mute(line, 0, true, now));
});

test('who dials somebody whose call rings here answers it', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const at = await ann.dial(bob);
  await w.until('it rings', () => bob.count('incoming') === 1);
  const to = await bob.dial(ann);
  await w.until('both are up', () => ann.isOpen(at) && bob.isOpen(to));
  assert.equal(ann.count('incoming'), 0, 'it rang back');
});

test('calls to oneself are refused by the called, too, whoever makes them', async () => {
  const w = await World.make(1, 'ann');
  const [one] = w.people;
  const two = await w.add('ann');
  two.known.add(one.id.fingerprint);
  const c = new Call(one.line, true, w.now); // of a client without that rule
  Object.assign(c, {
    target: one.id.fingerprint, secret: await Secret.generate(), nonce: new Uint8Array(32),
    state: STATE.resolving,
  });
  await one.do(() => askRoute(c, w.now));
  await w.run(SECOND);
  assert.deepEqual([two.count('incoming'), two.refused.at(-1)], [0, 'self'], w.log());
});
