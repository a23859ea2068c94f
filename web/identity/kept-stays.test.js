import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatePair } from '../e2ee/hpke.js';
import { KeptStays, MAX_STAYS } from './kept-stays.js';

const HOUR = 3_600_000;
const now = 1_900_000_000_000;
const pair = await generatePair();
const key = (/** @type {number} */ b) => new Uint8Array(32).fill(b);
const me = key(1);
const stay = (/** @type {number} */ n, more = {}) => ({
  device: n.toString(16).padStart(16, '0'), identity: me, relay: key(9), ...pair, at: now, ...more,
});
const devices = (/** @type {{device: string}[]} */ stays) => stays.map(({ device }) => parseInt(device, 16));

/** A storage that answers later, as IndexedDB clones what it gets. */
function memory(kept) {
  const storage = { kept, writes: 0, get: async () => structuredClone(storage.kept), async set(_, value) {
    await new Promise((resolve) => setTimeout(resolve));
    storage.kept = structuredClone(value);
    storage.writes++;
  } };
  return storage;
}

test('stays are kept with keys that open and cannot be read, until they are removed', async () => {
  const storage = memory();
  const stays = new KeptStays(storage);
  assert.deepEqual([await stays.of(me, now), storage.writes], [[], 0]);
  await Promise.all([stays.keep(stay(1)), stays.keep(stay(2, { at: now + 5 }))]);
  const again = new KeptStays(storage);
  const [second, first] = await again.of(me, now);
  assert.deepEqual([second.device, first.device, first.relay], [stay(2).device, stay(1).device, key(9)]);
  assert.deepEqual([first.privateKey.type, first.privateKey.extractable], ['private', false]);
  assert.deepEqual(first.publicKey, pair.publicKey);
  await again.keep(stay(1, { at: now + 9, relay: key(8) }));
  assert.deepEqual(devices(await stays.of(me, now)), [1, 2], 'a stay is kept once');
  assert.deepEqual((await stays.of(me, now))[0].relay, key(8));
  await Promise.all([stays.remove(stay(1).device), stays.remove(stay(2).device), stays.remove('none')]);
  assert.equal(storage.kept, undefined, 'nothing is left');
});

test('what is too old, or of another identity, is forgotten', async () => {
  const storage = memory([
    stay(1, { at: now - 25 * HOUR }), stay(2, { at: now - 25 * HOUR - 1 }), stay(3, { identity: key(2) }),
    stay(4, { at: now + 26 * HOUR }),
  ]);
  assert.deepEqual(devices(await new KeptStays(storage).of(me, now)), [1]);
  assert.deepEqual(devices(storage.kept), [1]);
});

test('there are so many at most, the newest; rubbish is none, and a storage that fails says so', async () => {
  const stays = new KeptStays(memory());
  for (let n = 0; n < 3 * MAX_STAYS; n++) await stays.keep(stay(n, { at: now + n }));
  const kept = devices(await stays.of(me, now));
  assert.deepEqual(kept, Array.from({ length: MAX_STAYS }, (_, i) => 3 * MAX_STAYS - 1 - i));
  for (const rubbish of [
    7, 'x', {}, [null, 7], [stay(1, { device: 'x' })], [stay(1, { relay: new Uint8Array(31) })],
    [stay(1, { identity: 'me' })], [stay(1, { privateKey: key(1) })], [stay(1, { at: '1' })],
  ]) {
    assert.deepEqual(await new KeptStays(memory(rubbish)).of(me, now), [], JSON.stringify(rubbish));
  }
  const broken = { get: async () => Promise.reject(new Error('no disk')), set: async () => {} };
  const none = new KeptStays(broken);
  await assert.rejects(none.of(me, now), /no disk/);
  await assert.rejects(none.keep(stay(1)), /no disk/);
});
