// As internal/signalling/hostile_test.go, with smaller floods.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as wire from '../wire/call.js';
import { signReach } from '../wire/reach.js';
import { FOUND } from '../wire/route.js';
import * as urgent from '../wire/urgent.js';
import { STATE } from './call.js';
import { dial } from './caller.js';
import { SeenOffers } from './seen.js';
import { hold } from './up.js';
import { SECOND, World, newPath, offerOf, signed, testIdentity } from './world.test.js';

/** A world whose relays keep all that goes over them. */
async function taped(...names) {
  const w = await World.make(1, ...names);
  const sent = { [urgent.CALL_FORWARD]: [], [urgent.CALL_MESSAGE]: [] };
  w.tap = (_, { kind, body }) => sent[kind]?.push(body);
  return { w, sent };
}

test('everything that relays have seen comes again, at any time: nothing follows', async () => {
  const { w, sent } = await taped('ann', 'bob');
  const [ann, bob] = w.people;
  const state = () => [bob.count('incoming'), bob.count('up'), ann.count('up'), ann.count('ended'),
    bob.count('ended'), bob.count('held'), ann.count('silent'), bob.count('missed')];
  const replay = async (when) => {
    const before = state();
    for (const p of [ann, bob]) {
      await p.do(async (line, now) => {
        for (const body of sent[urgent.CALL_FORWARD]) await line.offerCame(wire.parseForward(body), now);
        for (const body of sent[urgent.CALL_MESSAGE]) await line.messageCame(wire.parseMessage(body), now);
      });
    }
    await w.run(SECOND);
    assert.deepEqual(state(), before, `${when}: something came of a replay${w.log()}`);
  };
  const at = await ann.dial(bob);
  await w.until('it rings', () => bob.count('incoming') === 1);
  await replay('ringing');
  await bob.answer();
  await w.until('up', () => ann.isOpen(at) && bob.count('up') === 1);
  await replay('up');
  for (const on of [true, false]) {
    await ann.do((line, now) => hold(line, at, on, now));
    await w.run(SECOND);
  }
  await replay('held and not');
  await ann.hangUp(at);
  await w.run(SECOND);
  await replay('over');
  await w.run(60 * SECOND);
  await replay('forgotten');
  const [second] = await w.talk(ann, bob);
  await replay('in the next call');
  assert.ok(ann.isOpen(second), 'an old hang-up ended a new call');
  for (const want of ['replayed', 'seen']) assert.ok(bob.refused.includes(want), want);
});

test('an offer is refused with another generation, to another device, late, or for others', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const m = await offerOf(ann.id, bob, w.now);
  const seconds = (n) => BigInt(Math.floor(w.now / 1000) + n);
  const other = await newPath();
  for (const [name, changed, code] of /** @type {[string, any, string][]} */ ([
    ['another generation', { generation: 2 }, 'forward'],
    ['another device', { device: '00'.repeat(8) }, 'forward'],
    ['another target', { target: ann.id.fingerprint }, 'forward'],
    ['another expiry', { expiry: m.expiry + 1n }, 'forward'],
    ['expired', await signed(other, bob, w.now, m.offer, { expiry: seconds(-121) }), 'forward'],
    ['far ahead', await signed(other, bob, w.now, m.offer, { expiry: seconds(181) }), 'forward'],
    ['for ever', { expiry: 2n ** 64n - 1n }, 'forward'],
    ['another offer', { offer: m.offer.subarray(1) }, 'forward'],
    ['of another path', await signed(other, bob, w.now, m.offer), 'sealed'],
    ['without an offer', await signed(other, bob, w.now, new Uint8Array(0)), 'sealed'],
  ])) {
    await bob.do((line, now) => line.offerCame({ ...m, ...changed }, now));
    assert.deepEqual([bob.refused.at(-1), bob.count('incoming')], [code, 0], name);
  }
  const late = await signed(other, bob, w.now, m.offer, { expiry: seconds(500) });
  await bob.do((line, now) => line.offerCame(late, now));
  assert.deepEqual([bob.refused.at(-1), bob.count('clock')], ['forward', 1], 'whoever made it, a clock is off');
  const offers = () => bob.do((line, now) => line.offerCame(m, now));
  await offers();
  assert.equal(bob.count('incoming'), 1, 'the true one does not ring');
  await offers();
  assert.deepEqual([bob.refused.at(-1), bob.count('incoming')], ['seen', 1], 'it rings again');
});

test('records of others, old ones and broken ones are skipped; the true one is called', async () => {
  const w = await World.make(1, 'ann', 'bob', 'mal');
  const [ann, bob, mal] = w.people;
  w.delay = SECOND;
  const id = await ann.dial(bob);
  const route = async (record) => {
    const m = {
      target: bob.id.fingerprint, found: FOUND.device, index: 0, of: 1, chain: [wire.NO_RELAY], record,
    };
    await ann.do((line, now) => line.routeCame(m, now));
  };
  const good = {
    stayKey: bob.stay.key.publicKey, homeRelay: bob.relay, sequence: 1n,
    expiry: BigInt(Math.floor(w.now / 1000) + 300),
  };
  await route(await signReach(mal.id, good));
  await route(await signReach(bob.id, { ...good, expiry: good.expiry - 500n }));
  const broken = await signReach(bob.id, good);
  broken[40] ^= 1;
  await route(broken);
  await route(await signReach(bob.id, { ...good, stayKey: new Uint8Array(32) })); // open to everybody
  assert.deepEqual(ann.refused, ['record', 'record', 'invalid', 'public-key']);
  assert.equal(ann.sentOf(urgent.CALL_FORWARD), 0);
  await w.until('the true one rings', () => bob.count('incoming') === 1);
  assert.equal(ann.ended(id), '', 'false records ended the call');
  const who = { fingerprint: bob.id.fingerprint, key: mal.id.publicKey };
  await assert.rejects(dial(ann.line, who, w.now), { code: 'who' });
});

test('somebody on the way, or in another call, cannot end a call; relays can only part its ends', async () => {
  const { w, sent } = await taped('ann', 'bob', 'mal', 'cem');
  const [ann, bob, mal, cem] = w.people;
  ann.talks = bob.talks = true;
  const [at, to] = await w.talk(ann, bob);
  const { path } = ann.last('up').details;
  const [theirs] = await w.talk(mal, cem);
  sent[urgent.CALL_MESSAGE].length = 0;
  await mal.hangUp(theirs);
  const { body: hungUp } = wire.parseMessage(sent[urgent.CALL_MESSAGE][0]);
  for (const body of [hungUp, new Uint8Array(1), new Uint8Array(40)]) {
    for (const p of [ann, bob]) {
      await p.do((line, now) => line.messageCame({ path, body }, now));
      assert.equal(p.refused.at(-1), 'message');
    }
  }
  for (const reason of [...Object.values(wire.END), 99]) {
    for (const p of [ann, bob]) {
      const { generation } = w.routes.get(path);
      await p.do((line, now) => line.endCame({ path, generation, reason }, now));
    }
    await w.run(3 * SECOND);
  }
  assert.ok(ann.isOpen(at) && bob.isOpen(to) && !ann.last('silent').silent, `relays ended the call${w.log()}`);
});

test("an end that says what is the other's to say, or what does not fit, is ignored", async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const at = await ann.dial(bob);
  await w.until('it rings', () => bob.count('incoming') === 1);
  const to = bob.last('incoming').call;
  const [p] = ann.line.call(at).paths;
  const { chosen } = bob.line.call(to);
  const say = async (who, path, ...signals) => {
    for (const s of signals) {
      await who.do((_, now) => path.say(s, now));
      await w.run(200);
    }
  };
  await say(
    ann, p, { type: 'answer', entry: new Uint8Array(1) }, { type: 'decline' },
    { type: 'confirm', chosen: new Uint8Array(32) }, { type: 'hold' },
    { type: 'transfer ack', accepted: true }, { type: 'consent', accepted: false, consent: null },
  );
  assert.equal(bob.state(to), STATE.alerting, w.log());
  assert.ok(bob.refused.includes('chosen'));
  const { entry } = ann.line.call(at).entry;
  await say(
    bob, chosen, { type: 'cancel' }, { type: 'confirm', chosen: new Uint8Array(32) }, { type: 'elsewhere' },
    { type: 'answer', entry }, { type: 'answer', entry: new Uint8Array(1) }, { type: 'hold' },
  );
  assert.equal(ann.state(at), STATE.ringing, w.log());
  assert.ok(ann.refused.includes('role') && ann.refused.includes('answer'), `${ann.refused}`);
  await bob.answer(to);
  await w.until('up', () => ann.isOpen(at) && bob.isOpen(to));
});

test('a flood of offers takes bounded work and tells the user little; a contact rings beside it', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const offers = async (m) => bob.do((line, now) => line.offerCame(m, now));
  const first = await offerOf(ann.id, bob, w.now);
  await offers(first);
  assert.equal(bob.count('incoming'), 1, 'a contact does not ring');
  await bob.hangUp();
  await w.run(60 * SECOND);
  const strangers = [];
  for (let i = 0; i < 30; i++) strangers.push(await offerOf(await testIdentity(`stranger ${i}`), bob, w.now));
  for (let i = 0; i < 6000; i++) {
    const key = crypto.getRandomValues(new Uint8Array(32));
    const m = i % 200 === 0 ? strangers[i / 200] : { ...first, key };
    await bob.line.offerCame(m, w.now);
    if (i % 60 === 0) w.now += 100;
    bob.got.push(...bob.line.drain().filter((e) => e.type === 'stranger'));
  }
  assert.deepEqual([bob.line.calls.length, bob.line.paths.size], [0, 0]);
  const told = bob.count('stranger');
  assert.ok(told >= 1 && told <= 2, `${told} strangers are told of`);
  await w.run(60 * SECOND);
  await offers(first);
  assert.equal(bob.count('incoming'), 1, "a contact's old offer rings again");
  await offers(await offerOf(ann.id, bob, w.now));
  assert.equal(bob.count('incoming'), 2, 'a contact does not ring any more');
});

test('what is remembered of offers is bounded, and the newest 1024 of contacts are always there', () => {
  const seen = new SeenOffers();
  for (let i = 0; i < 1024; i++) seen.add(true, `a${i}`, `b${i}`);
  for (let i = 0; i < 50_000; i++) seen.add(false, `c${i}`, `d${i}`);
  for (let i = 0; i < 1024; i++) assert.ok(seen.has(`a${i}`) && seen.has(`b${i}`), 'strangers push out contacts');
  assert.ok(seen.has('c49999') && !seen.has(`c${49999 - 1024}`));
});

test('a contact that calls without end rings ten times a minute', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  for (let i = 0; i < 20; i++) {
    const m = await offerOf(ann.id, bob, w.now);
    await bob.do((line, now) => line.offerCame(m, now));
    await w.run(100);
  }
  assert.deepEqual([bob.count('incoming'), bob.line.calls.length], [10, 1]);
  await w.run(120 * SECOND);
  assert.deepEqual([bob.line.calls.length, bob.line.paths.size], [0, 0]);
});

test('the calls of a minute are shared by those who make them, and bounded', () => {
  const seen = new SeenOffers();
  let now = 1_900_000_000_000;
  const count = (person, tries) =>
    Array.from({ length: tries }, () => seen.allowPerson(String(person), now)).filter(Boolean).length;
  let total = 0;
  for (let i = 0; i < 7; i++) total += count(i, 100);
  assert.equal(total, 69, 'the seventh has its share, and not ten');
  assert.equal(count(7, 100), 64 / 8, 'seven take all');
  total += 8;
  for (let i = 8; i < 256; i++) total += count(i, 2);
  assert.deepEqual([total, count(100, 1)], [256, 0]);
  now += 60 * SECOND;
  assert.equal(count(0, 100), 10);
});

test('what does not count of who calls without end makes no room for a replay', async () => {
  const w = await World.make(1, 'bob', 'mal');
  const [bob, mal] = w.people;
  const offers = [];
  for (let i = 0; i < 12; i++) offers.push(await offerOf(mal.id, bob, w.now));
  for (const offer of [...offers, ...offers]) {
    await bob.do((line, now) => line.offerCame(offer, now));
    await w.run(100);
  }
  const expected = ['flood', 'flood', ...Array(10).fill('seen'), 'flood', 'flood'];
  assert.deepEqual(bob.refused, expected);
});
