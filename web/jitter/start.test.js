/** The first frames after a silence, by a player that is another one than before. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Player } from './player.js';

/** Plays 50 frames that come up to 100 ms late. @param {number} startDelay ms */
function play(startDelay) {
  let now = 0;
  /** @type {number[]} */ const answers = [];
  const player = new Player({ startDelay, decode: () => answers.push(now) });
  let seed = 7;
  const random = (/** @type {number} */ below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const arrivals = Array.from({ length: 50 }, (_, i) => ({ i, at: 20 * i + 10 * random(10) }));
  for (; now < 2500; now += 10) {
    for (const { i, at } of arrivals) {
      if (at === now) {
        player.put({ counter: i, timestamp: 8 * i, duration: 20, payload: new Uint8Array(80) }, now);
      }
    }
    while (answers.shift() !== undefined) player.decoded(new Float32Array(960).fill(0.1), now);
    player.read(new Float32Array(480), now);
  }
  const { late, concealed } = player.stats();
  return { bad: late + concealed, learned: player.learned };
}

test('who is heard again is heard as well as at the end, though the player is another one', () => {
  const first = play(0);
  const again = play(first.learned);
  assert.ok(
    first.bad >= 2 && again.bad === 0,
    `${first.bad} late or concealed at first, ${again.bad} with ${first.learned} ms`,
  );
});
