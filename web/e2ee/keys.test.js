import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Identity} from '../identity/identity.js';
import * as keys from './keys.js';
import {Secret} from './secret.js';

const random = (/** @type {number} */ n) => crypto.getRandomValues(new Uint8Array(n));
const SENDER = random(32);
const RECIPIENT = random(32);
const HEADER = random(71);

test('ratchet', async () => {
  const fresh = keys.freshKey();
  const before = fresh.slice();
  assert.equal(fresh.length, 16);
  assert.notDeepEqual(keys.freshKey(), fresh);
  const first = await keys.ratchet(fresh);
  const second = await keys.ratchet(first);
  assert.deepEqual([first.length, second.length], [32, 32]);
  assert.notDeepEqual(first, second);
  assert.deepEqual(fresh, before);
  assert.deepEqual(await keys.ratchet(before), first);
});

test('base key', async () => {
  const w = keys.freshKey();
  const before = w.slice();
  const secret = await Secret.generate();
  const plain = await keys.baseKey(null, 'room', w);
  assert.deepEqual(plain, w);
  plain.fill(0);
  assert.deepEqual(w, before, 'the base key is no copy');

  const salted = await keys.baseKey(secret, 'room', w);
  assert.equal(salted.length, 32);
  const making = keys.baseKey(secret, 'room', w);
  w.fill(0); // it was copied
  assert.deepEqual(await making, salted);
  for (const other of [
    await keys.baseKey(await Secret.generate(), 'room', before),
    await keys.baseKey(secret, 'room2', before),
    await keys.baseKey(secret, 'room', await keys.ratchet(before)),
  ]) assert.notDeepEqual(other, salted);
});

test('frame keys of talker and listener agree', async () => {
  const w = keys.freshKey();
  const secret = await Secret.generate();
  const kid = keys.makeKid(random(6), 1, 0x10);
  const sealer = await keys.frameKey(2, kid, secret, 'room', w);
  const opener = await keys.frameKey(2, kid, await Secret.parse(secret.text), 'room', w);
  const sealed = await sealer.seal(5, HEADER);
  assert.deepEqual(await opener.open(5, sealed), HEADER);
  await assert.rejects((await keys.frameKey(2, kid, null, 'room', w)).open(5, sealed), {code: 'auth'});
});

test('KID', () => {
  assert.equal(keys.makeKid(Uint8Array.of(0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54), 1, 0x2f), 0xfedcba987654012fn);
  assert.equal(keys.makeKid(new Uint8Array(6), 255, 0xff), 0xffffn);
});

test('the member digest does not depend on order', async () => {
  const hashes = [random(32), random(32), random(32)];
  const given = [...hashes];
  const digest = await keys.digestMembers(hashes);
  assert.deepEqual(hashes, given, 'the order changed');
  assert.deepEqual(await keys.digestMembers([hashes[2], hashes[0], hashes[1]]), digest);
  assert.notDeepEqual(await keys.digestMembers(hashes.slice(1)), digest);
});

test('wrap', async () => {
  const join = await keys.JoinKey.create();
  for (const w of [keys.freshKey(), await keys.ratchet(keys.freshKey())]) {
    const before = w.slice();
    const wrap = await keys.wrapKey(join.publicKey, SENDER, HEADER, RECIPIENT, w);
    assert.equal(wrap.length, w.length + 48);
    assert.deepEqual(w, before);
    assert.deepEqual(await join.unwrap(SENDER, HEADER, RECIPIENT, wrap), w);

    const wrapping = keys.wrapKey(join.publicKey, SENDER, HEADER, RECIPIENT, w);
    w.fill(0); // it was copied
    const again = await wrapping;
    assert.notDeepEqual(again, wrap);
    assert.deepEqual(await join.unwrap(SENDER, HEADER, RECIPIENT, again), before);
  }
  for (const n of [0, 15, 17, 31, 33, 64]) {
    await assert.rejects(keys.wrapKey(join.publicKey, SENDER, HEADER, RECIPIENT, random(n)), {
      code: 'key-size',
    });
  }
});

test('unwrap refuses', async () => {
  const join = await keys.JoinKey.create();
  const wrap = await keys.wrapKey(join.publicKey, SENDER, HEADER, RECIPIENT, keys.freshKey());
  const fails = (/** @type {Promise<unknown>} */ unwrapping, /** @type {string} */ code) =>
    assert.rejects(unwrapping, {name: 'WrapError', code});
  await fails((await keys.JoinKey.create()).unwrap(SENDER, HEADER, RECIPIENT, wrap), 'wrap-open');
  await fails(join.unwrap(RECIPIENT, HEADER, RECIPIENT, wrap), 'wrap-open');
  await fails(join.unwrap(SENDER, HEADER, SENDER, wrap), 'wrap-open');
  await fails(join.unwrap(SENDER, HEADER.subarray(1), RECIPIENT, wrap), 'wrap-open');
  for (let i = 0; i < wrap.length; i++) {
    const changed = wrap.slice();
    changed[i] ^= 1;
    await fails(join.unwrap(SENDER, HEADER, RECIPIENT, changed), 'wrap-open');
  }
  const encoded = wrap.slice();
  encoded[31] ^= 0x80; // X25519 ignores the bit, HPKE does not
  await fails(join.unwrap(SENDER, HEADER, RECIPIENT, encoded), 'wrap-open');
  for (let n = 0; n < wrap.length; n++) {
    await fails(join.unwrap(SENDER, HEADER, RECIPIENT, wrap.subarray(0, n)), 'wrap-size');
  }
  await fails(join.unwrap(SENDER, HEADER, RECIPIENT, Uint8Array.of(...wrap, ...random(16))), 'wrap-open');
  for (let round = 0; round < 50; round++) {
    await fails(join.unwrap(SENDER, HEADER, RECIPIENT, random(round % 2 ? 64 : 80)), 'wrap-open');
  }

  const {publicKey} = join;
  join.erase();
  await fails(join.unwrap(SENDER, HEADER, RECIPIENT, wrap), 'join-erased');
  assert.equal(join.privateKey, null);
  assert.equal(join.publicKey, publicKey);
});

test('join keys of low order', async () => {
  const join = await keys.JoinKey.create();
  assert.ok(!keys.lowOrder(join.publicKey));
  const one = new Uint8Array(32);
  one[0] = 1;
  one[31] = 0x80;
  const before = one.slice();
  assert.ok(keys.lowOrder(one));
  assert.deepEqual(one, before);
  await assert.rejects(keys.wrapKey(one, SENDER, HEADER, RECIPIENT, keys.freshKey()), {code: 'join-key'});
});

test('header signature', async () => {
  const {identity} = await Identity.generate();
  const other = (await Identity.generate()).identity;
  const signature = await keys.signHeader(identity, SENDER, HEADER);
  assert.equal(signature.length, 64);
  assert.ok(await keys.verifyHeader(identity.publicKey, SENDER, HEADER, signature));
  for (const wrong of [
    keys.verifyHeader(other.publicKey, SENDER, HEADER, signature),
    keys.verifyHeader(identity.publicKey, RECIPIENT, HEADER, signature),
    keys.verifyHeader(identity.publicKey, SENDER, HEADER.subarray(1), signature),
    keys.verifyHeader(identity.publicKey, SENDER, HEADER, signature.subarray(1)),
    keys.verifyHeader(identity.publicKey, SENDER, HEADER, new Uint8Array(0)),
  ]) assert.equal(await wrong, false);
});
