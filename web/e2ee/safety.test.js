import assert from 'node:assert/strict';
import {test} from 'node:test';

import {safetyNumber} from './safety.js';
import {Secret} from './secret.js';

const key = (/** @type {number} */ first) => {
  const bytes = new Uint8Array(32);
  bytes[0] = first;
  return bytes;
};

test('the safety number is of room, people and secret', async () => {
  const [alice, bob, carol] = [key(1), key(2), key(3)];
  const secret = await Secret.generate();
  const people = [carol, alice, bob, alice.slice()];
  const given = [...people];
  const want = await safetyNumber('room', people, secret);
  assert.deepEqual(people, given, 'the people were changed');
  assert.match(want, /^\d{5}( \d{5}){7}$/);
  assert.equal(await safetyNumber('room', [alice, bob, carol], secret), want);
  for (const other of [
    safetyNumber('room', [alice, bob], secret),
    safetyNumber('room2', people, secret),
    safetyNumber('room', people, await Secret.generate()),
    safetyNumber('room', people, null),
  ]) assert.notEqual(await other, want);
});

test('a secret is not taken for one more identity', async () => {
  const with_ = await safetyNumber('room', [key(1)], await Secret.fromBytes(key(2)));
  assert.notEqual(with_, await safetyNumber('room', [key(1), key(2)], null));
});

test('what is no room name or identity is refused', async () => {
  for (const room of ['', 'x'.repeat(65), 'é'.repeat(33)]) {
    await assert.rejects(safetyNumber(room, [key(1)], null), RangeError);
  }
  for (const n of [0, 31, 33]) {
    await assert.rejects(safetyNumber('room', [new Uint8Array(n)], null), RangeError);
  }
});
