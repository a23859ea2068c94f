import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex } from '../wire/bytes.js';
import { contactLink, ContactLinkError, readContactLink } from './contact-link.js';
import { Contacts, MAX_CONTACTS } from './contacts.js';
import { fingerprintOf } from './identity.js';

const vectors = JSON.parse(
  readFileSync(new URL('../../testdata/vectors/contact.json', import.meta.url), 'utf8'),
);
const [ana, ben] = vectors.good.map(({ key }) => fromHex(key));
const key = (/** @type {number} */ n) => fromHex('ab' + n.toString(16).padStart(62, '0'));

/** A storage that answers later. */
function memory(kept) {
  const storage = { kept, get: async () => structuredClone(storage.kept), async set(_, value) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    storage.kept = structuredClone(value);
  } };
  return storage;
}

test('contact links are read and made as Go does', async () => {
  const { good, forms, bad } = vectors;
  assert.ok(good.length >= 6 && forms.length >= 8 && bad.length >= 26, 'vectors are missing');
  for (const { key, fingerprint, name, text } of good) {
    const read = await readContactLink('#c=' + text);
    assert.deepEqual([toHex(read.publicKey), read.name], [key, name]);
    assert.equal(await fingerprintOf(read.publicKey), fingerprint);
    assert.equal(await contactLink(fromHex(key), name), '#c=' + text);
    for (let n = 0; n < text.length; n++) {
      await assert.rejects(readContactLink('#c=' + text.slice(0, n)), ContactLinkError, 'cut');
    }
  }
  for (const form of forms) {
    assert.deepEqual(await readContactLink(form), { publicKey: ana, name: 'Ana' }, form);
  }
  for (const { link, fault, why } of bad) {
    await assert.rejects(readContactLink(link), { name: 'ContactLinkError', fault }, why);
  }
});

test('whatever is made of a contact link is read, or refused as one', async () => {
  let state = 7;
  const random = (/** @type {number} */ n) => (state = (state * 48271) % 2147483647) % n;
  for (let i = 0; i < 2000; i++) {
    const text = [...'#c=' + vectors.good[random(vectors.good.length)].text];
    for (let n = random(4); n >= 0; n--) {
      text.splice(random(text.length), random(3), String.fromCharCode(random(0x180)));
    }
    const read = await readContactLink(text.join('')).catch((error) => error);
    assert.ok(read.publicKey || read instanceof ContactLinkError, String(read));
  }
});

test('contacts are kept by key, with names that are one person each', async () => {
  const storage = memory();
  const contacts = new Contacts(storage);
  assert.deepEqual(await contacts.all(), []);
  const before = Date.now();
  const added = await contacts.add(' Ana ', ana);
  assert.deepEqual([added.name, added.fingerprint], ['Ana', vectors.good[0].fingerprint]);
  assert.ok(added.added >= before && added.compared === undefined);
  await contacts.add('Ben', ben, { added: 5, compared: 7 });
  assert.deepEqual(await contacts.add('Benjamin', ben), await contacts.of(ben), 'who is there stays');
  await assert.rejects(contacts.add('BEN\u200b', key(1)), { code: 'taken' });
  await assert.rejects(contacts.add(' \u200b', key(1)), { code: 'name' });
  await assert.rejects(contacts.add('x'.repeat(65), key(1)), { code: 'name' });
  await assert.rejects(contacts.add('Zoe', new Uint8Array(32)), { code: 'key' });
  assert.equal(await contacts.freeName('ben'), 'ben 2');
  assert.equal(await contacts.freeName('Zoe'), 'Zoe');
  await contacts.add('é'.repeat(32), key(2));
  assert.equal(await contacts.freeName('é'.repeat(32)), `${'é'.repeat(31)} 2`);
  await contacts.remove(key(2));

  const page = new Contacts(storage);
  assert.deepEqual((await page.all()).map(({ name, compared }) => [name, compared]), [
    ['Ana', undefined], ['Ben', 7],
  ]);
  await page.setCompared(ana, 9);
  await page.setCompared(ben, undefined);
  await page.setCompared(key(3), 9);
  assert.deepEqual((await contacts.all()).map(({ compared }) => compared), [9, undefined]);
  assert.equal((await page.of(ana))?.compared, 9);
  assert.equal((await page.rename(ana, 'ANA ')).name, 'ANA');
  assert.equal((await page.rename(ana, 'Anna')).compared, 9);
  await assert.rejects(page.rename(ana, 'ben'), { code: 'taken' });
  await assert.rejects(page.rename(ana, ' '), { code: 'name' });
  await assert.rejects(page.rename(key(3), 'Zoe'), { code: 'gone' });
  assert.deepEqual((await contacts.all()).map(({ name }) => name), ['Anna', 'Ben'], 'in their order');
  await contacts.remove(ana);
  assert.deepEqual(await contacts.of(ana), null);
  assert.deepEqual((await page.all()).map(({ name }) => name), ['Ben']);
});

test('what several change at once is all kept', async () => {
  const storage = memory();
  const contacts = new Contacts(storage);
  await Promise.all(Array.from({ length: 9 }, (_, i) => contacts.add(`p${i}`, key(i))));
  assert.equal((await contacts.all()).length, 9);
});

test('there are so many at most, rubbish is nobody, and a storage that fails says so', async () => {
  const many = Array.from({ length: MAX_CONTACTS + 9 }, (_, i) => ({
    key: toHex(key(i)), name: `p${i}`, added: i,
  }));
  const full = new Contacts(memory(many));
  assert.equal((await full.all()).length, MAX_CONTACTS);
  await assert.rejects(full.add('Zoe', ana), { code: 'full' });
  const one = { key: toHex(ana), name: 'Ana', added: 1 };
  for (const rubbish of [
    7, 'x', null, {}, [null], [7], [{ ...one, key: 'ab' }], [{ ...one, name: '' }], [{ ...one, added: '1' }],
    [{ ...one, key: '00'.repeat(32) }], [{ ...one, name: 'a\nb' }],
  ]) {
    assert.deepEqual(await new Contacts(memory(rubbish)).all(), [], JSON.stringify(rubbish));
  }
  const odd = new Contacts(memory([{ ...one, compared: 'yes', more: 1 }, { ...one, key: toHex(ben) }]));
  assert.deepEqual((await odd.all()).map(({ name, compared }) => [name, compared]), [['Ana', undefined]]);
  const broken = { get: async () => Promise.reject(new Error('no disk')), set: async () => {} };
  const none = new Contacts(broken);
  await assert.rejects(none.all(), /no disk/);
  await assert.rejects(none.add('Ana', ana), /no disk/);
});
