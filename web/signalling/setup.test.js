// As internal/signalling/setup_test.go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE, END, NO_RELAY, parseForward, verifyForward } from '../wire/call.js';
import { pathIdOf } from '../wire/call-path.js';
import { FOUND } from '../wire/route.js';
import * as urgent from '../wire/urgent.js';
import { STATE } from './call.js';
import { Line } from './line.js';
import { sayKeys } from './up.js';
import { SECOND, World, offerOf } from './world.test.js';

/** ann, whose relay is the test, and bob. */
async function alone() {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  ann.offline = true; // its relay answers nothing
  return { w, ann, bob, record: await bob.record() };
}

const routeTo = (bob, record) => ({
  target: bob.id.fingerprint, found: FOUND.device, index: 0, of: 1, chain: [NO_RELAY], record,
});

test('what relays answer to the forwards of a call, and how often it is tried again', async () => {
  const always = (code) => new Array(9).fill(code);
  for (const [name, codes, want, tries, within] of /** @type {any[]} */ ([
    ['no route', always(CODE.noRoute), 'unreachable', 3, 4],
    ['not there', always(CODE.notThere), 'unreachable', 3, 4],
    ['failed', always(CODE.failed), 'unreachable', 3, 4],
    ['a clock is wrong', always(CODE.stale), 'wrong_clock', 3, 4],
    ['a limit', [CODE.tooMany], 'too_many', 1, 1],
    ['of a later version', always(200), 'unreachable', 3, 4],
    ['no answer', [], 'unreachable', 3, 10],
    ['set up the last time', [CODE.failed, CODE.loop, CODE.setUp], 'no_answer', 5, 35],
  ])) {
    const { w, ann, bob, record } = await alone();
    const forwards = [];
    w.tap = (p, { kind, body }) => {
      if (kind !== urgent.CALL_FORWARD) return;
      const m = parseForward(body);
      const code = codes[forwards.push(m) - 1];
      if (code === undefined) return;
      w.at(100, async () => {
        const state = { path: await pathIdOf(m.key), generation: m.generation, code };
        // Of another generation it counts for nothing.
        const old = { ...state, generation: m.generation - 1, code: CODE.tooMany };
        await p.do(async (line, now) => {
          await line.stateCame(old, now);
          await line.stateCame(state, now);
        });
      });
    };
    const id = await ann.dial(bob);
    const began = w.now;
    for (let i = 0; i < 2; i++) { // the same device again
      await ann.do((line, now) => line.routeCame(routeTo(bob, record), now));
    }
    await w.until('it is over', () => ann.ended(id) !== '');
    assert.deepEqual([ann.ended(id), forwards.length], [want, tries], name);
    assert.ok(w.now - began <= within * SECOND, `${name}: ${w.now - began} ms`);
    for (const [i, m] of forwards.entries()) {
      assert.ok(m.generation === i + 1 && m.offer.length > 0 && (await verifyForward(m)), name);
    }
    await w.run(120 * SECOND);
    assert.deepEqual([ann.line.paths.size, ann.line.closing.length], [0, 0], name);
  }
});

test('what relays answer when they are asked for somebody', async () => {
  const { nobody, unsure, device } = FOUND;
  for (const [name, found, want, asked] of /** @type {[string, number[], string, number][]} */ ([
    ['nobody', [nobody, nobody, nobody], 'not_there', 2], ['unsure', new Array(9).fill(unsure), 'not_there', 3],
    ['unsure, then nobody', [unsure, nobody], 'not_there', 2], ['no answer', [], 'unreachable', 3],
    ['nobody, and then somebody', [nobody, device], 'unreachable', 2],
  ])) {
    const { w, ann, bob, record } = await alone();
    let n = 0;
    w.tap = (p, { kind }) => {
      if (kind !== urgent.ROUTE_WANTED || ++n > found.length) return;
      const is = found[n - 1];
      const none = { target: bob.id.fingerprint, found: is, index: 0, of: 0, chain: [], record: null };
      const m = is === device ? routeTo(bob, record) : none;
      w.at(50, () => p.do((line, now) => line.routeCame(m, now)));
    };
    const id = await ann.dial(bob);
    await w.until('it is over', () => ann.ended(id) !== '');
    assert.deepEqual([ann.ended(id), n], [want, asked], name);
  }
});

test('a call that is dialled while there is no session begins with the next one', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  ann.offline = true;
  await ann.do((line, now) => line.sessionLost(now));
  await ann.dial(bob);
  await w.run(2 * SECOND);
  await ann.fresh();
  await w.until('it rings', () => bob.count('incoming') === 1);
});

test('a path that breaks while it rings is found again, or the call is missed soon', async () => {
  for (const back of [true, false]) {
    const w = await World.make(1, 'ann', 'bob');
    const [ann, bob] = w.people;
    const at = await ann.dial(bob);
    await w.until('it rings', () => ann.state(at) === STATE.ringing);
    const to = bob.last('incoming').call;
    for (const [path, r] of w.routes) {
      const end = { path, generation: r.generation, reason: END.failed };
      r.cut = true;
      ann.offline = !back;
      if (back) ann.tell((line, now) => line.endCame(end, now));
      bob.tell((line, now) => line.endCame(end, now));
    }
    await w.run(4 * SECOND);
    assert.equal(bob.state(to), STATE.alerting, `back ${back}`);
    await w.run(4 * SECOND);
    if (!back) {
      assert.equal(bob.ended(to), 'missed', 'it rings, and nobody calls');
      continue;
    }
    await bob.answer(to);
    await w.until('both are up', () => ann.isOpen(at) && bob.isOpen(to));
    assert.equal(bob.count('incoming'), 1, 'it rang twice');
  }
});

test('both ends are told of a call that ends while one of them changes its session', async () => {
  for (const caller of [true, false]) {
    const w = await World.make(1, 'ann', 'bob');
    const [ann, bob] = w.people;
    const [at, to] = await w.talk(ann, bob);
    await w.run(SECOND);
    const [one, id] = caller ? [ann, at] : [bob, to];
    one.offline = true;
    await one.do((line, now) => line.sessionLost(now));
    await one.hangUp(id);
    await w.run(SECOND);
    await one.fresh();
    await w.until('both know', () => ann.ended(at) !== '' && bob.ended(to) !== '');
    assert.deepEqual([ann.ended(at), bob.ended(to)].sort(), ['hung_up', 'hung_up_here'], `caller ${caller}`);
    await w.quiet();
  }
});

test('a caller whose program began anew is not told that the called talks with it', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const [, to] = await w.talk(ann, bob);
  await w.run(SECOND);
  ann.line = new Line({ identity: ann.id, name: '', stay: ann.stay }); // it knows nothing
  ann.due = 0;
  await ann.fresh();
  await w.run(5 * SECOND);
  const [at, again] = await w.talk(ann, bob);
  assert.equal(bob.ended(to), 'failed', w.log());
  assert.ok(bob.isOpen(again) && ann.isOpen(at));
});

test('the confirmation is lost once, and a key overtakes it', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const at = await ann.dial(bob);
  await w.until('it rings', () => bob.count('incoming') === 1);
  const to = bob.last('incoming').call;
  await bob.answer(to);
  let lost = 0;
  const [r] = w.routes.values();
  w.tap = (p, { kind }) => {
    if (p !== ann || kind !== urgent.CALL_MESSAGE) return;
    lost++;
    r.cut = true;
    w.at(0, () => { r.cut = false; });
  };
  await w.until('the caller is up', () => ann.isOpen(at));
  w.tap = null;
  const signed = urgent.appendKeyHeader({
    suite: 2, number: 1, epoch: 0, firstCtr: 0, hash: new Uint8Array(32), members: new Uint8Array(32),
  });
  const key = { signed, signature: new Uint8Array(64) };
  w.delay = 0;
  await ann.do((line, now) => sayKeys(line, at, { type: 'key', key, wrap: new Uint8Array(64) }, now));
  await w.run(1);
  assert.deepEqual([bob.state(to), bob.count('keyCame'), lost > 0], [STATE.answering, 0, true]);
  await w.until('the called is up', () => bob.isOpen(to));
  assert.equal(bob.count('keyCame'), 1, 'the key that overtook the confirmation is lost');
});

test('a line without a stay key takes no calls, and one whose key was erased no more', async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  const m = await offerOf(ann.id, bob, w.now);
  const line = new Line({ identity: bob.id, name: '', known: () => true });
  await line.offerCame(m, w.now);
  assert.deepEqual(line.drain(), []);
  bob.stay.key.erase();
  await bob.do((line, now) => line.offerCame(m, now));
  assert.equal(bob.refused.at(-1), 'erased');
});

test('a relay that says set up, and passes nothing on, is asked anew: it rings', async () => {
  for (const [swallowed, forwards, heard] of [[0, 1, true], [1, 2, true], [2, 3, true], [3, 3, false]]) {
    const w = await World.make(1, 'ann', 'bob');
    const [ann, bob] = w.people;
    w.swallow = swallowed;
    const at = await ann.dial(bob);
    await w.run(20 * SECOND);
    const seen = [ann.sentOf(urgent.CALL_FORWARD), bob.count('incoming'), ann.state(at) === STATE.ringing];
    assert.deepEqual(seen, [forwards, Number(heard), heard], `${swallowed} swallowed${w.log()}`);
    if (!heard) {
      await w.until('over', () => ann.ended(at) === 'no_answer');
      continue;
    }
    await bob.answer();
    await w.until('up', () => ann.isOpen(at));
  }
});

test("a stranger's path is asked for anew likewise, and its refusal ends nothing", async () => {
  const w = await World.make(1, 'ann', 'bob');
  const [ann, bob] = w.people;
  bob.known.clear();
  const began = w.now;
  const at = await ann.dial(bob);
  await w.run(SECOND);
  ann.refusal = CODE.tooMany;
  await w.until('over', () => ann.ended(at) !== '');
  const said = [ann.ended(at), ann.sentOf(urgent.CALL_FORWARD), bob.sentOf(urgent.CALL_MESSAGE)];
  assert.deepEqual(said, ['no_answer', 3, 0]);
  assert.ok(w.now - began >= 30 * SECOND);
});
