import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare } from '../wire/bytes.js';
import { CODE, NO_RELAY, parseForward } from '../wire/call.js';
import { pathIdOf } from '../wire/call-path.js';
import { parseKeptWanted } from '../wire/kept.js';
import { FOUND } from '../wire/route.js';
import * as urgent from '../wire/urgent.js';
import { answerCall } from './called.js';
import { SECOND, World, offerOf } from './world.test.js';

const HOUR = 3600 * SECOND;

/** ann, and bob, whose relay keeps his missed calls, and who has closed his page. */
async function away(...others) {
  const w = await World.make(1, 'ann', 'bob', ...others);
  const [ann, bob] = w.people;
  bob.offers = [];
  bob.leave();
  return { w, ann, bob, rest: w.people.slice(2) };
}

/** bob's next stay, which knows of those before, and whom the others know. */
async function next(w, bob, ...stays) {
  const known = new Set(bob.known);
  const earlier = [bob, ...stays].map(({ stay, relay }) => ({ ...stay, relay }));
  const again = await w.add('bob', { earlier, known: (fingerprint) => known.has(fingerprint) });
  await w.run(SECOND);
  return again;
}

const told = (p, type) => p.all(type).map(({ name, at }) => [name, at]);
/** Seconds, in which an offer says when it was made. */
const whole = (at) => at - at % SECOND;

test('who calls somebody who is away leaves word, of which they learn with their next stay', async () => {
  const { w, ann, bob, rest: [cem, dan] } = await away('cem', 'dan');
  const forwards = [];
  w.tap = (p, { kind, body }) => kind === urgent.CALL_FORWARD && forwards.push(parseForward(body).generation);
  await w.run(20 * HOUR);
  const began = w.now;
  const at = await ann.dial(bob);
  await w.until('it is over', () => ann.ended(at) !== '');
  assert.deepEqual([ann.ended(at), ann.sentOf(urgent.ROUTE_WANTED), forwards], ['away', 2, [1]]);
  assert.ok(w.now - began <= 3 * SECOND, `${w.now - began} ms`);
  const made = whole(w.now);
  for (const stranger of [cem, dan]) {
    bob.known.delete(stranger.id.fingerprint);
    const other = await stranger.dial(bob);
    await w.until('it is over', () => stranger.ended(other) === 'away');
  }
  await w.run(3 * HOUR);
  const sent = () => [ann, cem].map((p) => [p.count('rings'), p.sentOf(urgent.CALL_MESSAGE)]);
  const before = sent();

  const again = await next(w, bob);
  assert.deepEqual(told(again, 'missed'), [['ann', made]]);
  assert.deepEqual(told(again, 'stranger').map(([name]) => name).sort(), ['cem', 'dan']);
  assert.ok(again.last('stranger').at - made < 10 * SECOND, 'a stranger called when it was told of');
  assert.deepEqual(again.all('keptOver'), [{ type: 'keptOver', device: bob.stay.device }]);
  assert.deepEqual([again.count('incoming'), sent()], [0, before], 'something rings, or is said');
  await again.fresh();
  await w.run(SECOND);
  assert.equal(again.sentOf(urgent.KEPT_WANTED), 1, 'it asks again for what it has');
  assert.equal(again.count('missed'), 1);
  await w.quiet();
});

test('what relays answer to an offer to who is away', async () => {
  const { kept, notThere, noRoute, tooMany, stale, failed, setUp } = CODE;
  for (const [name, code, want, within, tries = 1] of /** @type {any[]} */ ([
    ['kept', kept, 'away', 2], ['there is no place for it', notThere, 'not_there', 2],
    ['no route', noRoute, 'not_there', 2], ['too many', tooMany, 'not_there', 2], ['stale', stale, 'not_there', 2],
    ['failed', failed, 'not_there', 2], ['of a later version', 200, 'not_there', 2],
    ['no answer', null, 'not_there', 17], ['they are there again', setUp, 'no_answer', 33, 3],
  ])) {
    const { w, ann, bob } = await away();
    ann.offline = true; // the test is its relay
    const record = await bob.record();
    const m = { target: bob.id.fingerprint, found: FOUND.away, index: 0, of: 1, chain: [NO_RELAY], record };
    let forwards = 0;
    w.tap = (p, { kind, body }) => {
      if (kind === urgent.ROUTE_WANTED) w.at(50, () => p.do((line, now) => line.routeCame(m, now)));
      if (kind !== urgent.CALL_FORWARD) return;
      forwards++;
      if (code === null) return;
      w.at(50, async () => {
        const { key, generation } = parseForward(body);
        const state = { path: await pathIdOf(key), generation, code };
        await p.do((line, now) => line.stateCame(state, now));
      });
    };
    const at = await ann.dial(bob);
    const began = w.now;
    await w.until('it is over', () => ann.ended(at) !== '');
    assert.deepEqual([ann.ended(at), forwards], [want, tries], name);
    assert.ok(w.now - began <= within * SECOND, `${name}: ${w.now - began} ms`);
    await w.run(120 * SECOND);
    assert.deepEqual([ann.line.paths.size, ann.line.closing.length], [0, 0], name);
  }
});

test('a record that is not of who is away leaves no word, and who is there after all is called', async () => {
  const { w, ann, bob, rest: [mal] } = await away('mal');
  const good = await bob.record();
  const old = await bob.record({ expiry: BigInt(Math.floor(w.now / 1000) - 24 * 3600 - 120) });
  const broken = good.slice();
  broken[40] ^= 1;
  ann.offline = true;
  for (const [name, record, code] of /** @type {[string, any, string][]} */ ([
    ['too old', old, 'record'], ['without the flag', await bob.record({ keep: false }), 'record'],
    ["another's", await mal.record({ keep: true }), 'record'], ['broken', broken, 'invalid'],
    ['open to everybody', await bob.record({ stayKey: new Uint8Array(32) }), 'public-key'],
  ])) {
    const at = await ann.dial(bob);
    const m = { target: bob.id.fingerprint, found: FOUND.away, index: 0, of: 1, chain: [NO_RELAY], record };
    await ann.do((line, now) => line.routeCame(m, now));
    assert.equal(ann.ended(at), '', `${name}: it is believed at once`);
    await w.run(2 * SECOND);
    await ann.do((line, now) => line.routeCame(m, now));
    assert.deepEqual([ann.ended(at), ann.refused.at(-1)], ['not_there', code], name);
  }
  assert.equal(ann.sentOf(urgent.CALL_FORWARD), 0);
  const at = await ann.dial(bob);
  const m = { target: bob.id.fingerprint, index: 0, of: 1, chain: [NO_RELAY] };
  await ann.do((line, now) => line.routeCame({ ...m, found: FOUND.away, record: good }, now));
  await bob.fresh();
  const record = await bob.record();
  await ann.do((line, now) => line.routeCame({ ...m, found: FOUND.device, record }, now));
  assert.deepEqual([ann.ended(at), ann.sentOf(urgent.CALL_FORWARD)], ['', 1]);
});

test('who goes away while they are called learns of it; the caller is told that they will', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  bob.offers = [];
  w.tap = (p, { kind }) => kind === urgent.CALL_FORWARD && bob.leave();
  const at = await ann.dial(bob);
  await w.until('it is over', () => ann.ended(at) !== '');
  assert.deepEqual([ann.ended(at), ann.sentOf(urgent.CALL_FORWARD)], ['away', 1]);
  w.tap = null;
  assert.equal((await next(w, bob)).count('missed'), 1);
});

test('a stay asks for what came between its sessions, and rings if its caller still tries', async () => {
  for (const keeps of [true, false]) {
    const { w, ann, bob } = await away();
    bob.line.keeps = keeps;
    const at = await ann.dial(bob);
    await w.until('it is over', () => ann.ended(at) === 'away');
    const made = whole(w.now);
    const late = await offerOf(ann.id, bob, w.now); // that was not acknowledged
    bob.offers.push(late);
    await bob.fresh();
    await w.run(SECOND);
    assert.deepEqual([bob.sentOf(urgent.KEPT_WANTED), bob.count('keptOver')], [keeps ? 1 : 0, 0]);
    assert.deepEqual(told(bob, 'missed'), keeps ? [['ann', made], ['', made]] : []);
    await bob.do((line, now) => line.offerCame(late, now));
    assert.equal(bob.count('incoming'), 1, 'it does not ring');
    const [{ call }] = bob.all('incoming');
    await bob.do((line, now) => answerCall(line, call, now));
    await w.run(60 * SECOND);
    // What rang is not missed again.
    bob.offers.push(late);
    await bob.fresh();
    await w.run(SECOND);
    assert.equal(bob.count('missed'), keeps ? 2 : 0);
  }
});

test('only what was asked for counts, once, and at the relay where it is', async () => {
  const { w, ann, bob } = await away();
  const wanted = [];
  w.tap = (p, { kind, body }) => kind === urgent.KEPT_WANTED && wanted.push(parseKeptWanted(body));
  const elsewhere = { stay: { ...ann.stay }, relay: ann.relay };
  const { stay: lost } = await w.add('bob'); // of which nothing is kept
  const again = await next(w, bob, elsewhere, { stay: lost, relay: bob.relay });
  assert.deepEqual(wanted, [[bob.stay.device, lost.device]]);
  assert.equal(again.count('keptOver'), 2);

  const offers = [];
  for (let i = 0; i < 3; i++) offers.push(await offerOf(ann.id, bob, w.now));
  const { stay: { device } } = bob;
  const fake = { ...again.line.config, earlier: [{ ...bob.stay, relay: bob.relay }] };
  const last = await w.add('bob', fake);
  const came = (device, of, index, m) => last.do((line, now) => line.keptCame(
    { device, of, index, key: m?.key ?? null, offer: m?.offer ?? null }, now));
  w.tap = null;
  await came(lost.device, 1, 0, offers[0]);
  assert.deepEqual([last.count('missed'), last.count('keptOver')], [0, 0], 'it was not asked for');
  await came(device, 3, 0, offers[0]);
  await came(device, 3, 0, offers[1]);
  await came(device, 3, 1, offers[0]);
  await came(device, 3, 1, offers[2]);
  assert.deepEqual([last.count('missed'), last.count('keptOver')], [1, 0], 'an index counts twice');
  await came(device, 3, 2, { key: offers[1].key, offer: offers[2].offer });
  assert.deepEqual([last.count('missed'), last.count('keptOver'), last.refused], [1, 1, ['sealed']]);
  await came(device, 20, 7, offers[1]);
  assert.deepEqual([last.count('missed'), last.count('keptOver')], [1, 1], 'after all had come');
});

test('calls of before that are found late are asked for at once; offers are good for 25 hours', async () => {
  const { w, ann, bob } = await away();
  const m = await offerOf(ann.id, bob, w.now);
  bob.offers.push(m);
  const again = await w.add('bob', { known: () => true });
  again.line.kept.add([{ ...bob.stay, relay: bob.relay }]);
  await again.tick();
  await w.run(SECOND);
  assert.deepEqual([again.count('missed'), again.count('keptOver')], [1, 1]);
  bob.offers = [await offerOf(ann.id, bob, w.now)];
  await w.run(25 * HOUR + SECOND);
  const late = await next(w, bob);
  assert.deepEqual([late.count('missed'), late.count('keptOver'), late.refused], [0, 1, ['time']]);
});

test('a call to who is away, and calls us meanwhile, gives way to theirs', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [lower, higher] = w.people.toSorted((a, b) => compare(a.id.publicKey, b.id.publicKey));
  higher.offers = [];
  higher.away = true; // nobody finds it, but it calls
  const at = await lower.dial(higher);
  const to = await higher.dial(lower);
  await w.until('both are up', () => lower.isOpen(at) && higher.isOpen(to));
  assert.deepEqual([higher.offers.length, lower.count('ended')], [1, 0]);
});
