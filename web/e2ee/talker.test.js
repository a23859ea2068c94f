/** The rules of sending, as Go's talker_test.go and sealer_test.go pin them. @module */

import assert from 'node:assert/strict';
import test from 'node:test';

import {lowOrder} from './keys.js';
import {MAX_CTR} from './talker-state.js';
import {
  NEVER, Party, SUITE32, SUITE64, armed, at, deliver, epochOf, headerOf, heard, hashEntry, messages, seal,
  unheard, wantKey,
} from './talker-party.test.js';

const party = (/** @type {string} */ name) => Party.create(name);

test('a talker that is not armed does nothing', async () => {
  const [a, b] = [await party('a'), await party('b')];
  a.sees(b);
  a.step(at(0), false, NEVER);
  assert.throws(() => a.talker.stream(0), {code: 'disarmed'});
  a.talker.wanted(b.id);
  a.talker.delivered(1);
  a.talker.disarm();
  a.step(at(1), false, NEVER);
});

test('a join ratchets', async () => {
  const {a, b, c, s} = await armed();
  const d = await party('d');
  const before = await seal(s, 'before');
  a.sees(b, c, d);
  const joined = await seal(s, 'not stepped in');
  const change = a.step(at(5), true, NEVER);
  await wantKey(a, change, [0, 1], [b, c, d], d);
  assert.equal((await headerOf(change)).firstCtr, 3);
  const after = await seal(s, 'after');
  await heard(after, 'after', at(5), b, c);
  await unheard(after, 'no_key', at(5), d);
  await deliver(a, change, at(5), d);
  await heard(after, 'after', at(5), d);
  await unheard(before, 'early', at(5), d);
  await unheard(joined, 'early', at(5), d);
  await heard(joined, 'not stepped in', at(5), b, c);
});

test('changes are coalesced', async () => {
  const {a, b, c} = await armed();
  const [d, e, f] = [await party('d'), await party('e'), await party('f')];
  a.sees(b, c, d);
  a.step(at(0.3), false, at(1));
  a.sees(b, c, d, e);
  a.step(at(0.9), false, at(1));
  await wantKey(a, a.step(at(1), true, NEVER), [0, 1], [b, c, d, e], d, e);
  a.sees(b, c, d, e, f);
  a.sees(b, c, d, e); // it left before it was told anything
  a.step(at(1.5), false, NEVER);
  a.sees(c, d, e);
  a.sees(c, e, b, d); // a flaw in the list, nobody left
  a.step(at(1.6), false, NEVER);
});

test('a leave waits for delivery', async () => {
  const {a, b, c, s} = await armed();
  a.sees(b);
  const fresh = a.step(at(10), true, at(18));
  await wantKey(a, fresh, [1, 0], [b], b);
  await deliver(a, fresh, at(10), b);
  await heard(await seal(s, 'still the old key'), 'still the old key', at(10), b, c);

  a.talker.delivered(fresh.number - 1);
  a.talker.delivered(fresh.number + 1);
  a.step(at(11), false, at(18));
  a.talker.delivered(fresh.number);
  a.step(at(12), false, NEVER);
  const secret = await seal(s, 'without c');
  assert.equal(epochOf(secret), 0x10);
  await heard(secret, 'without c', at(12), b);
  await unheard(secret, 'no_key', at(12), c);
});

test('a leave is over after eight seconds', async () => {
  const {a, b, c, s} = await armed();
  const d = await party('d');
  a.sees(b, c, d);
  a.step(at(10), true, NEVER);
  a.sees(b, d);
  a.step(at(10.4), false, at(11)); // the first leave
  await wantKey(a, a.step(at(11), true, at(18.4)), [1, 0], [b, d], b, d);
  a.sees(b); // d has the fresh key: another one, for both leaves
  const second = a.step(at(13), true, at(18.4));
  await wantKey(a, second, [2, 0], [b], b);
  a.talker.delivered(second.number - 1); // of the key that d has
  a.step(at(14), false, at(18.4));
  assert.equal(epochOf(await seal(s, 'x')), 0x01);
  a.step(at(18.4), false, NEVER);
  assert.equal(epochOf(await seal(s, 'x')), 0x20);
});

test('a step that comes too late switches at once', async () => {
  const {a, b, c, s} = await armed();
  a.sees(b, c, await party('d'));
  a.step(at(10), true, NEVER);
  a.sees(b, c);
  a.step(at(10.5), false, at(11));
  a.step(at(30), true, NEVER);
  assert.equal(epochOf(await seal(s, 'x')), 0x10);
});

test('newcomers get the waiting key', async () => {
  const {a, b, s} = await armed();
  const d = await party('d');
  a.sees(b);
  const fresh = a.step(at(10), true, at(18));
  await deliver(a, fresh, at(10), b);
  a.sees(b, d);
  const again = a.step(at(11), true, at(18));
  await wantKey(a, again, [1, 0], [b, d], d);
  assert.ok(again.number > fresh.number);
  await deliver(a, again, at(11), d);
  const old = await seal(s, 'old key');
  await unheard(old, 'no_key', at(11), d);
  a.talker.delivered(fresh.number);
  a.step(at(12), false, NEVER);
  await heard(await seal(s, 'fresh key'), 'fresh key', at(12), b, d);
  await unheard(old, 'no_key', at(12), d);
});

test('after the last step comes a fresh key', async () => {
  const {a, b, c, s} = await armed();
  const all = [b, c];
  for (let i = 0; i < 15; i++) {
    all.push(await party(`d${i}`));
    a.sees(...all);
    const d = a.step(at(10 + i), true, NEVER);
    await wantKey(a, d, [0, i + 1], all, all[all.length - 1]);
    await deliver(a, d, at(10 + i), ...all);
  }
  all.push(await party('e'));
  await heard(await seal(s, 'step 15'), 'step 15', at(30), ...all.slice(0, -1));
  a.sees(...all);
  const fresh = a.step(at(40), true, at(48));
  await wantKey(a, fresh, [1, 0], all, ...all);
  await deliver(a, fresh, at(40), ...all);
  await heard(await seal(s, 'still step 15'), 'still step 15', at(40), ...all.slice(0, -1));
  a.step(at(48), false, NEVER);
  await heard(await seal(s, 'fresh'), 'fresh', at(48), ...all);
});

test('keys that are wanted come again', async () => {
  const {a, b, c, s} = await armed();
  for (let i = 0; i < 100; i++) await seal(s, 'held');
  const held = await seal(s, 'held');
  a.talker.wanted(b.id);
  a.talker.wanted(b.id);
  a.talker.wanted((await party('stranger')).id);
  a.talker.wanted(a.id);
  a.step(at(0.5), false, at(1));
  const again = a.step(at(1), true, NEVER);
  await wantKey(a, again, [0, 0], [b, c], b);
  b.listen(); // it lost what it had
  await deliver(a, again, at(1), b);
  await heard(held, 'held', at(1), b); // first CTR is the key's, not the header's

  // Who asks and is new is a newcomer.
  const d = await party('d');
  a.sees(b, c, d);
  a.talker.wanted(d.id);
  a.talker.wanted(c.id);
  await wantKey(a, a.step(at(3), true, NEVER), [0, 1], [b, c, d], c, d);

  // Who asked and left, is forgotten.
  a.talker.wanted(d.id);
  a.sees(b, c);
  a.sees(b, c, d);
  a.step(at(5), false, NEVER);
});

test('a key that waits is what who asks gets', async () => {
  const {a, b, s} = await armed();
  a.sees(b);
  const fresh = a.step(at(10), true, at(18));
  a.talker.wanted(b.id);
  await wantKey(a, a.step(at(11), true, at(18)), [1, 0], [b], b);
  a.talker.delivered(fresh.number); // the first header's delivery counts
  a.step(at(12), false, NEVER);
  assert.equal(epochOf(await seal(s, 'x')), 0x10);
});

test('arming makes up', async () => {
  const {a, b, c, s} = await armed();
  a.talker.disarm();
  await assert.rejects(seal(s, ''), {code: 'disarmed'});
  a.sees(b);
  a.step(at(10), false, NEVER);
  a.talker.arm(SUITE64);
  const first = await seal(s, 'first word'); // before step
  await unheard(first, 'no_key', at(10), b, c);
  const d = a.step(at(10.1), true, NEVER);
  await wantKey(a, d, [1, 0], [b], b);
  await deliver(a, d, at(10.1), b);
  await heard(first, 'first word', at(10.1), b);
  await unheard(first, 'no_key', at(10.1), c);

  // Nothing happened meanwhile: nothing to make up for.
  a.talker.disarm();
  a.talker.arm(SUITE64);
  a.talker.arm(SUITE64);
  a.step(at(20), false, NEVER);
  // A join meanwhile: a ratchet.
  a.talker.disarm();
  a.sees(b, c);
  a.step(at(30), false, NEVER);
  a.talker.arm(SUITE64);
  await wantKey(a, a.step(at(30), true, NEVER), [1, 1], [b, c], c);
});

test('arming is not paced', async () => {
  const {a, b, c} = await armed();
  a.talker.disarm();
  a.sees(b);
  a.talker.arm(SUITE64);
  await wantKey(a, a.step(at(0.2), true, NEVER), [1, 0], [b], b);
  a.sees(b, c);
  a.step(at(0.3), false, at(1.2)); // but what is not arming is
});

test('another suite is another key', async () => {
  const {a, b, c, s} = await armed();
  a.sees(b);
  a.step(at(10), true, at(18)); // waits
  a.talker.arm(SUITE32);
  const f = await seal(s, 'short');
  assert.equal(f.ciphertext.length, 'short'.length + 4);
  assert.equal(epochOf(f), 0x20);
  const d = a.step(at(10), true, NEVER);
  await wantKey(a, d, [2, 0], [b], b);
  assert.equal((await headerOf(d)).suite, SUITE32);
  await deliver(a, d, at(10), b);
  await heard(f, 'short', at(10), b);
  await unheard(f, 'no_key', at(10), c);
});

test('an unknown suite is the usual one', async () => {
  const [a, b] = [await party('a'), await party('b')];
  a.sees(b);
  a.talker.arm(9);
  assert.equal((await headerOf(a.step(at(0), true, NEVER))).suite, SUITE64);
});

test('disarming uses the waiting key', async () => {
  const {a, b, s} = await armed();
  a.sees(b);
  await deliver(a, a.step(at(10), true, at(18)), at(10), b);
  a.talker.disarm();
  a.step(at(11), false, NEVER);
  a.talker.arm(SUITE64);
  a.step(at(12), false, NEVER);
  await heard(await seal(s, 'again'), 'again', at(12), b);
});

test('alone', async () => {
  const [a, b, c] = [await party('a'), await party('b'), await party('c')];
  a.talker.arm(SUITE64);
  a.step(at(0), false, NEVER);
  a.sees(b); // nothing was sealed yet: the key is as good as fresh
  let d = a.step(at(1), true, NEVER);
  await wantKey(a, d, [0, 0], [b], b);
  const s = a.talker.stream(0);
  await deliver(a, d, at(1), b);
  a.sees();
  a.step(at(5), false, NEVER);
  const alone = await seal(s, 'to nobody');
  assert.equal(epochOf(alone), 0x10);
  await unheard(alone, 'no_key', at(5), b);
  a.sees(c);
  d = a.step(at(10), true, NEVER);
  await wantKey(a, d, [1, 1], [c], c);
  await deliver(a, d, at(10), c);
  await unheard(alone, 'early', at(10), c);
  await heard(await seal(s, 'to c'), 'to c', at(10), c);
});

test('who is there before step but not when a frame was sealed is a newcomer', async () => {
  const [a, b, c] = [await party('a'), await party('b'), await party('c')];
  a.sees(b);
  a.talker.arm(SUITE64);
  const s = a.talker.stream(0);
  const f = await seal(s, 'to b');
  a.sees(b, c);
  let d = a.step(at(0), true, at(1));
  await wantKey(a, d, [0, 0], [b, c], b);
  await deliver(a, d, at(0), b);
  d = a.step(at(1), true, NEVER);
  await wantKey(a, d, [0, 1], [b, c], c);
  await deliver(a, d, at(0), c);
  await heard(f, 'to b', at(1), b);
  await unheard(f, 'early', at(1), c);
  await heard(await seal(s, 'to both'), 'to both', at(1), b, c);
});

test('who left before the key was announced never had it', async () => {
  const [a, b, c] = [await party('a'), await party('b'), await party('c')];
  a.sees(b, c);
  a.talker.arm(SUITE64);
  const f = await seal(a.talker.stream(0), 'to b');
  a.sees(b);
  const d = a.step(at(0), true, NEVER);
  await wantKey(a, d, [0, 0], [b], b);
  await deliver(a, d, at(0), b);
  await heard(f, 'to b', at(0), b);
});

test('while it is not known who is there, who is found gets the key in use, sooner', async () => {
  const {a, b, c, s} = await armed();
  const [d, e] = [await party('d'), await party('e')];
  const f = await seal(s, 'before d was found');
  a.talker.opening(true);
  a.sees(b, c, d);
  a.step(at(0.4), false, at(0.5));
  const change = a.step(at(0.5), true, NEVER);
  await wantKey(a, change, [0, 0], [b, c, d], d);
  await deliver(a, change, at(0.5), d);
  await heard(f, 'before d was found', at(0.5), d);
  a.talker.opening(false);
  a.sees(b, c, d, e);
  a.step(at(1), false, at(1.5));
  await wantKey(a, a.step(at(1.5), true, NEVER), [0, 1], [b, c, d, e], e);
});

test('leaves wait while it is not known who is there, so that who is found hears what was said before', async () => {
  for (const ends of [false, true]) {
    const {a, b, c, s} = await armed();
    const d = await party('d');
    const said = await seal(s, 'before d was found');
    a.talker.opening(true);
    a.sees(c);
    a.step(at(2), false, at(6));
    a.sees(c, d);
    const found = a.step(at(3), true, at(6));
    await wantKey(a, found, [0, 0], [c, d], d);
    await deliver(a, found, at(3), d);
    await heard(said, 'before d was found', at(3), d);
    if (ends) a.talker.opening(false);
    const fresh = a.step(at(ends ? 4 : 6), true, at(10));
    await wantKey(a, fresh, [1, 0], [c, d], c, d);
    a.step(at(10), false, NEVER);
    await deliver(a, fresh, at(10), c, d);
    const last = await seal(s, 'after b left');
    await heard(last, 'after b left', at(10), c, d);
    await unheard(last, 'no_key', at(10), b);
  }
});

test('members who cannot get keys count in the digest only', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const bad = {hash: await hashEntry('bad'), joinKey: Uint8Array.of(1, ...new Uint8Array(31))};
  assert.ok(lowOrder(bad.joinKey));
  a.talker.setMembers([bad, b.recipient, a.recipient, b.recipient]);
  a.talker.arm(SUITE64);
  await wantKey(a, a.step(at(0), true, NEVER), [0, 0], [b, bad], b);
  a.talker.wanted(Buffer.from(bad.hash).toString('hex').slice(0, 12));
  a.step(at(5), false, NEVER);
  a.sees(b);
  a.step(at(5), false, NEVER); // it had nothing
});

test('while keys are held back newcomers and who asks wait, but nobody who left keeps the key for it', async () => {
  const {a, b, c} = await armed();
  const d = await party('d');
  a.talker.hold(true);
  a.sees(b, c, d);
  a.talker.wanted(b.id);
  a.step(at(5), false, NEVER);
  a.talker.hold(false);
  await wantKey(a, a.step(at(6), true, NEVER), [0, 1], [b, c, d], b, d);
  a.talker.hold(true);
  a.sees(b, d);
  await wantKey(a, a.step(at(7), true, at(15)), [1, 0], [b, d], b, d);
  a.step(at(15), false, NEVER); // the fresh key is in use
  assert.equal(epochOf(await seal(a.talker.stream(1), 'without c')), 0x10);
});

test('stream numbers are used once', async () => {
  const {a, s} = await armed();
  assert.throws(() => a.talker.stream(0), {code: 'used'});
  s.close();
  s.close();
  assert.throws(() => a.talker.stream(0), {code: 'used'});
  await assert.rejects(seal(s, ''), {code: 'closed'});
  for (const bad of [-1, 256, 1.5, NaN]) assert.throws(() => a.talker.stream(bad), RangeError);
  const {kid} = await seal(a.talker.stream(255), '');
  assert.equal(kid >> 8n, BigInt(`0x${a.id}ff`));
});

test('the first CTR of a key is the lowest that an open stream may use, and new streams begin there', async () => {
  const {a, b, c, s} = await armed(); // s sealed one frame
  const others = [b, c];
  const ratchets = async (/** @type {number} */ now, /** @type {number} */ want) => {
    others.push(await party(`newcomer at ${now}`));
    a.sees(...others);
    assert.equal((await headerOf(a.step(at(now), true, NEVER))).firstCtr, want);
  };
  const advance = async (/** @type {any} */ sealer, /** @type {number} */ n) => {
    for (let i = 0; i < n; i++) await seal(sealer, 'x');
  };
  await advance(s, 9);
  await ratchets(10, 10);
  await advance(s, 90);
  const other = a.talker.stream(1);
  assert.equal((await seal(other, 'x')).ctr, 10);
  await ratchets(30, 11);
  other.close();
  await ratchets(50, 100);
  s.close();
  await ratchets(70, 100);
  assert.equal((await seal(a.talker.stream(2), 'x')).ctr, 100);
  await ratchets(90, 101);
});

test('a stream that opens while a key waits does not begin below its first CTR', async () => {
  const {a, b, s} = await armed();
  for (let i = 0; i < 50; i++) await seal(s, 'x');
  a.sees(b);
  const fresh = a.step(at(10), true, at(18));
  await deliver(a, fresh, at(10), b);
  const other = a.talker.stream(1);
  await heard(await seal(other, 'old key'), 'old key', at(10), b);
  a.talker.delivered(fresh.number);
  a.step(at(11), false, NEVER);
  await heard(await seal(other, 'fresh key'), 'fresh key', at(11), b);
});

test('the distribution of a large room', async () => {
  const a = await party('a');
  const all = await Promise.all(Array.from({length: 40}, (_, i) => party(`${i}`)));
  a.sees(...all);
  a.talker.arm(SUITE64);
  const s = a.talker.stream(0);
  const d = a.step(at(0), true, NEVER);
  const lengths = [];
  for await (const message of d.wraps()) lengths.push(message.length);
  assert.deepEqual(lengths, [14, 14, 12].map((n) => 5 + n * 70));
  for await (const _ of d.wraps()) break; // gives up
  const f = await seal(s, 'to all');
  a.sees(all[0]);
  a.step(at(20), true, at(28));
  a.step(at(28), false, NEVER); // the key is erased, the distribution still has it
  await deliver(a, d, at(28), ...all);
  await heard(f, 'to all', at(28), ...all);
  assert.equal((await messages(a, d)).size, 40);
});

test('the highest CTR is one that a Number holds', () => {
  assert.equal(MAX_CTR, 2 ** 53 - 1);
});

test('a key that was in use for long makes way for a fresh one, and a leave begins the time anew', async () => {
  const {a, b, c, s} = await armed();
  const after = at(600) - at(0);
  a.talker.renew(after);
  a.step(at(1), false, at(600));
  const change = a.step(at(600), true, at(608));
  await wantKey(a, change, [1, 0], [b, c], b, c);
  await heard(await seal(s, 'by the old key'), 'by the old key', at(600), b, c);
  await deliver(a, change, at(600), b, c);
  a.talker.delivered((await headerOf(change)).number);
  a.step(at(601), false, at(1200));
  await heard(await seal(s, 'by the fresh one'), 'by the fresh one', at(601), b, c);
  a.sees(b);
  const left = a.step(at(900), true, at(908));
  await wantKey(a, left, [2, 0], [b], b);
  a.talker.delivered((await headerOf(left)).number);
  a.step(at(901), false, at(1500));
});
