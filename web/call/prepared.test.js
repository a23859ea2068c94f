import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fetchPrepared } from './prepared.js';

test('connect.json that was asked for ahead is used once, and not when it is old', async () => {
  const world = { get: /** @type {any} */ (async () => new Response('asked')), now: () => 1_000_000 };
  const read = async (get, url = 'connect.json') => (await get(url)).text();
  const answer = { text: 'ahead', at: 500_000, took: 800 };
  const get = fetchPrepared('connect.json', answer, world);
  assert.equal(await read(get, 'member.json'), 'asked', 'another address');
  assert.deepEqual([await read(get), await read(get)], ['ahead', 'asked']);
  assert.equal(await read(fetchPrepared('connect.json', { ...answer, at: 400_000 }, world)), 'asked');
  assert.equal(await read(fetchPrepared('connect.json', undefined, world)), 'asked');
});
