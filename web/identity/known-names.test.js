import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identity } from './identity.js';
import { KnownNames, MAX_NAMES } from './known-names.js';
import { foldName } from '../names/fold.js';

const repeated = (/** @type {number} */ b) => Identity.fromSeed(new Uint8Array(32).fill(b));
const [me, other, ...people] = await Promise.all([0x2a, 0x63, 1, 2, 3].map(repeated));
const [one, two, three] = people.map((id) => id.publicKey);

/** A storage in memory, which answers later. */
class Memory {
  /** @type {Map<string, any>} */ kept = new Map();
  /** @type {Error | null} */ broken = null;

  async get(/** @type {string} */ key) {
    await null;
    if (this.broken) throw this.broken;
    return structuredClone(this.kept.get(key));
  }

  async set(/** @type {string} */ key, /** @type {any} */ value) {
    await null;
    if (this.broken) throw this.broken;
    this.kept.set(key, structuredClone(value));
  }
}

test('names are trusted on first use', async () => {
  const memory = new Memory();
  const names = await KnownNames.open(me, memory);
  assert.equal(await names.check('Ana', one), 'new');
  assert.equal(await names.check('Ana', one), 'same');
  assert.equal(await names.check('Ana', two), 'changed');
  assert.equal(await names.check('Ana', two), 'changed', 'it is not remembered');
  assert.equal(await names.check('Ben', two), 'new');
  const again = await KnownNames.open(me, memory);
  assert.equal(await again.check('Ana', one), 'same');
  assert.equal(await again.check('Ana', two), 'changed');
  assert.equal(await names.check('Zoe', new Uint8Array(32)), 'changed', 'anybody can sign with the zero key');
  assert.equal(await names.check('Zoe', one), 'new');
  assert.equal(names.trouble, null);
});

test('the storage holds keyed hashes, those of the Go package', async () => {
  const memory = new Memory();
  await (await KnownNames.open(me, memory)).check('Ana', one);
  assert.deepEqual([...memory.kept], [
    ['name:df31b7ff872e6c4643a27d28043ceb74', ['5dbb11421f4271401f6f531dd90f082e']],
    ['names', 1],
  ]);
  const others = await KnownNames.open(other, memory);
  assert.equal(await others.check('Ana', two), 'new', 'nobody sees the names of another identity');
});

test('names that look alike are one', async () => {
  const names = await KnownNames.open(me, new Memory());
  assert.equal(await names.check('Ana Straße', one), 'new');
  for (const same of [
    ' Ana  Straße ', 'A\u200bna Straße', '\u202eAna Straße', 'Ana\u00a0Straße', 'ＡＮＡ Straße',
  ]) {
    assert.equal(await names.check(same, one), 'same', same);
    assert.equal(await names.check(same, two), 'changed', same);
  }
  assert.equal(await names.check('Ana Strasse', two), 'new', 'two spellings');
});

test('the empty name is nobody\'s', async () => {
  const memory = new Memory();
  const names = await KnownNames.open(me, memory);
  for (const empty of ['', ' ', '\u200b', '\0\t']) {
    assert.equal(await names.check(empty, one), 'new');
    assert.equal(await names.check(empty, two), 'new');
    await assert.rejects(names.trust(empty, one), { name: 'IdentityError', code: 'names' });
  }
  assert.equal(memory.kept.size, 0);
  await assert.rejects(names.trust('Ana', new Uint8Array(32)), { code: 'names' });
});

test('a key is trusted beside those that are known', async () => {
  const memory = new Memory();
  const names = await KnownNames.open(me, memory);
  await names.check('Ana', one);
  await names.trust('ana', two);
  await names.trust('ana', two);
  assert.deepEqual(
    [await names.check('Ana', one), await names.check('Ana', two), await names.check('Ana', three)],
    ['same', 'same', 'changed'],
  );
  assert.equal(memory.kept.get('names'), 2);
  await names.trust('Ben', three);
  assert.equal(await names.check('Ben', three), 'same');
});

test('the first of many who ask at once is believed', async () => {
  const memory = new Memory();
  const names = await KnownNames.open(me, memory);
  const verdicts = await Promise.all([
    names.check('Ana', one), names.check('Ana', two), names.check('ANA', one), names.check('Ben', two),
  ]);
  assert.deepEqual(verdicts, ['new', 'changed', 'same', 'new']);
  assert.equal(memory.kept.get('names'), 2);
});

test('a full storage takes no new names, and who is known stays known', async () => {
  const memory = new Memory();
  const names = await KnownNames.open(me, memory);
  await names.check('Ana', one);
  memory.kept.set('names', MAX_NAMES);
  const size = memory.kept.size;
  assert.equal(await names.check('Ben', two), 'new');
  assert.equal(memory.kept.size, size);
  assert.match(names.trouble?.message ?? '', /10000 already/);
  assert.deepEqual([await names.check('Ana', one), await names.check('Ana', two)], ['same', 'changed']);
  assert.deepEqual(
    [await names.check('Ben', two), await names.check('Ben', three)], ['same', 'changed'],
    'as long as this stay',
  );
});

test('a storage that fails makes no error, but trouble', async () => {
  const memory = new Memory();
  const names = await KnownNames.open(me, memory);
  memory.broken = new Error('no space');
  assert.deepEqual(
    [await names.check('Ana', one), await names.check('Ana', one), await names.check('Ana', two)],
    ['new', 'same', 'changed'],
  );
  await names.trust('Ana', two);
  assert.equal(await names.check('Ana', two), 'same');
  assert.deepEqual([names.trouble?.name, names.trouble?.code], ['IdentityError', 'names']);
  assert.match(names.trouble?.message ?? '', /no space/);
  assert.equal(memory.kept.size, 0);
});

test('a storage that holds something else is no error either', async () => {
  for (const junk of [5, 'x', null, {}, [1], ['a', null]]) {
    const memory = new Memory();
    memory.kept.set('name:df31b7ff872e6c4643a27d28043ceb74', junk);
    const names = await KnownNames.open(me, memory);
    assert.equal(await names.check('Ana', one), 'new');
    assert.ok(names.trouble);
  }
});

test('names fold as in Go', () => {
  for (const [name, want] of [
    ['', ''], ['Bob', 'bob'], ['Bob\u1160', 'bob'], ['Bob\u3164', 'bob'], ['B\u115fob\uffa0', 'bob'],
    ['Bo\u034fb', 'bob'], ['Bob\u2800', 'bob'], ['Bob\u17b4\u17b5', 'bob'], ['Bo\u200db\u2060', 'bob'],
    ['\u202eBob\u202c', 'bob'], ['Bob\ufe0f', 'bob'], ['B\u180bo\u180fb', 'bob'], ['Bob\u{e0041}', 'bob'],
    ['Bob\u{e0100}', 'bob'], ['Bob\u{e0fff}', 'bob'], ['Bob\u{1d159}', 'bob'], ['Bob\u{1d173}', 'bob'],
    ['Bob\u2065\ufff0', 'bob'], ['José', 'josé'], ['Jose\u0301', 'josé'], ['Jose\u034f\u0301', 'josé'],
    ['Jose\u200d\u0301', 'josé'], ['JOSE\u3164\u0301', 'josé'], ['Ａｎａ　Ｂｅｎ', 'ana ben'],
    [' Ana\u2028\t Ben ', 'ana ben'], ['\u212bke', 'åke'], ['\u3164 \u2800', ''], ['a\udc00b', 'a\ufffdb'],
    ['Anna\u3164Lena', 'annalena'], ['STRASSE', 'strasse'], ['Straße', 'straße'], ['\u0130\u0131', 'ii'],
    ['ΌΣΟΣ', 'όσοσ'],
  ]) {
    assert.equal(foldName(name), want, JSON.stringify(name));
  }
});

test('a folded name folds to itself', () => {
  for (let r = 0; r <= 0x10ffff; r++) {
    if ((r >= 0xd800 && r < 0xe000) || (r > 0x3000 && r < 0xfb00) || (r > 0x20000 && r >> 12 !== 0xe0)) {
      continue;
    }
    const c = String.fromCodePoint(r);
    for (const name of [c, `a${c}\u0301I`]) {
      const once = foldName(name);
      if (foldName(once) !== once) {
        assert.fail(`U+${r.toString(16)} folds to ${JSON.stringify(once)}, and that to another`);
      }
    }
  }
});
