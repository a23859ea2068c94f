import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identity } from './identity.js';
import { MAX_NOTES, Notes } from './notes.js';

const [me, other, one, two] = await Promise.all(
  [1, 2, 3, 4].map((b) => Identity.fromSeed(new Uint8Array(32).fill(b))),
);

/** A storage that answers later, and how often it was written. */
function memory(kept) {
  const storage = { kept, writes: 0, get: async () => structuredClone(storage.kept), async set(_, value) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    storage.kept = structuredClone(value);
    storage.writes++;
  } };
  return storage;
}

test('notes are kept by key, and only for whose they are', async () => {
  const storage = memory();
  const notes = await Notes.open(me, storage);
  await notes.setCompared('Ana', one.publicKey, 1000);
  await notes.setVolume(one.publicKey, 0.3);
  const again = await Notes.open(me, storage);
  assert.deepEqual(await again.of(' ANA', one.publicKey), { compared: 1000, volume: 0.3 });
  assert.deepEqual(await again.of('Ben', one.publicKey), { compared: undefined, volume: 0.3 });
  assert.deepEqual(await again.of('Ana', two.publicKey), { compared: undefined, volume: undefined });
  assert.deepEqual(await (await Notes.open(other, storage)).of('Ana', one.publicKey), {
    compared: undefined, volume: undefined,
  });
  await again.setCompared('Ana', one.publicKey, undefined);
  await again.setVolume(one.publicKey, 1);
  assert.deepEqual(storage.kept, {}, 'nothing is left of what was taken back');
});

test('a slider writes a few times only, the last value, beside what another page wrote', async () => {
  const storage = memory();
  const notes = await Notes.open(me, storage);
  const page = await Notes.open(me, storage);
  await page.setCompared('Ben', two.publicKey, 5);
  await Promise.all(Array.from({ length: 100 }, (_, i) => notes.setVolume(one.publicKey, i / 100)));
  assert.ok(storage.writes <= 10, `${storage.writes} writes`);
  const again = await Notes.open(me, storage);
  assert.equal((await again.of('', one.publicKey)).volume, 0.99);
  assert.equal((await again.of('Ben', two.publicKey)).compared, 5);
});

test('there are so many at most, the newest, and rubbish is no note', async () => {
  const many = Object.fromEntries(Array.from({ length: 3 * MAX_NOTES }, (_, i) => ['t' + i, { volume: 0.5 }]));
  const storage = memory({ ...many, bad: null, worse: { volume: 1e9 }, worst: { compared: 'yes' } });
  const notes = await Notes.open(me, storage);
  await notes.setVolume(one.publicKey, 0.7);
  assert.equal(Object.keys(storage.kept).length, MAX_NOTES);
  assert.equal((await notes.of('', one.publicKey)).volume, 0.7);
  for (const rubbish of [7, 'x', [1], null]) {
    assert.deepEqual(await (await Notes.open(me, memory(rubbish))).of('', one.publicKey), {
      compared: undefined, volume: undefined,
    });
  }
});
