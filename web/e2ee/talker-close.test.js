/**
 * What is left of keys after they were replaced, and after the end; and what asynchrony must not change.
 * @module
 */

import assert from 'node:assert/strict';
import test from 'node:test';

import {concat} from '../wire/bytes.js';
import {freshKey, ratchet} from './keys.js';
import {MediaKey} from './media-key.js';
import {
  NEVER, Party, SUITE32, SUITE64, armed, at, deliver, epochOf, heard, seal,
} from './talker-party.test.js';

const zeros = (/** @type {Uint8Array} */ w) => w.every((byte) => byte === 0);

/** Lets whatever was asked of promises be done. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

/**
 * Collects the memory of the W[0] that are made while f runs.
 * @param {(keys: Uint8Array[]) => Promise<void>} f
 */
async function watchingKeys(f) {
  /** @type {Uint8Array[]} */ const keys = [];
  const random = crypto.getRandomValues;
  crypto.getRandomValues = function (/** @type {any} */ array) {
    if (array.length === 16) keys.push(array);
    return random.call(crypto, array);
  };
  try {
    await f(keys);
  } finally {
    crypto.getRandomValues = random;
  }
}

test('an erased key has what was asked before, and nothing else', async () => {
  const w0 = freshKey();
  const copy = w0.slice();
  const key = new MediaKey({suite: 2, generation: 3, step: 0, first: 7}, Promise.resolve(w0));
  const used = key.use(async (w) => {
    await settle();
    return w.slice();
  });
  const next = key.ratchet(9);
  const same = key.copy();
  key.erase();
  await assert.rejects(key.use((w) => w));
  assert.deepEqual(await used, copy);
  assert.ok(zeros(w0));
  assert.deepEqual(await next.use((w) => w.slice()), await ratchet(copy));
  assert.deepEqual(await same.use((w) => w.slice()), copy);
  assert.deepEqual([next.epoch, next.first, next.suite], [0x31, 9, 2]);
  /** @type {Uint8Array | undefined} */ let lent;
  await next.use((w) => {
    lent = w;
  });
  assert.ok(lent && lent.length === 32 && zeros(lent), 'what was lent is erased');
});

test('a key that is still being derived is erased when it is there', async () => {
  /** @type {(w: Uint8Array<ArrayBuffer>) => void} */ let come = () => {};
  const key = new MediaKey(
    {suite: 2, generation: 0, step: 1, first: 0}, new Promise((resolve) => (come = resolve)),
  );
  key.erase();
  const w = new Uint8Array(32).fill(7);
  come(w);
  await settle();
  assert.ok(zeros(w));
});

test('old keys are erased', () => watchingKeys(async (keys) => {
  const {a, b, c} = await armed();
  const d = await Party.create('d');
  const erased = async (/** @type {number[]} */ ...want) => {
    await settle();
    assert.deepEqual(keys.flatMap((w, i) => zeros(w) ? [i] : []), want);
  };
  await erased();
  a.sees(b, c, d);
  a.step(at(10), true, NEVER);
  await erased(0); // ratcheted
  a.sees(b, c);
  a.step(at(20), true, at(28));
  a.sees(b);
  a.step(at(21), true, at(28));
  await erased(0, 1); // superseded
  a.step(at(28), false, NEVER);
  a.sees();
  a.step(at(30), false, NEVER);
  await erased(0, 1, 2); // alone
  a.sees(b);
  a.step(at(40), true, NEVER);
  await erased(0, 1, 2); // nothing was sealed with that of being alone: it is as good as fresh
  a.sees(c);
  a.step(at(50), true, at(58));
  a.talker.arm(SUITE32);
  await erased(0, 1, 2, 3, 4); // another suite
  a.talker.close();
  await erased(0, 1, 2, 3, 4, 5);
}));

test('a closed talker', () => watchingKeys(async (keys) => {
  const {a, b, c, s} = await armed();
  const other = a.talker.stream(1);
  a.sees(b);
  const d = a.step(at(10), true, at(18)); // c left
  a.talker.close();
  a.talker.close();
  await settle();
  assert.equal(keys.length, 2);
  assert.ok(keys.every(zeros));
  for (const sealer of [s, other]) {
    await assert.rejects(seal(sealer, 'words'), {code: 'closed'});
    sealer.close();
  }
  await deliver(a, d, at(10), b); // what was made before can still be sent

  // Nothing starts it again.
  a.talker.arm(SUITE32);
  assert.throws(() => a.talker.stream(2), {code: 'closed'});
  a.sees(b, c);
  a.talker.wanted(b.id);
  a.talker.delivered(d.number);
  a.step(at(20), false, NEVER);
  a.talker.disarm();
  assert.equal(keys.length, 2);
}));

test('closing a talker that was never armed', async () => {
  const a = await Party.create('a');
  a.talker.close();
  a.step(at(0), false, NEVER);
});

test('CTRs go up in the order of calls, with the key in use at the call', async () => {
  const {a, b, c, s} = await armed();
  const d = await Party.create('d');
  const frames = [seal(s, '1'), seal(s, '2')];
  a.sees(b, c, d);
  const join = a.step(at(10), true, NEVER); // nothing was awaited since the first
  frames.push(seal(s, '3'));
  a.sees(b, c);
  const leave = a.step(at(20), true, at(28));
  frames.push(seal(s, '4'));
  a.talker.delivered(leave.number);
  a.step(at(21), false, NEVER);
  frames.push(seal(s, '5'));
  a.talker.disarm();
  const refused = seal(s, 'not armed');
  a.talker.arm(SUITE64);
  frames.push(seal(s, '6'));
  await assert.rejects(refused, {code: 'disarmed'});
  const sealed = await Promise.all(frames);
  assert.deepEqual(sealed.map(({ctr}) => ctr), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(sealed.map(epochOf), [0, 0, 1, 1, 0x10, 0x10]);
  await deliver(a, join, at(20), d);
  await deliver(a, leave, at(20), b, c);
  for (const [i, frame] of sealed.entries()) await heard(frame, `${i + 1}`, at(20), b, c);
});

test('what was sealed before the end comes', async () => {
  const {a, b, c, s} = await armed();
  a.sees(b, c, await Party.create('d'));
  a.step(at(10), true, NEVER);
  const frame = seal(s, 'bye'); // its key is not even ratcheted yet
  s.close();
  a.talker.close();
  await heard(await frame, 'bye', at(10), b, c);
  await assert.rejects(seal(s, 'too late'), {code: 'closed'});
});

test('a frame is what its buffer held at the call', async () => {
  const {b, s} = await armed();
  const buffer = concat([1, 2, 3]);
  const frame = s.seal(buffer);
  buffer.fill(0);
  const {kid, ctr, ciphertext} = await frame;
  assert.deepEqual(await b.listener.decrypt(kid, ctr, ciphertext, at(0)), Uint8Array.of(1, 2, 3));
});

test('a distribution says what was true when it was made', async () => {
  const {a, b, c} = await armed();
  const d = await Party.create('d');
  a.sees(b, c, d);
  const first = a.step(at(10), true, NEVER);
  a.sees(b);
  a.step(at(20), true, at(28));
  a.talker.close();
  await deliver(a, first, at(20), d);
  assert.deepEqual([first.has(d.id), first.has(b.id)], [true, false]);
});
