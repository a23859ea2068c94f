/**
 * Rooms that talk over a relay, from end to end.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Lab, contiguous } from './lab.test.js';

/** Runs a test with a lab whose people all leave in the end. */
function inLab(name, f) {
  test(name, async () => {
    const lab = await Lab.create();
    await f(lab);
    await lab.end();
  });
}

inLab('two hear each other from the first frame on', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  assert.deepEqual([anna.others, bert.others], [['bert'], ['anna']]);
  await anna.publish();
  await bert.publish();
  await lab.run(2000);
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
  assert.equal(contiguous(anna.of(bert), 'bert at anna'), 0);
  assert.ok(bert.of(anna).length > 90, `${bert.of(anna).length} frames`);
  assert.deepEqual([anna.warnings, bert.warnings], [[], []]);
  assert.ok(bert.loudest > 0.2 && bert.loudest < 0.3, `bert played ${bert.loudest}`);
  assert.deepEqual(Object.keys(bert.last('levels').talkers), [anna.id]);
});
