/** Who the members are to us, where names cannot be kept. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Contacts } from '../identity/contacts.js';
import { Identity } from '../identity/identity.js';
import { KnownNames } from '../identity/known-names.js';
import { Notes } from '../identity/notes.js';
import { memory } from './lab.test.js';
import { NameCheck, StayStorage } from './names.js';

/** People with a storage, and the codes that they warned of. */
async function peopleWith(storage) {
  const [{ identity }, { identity: other }] = await Promise.all([Identity.generate(), Identity.generate()]);
  const names = await KnownNames.open(identity, storage);
  const codes = [];
  const people = new NameCheck({
    names, identity, name: 'Ana', notes: await Notes.open(identity, storage), volume() {},
    contacts: new Contacts(storage),
    warn: (code) => codes.push(code), changed: () => {}, failed: assert.ifError,
  });
  const meet = async (count) => {
    for (let i = 0; i < count; i++) {
      people.check({ id: `${i}`, name: `member ${i}`, identity: other.publicKey, outside: false });
    }
    const last = { id: 'last', name: 'member 0', identity: other.publicKey, outside: false };
    people.check(last);
    while (people.known('last').known === 'new') await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { codes, meet };
}

test('a storage that fails is warned of once a stay', async () => {
  const broken = { get: async () => undefined, set: async () => Promise.reject(new Error('no space')) };
  const { codes, meet } = await peopleWith(broken);
  await meet(20);
  assert.deepEqual(codes, ['names']);
});

test('more new names than a stay keeps are warned of once, and fewer are not', async () => {
  const many = await peopleWith(new StayStorage(memory()));
  await many.meet(256);
  assert.deepEqual(many.codes, []);
  const more = await peopleWith(new StayStorage(memory()));
  await more.meet(300);
  assert.deepEqual(more.codes, ['names']);
});

/** A stay, and what comes of somebody who joins it. */
async function stayOf(identity, storage) {
  const names = await KnownNames.open(identity, new StayStorage(storage));
  const people = new NameCheck({
    names, identity, name: 'Ana', notes: await Notes.open(identity, storage), volume() {}, warn() {},
    contacts: new Contacts(storage),
    changed() {}, failed: assert.fail,
  });
  let id = 0;
  const meet = async (name, { publicKey }) => {
    const member = { id: String(id++), name, identity: publicKey, outside: false };
    people.check(member);
    await people.settled();
    return [people.known(member.id).known, member.id];
  };
  return { meet, left: (id) => people.left(id) };
}

test('a change is warned of; people who are called alike at the same time are not', async () => {
  const [me, a, b, c, d] = await Promise.all(
    Array.from({ length: 5 }, async () => (await Identity.generate()).identity),
  );
  const storage = memory();
  const first = await stayOf(me, storage);
  assert.equal((await first.meet('ana', a))[0], 'new', 'our own name');
  assert.equal((await first.meet('Ana', me))[0], 'same', 'our own key');
  const [, ben] = await first.meet('Ben', b);
  const [verdict, namesake] = await first.meet('BEN', c);
  assert.equal(verdict, 'new');
  first.left(ben);
  assert.equal((await first.meet('Ben', b))[0], 'same', 'the first of them is back');
  first.left(ben);
  first.left(namesake);
  const [, cleo] = await first.meet('Cleo', b);
  first.left(cleo);
  assert.equal((await first.meet('Cleo', c))[0], 'changed', 'the first had left');

  const second = await stayOf(me, storage);
  assert.equal((await second.meet('Ben', c))[0], 'same', 'both are remembered');
  assert.equal((await second.meet('Ben', d))[0], 'changed', 'Ben was known before');
  assert.equal((await second.meet('Ben', b))[0], 'same');
});

test('a crowd of one name is no alarm, and does not fill the store', async () => {
  const { identity } = await Identity.generate();
  const storage = memory();
  const { meet } = await stayOf(identity, storage);
  for (let i = 0; i < 20; i++) {
    assert.equal((await meet('Ben', (await Identity.generate()).identity))[0], 'new');
  }
  assert.equal(storage.map.get('names'), 5);
});
