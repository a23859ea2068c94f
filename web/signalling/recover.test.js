// As internal/signalling/recover_test.go, with fewer seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { END } from '../wire/call.js';
import { FOUND } from '../wire/route.js';
import * as urgent from '../wire/urgent.js';
import { STATE } from './call.js';
import { PATH } from './path.js';
import { hold, mute } from './up.js';
import { SECOND, World } from './world.test.js';

/** Has the caller (0), the called (1), or both (2) without a session for some time. */
const offline = (who, ms) => async (w, _, ann, bob) => {
  for (const [i, p] of [ann, bob].entries()) {
    if (i !== who && who !== 2) continue;
    p.offline = true;
    await p.do((line, now) => line.sessionLost(now));
    w.at(ms, () => p.fresh());
  }
};

test('a call goes on after whatever happens between its ends, as soon as it can', async () => {
  for (const [name, breaks, away = 0] of /** @type {[string, any, number?][]} */ ([
    ['a relay on the way dies silently', (_, r) => { r.cut = true; }],
    [
      'a relay on the way dies, and its neighbours say so',
      (w, r, ann, bob) => {
        r.cut = true;
        const [[path]] = w.routes;
        const end = { path, generation: r.generation, reason: END.failed };
        for (const p of [ann, bob]) p.tell((line, now) => line.endCame(end, now));
      },
    ],
    ["the caller's relay returns", (_w, _r, ann) => ann.fresh()],
    ["the called's relay returns", (_w, _r, _a, bob) => bob.fresh()],
    ['both are at other relays', (_w, _r, ann, bob) => ann.fresh().then(() => bob.fresh())],
    ['all relays forgot the path', (w) => w.routes.clear()],
    ['the called has no session for 12 s', offline(1, 12 * SECOND), 12 * SECOND],
    ['the caller has no session for 12 s', offline(0, 12 * SECOND), 12 * SECOND],
    ['neither has one for 30 s', offline(2, 30 * SECOND), 30 * SECOND],
  ])) {
    for (let seed = 0; seed < 2; seed++) {
      const w = await World.make(seed, 'ann', 'bob');
      w.jitter = 100;
      const [ann, bob] = w.people;
      ann.talks = true;
      bob.talks = seed % 2 === 0;
      const [at, to] = await w.talk(ann, bob);
      await w.run(7 * SECOND);
      for (const r of [...w.routes.values()]) await breaks(w, r, ann, bob);
      await w.run(away + 300); // what was on its way has arrived
      const [a, b] = [ann.heard, bob.heard];
      await w.run(away + 5 * SECOND); // it tries every 3 s
      assert.ok(bob.heard > b && (!bob.talks || ann.heard > a), `${name}, seed ${seed}: not heard${w.log()}`);
      await w.run(10 * SECOND);
      assert.ok(!ann.last('silent').silent && !bob.last('silent').silent, `${name}: heard, and called silent`);
      assert.deepEqual([bob.count('incoming'), bob.count('up')], [1, 1], `${name}: it rang again`);
      // The called's end has the generation of now, or relays would not forget the path.
      await (seed % 2 === 0 ? ann.hangUp(at) : bob.hangUp(to));
      await w.run(SECOND);
      assert.deepEqual([ann.ended(at), bob.ended(to)].sort(), ['hung_up', 'hung_up_here'], name);
      assert.equal(w.routes.size, 0, name);
      await w.quiet();
    }
  }
});

test('what the ends said of holding and muting while the path was away is so afterwards', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const [at, to] = await w.talk(ann, bob);
  await w.run(SECOND);
  for (const r of w.routes.values()) r.cut = true;
  await ann.do((line, now) => hold(line, at, true, now));
  await bob.do((line, now) => mute(line, to, true, now));
  await w.run(10 * SECOND);
  assert.ok(bob.last('held').byTheirs && ann.last('muted').muted, w.log());
});

test('nobody takes a call for broken in which nobody talks, or only seldom, on bad networks', async () => {
  for (const talks of [false, true]) {
    const w = await World.make(Number(talks), 'ann', 'bob');
    Object.assign(w, { delay: 150, jitter: 300 });
    const [ann, bob] = w.people;
    ann.talks = talks;
    await w.talk(ann, bob);
    const seconds = 120;
    await w.run(seconds * SECOND);
    assert.equal(ann.count('silent') + bob.count('silent'), 0);
    assert.ok(ann.sentOf(urgent.CALL_FORWARD) <= 1);
    // Alive twice a second is all that is said; of who talks it is not even that.
    if (talks) assert.ok(ann.sentOf(urgent.CALL_MESSAGE) <= 20);
    assert.ok(bob.sentOf(urgent.CALL_MESSAGE) <= seconds * 2 + 20);
  }
});

test('with no way between them both ends give up, the caller after a minute and some tries', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  ann.talks = bob.talks = true;
  const [at, to] = await w.talk(ann, bob);
  await w.run(SECOND);
  const before = ann.sentOf(urgent.CALL_FORWARD);
  const broken = w.now;
  bob.away = bob.offline = true;
  await w.until('the caller gives up', () => ann.ended(at) !== '');
  const took = w.now - broken;
  assert.ok(ann.ended(at) === 'failed' && took >= 60 * SECOND && took <= 63 * SECOND, `${took} ms`);
  const tries = ann.sentOf(urgent.CALL_FORWARD) - before;
  assert.ok(tries >= 18 && tries <= 23, `${tries} tries`);
  await w.until('the called gives up', () => bob.ended(to) === 'failed');
  bob.offline = false;
  await w.quiet();
});

test('who hangs up while nothing arrives is not rung for a minute', async () => {
  for (const caller of [true, false]) {
    const w = await World.make(1, 'ann', 'bob');
    const [ann, bob] = w.people;
    ann.talks = bob.talks = true;
    const [at, to] = await w.talk(ann, bob);
    await w.run(SECOND);
    for (const r of w.routes.values()) r.cut = true;
    if (caller) await w.run(1400);
    await (caller ? ann.hangUp(at) : bob.hangUp(to));
    await w.until('both know', () => ann.ended(at) !== '' && bob.ended(to) !== '');
    if (caller) assert.ok(['hung_up', 'failed'].includes(bob.ended(to)));
    else assert.equal(ann.ended(at), 'hung_up');
    await w.quiet();
  }
});

test('calls are set up at 40 % loss and 300 ms on both access links', async () => {
  const took = [];
  for (let seed = 0; seed < 30; seed++) {
    const w = await World.make(seed, 'ann', 'bob');
    Object.assign(w, { delay: 300, loss: 0.64 }); // both links must pass
    const began = w.now;
    await w.talk(...w.people);
    took.push(w.now - began);
  }
  took.sort((a, b) => a - b);
  assert.ok(took[28] <= 6 * SECOND, `29 of 30 calls take up to ${took[28]} ms`);
});

test('a path that was given up is one again when the other is heard by it', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const two = await w.add('bob');
  two.away = true; // relays say so
  const at = await ann.dial(bob);
  const record = await two.record();
  await ann.do((line, now) => line.routeCame(
    { target: bob.id.fingerprint, found: FOUND.device, index: 0, of: 2, chain: [], record }, now));
  const [p] = ann.line.call(at).paths;
  await w.until('it is given up', () => p.state === PATH.dead && p.device === two.stay.device);
  await ann.do((line, now) => line.mediaHeard(p.id, now));
  assert.deepEqual([p.state, p.bound, ann.state(at)], [PATH.ready, true, STATE.ringing]);
});
