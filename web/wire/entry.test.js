import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Identity } from '../identity/identity.js';
import { concat, fromHex, toHex, toUtf8 } from './bytes.js';
import { build, hashEntry, parse } from './entry.js';
import { checkName, checkRoomName } from '../names/names.js';
import { appendMembersJoined } from './urgent.js';

const filled = (/** @type {number} */ b) => Identity.fromSeed(new Uint8Array(32).fill(b));
const count = (/** @type {number} */ n, /** @type {number} */ start) =>
  Uint8Array.from({ length: n }, (_, i) => start + i);
const many = (/** @type {string} */ s, /** @type {number} */ n) => s.repeat(n);
const [ann, relay] = await Promise.all([filled(0x2a), filled(0x63)]);

// Those of internal/wire/entry_test.go, made by another program from section 5.1 alone: without and with a
// proof.
const goldens = [
  {
    hex: '010005636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853'
      + '31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50000102030405060708090a0b0c0d0e0f40414243'
      + '4445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f29c24e632af6e733acef23f01907a7e73277001e'
      + 'a754c85020e6ff60413e0daef9f843be9be3ca01dc50796fa70b400faba906084b774243f216b7e695d80204',
    hash: '3e0068cb598f2e864d435052b809bfe5d8a55abc0a2d44f0cc101e09fd9307f9',
  },
  {
    hex: '010105636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853'
      + '31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50000102030405060708090a0b0c0d0e0f40414243'
      + '4445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f70717273'
      + '7475767778797a7b7c7d7e7f0b92038b29d5528dd86cec5404d8ab69a415147e470281cdaeb867fa148883550740c074'
      + '3e61a6b5b033e65b2116c5bb383d4da3e40c3b9c5d9b2a685326390b',
    hash: '7a9402c3507c58583203f8a080a47d44ac0f2f76fb01d49f3a78d638046b0119',
  },
];

const fields = {
  room: 'café', name: 'Ann', identity: ann, homeRelay: relay.publicKey, joinKey: count(32, 0x40),
  nonce: count(16, 0),
};

test('golden entries are built and read', async () => {
  for (const [i, golden] of goldens.entries()) {
    const bytes = fromHex(golden.hex);
    /** @type {[string, string] | undefined} */ let proved;
    const secret = {
      async proof(/** @type {string} */ room, /** @type {any} */ b) {
        proved = [room, toHex(b)];
        return count(32, 0x60);
      },
    };
    const built = await build({ ...fields, secret: i === 1 ? secret : null });
    assert.equal(toHex(built.entry), golden.hex);
    assert.equal(toHex(built.hash), golden.hash);
    assert.equal(toHex(built.id), golden.hash.slice(0, 12));

    const end = bytes.length - (i === 1 ? 96 : 64);
    const want = concat([1, 1], bytes.subarray(2, end)); // a proof covers that it is there
    assert.deepEqual(await parse(bytes), {
      room: 'café', name: 'Ann', identity: ann.publicKey, fingerprint: ann.fingerprint,
      homeRelay: relay.publicKey, nonce: fields.nonce, joinKey: fields.joinKey,
      proof: i === 1 ? count(32, 0x60) : undefined, proved: want, hash: built.hash, id: built.id,
    });
    if (i === 1) assert.deepEqual(proved, ['café', toHex(want)]);
    for (let n = 0; n < bytes.length; n++) {
      await assert.rejects(parse(bytes.subarray(0, n)), { name: 'FormatError', code: 'truncated' });
    }
  }
});

test('no byte of an entry can change without its being refused', async () => {
  for (const { hex } of goldens) {
    const bytes = fromHex(hex);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] ^= 1 << (i % 8);
      await assert.rejects(parse(bytes), { name: 'FormatError' }, `byte ${i}`);
      bytes[i] ^= 1 << (i % 8);
    }
    await assert.rejects(parse(concat(bytes, [0])), { code: 'invalid' });
  }
});

/** Signs what was changed of the first golden entry. @param {(b: any) => any} change */
async function resigned(change) {
  const bytes = change(fromHex(goldens[0].hex));
  const signed = bytes.slice(0, -64);
  return concat(signed, await ann.sign('member', [signed]));
}

test('what breaks the rules is refused though it is signed', async () => {
  await parse(await resigned((b) => b));
  for (const [name, change, code] of /** @type {[string, (b: any) => any, string][]} */ ([
    ['version 2', (b) => b.fill(2, 0, 1), 'unknown'],
    ['flag 2', (b) => b.fill(2, 1, 2), 'invalid'],
    ['no proof', (b) => b.fill(1, 1, 2), 'truncated'],
    ['no room', (b) => concat([1, 0, 0], b.subarray(8)), 'invalid'],
    ['_room', (b) => b.fill(0x5f, 3, 4), 'invalid'],
    ['room control', (b) => b.fill(7, 3, 4), 'invalid'],
    ['room UTF-8', (b) => b.fill(0xff, 3, 4), 'invalid'],
    ['not NFC', (b) => concat([1, 0, 6], toUtf8('cafe\u0301'), b.subarray(8)), 'invalid'],
    ['name control', (b) => b.fill(7, 9, 10), 'invalid'],
    ['long room', (b) => concat([1, 0, 65], toUtf8(many('r', 65)), b.subarray(8)), 'limit'],
    ['long name', (b) => concat(b.subarray(0, 8), [65], toUtf8(many('n', 65)), b.subarray(12)), 'limit'],
    ['too long', (b) => concat(b, new Uint8Array(400)), 'limit'],
  ])) {
    const entry = await resigned(change);
    await assert.rejects(parse(entry), { name: 'FormatError', code }, name);
  }
});

test('entries of keys that anybody can sign for are refused', async () => {
  const { low_order: keys } = JSON.parse(
    readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
  );
  for (const key of ['01' + many('00', 31), ...keys]) {
    const bytes = fromHex(goldens[0].hex);
    bytes.set(fromHex(key), 12);
    bytes.fill(0, -64);
    bytes[bytes.length - 64] = 1; // R is the neutral point, S is 0
    await assert.rejects(parse(bytes), { name: 'FormatError', what: 'entry signature' }, key);
  }
});

test('entries of the vectors are read', async () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
  );
  for (const v of vectors.kid) {
    const e = await parse(fromHex(v.entry));
    assert.deepEqual([toHex(e.hash), toHex(e.id)], [v.entry_hash, v.member]);
    assert.equal(toHex(await hashEntry(fromHex(v.entry))), v.entry_hash);
  }
  for (const v of vectors.proof) {
    const e = await parse(fromHex(v.entry));
    if (v.proved) assert.equal(toHex(e.proved), v.proved);
  }
});

test('the result does not change with the bytes', async () => {
  const bytes = fromHex(goldens[0].hex);
  const reading = parse(bytes);
  bytes.fill(0);
  const e = await reading;
  assert.deepEqual([e.room, toHex(e.identity)], ['café', toHex(ann.publicKey)]);
});

test('build refuses what nobody would read, and draws a nonce', async () => {
  await assert.rejects(build({ ...fields, room: '_x' }), { name: 'FormatError', what: 'entry room' });
  await assert.rejects(build({ ...fields, name: many('x', 65) }), {
    name: 'FormatError', what: 'entry name', code: 'limit',
  });
  const [a, b] = await Promise.all([
    build({ ...fields, nonce: undefined }), build({ ...fields, nonce: undefined }),
  ]);
  assert.notEqual(toHex(a.id), toHex(b.id));
  const secret = { proof: async () => new Uint8Array(32) };
  const { entry } = await build({ ...fields, room: many('r', 64), name: many('n', 64), secret });
  assert.equal(entry.length, 340);
  assert.ok(appendMembersJoined([entry, entry]).length <= 1024);
});

test('names of rooms and members', () => {
  for (const good of ['a', 'café', many('x', 64), 'a_b', 'with space', '日本']) checkRoomName(good);
  for (const [bad, code] of [
    ['', 'invalid'], ['_a', 'invalid'], [many('x', 65), 'limit'], ['cafe\u0301', 'invalid'],
    ['a\0', 'invalid'], ['a\n', 'invalid'], ['a\x7f', 'invalid'], ['a\x85', 'invalid'],
    ['a\udc00', 'invalid'],
  ]) {
    assert.throws(() => checkRoomName(bad), { name: 'FormatError', code }, JSON.stringify(bad));
  }
  for (const good of ['', '_a', 'cafe\u0301', many('é', 32)]) checkName(good);
  for (const [bad, code] of [[many('é', 33), 'limit'], ['\x1b[2J', 'invalid'], ['\ud800', 'invalid']]) {
    assert.throws(() => checkName(bad), { name: 'FormatError', code });
  }
});
