import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, toHex } from './bytes.js';
import { MAX_URGENT } from './frame.js';
import * as urgent from './urgent.js';

/** @param {string} s */
const unhex = (s) => fromHex(s.replaceAll(' ', ''));
const many = (/** @type {string} */ s, /** @type {number} */ n) => s.repeat(n);

// By hand, from docs/protocol.md, section 7.2; the ones of wire/senderkey_test.go.
const headerHex = ('02 01020304 51 412c' + many('11', 32) + many('22', 32)).replaceAll(' ', '');
const signatureHex = many('33', 64);
const idA = unhex('a1a2a3a4a5a6');
const idB = unhex('b1b2b3b4b5b6');
const key = {
  suite: 2, number: 0x01020304, epoch: 0x51, firstCtr: 300, hash: unhex(many('11', 32)),
  members: unhex(many('22', 32)), signed: unhex(headerHex), signature: unhex(signatureHex),
};

/** @type {Record<string, {parse: (b: any) => any, append: (v: any) => any}>} */
const layouts = {
  joined: { parse: urgent.parseMembersJoined, append: urgent.appendMembersJoined },
  left: { parse: urgent.parseMembersLeft, append: urgent.appendMembersLeft },
  senderKey: { parse: urgent.parseSenderKey, append: urgent.appendSenderKey },
  keyWraps: { parse: urgent.parseKeyWraps, append: (v) => urgent.appendKeyWraps(v.number, v.size, v.wraps) },
  key: { parse: urgent.parseKey, append: urgent.appendKey },
  keysWanted: { parse: urgent.parseKeysWanted, append: urgent.appendKeysWanted },
  relays: { parse: urgent.parseRelays, append: urgent.appendRelays },
  mediaDropped: { parse: urgent.parseMediaDropped, append: urgent.appendMediaDropped },
  keyDelivered: { parse: urgent.parseKeyDelivered, append: urgent.appendKeyDelivered },
};

// Those of internal/wire/golden_test.go.
const goldens = /** @type {[string, string, any][]} */ ([
  ['joined', '03 010203 02 0405', [unhex('010203'), unhex('0405')]],
  [
    'relays',
    '0102030405060708 04 4f736c6f 1112131415161718 00',
    new Map([
      ['0102:0304:0506:0708', 'Oslo'], ['1112:1314:1516:1718', ''],
    ]),
  ],
  ['mediaDropped', '02 40fa 41f4', { reason: 2, dropped: 250, sent: 500 }],
  ['mediaDropped', '00 00 00', { reason: 0, dropped: 0, sent: 0 }],
  ['mediaDropped', 'ff 01 c0000000ffffffff', { reason: 255, dropped: 1, sent: 2 ** 32 - 1 }],
  ['left', 'a1a2a3a4a5a6 b1b2b3b4b5b6', [idA, idB]],
  ['senderKey', '03' + headerHex + signatureHex, { recipients: 3, key }],
  ['senderKey', 'c0000000ffffffff' + headerHex + signatureHex, { recipients: 2 ** 32 - 1, key }],
  [
    'keyWraps',
    '01020304 40 a1a2a3a4a5a6' + many('aa', 64) + 'b1b2b3b4b5b6' + many('bb', 64),
    {
      number: 0x01020304,
      size: 64,
      wraps: [
        { id: idA, wrap: unhex(many('aa', 64)) }, { id: idB, wrap: unhex(many('bb', 64)) },
      ],
    },
  ],
  [
    'keyWraps', '00000001 50 b1b2b3b4b5b6' + many('cc', 80),
    { number: 1, size: 80, wraps: [{ id: idB, wrap: unhex(many('cc', 80)) }] },
  ],
  [
    'key', 'a1a2a3a4a5a6' + headerHex + signatureHex + many('aa', 64),
    { sender: idA, key, wrap: unhex(many('aa', 64)) },
  ],
  [
    'key', 'b1b2b3b4b5b6' + headerHex + signatureHex + many('cc', 80),
    { sender: idB, key, wrap: unhex(many('cc', 80)) },
  ],
  ['keysWanted', 'a1a2a3a4a5a6', [idA]],
  ['keysWanted', 'a1a2a3a4a5a6 b1b2b3b4b5b6', [idA, idB]],
  ['keyDelivered', '01020304', 0x01020304],
]);

test('golden messages are read and written', () => {
  for (const [name, hex, want] of goldens) {
    const bytes = unhex(hex);
    assert.deepEqual(layouts[name].parse(bytes), want, `${name} ${hex}`);
    assert.equal(toHex(layouts[name].append(want)), toHex(bytes));
  }
});

test('every beginning of a golden message is an error or a shorter meaning of its own', () => {
  for (const [name, hex] of goldens) {
    const bytes = unhex(hex);
    for (let n = 0; n < bytes.length; n++) {
      let got;
      try {
        got = layouts[name].parse(bytes.subarray(0, n));
      } catch (error) {
        assert.equal(/** @type {Error} */ (error).name, 'FormatError');
        continue;
      }
      assert.ok(
        !['senderKey', 'keyDelivered', 'mediaDropped'].includes(name), `${name}: ${n} bytes are enough`,
      );
      assert.equal(toHex(layouts[name].append(got)), toHex(bytes.subarray(0, n)));
    }
  }
});

test('what breaks the layout is refused', () => {
  for (const [name, hex, code] of [
    ['joined', '', 'truncated'], ['joined', '00', 'invalid'], ['joined', 'c000000100000000 00', 'truncated'],
    ['joined', '41a5' + many('00', 421), 'invalid'], ['left', '', 'invalid'], ['left', 'a1', 'invalid'],
    ['senderKey', '', 'truncated'], ['senderKey', '03' + headerHex + signatureHex + '00', 'invalid'],
    ['senderKey', 'c000000100000000' + headerHex + signatureHex, 'limit'],
    ['senderKey', '0304' + headerHex.slice(2) + signatureHex, 'unknown'],
    ['senderKey', '0301' + headerHex.slice(2) + signatureHex, 'unknown'],
    ['keyWraps', '00000001 40', 'truncated'], ['keyWraps', '00000001 00', 'truncated'],
    ['keyWraps', '00000001 00 a1a2a3a4a5a6', 'invalid'],
    ['keyWraps', '00000001 41 a1a2a3a4a5a6' + many('aa', 65), 'invalid'],
    ['keyWraps', '00000001 40 a1a2a3a4a5a6' + many('aa', 65), 'truncated'],
    ['key', 'a1a2a3a4a5a6' + headerHex + signatureHex, 'invalid'],
    ['key', 'a1a2a3a4a5a6' + headerHex + signatureHex + many('aa', 72), 'invalid'],
    ['key', 'a1a2a3a4a5a6 00' + headerHex.slice(2) + signatureHex + many('aa', 64), 'unknown'],
    ['keysWanted', '', 'invalid'], ['keysWanted', 'a1a2a3a4a5a6 b1', 'invalid'],
    ['keysWanted', many('a1a2a3a4a5a6', 33), 'invalid'], ['mediaDropped', '', 'truncated'],
    ['mediaDropped', '02 05', 'truncated'], ['mediaDropped', '02 05 06 00', 'invalid'],
    ['mediaDropped', '02 07 06', 'invalid'], ['mediaDropped', '02 01 c000000100000000', 'limit'],
    ['keyDelivered', '', 'invalid'], ['keyDelivered', '0102030405', 'invalid'],
  ]) {
    assert.throws(
      () => layouts[name].parse(unhex(hex)), { name: 'FormatError', code }, `${name} ${hex.slice(0, 40)}`,
    );
  }
});

test('what is signed is what came', () => {
  const long = '02 01020304 51 c00000000000012c' + headerHex.slice('020102030451412c'.length) + signatureHex;
  const { key: got } = urgent.parseSenderKey(unhex('01' + long));
  assert.equal(got.firstCtr, 300);
  assert.equal(toHex(got.signed) + signatureHex, long.replaceAll(' ', ''));
  const passedOn = urgent.appendKey({ sender: idA, key: got, wrap: new Uint8Array(urgent.WRAP_FRESH) });
  assert.ok(toHex(passedOn).includes(long.replaceAll(' ', '')));
});

test('headers of the vectors are read and written', () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
  );
  for (const v of vectors.key_header) {
    const message = concat([1], fromHex(v.header), fromHex(v.signature));
    if (BigInt(v.first_ctr) > BigInt(Number.MAX_SAFE_INTEGER)) {
      assert.throws(() => urgent.parseSenderKey(message), { code: 'limit' });
      continue;
    }
    const { key: got } = urgent.parseSenderKey(message);
    assert.deepEqual(
      [got.suite, got.number, got.epoch, String(got.firstCtr)],
      [v.cipher_suite, v.number, v.epoch, v.first_ctr],
    );
    assert.deepEqual(
      [toHex(got.hash), toHex(got.members), toHex(got.signature)], [v.hash, v.member_digest, v.signature],
    );
    assert.equal(toHex(urgent.appendKeyHeader(got)), v.header);
  }
});

test('an urgent message takes 14 fresh or 11 ratcheted wraps, the largest key, and all that may be wanted', () => {
  for (const [size, most] of [
    [urgent.WRAP_FRESH, 14], [urgent.WRAP_RATCHETED, 11],
  ]) {
    const wraps = Array.from({ length: most }, () => ({ id: 'a1a2a3a4a5a6', wrap: new Uint8Array(size) }));
    const message = urgent.appendKeyWraps(1, size, wraps);
    assert.ok(message.length <= MAX_URGENT);
    assert.equal(urgent.parseKeyWraps(message).wraps.length, most);
  }
  const signed = urgent.appendKeyHeader({ ...key, firstCtr: Number.MAX_SAFE_INTEGER });
  assert.ok(
    urgent.appendKey({ sender: idA, key: { ...key, signed }, wrap: new Uint8Array(urgent.WRAP_RATCHETED) })
      .length <= MAX_URGENT,
  );
  const ids = Array.from({ length: urgent.MAX_WANTED }, (_, i) => (i % 2 ? idA : 'b1b2b3b4b5b6'));
  assert.equal(urgent.parseKeysWanted(urgent.appendKeysWanted(ids)).length, urgent.MAX_WANTED);
  assert.ok(urgent.appendMembersJoined([new Uint8Array(420), new Uint8Array(420)]).length <= MAX_URGENT);
});

test('a member id is 6 bytes or twelve hexadecimal digits', () => {
  assert.deepEqual(urgent.memberId('a1a2a3a4a5a6'), idA);
  assert.equal(urgent.memberId(idA), idA);
  for (const bad of ['', 'a1a2a3a4a5', 'A1a2a3a4a5a6', 'g1a2a3a4a5a6', new Uint8Array(5)]) {
    assert.throws(() => urgent.memberId(/** @type {any} */ (bad)), { name: 'FormatError' });
  }
});
