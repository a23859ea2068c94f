/**
 * What asynchrony must not change for a listener: things that happen while a key is checked or a frame
 * opened. @module
 */

import assert from 'node:assert/strict';
import test from 'node:test';

import * as urgent from '../wire/urgent.js';
import {Generation, ratchetAhead} from './generation.js';
import {MadeKey, NEVER, Party, ROOM, at, chain, heard, unheard} from './talker-party.test.js';

const good = MadeKey.good;
const party = (/** @type {string} */ name) => Party.create(name);

const RATCHET = 'SFrame 1.0 Ratchet';
const FRAME_KEY = 'SFrame 1.0 Secret key';

/**
 * Lets meanwhile happen in the middle of what f waits for: at the first derivation with a label.
 * @template T @param {string} label @param {() => Promise<T>} f @param {() => unknown} meanwhile
 * @returns {Promise<T>} what f returns
 */
async function during(label, f, meanwhile) {
  const derive = crypto.subtle.deriveBits;
  let happened = false;
  crypto.subtle.deriveBits = async function (params, key, bits) {
    const info = new TextDecoder().decode(/** @type {any} */ (params).info);
    if (info.startsWith(label) && !happened) {
      happened = true;
      await meanwhile();
    }
    return derive.call(crypto.subtle, params, key, bits);
  };
  try {
    return await f();
  } finally {
    crypto.subtle.deriveBits = derive;
    assert.ok(happened);
  }
}

test('a closed listener', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = (await chain('one'))[0];
  const k = await good(5, 0, 0, w);
  await b.takes(a, k, at(0));
  const f = await k.frame(a, 0, 0);
  await heard(f, 'words', at(0), b);
  b.listener.close();
  b.listener.close();
  await unheard(f, 'no_key', at(0), b);
  await b.refuses(a, await good(6, 0, 0, w), 'known_key');
  b.syncs(at(1));
  assert.equal(b.listener.expire(at(1)), NEVER);
});

test('closing while keys are checked and frames opened', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0, 0, w[0]), at(0));
  const frames = await Promise.all(
    [0, 0, 3, 9].map(async (step, i) => (await good(0, step, 0, w[step])).frame(a, i, i)),
  );
  const messages = await Promise.all([
    good(2, 0x10, 0, w[0]), good(3, 5, 0, w[5]),
  ].map(async (key) => (await key).message(a, b)));
  for (let turns = 0; turns < 12; turns++) { // close at many points between
    b.listen();
    await b.takes(a, await good(1, 0, 0, w[0]), at(0));
    const results = [
      ...frames.map((frame) => b.opens(frame, at(0))),
      ...messages.map((message) => b.accept(a, message, at(0))),
    ];
    for (let i = 0; i < turns; i++) await (i % 3 ? null : new Promise((resolve) => setImmediate(resolve)));
    b.listener.close();
    for (const {status, reason} of await Promise.allSettled(results)) {
      if (status === 'rejected') assert.ok(['no_key', 'known_key'].includes(reason.code), reason.stack);
    }
    for (const frame of frames) await unheard(frame, 'no_key', at(0), b);
    assert.equal(b.listener.expire(at(0)), NEVER); // nothing came back
  }
});

test('keys are accepted in the order in which they came', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  const keys = await Promise.all([1, 2, 3, 4].map((n) => good(n, n - 1, 10 * n, w[n - 1])));
  const messages = await Promise.all([0, 1, 2, 3, 2].map((i) => keys[i].message(a, b)));
  const results = await Promise.allSettled(messages.map((message) => b.accept(a, message, at(0))));
  assert.deepEqual(
    results.map((r) => (r.status === 'fulfilled' ? r.value : r.reason.code)),
    [true, true, true, true, 'known_key'],
  );
});

test('a key that takes long to check is not overtaken by the next one', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = (await chain('one'))[0];
  const messages = await Promise.all([1, 2].map(async (n) => (await good(n, n << 4, 0, w)).message(a, b)));
  const {joinKey} = b;
  let slow = true;
  b.joinKey = /** @type {any} */ ({
    async unwrap(/** @type {any[]} */ ...args) {
      if (slow) {
        slow = false;
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      return joinKey.unwrap(.../** @type {[any, any, any, any]} */ (args));
    },
  });
  b.listen();
  assert.deepEqual(await Promise.all(messages.map((message) => b.accept(a, message, at(0)))), [true, true]);
});

test('closing while a key is followed', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0, 0, w[0]), at(0));
  const message = await (await good(2, 4, 0, w[4])).message(a, b);
  await assert.rejects(
    during(
      RATCHET, () => b.accept(a, message, at(0)), () => b.listener.close(),
    ),
    {code: 'known_key'},
  );
  await unheard(await (await good(0, 4, 0, w[4])).frame(a, 0, 0), 'no_key', at(0), b);
});

test('closing while a frame is opened', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  for (const [step, label] of /** @type {[number, string][]} */ ([
    [0, FRAME_KEY], [3, RATCHET], [3, FRAME_KEY],
  ])) {
    b.listen();
    await b.takes(a, await good(1, 0, 0, w[0]), at(0));
    const frame = await (await good(0, step, 0, w[step])).frame(a, 0, 0);
    await assert.rejects(
      during(
        label, () => b.opens(frame, at(0)), () => b.listener.close(),
      ),
      {code: 'no_key'},
    );
  }
});

test('a key whose generation goes while it is followed begins it again', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0, 0, w[0]), at(0));
  await b.takes(a, await good(2, 0x10, 0, (await chain('two'))[0]), at(0));
  const message = await (await good(3, 4, 0, w[4])).message(a, b);
  assert.equal(
    await during(
      RATCHET, () => b.accept(a, message, at(10)), () => b.listener.expire(at(10)),
    ),
    true,
  );
  await heard(await (await good(0, 4, 0, w[4])).frame(a, 0, 0), 'words', at(10), b);
  await unheard(await (await good(0, 3, 0, w[3])).frame(a, 0, 0), 'early', at(10), b);
});

test('a key that is followed while frames move on is still of the same chain', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  for (const ahead of [2, 4, 8]) {
    b.listen();
    await b.takes(a, await good(1, 0, 0, w[0]), at(0));
    const message = await (await good(2, 4, 0, w[4])).message(a, b);
    const frame = await (await good(0, ahead, 0, w[ahead])).frame(a, 0, 0);
    assert.equal(await during(RATCHET, () => b.accept(a, message, at(0)), () => b.opens(frame, at(0))), true);
    for (const step of [4, 3, 2, 0, 1, 9, 4]) {
      await heard(await (await good(0, step, 0, w[step])).frame(a, 1, 0), 'words', at(0), b);
    }
  }
});

test('a frame that is opened while a header moves on counts from its first CTR', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0, 0, w[0]), at(0));
  const message = await (await good(2, 4, 50, w[4])).message(a, b);
  const frame = await (await good(0, 6, 0, w[6])).frame(a, 0, 49);
  await assert.rejects(
    during(
      RATCHET, () => b.opens(frame, at(0)), () => b.accept(a, message, at(0)),
    ),
    {code: 'early'},
  );
});

test('a bad key does not hold up the next one', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const [w, other] = [await chain('one'), await chain('two')];
  const bad = new MadeKey((await good(1, 0, 0, w[0])).header, other[0]);
  const messages = [await bad.message(a, b), await (await good(1, 0, 0, w[0])).message(a, b)];
  const [first, second] = messages.map((message) => b.accept(a, message, at(0)));
  await assert.rejects(first, {code: 'bad_key'});
  assert.equal(await second, true);
});

test('keys that wait to be checked are bounded', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const message = await (await good(1, 0, 0, (await chain('one'))[0])).message(a, b);
  const results = await Promise.allSettled(Array.from({length: 300}, () => b.accept(a, message, at(0))));
  const codes = results.map((r) => r.status === 'fulfilled' ? 'taken' : r.reason.code);
  assert.deepEqual([codes[0], codes[255], codes[256], codes[299]], ['taken', 'known_key', 'busy', 'busy']);
  assert.equal(b.listener.dropped, 44);
});

test('frames of steps ahead that come at once all open, and the steps stay a chain', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  const frame = async (/** @type {number} */ step, /** @type {number} */ stream) =>
    (await good(0, step, 0, w[step])).frame(a, stream, 20 + step);
  await b.takes(a, await good(1, 0, 10, w[0]), at(0));
  const frames = await Promise.all([7, 7, 3, 12, 12, 5, 0, 15, 1, 15].map((step, i) => frame(step, i % 3)));
  const texts = await Promise.all(frames.map((f) => b.opens(f, at(0))));
  assert.ok(texts.every((text) => text === 'words'));
  for (let step = 0; step < 16; step++) await heard(await frame(step, 7), 'words', at(0), b);
  assert.equal(b.listener.expire(at(1)), at(10));
  assert.equal(b.listener.expire(at(10)), NEVER);
  await unheard(await frame(14, 8), 'early', at(10), b);
  await heard(await frame(15, 8), 'words', at(10), b);
});

test('a header that comes while frames of later steps are opened is not undone by them', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  const frame = async (/** @type {number} */ step, /** @type {number} */ ctr) =>
    (await good(0, step, 0, w[step])).frame(a, 0, ctr);
  const [f8, f2] = [await frame(8, 100), await frame(2, 100)];
  const message = await (await good(2, 4, 50, w[4])).message(a, b);
  for (let i = 0; i < 8; i++) {
    b.listen();
    await b.takes(a, await good(1, 0, 10, w[0]), at(0));
    const accepted = b.accept(a, message, at(0));
    const opened = [f8, f2, f8].map(async (f) => {
      for (let wait = 0; wait < i; wait++) await new Promise((resolve) => setImmediate(resolve));
      return b.opens(f, at(0));
    });
    assert.equal(await accepted, true);
    assert.deepEqual(await Promise.all(opened), ['words', 'words', 'words']);
    await heard(await frame(4, 60), 'words', at(0), b);
    await heard(await frame(8, 60), 'words', at(0), b);
    await unheard(await frame(9, 9), 'early', at(0), b);
  }
});

test('who leaves while its key is checked has left', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const k = await good(1, 0, 0, (await chain('one'))[0]);
  const message = await k.message(a, b);
  const accepted = b.accept(a, message, at(0));
  b.syncs(at(1));
  assert.equal(await accepted, true);
  assert.equal(b.listener.expire(at(1)), at(11));
  await heard(await k.frame(a, 0, 0), 'words', at(10), b);
  assert.equal(b.listener.expire(at(11)), NEVER);
  await unheard(await k.frame(a, 0, 0), 'no_key', at(11), b);
});

test('a frame that opens after its step is gone brings nothing back', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const [w, other] = [await chain('one'), await chain('two')];
  await b.takes(a, await good(1, 0, 0, w[0]), at(0));
  await b.takes(a, await good(2, 0x10, 0, other[0]), at(1));
  const frames = await Promise.all(
    [0, 2].map(async (step) => (await good(0, step, 0, w[step])).frame(a, 0, 5)),
  );
  const opened = frames.map((f) => b.opens(f, at(10)));
  b.listener.expire(at(11));
  await Promise.allSettled(opened);
  for (const f of frames) await unheard(f, 'no_key', at(11), b);
  assert.equal(b.listener.expire(at(11)), NEVER);
});

test('erased steps keep nothing, also of what comes after', async () => {
  const header = (await good(1, 0x12, 5, new Uint8Array(32).fill(3))).header;
  const generation = new Generation(header, new Uint8Array(32).fill(3));
  const [step] = generation.steps;
  const ahead = await ratchetAhead(step, 5);
  assert.deepEqual(ahead.map(({index, first}) => [index, first]), [[3, 5], [4, 5], [5, 5]]);
  const opened = step.open(0, () => step.derive(2, 0x12n, 'room', null), 5, new Uint8Array(20));
  const kept = generation.follow({...header, number: 2}, new Uint8Array(32).fill(3));
  generation.erase();
  await assert.rejects(opened, {code: 'auth'});
  assert.notEqual((await kept).steps, generation.steps);
  assert.ok(step.erased);

  const a = await party('a');
  const k = await good(1, 0, 0, new Uint8Array(16).fill(3));
  const {kid, ctr, ciphertext} = await k.frame(a, 0, 5);
  const [other] = new Generation(k.header, k.w.slice()).steps;
  const opens = other.open(0, () => other.derive(2, kid, ROOM, null), ctr, ciphertext);
  other.erase();
  await opens;
  assert.ok(other.erased);
});

test('what is no KID of ours has no key', async () => {
  const b = await party('b');
  for (const kid of [0n, 1n, 2n ** 64n - 1n]) {
    await unheard({kid, ctr: 0, ciphertext: new Uint8Array(9)}, 'no_key', at(0), b);
  }
  assert.throws(() => urgent.parseKey(new Uint8Array(5)));
});
