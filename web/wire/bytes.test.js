import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FormatError, MAX_NUMBER, Reader, Writer, compare, concat, equal, fromBase64, fromBase64Url, fromHex,
  fromUtf8, toBase64, toBase64Url, toHex, toUtf8, varintLength,
} from './bytes.js';

/** @param {string} s */
const unhex = (s) => fromHex(s.replaceAll(' ', ''));

test('varints are those of RFC 9000, appendix A.1', () => {
  for (const [hex, want] of /** @type {[string, number][]} */ ([
    ['9d7f3e7d', 494878333], ['7bbd', 15293], ['25', 37], ['4025', 37], ['c000000000000025', 37],
  ])) {
    const bytes = unhex(hex);
    const r = new Reader(bytes, 'x');
    assert.equal(r.varint(), want, hex);
    assert.equal(r.left, 0);
    for (let n = 0; n < bytes.length; n++) {
      assert.throws(() => new Reader(bytes.subarray(0, n), 'x').varint(), { code: 'truncated' });
    }
  }
});

test('a varint above 2^53 - 1 is refused', () => {
  assert.equal(new Reader(unhex('c01fffffffffffff'), 'x').varint(), MAX_NUMBER);
  for (const hex of ['c020000000000000', 'c020000000000001', 'c2197c5eff14e88c', 'ffffffffffffffff']) {
    assert.throws(() => new Reader(unhex(hex), 'x').varint(), {
      name: 'FormatError', code: 'limit', what: 'x',
    });
  }
});

test('varints are written in their shortest form', () => {
  for (const v of [0, 1, 63, 64, 2 ** 14 - 1, 2 ** 14, 2 ** 30 - 1, 2 ** 30, 2 ** 32 + 5, MAX_NUMBER]) {
    const bytes = new Writer().varint(v).done();
    assert.equal(bytes.length, varintLength(v));
    assert.equal(new Reader(bytes, 'x').varint(), v);
  }
  assert.deepEqual([63, 64, 2 ** 14, 2 ** 30].map(varintLength), [1, 2, 4, 8]);
  assert.equal(new Reader(new Writer().varint(2 ** 60).done(), 'x').varint(), MAX_NUMBER);
});

test('integers keep their bits', () => {
  const bytes = new Writer()
    .uint8(0xff)
    .uint16(0x8001)
    .uint32(0xfffefdfc)
    .uint64(0xa1a2a3a4a5a60700n)
    .bytes([1, 2])
    .done();
  assert.equal(toHex(bytes), 'ff8001fffefdfca1a2a3a4a5a607000102');
  const r = new Reader(bytes, 'x');
  assert.deepEqual(
    [r.uint8(), r.uint16(), r.uint32(), r.uint64()], [0xff, 0x8001, 0xfffefdfc, 0xa1a2a3a4a5a60700n],
  );
  assert.equal(r.offset, 15);
  assert.throws(() => r.end('goes on'), { code: 'invalid' });
  assert.deepEqual([...r.rest()], [1, 2]);
  r.end('goes on');
  assert.throws(() => r.uint8(), { code: 'truncated' });
  assert.equal(
    toHex(
      new Writer()
        .uint16(0x12345)
        .uint32(2 ** 32 + 1)
        .done(),
    ),
    '234500000001',
    'only low bits are written',
  );
});

test('a writer grows', () => {
  const w = new Writer();
  for (let i = 0; i < 1000; i++) w.uint16(i);
  assert.equal(w.length, 2000);
  assert.equal(w.bytes(new Uint8Array(5000)).done().length, 7000);
});

test('hexadecimal has one form', () => {
  assert.deepEqual([...fromHex('00ff1a')], [0, 255, 26]);
  assert.deepEqual([...fromHex('')], []);
  for (const bad of ['0', 'FF', '0g', ' 00', 5, null, undefined]) {
    assert.throws(() => fromHex(bad), { code: 'invalid' });
  }
  assert.throws(() => fromHex('00ff', 1), { code: 'invalid' });
});

test('base64 has one form', () => {
  assert.equal(toBase64(unhex('fbff01')), '+/8B');
  assert.equal(toBase64Url(unhex('fbff')), '-_8');
  assert.deepEqual([...fromBase64('AQ==')], [1]);
  assert.deepEqual([...fromBase64Url('-_8')], [0xfb, 0xff]);
  for (const bad of ['AQ', 'AR==', 'AQ\n==', 'A', '-_8=', 'AQ==AQ==']) {
    assert.throws(() => fromBase64(bad), FormatError, bad);
  }
  for (const bad of ['AQ==', '+/8', '-_9', 'A', ' AQ']) {
    assert.throws(() => fromBase64Url(bad), FormatError, bad);
  }
});

test('text comes back as it was', () => {
  for (const text of ['', 'é', '\ufeffroom', '\u{1f3a4}', '\0']) assert.equal(fromUtf8(toUtf8(text)), text);
  for (const bad of ['ff', 'c0af', 'eda080', 'c3']) {
    assert.throws(() => fromUtf8(unhex(bad)), { code: 'invalid' });
  }
});

test('bytes are joined and compared', () => {
  assert.deepEqual([...concat([1], new Uint8Array([2, 3]), [])], [1, 2, 3]);
  assert.ok(equal([1, 2], [1, 2]) && !equal([1, 2], [1, 3]) && !equal([1], [1, 2]));
  assert.ok(
    compare([1, 2], [1, 3]) < 0
      && compare([2], [1, 9]) > 0 && compare([1], [1, 0]) < 0 && compare([1], [1]) === 0,
  );
});
