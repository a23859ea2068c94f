/** The small parts of a room that know time and numbers only. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KnownNames } from '../identity/known-names.js';
import { Identity } from '../identity/identity.js';
import { CodecWatch } from './codec-watch.js';
import { HeldBudget, HeldFrames } from './held.js';
import { VirtualClock, memory, settle } from './lab.test.js';
import { MemberFetcher } from './roster-fetch.js';
import { Opening } from './opening.js';
import { Outstanding } from './hand-out.js';
import { StayStorage } from './names.js';
import { SafetyNumber } from './safety.js';
import { soonest } from '../link/clock.js';
import { Events } from './events.js';

test('the sooner of two times, of which 0 is never', () => {
  assert.deepEqual(
    [soonest(0, 0), soonest(0, 5), soonest(5, 0), soonest(5, 7), soonest(7, 5)], [0, 5, 5, 5, 5],
  );
});

test('opening: the list comes at once', () => {
  const o = new Opening(1000);
  assert.equal(o.lasts(false, 1000), true);
  assert.deepEqual(o.check({ complete: false, alone: false, now: 1000 }), { ask: false, next: 1300 });
  assert.deepEqual(o.check({ complete: true, alone: false, now: 1100 }), { ask: false, next: 0 });
  assert.equal(o.over, true);
  assert.equal(o.lasts(true, 1100), false, 'nothing was said before it came');
});

test('opening: the list comes late, or never', () => {
  const late = new Opening(1000);
  assert.deepEqual(late.check({ complete: false, alone: false, now: 1300 }), { ask: true, next: 4000 });
  assert.deepEqual(late.check({ complete: false, alone: false, now: 2000 }), { ask: false, next: 4000 });
  assert.equal(late.over, false);
  late.check({ complete: true, alone: false, now: 2500 });
  assert.equal(late.over, true);
  assert.deepEqual(
    [late.lasts(true, 2500), late.lasts(true, 4499), late.lasts(true, 4500)], [true, true, false],
  );

  const never = new Opening(1000);
  never.check({ complete: false, alone: false, now: 1300 });
  assert.deepEqual(never.check({ complete: false, alone: false, now: 4000 }), { ask: false, next: 0 });
  assert.deepEqual([never.lasts(false, 10_999), never.lasts(false, 11_000)], [true, false]);

  const alone = new Opening(1000);
  assert.deepEqual(alone.check({ complete: false, alone: true, now: 1000 }), { ask: false, next: 0 });
  assert.equal(alone.over, true);
});

test('outstanding: from the first message to the delivery', () => {
  const o = new Outstanding();
  let number = 0;
  const handOut = (to) => o.add({ number: ++number, has: (id) => id === to });
  const first = handOut('bert');
  assert.deepEqual([o.reaching('bert', 0), o.reaching('carl', 0)], [true, false]);
  o.sending(first);
  assert.deepEqual([o.acked(first, 1000), o.acked(first, 1000)], [false, true]);
  assert.equal(o.reaching('bert', 2999), true, 'being passed on');
  assert.equal(o.reaching('bert', 3000), false, 'lost on the way');
  for (let i = 0; i < 5; i++) {
    assert.equal(o.busy, i >= 3, `${i} under way`);
    handOut('bert');
  }
  assert.equal(o.size, 4);
  o.delivered([1, 2, 3, 4, 5]);
  assert.equal(o.size, 1);
  o.delivered([6]);
  assert.deepEqual([o.size, o.busy, o.reaching('bert', 3000)], [0, false, false]);
});

const frame = (ctr, at, size = 10) => ({
  kid: 1n, ctr, at, ciphertext: new Uint8Array(size), bound: { next: 0 },
});

test('held frames: asked for after 1.5 s and every 2 s, hopeless after 10 s', () => {
  const held = new HeldFrames(new HeldBudget());
  assert.deepEqual(held.waiting(1000), { next: 0, ask: false, hopeless: false });
  const asked = [];
  let hopeless = 0;
  for (let now = 1000; now <= 12_000; now += 100) {
    held.hold(frame(now, now), now);
    const w = held.waiting(now);
    if (w.ask) asked.push(now);
    if (w.hopeless) hopeless ||= now;
    assert.ok(w.next > now);
  }
  assert.deepEqual(asked, [2500, 4500, 6500, 8500, 10_500]);
  assert.equal(hopeless, 11_000);
  held.keyCame();
  assert.equal(held.waiting(12_100).next, 0);
});

test('held frames: bounded in number, time and bytes, and given back in order', () => {
  const budget = new HeldBudget();
  const held = new HeldFrames(budget);
  for (let i = 0; i < 100; i++) held.hold(frame(i, 1000 + i), 1000 + i);
  assert.deepEqual([held.size, budget.bytes], [64, 640]);
  assert.deepEqual(held.drain(1100).map(({ ctr }) => ctr), Array.from({ length: 64 }, (_, i) => 36 + i));
  assert.deepEqual([held.size, budget.bytes], [0, 0]);
  held.hold(frame(1, 2000), 2000);
  held.hold(frame(2, 6000), 6000);
  assert.deepEqual(held.drain(7001).map(({ ctr }) => ctr), [2]);
  held.hold(frame(3, 8000), 8000);
  assert.equal(held.waiting(14_000).ask, false, 'not talking any more');
  assert.deepEqual([held.size, budget.bytes], [0, 0]);
  const many = Array.from({ length: 100 }, () => new HeldFrames(budget));
  for (const h of many) for (let i = 0; i < 64; i++) h.hold(frame(i, 1000, 1100), 1000);
  assert.ok(budget.bytes <= 2 ** 20 && budget.bytes > 2 ** 20 - 1100);
  for (const h of many) h.drop();
  assert.equal(budget.bytes, 0);
});

test('held frames that are held again do not make it look as if nothing came', () => {
  const held = new HeldFrames(new HeldBudget());
  held.hold(frame(1, 1000), 1000);
  held.doubt(5900);
  for (const f of held.drain(5950)) held.hold(f, 5950);
  assert.equal(held.waiting(6100).ask, true);
});

/** A safety number under way, with the time and what it told. */
async function numbers() {
  const told = [];
  const s = { now: 10_000, woken: 0 };
  const number = new SafetyNumber({
    name: 'r', secret: null,
    safety: (text, people) => told.push([text && 'number', people]),
    wake: () => s.woken++,
    failed: (error) => { throw error; },
  });
  const { identity } = await Identity.generate();
  const others = await Promise.all([1, 2, 3].map(async () => (await Identity.generate()).identity.publicKey));
  return { number, told, s, us: identity.publicKey, others };
}

test('safety number: made a second after the people settled', async () => {
  const { number, told, s, us, others } = await numbers();
  number.setIdentities([us], 10_000);
  assert.deepEqual(told, [[null, 1]]);
  assert.equal(number.make(false, 12_000), 0, 'the list is not known');
  assert.equal(number.make(true, 10_500), 11_000);
  assert.equal(number.make(true, 11_000), 0);
  await settle();
  assert.deepEqual([told, s.woken], [[[null, 1], ['number', 1]], 1]);
  number.setIdentities([us, us], 12_000); // another device
  assert.equal(number.make(true, 14_000), 0);
  number.setIdentities([others[0], us], 15_000);
  number.setIdentities([us, others[0]], 15_500);
  assert.deepEqual(told.slice(2), [[null, 2]]);
});

test('safety number: people who do not settle, and who change while it is made', async () => {
  const { number, told, us, others } = await numbers();
  number.setIdentities([us], 10_000);
  for (let now = 10_000; now < 15_000; now += 500) {
    number.setIdentities([us, others[now % 1000 === 0 ? 0 : 1]], now);
    assert.ok(number.make(true, now) > now, `made at ${now}`);
  }
  assert.equal(number.make(true, 15_000), 0);
  number.setIdentities([us, others[2]], 15_010); // it would be the number of others
  await settle();
  assert.deepEqual(told, [[null, 1]]);
  assert.equal(number.make(true, 15_100), 0);
  await settle();
  assert.deepEqual(told, [[null, 1], ['number', 2]]);
});

test('one stay adds few names, and who poses is noticed all the same', async () => {
  const storage = memory();
  const { identity } = await Identity.generate();
  const other = (await Identity.generate()).identity.publicKey;
  const kept = () => [...storage.map.keys()].filter((key) => key.startsWith('name:')).length;
  const before = await KnownNames.open(identity, storage);
  await before.check('ana', other);
  const names = await KnownNames.open(identity, new StayStorage(storage));
  for (let i = 0; i < 300; i++) assert.equal(await names.check(`member ${i}`, other), 'new');
  assert.equal(kept(), 257);
  assert.equal(await names.check('member 299', identity.publicKey), 'changed');
  assert.equal(await names.check('Ana', identity.publicKey), 'changed');
  await names.trust('Ana', identity.publicKey);
  assert.equal(await names.check('ana', identity.publicKey), 'same');
  assert.equal(kept(), 257);
});

/** A fetcher whose relay has so many pages, or answers what it is told to. */
function fetcher(answer) {
  const clock = new VirtualClock();
  const over = new AbortController();
  const calls = { asked: [], finished: [], done: 0 };
  let fetching = false;
  let again = false;
  const roster = {
    size: 0,
    begin: () => (fetching ? !(again = true) : (fetching = true)),
    page: async (entries) => entries.map((joined) => ({ joined })),
    finish(complete) {
      calls.finished.push(complete);
      const result = { news: [], again };
      fetching = again = false;
      return result;
    },
  };
  const f = new MemberFetcher({
    roster, clock,
    signal: over.signal,
    request: async (name, fields, signal) => {
      calls.asked.push([clock.now(), fields.after?.[0]]);
      return answer(fields.after?.[0] ?? 0, signal);
    },
    announce: () => {},
    done: () => calls.done++,
    failed: (error) => { throw error; },
  });
  return { f, clock, over, calls };
}

const page = (next) => ({
  name: 'MemberPage', entries: [], next: next === undefined ? undefined : Uint8Array.of(next, 0, 0, 0, 0, 0),
});

test('the list is fetched page by page, and not faster than relays allow', async () => {
  const { f, clock, calls } = fetcher((after) => page(after < 40 ? after + 1 : undefined));
  f.fetch(0);
  f.fetch(0);
  await clock.run(1000);
  assert.ok(
    calls.asked.length > 32 && calls.asked.length <= 38, `${calls.asked.length} requests in a second`,
  );
  await clock.run(30_000);
  assert.deepEqual(calls.finished, [true, true], 'once more, for it was asked for meanwhile');
  assert.equal(calls.done, 2);
  assert.deepEqual(calls.asked.map(([, after]) => after).slice(0, 3), [undefined, 1, 2]);
});

test('a list that goes in circles, is refused or does not come is tried again later', async () => {
  const answers = [
    () => page(3),
    () => page(3), // in a circle
    () => Promise.reject(Object.assign(new Error('rate'), { code: 'rate' })),
    (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    () => page(),
  ];
  const { f, clock, over, calls } = fetcher((after, signal) => answers.shift()(after, signal));
  f.fetch(500);
  await clock.run(200_000);
  assert.deepEqual(calls.finished, [false, false, false, true]);
  f.fetch(1000);
  over.abort();
  await clock.run(10_000);
  assert.equal(calls.finished.length, 4);
  assert.equal(clock.pending, 0);
});

test('the page is told of members at most ten times a second, and nothing after the end', async () => {
  const clock = new VirtualClock();
  const told = [];
  const teller = new Events((m) => told.push(m.type), clock, {
    members: () => [],
    levels: () => ({ me: 0, talkers: {} }),
    quality: () => ({ path: null, since: 0 }),
    away: () => null,
    stats: () => ({}),
  });
  teller.start();
  for (let i = 0; i < 100; i++) {
    teller.members();
    await clock.run(10);
  }
  const count = (type) => told.filter((t) => t === type).length;
  assert.ok(count('members') >= 9 && count('members') <= 11, `${count('members')} lists`);
  assert.deepEqual([count('levels'), count('stats'), count('quality')], [10, 2, 0]);
  for (let i = 0; i < 100; i++) teller.failed(new Error(`fault ${i % 2}`));
  assert.equal(count('warning'), 2);
  teller.members();
  teller.end({ code: 'x', text: 'y' });
  const { length } = told;
  teller.members();
  teller.say({ type: 'transmitting', on: true });
  await clock.run(5000);
  assert.deepEqual([told.length, told.at(-1), clock.pending], [length, 'state', 0]);
});

test('teller: that the relay drops what is said is told at once, until it is over or the relay says no more of it', async () => {
  const clock = new VirtualClock();
  /** @type {any[]} */ const told = [];
  let now = {};
  const teller = new Events((m) => m.type === 'quality' && told.push({ ...m, at: clock.now() }), clock, {
    members: () => [],
    levels: () => ({ me: 0, talkers: {} }),
    quality: () => ({ path: 'webtransport', since: 0, ...now }),
    away: () => null,
    stats: () => ({}),
  });
  teller.start();
  teller.dropped(3);
  assert.deepEqual(told.map((m) => m.dropped), [3]);
  await clock.run(4500);
  assert.ok(told.every((m) => m.dropped === 3) && told.length >= 9, 'it is told every half second');
  teller.dropped(0);
  assert.equal(told.at(-1).dropped, 0);
  teller.dropped(2);
  const from = clock.now();
  await clock.run(14_000);
  for (const { at, dropped } of told) {
    if (at > from) assert.equal(dropped, at - from < 12_000 ? 2 : 0, `after ${at - from} ms`);
  }
  await clock.run(200);
  now = { up: 'doubt' };
  const before = told.length;
  await clock.run(100);
  assert.deepEqual([told.length - before, told.at(-1).up], [1, 'doubt'], 'and what gets through is, at once');
  teller.end({ code: 'x', text: 'y' });
});

test('a decoder that gives nothing back is told of within 3 s, one that errs at times is not', () => {
  const told = [];
  const watch = new CodecWatch((codec) => told.push(codec));
  watch.stats({ played: 0, undecodable: 0 });
  watch.stats({ played: 20, undecodable: 30 });
  watch.stats({ played: 20, undecodable: 30 }); // a pause
  watch.stats({ played: 20, undecodable: 40 });
  assert.deepEqual(told, []);
  watch.stats({ played: 20, undecodable: 90 });
  watch.stats({ played: 20, undecodable: 140 });
  watch.stats({ played: 20, undecodable: 140 });
  assert.deepEqual(told, [{ encoding: true, decoding: false }]);
  watch.encoding(false);
  watch.encoding(false);
  watch.stats({ played: 70, undecodable: 140 });
  assert.deepEqual(told.slice(1),
    [{ encoding: false, decoding: false }, { encoding: false, decoding: true }]);
});
