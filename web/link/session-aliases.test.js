import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Aliases, OwnAliases } from './session-aliases.js';

/** @typedef {import('../wire/frame.js').Media} Media */

/** Aliases, and what they make of frames. */
class Table {
  aliases = new Aliases();
  binds = 0;

  /**
   * @param {number} packet @param {number} alias @param {bigint} [kid] absent: the short form
   * @returns {bigint | null} whose frame it is
   */
  hears(packet, alias, kid) {
    const m = /** @type {Media} */ ({
      kind: 'media', alias, ctr: 1, ciphertext: new Uint8Array(1), long: kid !== undefined, kid,
    });
    const bind = () => {
      this.binds++;
      return { next: 0 };
    };
    return this.aliases.resolve(m, bind, 0, packet)?.kid ?? null;
  }
}

test('a stream is made once, however many aliases are announced for it', () => {
  const t = new Table();
  for (let alias = 0; alias < 4096; alias++) assert.equal(t.hears(alias, alias, 2n), 2n);
  assert.equal(t.binds, 1);
  assert.equal(t.aliases.streams, 1);
  assert.equal(t.hears(5000, 4095), 2n);
  assert.equal(t.hears(5001, 7), 2n);
  for (let alias = 0; alias < 4096; alias++) assert.equal(t.hears(6000 + alias, alias, 4n), 4n);
  assert.equal(t.aliases.streams, 1, 'the one without aliases is forgotten');
});

test('an announcement that was overtaken changes nothing', () => {
  const t = new Table();
  assert.equal(t.hears(1, 3, 2n), 2n);
  assert.equal(t.hears(4, 5, 2n), 2n, 'it gets another alias');
  assert.equal(t.hears(5, 3, 4n), 4n, 'and the first one stands for another stream');
  assert.equal(t.hears(2, 3, 2n), 2n, 'a late announcement');
  assert.equal(t.hears(3, 3), null, 'a late short frame');
  assert.equal(t.hears(6, 5), 2n);
  assert.equal(t.hears(7, 3), 4n);
  assert.equal(t.hears(0, 3, 9n), null, 'late, and of a stream that is not known');
  assert.equal(t.hears(8, 3), 4n);
});

test('a stream that is refused takes no alias from another', () => {
  const t = new Table();
  t.hears(1, 3, 2n);
  const m = /** @type {Media} */ ({
    kind: 'media', alias: 3, ctr: 1, ciphertext: new Uint8Array(1), long: true, kid: 4n,
  });
  assert.equal(t.aliases.resolve(m, () => null, 0, 2), null);
  assert.equal(t.hears(3, 3), 2n);
});

test('own aliases: each key id has its own, and rests before it is used again', () => {
  const own = new OwnAliases();
  const first = own.of(1n);
  assert.equal(first.known, false);
  assert.deepEqual(own.of(1n), { alias: first.alias, known: false });
  own.acked(first.alias, 2n);
  own.acked(4095, 1n);
  assert.equal(own.of(1n).known, false, 'what was acknowledged is something else');
  own.acked(first.alias, 1n);
  assert.deepEqual(own.of(1n), { alias: first.alias, known: true });
  const used = [first.alias];
  for (let kid = 2n; kid <= 28n; kid++) used.push(own.of(kid).alias);
  assert.equal(new Set(used).size, 28);
  assert.ok(used.every((alias) => alias < 28));
  assert.deepEqual(own.of(29n), { alias: first.alias, known: false });
  own.acked(first.alias, 1n);
  assert.equal(own.of(29n).known, false);
  assert.equal(own.of(1n).known, false);
});
