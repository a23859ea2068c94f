import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Identity } from '../identity/identity.js';
import { concat, fromHex, toHex, toUtf8 } from './bytes.js';
import { build, buildCall, hashEntry, parse, parseCall, replacedBy } from './entry.js';
import { checkName, checkRoomName } from '../names/names.js';
import { MAX_ENTRY, appendMembersJoined } from './urgent.js';

const filled = (/** @type {number} */ b) => Identity.fromSeed(new Uint8Array(32).fill(b));
const count = (/** @type {number} */ n, /** @type {number} */ start) =>
  Uint8Array.from({ length: n }, (_, i) => start + i);
const many = (/** @type {string} */ s, /** @type {number} */ n) => s.repeat(n);
const [ann, relay] = await Promise.all([filled(0x2a), filled(0x63)]);

// Those of internal/wire/entry_test.go, made by another program from section 5.1 alone: 1 and 3 have a proof,
// 2 and 3 replace 0 and 1.
const goldens = [
  {
    hex: '010005636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853'
      + '31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50baecf96553874381fb31a6bf5497754da3ea4906'
      + '7a6e2299f36a355983a0f18f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fdd48fc52'
      + '58d778d6d1e97d9ddbc12573f8fcb0f8efedaa2016543bca9746c85e29e2632627b264ba6da816349cb7b3ebd8756b4c'
      + '53c15d3d058e101cf4c8e80a',
    hash: '668375b311257b3fb3e71aa21f0465b84ffa33104104df25037b5c10635cab19',
  },
  {
    hex: '010105636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853'
      + '31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50baecf96553874381fb31a6bf5497754da3ea4906'
      + '7a6e2299f36a355983a0f18f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263'
      + '6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f89764d8224f225109337960063ebbb267e4e39e2'
      + '15a9f22d4ccaf2c0350af121d9b48198dd24b1b2dd56c502cb4038260b7ffd9946155a39cf41f188dbafe701',
    hash: '4e9e9f2ffdbc53f6c13b825d723fde1dffabf7a2ca3e2f161ce135c9e8bce386',
  },
  {
    hex: '010205636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853'
      + '31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe507a7866cf14fdac6c7cb59f70754d08ae6fededea'
      + '9092995f7ad7c456c1f007d0404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f668375b3'
      + '11257b3fb3e71aa21f0465b84ffa33104104df25037b5c10635cab19000102030405060708090a0b0c0d0e0f10111213'
      + '1415161718191a1b1c1d1e1f41ffc47b28ba4f85ffba501832203f899e49035ca6fbcd27b124f780d962e83f0cf8d845'
      + '838a29c06878b655dd9992add42b1f0bffdaedf4b935f7ea19a43e0e',
    hash: '8837416ca5626951388bd1157700f9332ea993151044a01d30ed712c91bbf4ec',
  },
  {
    hex: '010305636166c3a903416e6ed335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d3853'
      + '31068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe507a7866cf14fdac6c7cb59f70754d08ae6fededea'
      + '9092995f7ad7c456c1f007d0404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f4e9e9f2f'
      + 'fdbc53f6c13b825d723fde1dffabf7a2ca3e2f161ce135c9e8bce386000102030405060708090a0b0c0d0e0f10111213'
      + '1415161718191a1b1c1d1e1f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f362c47bc'
      + 'd3410a54a8e849178f0a2891bef1402ac1cb8d89b69cbda43776aec8819492ee1e9e57fd2cc9c28361490edf28f9b7c7'
      + '7744988b70e8ffa4e00c080a',
    hash: 'c99809695c164c57b0fd5a10f8712802f89de6018164a03a05e5dbe2dd0695d5',
  },
];

const fields = {
  room: 'café', name: 'Ann', identity: ann, homeRelay: relay.publicKey, joinKey: count(32, 0x40),
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
    const built = await build({
      ...fields,
      secret: i % 2 === 1 ? secret : null,
      staySecret: count(32, i < 2 ? 0 : 0x80),
      replaces: i < 2 ? null : { hash: fromHex(goldens[i - 2].hash), secret: count(32, 0) },
    });
    assert.equal(toHex(built.entry), golden.hex);
    assert.equal(toHex(built.hash), golden.hash);
    assert.equal(toHex(built.id), golden.hash.slice(0, 12));

    const end = bytes.length - (i % 2 === 1 ? 96 : 64);
    const want = concat([1, bytes[1] | 1], bytes.subarray(2, end)); // a proof covers that it is there
    const { stay, replaces, ...parsed } = await parse(bytes);
    assert.deepEqual(parsed, {
      room: 'café', name: 'Ann', identity: ann.publicKey, fingerprint: ann.fingerprint,
      homeRelay: relay.publicKey, joinKey: fields.joinKey,
      proof: i % 2 === 1 ? count(32, 0x60) : undefined, proved: want, hash: built.hash, id: built.id,
    });
    assert.equal(replaces, i < 2 ? '' : (await parse(fromHex(goldens[i - 2].hex))).stay);
    assert.ok(stay.startsWith(golden.hash));
    if (i % 2 === 1) assert.deepEqual(proved, ['café', toHex(want)]);
    for (let n = 0; n < bytes.length; n++) {
      await assert.rejects(parse(bytes.subarray(0, n)), { name: 'FormatError', code: 'truncated' });
    }
  }
});

// That of internal/wire/signal_test.go.
test('the entry of a call is good for a call alone', async () => {
  const hex = '0101265f63616c6c2f383665316631643536626338626636613739316264336134346264643863343403416e6ed33530'
    + '1856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bcd12d385331068c9e45882abba6a8c6b34115bc'
    + '4331d1067616c2d3a837acfe50baecf96553874381fb31a6bf5497754da3ea49067a6e2299f36a355983a0f18f404142'
    + '434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172'
    + '737475767778797a7b7c7d7e7f947706dba076bea26162102b08004aaab8cc56047bae850621608e57074771ac53d4a3'
    + 'f72923e739db71e017cad8de622207b0be1a5d4c2775a019c02ca6d503';
  const room = '_call/86e1f1d56bc8bf6a791bd3a44bdd8c44';
  const secret = { proof: async () => count(32, 0x60) };
  const call = { ...fields, room, secret, staySecret: count(32, 0) };
  assert.equal(toHex((await buildCall(call)).entry), hex);
  const parsed = await parseCall(fromHex(hex));
  assert.deepEqual([parsed.room, parsed.name, parsed.proof], [room, 'Ann', count(32, 0x60)]);
  for (let n = 0; n < hex.length; n += 2) {
    await assert.rejects(parseCall(fromHex(hex.slice(0, n))), { name: 'FormatError', code: 'truncated' });
  }
  await assert.rejects(parse(fromHex(hex)), { name: 'FormatError', what: 'entry room' });
  await assert.rejects(parseCall(fromHex(goldens[1].hex)), { name: 'FormatError', what: 'entry room' });
  for (const bad of ['', '_call/', '_call/' + many('a', 31), '_call/' + many('A', 32), '_call/' + many('a', 34),
    '_CALL/' + many('a', 32), '_probe', 'cafe']) {
    await assert.rejects(buildCall({ ...call, room: bad }), { name: 'FormatError', what: 'entry room' }, bad);
  }
});

test('an entry replaces what it names and proves, and nothing else', async () => {
  const old = await parse(fromHex(goldens[0].hex));
  const proof = { hash: fromHex(goldens[0].hash), secret: count(32, 0) };
  assert.equal(await replacedBy(ann.publicKey, proof), old.stay);
  assert.notEqual(await replacedBy(relay.publicKey, proof), old.stay);
  assert.notEqual(await replacedBy(ann.publicKey, { ...proof, secret: count(32, 1) }), old.stay);
  assert.notEqual(await replacedBy(ann.publicKey, { ...proof, hash: fromHex(goldens[1].hash) }), old.stay);
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
    ['flag 4', (b) => b.fill(4, 1, 2), 'invalid'],
    ['no stay', (b) => b.fill(2, 1, 2), 'truncated'],
    ['no proof', (b) => b.fill(1, 1, 2), 'truncated'],
    ['no room', (b) => concat([1, 0, 0], b.subarray(8)), 'invalid'],
    ['_room', (b) => b.fill(0x5f, 3, 4), 'invalid'],
    ['room control', (b) => b.fill(7, 3, 4), 'invalid'],
    ['room UTF-8', (b) => b.fill(0xff, 3, 4), 'invalid'],
    ['not NFC', (b) => concat([1, 0, 6], toUtf8('cafe\u0301'), b.subarray(8)), 'invalid'],
    ['name control', (b) => b.fill(7, 9, 10), 'invalid'],
    ['long room', (b) => concat([1, 0, 65], toUtf8(many('r', 65)), b.subarray(8)), 'limit'],
    ['long name', (b) => concat(b.subarray(0, 8), [65], toUtf8(many('n', 65)), b.subarray(12)), 'limit'],
    ['too long', (b) => concat(b, new Uint8Array(420)), 'limit'],
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

test('build refuses what nobody would read', async () => {
  const whole = { ...fields, staySecret: count(32, 0) };
  await assert.rejects(build({ ...whole, room: '_x' }), { name: 'FormatError', what: 'entry room' });
  await assert.rejects(build({ ...whole, name: many('x', 65) }), {
    name: 'FormatError', what: 'entry name', code: 'limit',
  });
  const secret = { proof: async () => new Uint8Array(32) };
  const replaces = { hash: count(32, 0), secret: count(32, 0) };
  const { entry } = await build({ ...whole, room: many('r', 64), name: many('n', 64), secret, replaces });
  assert.equal(entry.length, MAX_ENTRY);
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
