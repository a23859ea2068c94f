import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from './bytes.js';
import { lastWordsRequest, leaveRequest } from './leave.js';

const count = (/** @type {number} */ n, /** @type {number} */ start) =>
  Uint8Array.from({ length: n }, (_, i) => start + i);

test('a request to leave is that of internal/wire/leave_request_test.go', () => {
  const stay = { hash: count(32, 0x20), secret: count(32, 0x40) };
  assert.equal(toHex(leaveRequest('café', stay)), '05636166c3a9'
    + '202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f'
    + '404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f');
  assert.throws(() => leaveRequest('_x', stay), { name: 'FormatError' });
});

test('last words are those of internal/wire/last_words_test.go', () => {
  const words = lastWordsRequest(count(16, 0x10), [count(3, 0xa1), new Uint8Array([0xff])]);
  assert.equal(toHex(words), '00101112131415161718191a1b1c1d1e1f0003a1a2a30001ff');
});
