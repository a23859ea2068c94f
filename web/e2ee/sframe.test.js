import assert from 'node:assert/strict';
import {test} from 'node:test';

import {
  AuthError, encodeHeader, FrameKey, sameBytes, SUITE_TAG32, SUITE_TAG64, tagLength,
} from './sframe.js';

const KID = 0xfedcba9876540100n; // a member id, stream 1 and epoch 0
const BASE = new TextEncoder().encode('0123456789abcdef');

/** @param {number} n */
const payload = (n) => Uint8Array.from({length: n}, (_, i) => i * 37);

test('round trip', async () => {
  for (const suite of [SUITE_TAG64, SUITE_TAG32]) {
    const sealer = await FrameKey.create(suite, KID, BASE);
    const opener = await FrameKey.create(suite, KID, BASE);
    for (const ctr of [
      0, 7, 8, 0xffff, 0x10000, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 64n - 1n,
    ]) {
      for (const n of [0, 1, 15, 16, 17, 70, 1100]) {
        const sealed = await sealer.seal(ctr, payload(n));
        assert.equal(sealed.length, n + tagLength(suite));
        assert.deepEqual(await opener.open(ctr, sealed), payload(n));
      }
    }
  }
});

test('a number and a bigint are the same CTR', async () => {
  const key = await FrameKey.create(SUITE_TAG64, KID, BASE);
  for (const ctr of [0, 7, 8, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    assert.deepEqual(encodeHeader(KID, ctr), encodeHeader(KID, BigInt(ctr)));
    assert.deepEqual(await key.seal(ctr, payload(20)), await key.seal(BigInt(ctr), payload(20)));
  }
});

// WebCrypto copies before it returns: what the callers do with their buffers then, and other calls, change
// nothing.
test('calls may overlap, and buffers are free at once', async () => {
  const key = await FrameKey.create(SUITE_TAG64, KID, BASE);
  const one = await key.seal(1, payload(100));
  const two = await key.seal(2, payload(50));

  const buffer = payload(100);
  const sealing = key.seal(1, buffer);
  buffer.fill(0);
  const other = key.seal(2, payload(50));
  assert.deepEqual(await sealing, one);
  assert.deepEqual(await other, two);

  const sealed = one.slice();
  const opening = key.open(1, sealed);
  sealed.fill(0);
  const opened = await Promise.all([opening, key.open(2, two)]);
  assert.deepEqual(opened, [payload(100), payload(50)]);
});

test('views into larger memory are what they are', async () => {
  const key = await FrameKey.create(SUITE_TAG64, KID, BASE);
  const memory = payload(300);
  const sealed = await key.seal(9, memory.subarray(13, 113));
  const around = new Uint8Array(300);
  around.set(sealed, 77);
  assert.deepEqual(await key.open(9, around.subarray(77, 77 + sealed.length)), memory.slice(13, 113));
});

test('every bit flip fails', async () => {
  for (const suite of [SUITE_TAG64, SUITE_TAG32]) {
    const key = await FrameKey.create(suite, KID, BASE);
    const sealed = await key.seal(1000, payload(40));
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const changed = sealed.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      await assert.rejects(key.open(1000, changed), AuthError);
    }
    for (let bit = 0n; bit < 64n; bit++) {
      await assert.rejects(key.open(1000n ^ (1n << bit), sealed), AuthError);
    }
    for (let n = 0; n < sealed.length; n++) {
      await assert.rejects(key.open(1000, sealed.subarray(0, n)), AuthError);
    }
    await assert.rejects(key.open(1000, Uint8Array.of(...sealed, 0)), AuthError);
    assert.deepEqual(await key.open(1000, sealed), payload(40));
  }
});

test('other keys fail', async () => {
  const sealed = await (await FrameKey.create(SUITE_TAG64, KID, BASE)).seal(9, payload(40));
  const otherBase = BASE.slice();
  otherBase[15] ^= 1;
  for (const key of [
    await FrameKey.create(SUITE_TAG64, KID ^ 1n, BASE),
    await FrameKey.create(SUITE_TAG32, KID, BASE),
    await FrameKey.create(SUITE_TAG64, KID, otherBase),
  ]) await assert.rejects(key.open(9, sealed), AuthError);
});

test('what is no key, KID or CTR is refused', async () => {
  for (const suite of [0, 1, 4, 5, 0xffff]) {
    await assert.rejects(FrameKey.create(suite, 1n, BASE), RangeError);
  }
  for (let n = 0; n < 16; n++) {
    await assert.rejects(FrameKey.create(SUITE_TAG64, 1n, new Uint8Array(n)), RangeError);
  }
  for (const kid of [-1n, 2n ** 64n]) {
    await assert.rejects(FrameKey.create(SUITE_TAG64, kid, BASE), RangeError);
    assert.throws(() => encodeHeader(kid, 0), RangeError);
  }
  const key = await FrameKey.create(SUITE_TAG64, KID, BASE);
  for (const ctr of [-1, 0.5, NaN, Infinity, 2 ** 53, -1n, 2n ** 64n]) {
    await assert.rejects(key.seal(ctr, payload(1)), RangeError);
    await assert.rejects(key.open(ctr, payload(20)), RangeError);
  }
});

test('the base key is neither kept nor changed', async () => {
  const base = BASE.slice();
  const key = await FrameKey.create(SUITE_TAG64, KID, base);
  assert.deepEqual(base, BASE);
  base.fill(0);
  const sealed = await key.seal(1, payload(9));
  assert.deepEqual(await (await FrameKey.create(SUITE_TAG64, KID, BASE)).open(1, sealed), payload(9));
});

test('a key and an error show nothing', async () => {
  const key = await FrameKey.create(SUITE_TAG64, KID, BASE);
  assert.equal(JSON.stringify({key}, (_, v) => (typeof v === 'bigint' ? String(v) : v)),
    JSON.stringify({key: {suite: 2, kid: String(KID)}}));
  const error = await key.open(1, payload(30)).catch((e) => e);
  assert.equal(error.code, 'auth');
  assert.doesNotMatch(error.message, /\d/);
});

test('random bytes do not open', async () => {
  const key = await FrameKey.create(SUITE_TAG64, KID, BASE);
  for (let round = 0; round < 300; round++) {
    await assert.rejects(key.open(round, crypto.getRandomValues(new Uint8Array(round % 60))), AuthError);
  }
});

test('sameBytes', () => {
  assert.ok(sameBytes(new Uint8Array(0), new Uint8Array(0)));
  assert.ok(sameBytes(payload(33), payload(33)));
  assert.ok(!sameBytes(payload(33), payload(32)));
  for (let i = 0; i < 33; i++) {
    const changed = payload(33);
    changed[i] ^= 0x80;
    assert.ok(!sameBytes(payload(33), changed));
  }
});
