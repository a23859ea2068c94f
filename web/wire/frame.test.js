import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MAX_NUMBER, concat, fromHex, toHex, varintLength } from './bytes.js';
import * as wire from './frame.js';
import { appendPayload, appendSilence, appendView, parsePayload, parseView } from './payload.js';
import { appendReport } from './report.js';

/** @param {string} s */
const unhex = (s) => fromHex(s.replaceAll(' ', ''));
/** @param {string} s */
const list = (s) => [...wire.frames(unhex(s))];
const many = (/** @type {string} */ s, /** @type {number} */ n) => s.repeat(n);

// Those of internal/wire/golden_test.go: a packet of one frame, which is the last, what it says, and how it
// is written.
const goldens = [
  [
    '05 1234 aabb',
    { kind: 'media', layer: 0, long: false, alias: 5, ctr: 0x1234, ciphertext: unhex('aabb') },
  ],
  ['3b ffff aa', { kind: 'media', layer: 1, long: false, alias: 27, ctr: 0xffff, ciphertext: unhex('aa') }],
  ['1c 1c 0001 aa', { kind: 'media', layer: 0, long: false, alias: 28, ctr: 1, ciphertext: unhex('aa') }],
  ['3c 4fff 0001 aa', { kind: 'media', layer: 1, long: false, alias: 4095, ctr: 1, ciphertext: unhex('aa') }],
  [
    '1d 05 a1a2a3a4a5a60700 80012345 aabb',
    {
      kind: 'media', layer: 0, long: true, alias: 5, kid: 0xa1a2a3a4a5a60700n, ctr: 0x12345,
      ciphertext: unhex('aabb'),
    },
  ],
  [
    '3d 4100 b1b2b3b4b5b600ff 00 aa',
    {
      kind: 'media', layer: 1, long: true, alias: 256, kid: 0xb1b2b3b4b5b600ffn, ctr: 0,
      ciphertext: unhex('aa'),
    },
  ],
  [
    '63 8000ffff 4400 0102 010203040506 08 00',
    {
      kind: 'report', highest: 0xffff, received: 0x400, lost: 0x102, bursts: [1, 2, 3, 4, 5, 6], age: 2,
      samples: [],
    },
  ],
  [
    '63 05 04 0000 000000000000 00 02 01 4050 04 00',
    {
      kind: 'report',
      highest: 5,
      received: 4,
      lost: 0,
      bursts: [0, 0, 0, 0, 0, 0],
      age: 0,
      samples: [
        { counterBack: 1, arrivalBack: 20 }, { counterBack: 4, arrivalBack: 0 },
      ],
    },
  ],
  ['64 4123 01 010203', { kind: 'urgent', number: 0x123, type: 1, message: unhex('010203') }],
  ['64 00 05', { kind: 'urgent', number: 0, type: 5, message: unhex('') }],
  ['64 01 ff 00', { kind: 'urgent', number: 1, type: 255, message: unhex('00') }],
  ['65 07 8000000000000001', { kind: 'urgentAck', base: 7, bitmap: (1n << 63n) | 1n }],
  [
    '66 05 a1a2a3a4a5a60100 4fff b1b2b3b4b5b60002',
    {
      kind: 'aliasAck',
      pairs: [
        { alias: 5, kid: 0xa1a2a3a4a5a60100n }, { alias: 4095, kid: 0xb1b2b3b4b5b60002n },
      ],
    },
  ],
  ['61 0102030405060708', { kind: 'ping', data: unhex('0102030405060708') }],
  ['62 0102030405060708', { kind: 'pong', data: unhex('0102030405060708') }],
  ['67 0102030405060708', { kind: 'challenge', data: unhex('0102030405060708') }],
  ['68 0102030405060708', { kind: 'response', data: unhex('0102030405060708') }],
  ['69 03', { kind: 'close', code: wire.CLOSE.replaced }],
];

/** @param {any} f @param {boolean} last */
function append(f, last) {
  switch (f.kind) {
    case 'media': return wire.appendMedia(f, last);
    case 'report': return wire.appendReport(appendReport(f), last);
    case 'urgent': return wire.appendUrgent(f, last);
    case 'urgentAck': return wire.appendUrgentAck(f, last);
    case 'aliasAck': return wire.appendAliasAck(f.pairs, last);
    case 'close': return wire.appendClose(f.code, last);
    default: return wire.appendEcho(f.kind, f.data, last);
  }
}

test('golden frames are read and written', () => {
  for (const [hex, want] of goldens) {
    const bytes = unhex(/** @type {string} */ (hex));
    assert.deepEqual([...wire.frames(bytes)], [want], String(hex));
    assert.equal(toHex(append(want, true)), toHex(bytes));
    const inner = append(want, false);
    assert.equal(inner.length, 1 + varintLength(bytes.length - 1) + bytes.length - 1);
    assert.deepEqual([...wire.frames(concat(inner, [0x60]))], [want, { kind: 'padding' }]);
  }
});

test('every beginning of a golden frame is an error or a shorter meaning of its own', () => {
  for (const [hex, want] of goldens) {
    const bytes = unhex(/** @type {string} */ (hex));
    for (let n = 1; n < bytes.length; n++) {
      let got;
      try {
        got = [...wire.frames(bytes.subarray(0, n))];
      } catch (error) {
        assert.equal(/** @type {Error} */ (error).name, 'FormatError');
        continue;
      }
      assert.ok(
        ['media', 'urgent', 'aliasAck'].includes(/** @type {any} */ (want).kind),
        `${hex}: ${n} bytes are enough`,
      );
      assert.equal(toHex(append(got[0], true)), toHex(bytes.subarray(0, n)));
    }
  }
});

test('what breaks the layout is refused', () => {
  for (const [hex, code] of [
    ['05 1234', 'truncated'],
    ['1d 05 a1a2a3a4a5a60700 00', 'truncated'], // no ciphertext
    ['1c 5000 0001 aa', 'limit'],
    ['1c ffffffffffffffff 0001 aa', 'limit'],
    ['05 1234' + many('00', 1101), 'limit'],
    ['63 05 04 0000 000000000000 00 09' + many('0000', 9), 'limit'],
    ['63 05 04 0000 000000000000 00 01 00 00', 'invalid'],
    ['63 05 04 0000 000000000000 00 01 06 00', 'invalid'],
    ['63 05 04 0000 000000000000 00 02 03 00 03 00', 'invalid'],
    ['63 05 04 0000 000000000000 00 00 00', 'invalid'],
    ['63 05 04 0000 000000000000 c000000100000000 00', 'limit'],
    ['63 05 04 0000 000000000000 00 01 01 c000000100000000', 'limit'],
    ['64 00 01' + many('00', 1025), 'limit'],
    ['64 00 03 00', 'invalid'],
    ['64 00 0b 00', 'invalid'],
    ['65 07 000000000000000000', 'invalid'],
    ['66', 'truncated'],
    ['66 5000 a1a2a3a4a5a60100', 'limit'],
    ['61 010203040506070809', 'invalid'],
    ['69 0000', 'invalid'],
    ['69', 'invalid'],
    ['e1', 'truncated'],
    ['e1 40', 'truncated'],
    ['e1 02 00', 'truncated'],
    ['e1 c000000100000000 00', 'truncated'],
  ]) {
    assert.throws(() => list(hex), { name: 'FormatError', code }, hex);
  }
});

test('frames of unknown kinds are skipped by their length', () => {
  assert.deepEqual(list('e1 08 0102030405060708 85 04 1234 aabb c0 00 ff 01 00 69 03').map((f) => f.kind),
    ['ping', 'media', 'unknown', 'unknown', 'close']);
  assert.deepEqual(
    list('9e 03 1234aa 9f 00 e0 02 0000 69 00').map((f) => f.kind),
    ['unknown', 'unknown', 'padding', 'close'],
  );
  assert.deepEqual(
    list('9d 12 05 a1a2a3a4a5a60700 c020000000000000 aa 69 00').map((f) => f.kind), ['unknown', 'close'],
    'a CTR of 2^53',
  );
  assert.deepEqual(list(''), []);
});

test('what came before a frame that cannot be parsed counts', () => {
  const seen = /** @type {any[]} */ ([]);
  assert.throws(() => {
    for (const f of wire.frames(unhex('e9 01 03 e9 02 0000 69 00'))) seen.push(f);
  }, { code: 'invalid' });
  assert.deepEqual(seen, [{ kind: 'close', code: 3 }]);
});

test('a packet has 64 frames at most', () => {
  assert.equal(list(many('e000', 64)).length, 64);
  assert.throws(() => list(many('e000', 65)), { code: 'limit', what: 'packet' });
});

test('packets of browsers have a counter of 32 bits', () => {
  const packet = wire.makePacket(2 ** 32 + 7, wire.appendClose(1, false), fromHex('600000'));
  assert.equal(toHex(packet), '00000007e90101600000');
  assert.deepEqual(wire.parsePacket(packet), { counter: 7, frames: unhex('e90101600000') });
  assert.throws(() => wire.parsePacket(unhex('000000')), { code: 'truncated' });
  assert.throws(() => wire.parsePacket(new Uint8Array(1201)), { code: 'limit' });
});

test('the largest frames fit a packet', () => {
  const media = {
    long: true, alias: 4095, kid: 2n ** 64n - 1n, ctr: MAX_NUMBER,
    ciphertext: new Uint8Array(wire.MAX_CIPHERTEXT),
  };
  assert.ok(wire.makePacket(0, wire.appendMedia(media, false)).length <= wire.MAX_PACKET);
  const urgent = { number: MAX_NUMBER, type: 1, message: new Uint8Array(wire.MAX_URGENT) };
  assert.ok(wire.makePacket(0, wire.appendUrgent(urgent, false)).length <= wire.MAX_PACKET);
});

test('counters are rebuilt as in RFC 9000, appendix A.3', () => {
  for (const [low, bits, next, want] of [
    [0x9b32, 16, 0xa82f30eb, 0xa82f9b32],
    [0, 16, 0, 0],
    [0xffff, 16, 0, 0xffff],
    [0xffff, 16, 1, 0xffff],
    [0xffff, 16, 0x8000, 0xffff],
    [0xffff, 16, 0x10000, 0xffff],
    [0, 16, 0x8000, 0x10000],
    [0, 16, 0x7fff, 0],
    [0, 16, 0xffff, 0x10000],
    [1, 16, 0x1ffff, 0x20001],
    [0xffffffff, 32, 0, 0xffffffff],
    [0xffffffff, 32, 2 ** 32, 0xffffffff],
    [0, 32, 0xffffffff, 2 ** 32],
    [0, 16, MAX_NUMBER, MAX_NUMBER - 0xffff],
    [0xffff, 16, MAX_NUMBER, MAX_NUMBER],
    [0, 32, MAX_NUMBER, MAX_NUMBER - 0xffffffff],
  ]) {
    assert.equal(wire.decodeCounter(low, bits, next), want, `${low}, ${bits}, ${next}`);
  }
  const { ctr } = JSON.parse(
    readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
  );
  const fit = ctr.filter(
    (/** @type {any} */ v) => Number(v.next) <= MAX_NUMBER && Number(v.ctr) <= MAX_NUMBER,
  );
  assert.ok(fit.length > 10);
  for (const v of fit) {
    assert.equal(wire.decodeCounter(v.truncated, v.bits, Number(v.next)), Number(v.ctr), JSON.stringify(v));
  }
});

test('an urgent ack says what it acknowledges', () => {
  const ack = { base: 10, bitmap: 1n | (1n << 63n) };
  for (const [n, want] of /** @type {[number, boolean][]} */ ([
    [0, true], [9, true], [10, false], [11, true], [12, false], [74, true], [75, false], [MAX_NUMBER, false],
  ])) {
    assert.equal(wire.acknowledges(ack, n), want, String(n));
  }
});

test('times of a report that are out of range become the nearest in range', () => {
  const samples = Array.from({ length: 9 }, () => ({ counterBack: 1, arrivalBack: 1e15 }));
  const report = appendReport({
    highest: 99, received: 1, lost: 0x10005, bursts: [0, 0, 0, 0, 0, 300], age: -1, samples,
  });
  const [got] = wire.frames(wire.appendReport(report, true));
  assert.ok(got.kind === 'report');
  assert.deepEqual([got.age, got.lost, got.bursts[5], got.samples.length], [0, 5, 300 % 256, 8]);
  assert.equal(got.samples[0].arrivalBack, (2 ** 32 - 1) / 4);
});

test('payloads and views', () => {
  assert.equal(toHex(appendPayload(0x1234, unhex('08aabb'))), '123408aabb');
  assert.deepEqual(parsePayload(unhex('123408aabb')), {
    timestamp: 0x1234, silence: false, codec: unhex('08aabb'),
  });
  const silence = (mic, hand) => ({ timestamp: 7, silence: true, mic, hand });
  assert.deepEqual(parsePayload(unhex('0007ff00')), silence('', null));
  assert.equal(toHex(appendSilence(0x102, 5)), '0102ff00000000');
  assert.equal(appendSilence(0, 0).length, 4);
  assert.deepEqual(parsePayload(appendSilence(7, 40)), silence('', null));
  assert.equal(toHex(appendSilence(0x102, 5, 'muted')), '0102ff00020000');
  assert.equal(toHex(appendSilence(0x102, 5, 'muted', true)), '0102ff00820000');
  for (const mic of ['', 'open', 'muted', 'released', 'none']) {
    assert.deepEqual(parsePayload(appendSilence(7, 40, mic)), silence(mic, mic === '' ? null : false));
    assert.deepEqual(parsePayload(appendSilence(7, 3, mic, true)), silence(mic, true));
    assert.deepEqual(parsePayload(appendSilence(7, 2, mic, true)), silence('', null), 'no space for it');
  }
  for (const [told, mic, hand] of [
    [0xf4, 'none', true], [0x73, 'released', false], [0x05, '', false], [0x8f, '', true],
  ]) {
    const later = appendSilence(7, 40);
    later[4] = told;
    assert.deepEqual(parsePayload(later), silence(mic, hand), 'of a later version');
  }
  for (const [hex, code] of [
    ['', 'truncated'], ['1234', 'truncated'], ['1234ff', 'truncated'], ['1234ff01', 'unknown'],
  ]) {
    assert.throws(() => parsePayload(unhex(hex)), { name: 'FormatError', code });
  }
  const digest = unhex(many('ab', 32));
  assert.equal(toHex(appendView(digest)), '01' + many('ab', 32));
  assert.equal(toHex(appendView(digest, true)), '01' + many('ab', 32) + '02');
  for (const hand of [null, true, false]) {
    assert.deepEqual(parseView(concat(appendView(digest, hand), [9])), { members: digest, hand });
  }
  for (const [hex, code] of [
    ['', 'truncated'], ['01' + many('ab', 31), 'truncated'], ['02' + many('ab', 32), 'unknown'],
  ]) {
    assert.throws(() => parseView(unhex(hex)), { name: 'FormatError', code });
  }
});
