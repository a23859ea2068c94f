import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {test} from 'node:test';

import {runVectors} from './vectors.js';

/** @param {string} name */
async function load(name) {
  return JSON.parse(await readFile(new URL(`../../testdata/vectors/${name}.json`, import.meta.url), 'utf8'));
}

test('all vectors', async () => {
  const {ran, failed} = await runVectors(load);
  assert.deepEqual(failed, []);
  assert.ok(ran > 650, `${ran} checks`);
});

test('a vector that is wrong is told', async () => {
  const {failed} = await runVectors(async (name) => {
    const file = await load(name);
    if (name === 'e2ee') {
      file.safety_number[0].number = '1';
      file.low_order = [];
      file.members[0].digest = 'zz';
      file.ratchet[0].steps[0].w = 'z';
      file.news = [{}];
    }
    return file;
  });
  const wrong = failed.map((text) => text.split(/[,:]/)[0]);
  assert.deepEqual(wrong, [
    'e2ee.news', 'e2ee.ratchet', 'e2ee.members', 'e2ee.low_order', 'e2ee.safety_number',
  ]);
});
