/** Who the members are to us, where names cannot be kept. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Identity } from '../identity/identity.js';
import { KnownNames } from '../identity/known-names.js';
import { memory } from './lab.test.js';
import { NameCheck, StayStorage } from './names.js';

/** People with a storage, and the codes that they warned of. */
async function peopleWith(storage) {
  const [{ identity }, { identity: other }] = await Promise.all([Identity.generate(), Identity.generate()]);
  const names = await KnownNames.open(identity, storage);
  const codes = [];
  const people = new NameCheck({
    names, identity, name: 'Ana', warn: (code) => codes.push(code), changed: () => {}, failed: assert.ifError,
  });
  const meet = async (count) => {
    for (let i = 0; i < count; i++) {
      people.check({ id: `${i}`, name: `member ${i}`, identity: other.publicKey, outside: false });
    }
    const last = { id: 'last', name: 'member 0', identity: other.publicKey, outside: false };
    people.check(last);
    while (people.known('last') === 'new') await new Promise((resolve) => setTimeout(resolve, 1));
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
