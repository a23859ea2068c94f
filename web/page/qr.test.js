// QR codes: one as another encoder makes it, and all sizes read back by a reader that is written here.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TooLong, encode } from './qr.js';

/** 'https://wzp.example/tea#k=wzp-AAAA', byte mode, correction M, mask 7, as python-qrcode 8.2 draws it. */
const golden = `
11111110000111001011001111111
10000010011111110100101000001
10111010001111001100101011101
10111010001001110001001011101
10111010010101101010001011101
10000010101001100101101000001
11111110101010101010101111111
00000000000000100110100000000
10010110100110011000110100000
00101100011010110000111001001
00100011110110001111010001110
01000100111100110010000110110
11001010000100001111111001011
01011101111010010011000100000
10001110100110000100100111111
11011100011101110111110101010
10000010001111100101110100010
01001100010100011010011101001
10110110001001000100101000011
00101101110001011110101110011
10010110000100101001111110100
00000000111001011011100010111
11111110001011101110101010010
10000010101011010000100011111
10111010001110101100111110001
10111010101101110110001011110
10111010011011100110000011101
10000010011011011100101010010
11111110111010010110110110010`.trim().split('\n');

test('a code is, module by module, the one that another encoder makes', () => {
  const rows = encode('https://wzp.example/tea#k=wzp-AAAA').map((row) =>
    row.map((dark) => (dark ? '1' : '0')).join(''),
  );
  assert.deepEqual(rows, golden);
});

const masks = [
  (x, y) => (x + y) % 2, (x, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3,
  (x, y) => ((x / 3 | 0) + (y / 2 | 0)) % 2, (x, y) => x * y % 2 + x * y % 3,
  (x, y) => (x * y % 2 + x * y % 3) % 2, (x, y) => ((x + y) % 2 + x * y % 3) % 2,
];

/** Whether a module is part of a pattern, and not data. */
function isPattern(x, y, size, centres) {
  const corner = (a, b) => a < 9 && b < 9;
  if (corner(x, y) || (x >= size - 8 && y < 9) || (y >= size - 8 && x < 9) || x === 6 || y === 6) return true;
  if (size >= 45 && ((x >= size - 11 && y < 6) || (y >= size - 11 && x < 6))) return true;
  const last = size - 7;
  return centres.some((cx) => centres.some((cy) => Math.abs(x - cx) <= 2 && Math.abs(y - cy) <= 2
    && !((cx === 6 && cy === 6) || (cx === 6 && cy === last) || (cx === last && cy === 6))));
}

/** Reads a code's bytes without correcting anything: table E.1 for centres, blocks from the standard. */
function read(modules, centres, blocks, check) {
  const size = modules.length;
  let mask = 0;
  for (const x of [2, 3, 4]) mask = mask << 1 | modules[8][x];
  mask ^= 0b101; // of the format's fixed mask
  const bits = [];
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right--;
    for (let i = 0; i < size; i++) {
      const y = up ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (!isPattern(x, y, size, centres)) bits.push(modules[y][x] !== (masks[mask](x, y) === 0) ? 1 : 0);
      }
    }
  }
  const words = Array.from({ length: bits.length >> 3 }, (_, i) =>
    parseInt(bits.slice(8 * i, 8 * i + 8).join(''), 2),
  );
  const data = words.length - blocks * check;
  const short = Math.floor(data / blocks);
  const parts = Array.from({ length: blocks }, () => []);
  for (let i = 0, at = 0; i <= short; i++) {
    for (let b = 0; b < blocks; b++) if (i < short || b >= blocks - data % blocks) parts[b].push(words[at++]);
  }
  const flow = parts.flat().map((word) => word.toString(2).padStart(8, '0')).join('');
  assert.equal(flow.slice(0, 4), '0100');
  const lengthBits = size < 57 ? 8 : 16;
  const length = parseInt(flow.slice(4, 4 + lengthBits), 2);
  const bytes = Array.from({ length }, (_, i) => parseInt(flow.slice(4 + lengthBits + 8 * i).slice(0, 8), 2));
  return new TextDecoder().decode(new Uint8Array(bytes));
}

for (const [length, size, centres, blocks, check] of [
  // version 1, 2, 3, 5, 7, 10, 14, 20, 25
  [14, 21, [], 1, 10],
  [26, 25, [6, 18], 1, 16],
  [42, 29, [6, 22], 1, 26],
  [84, 37, [6, 30], 2, 24],
  [122, 45, [6, 22, 38], 4, 18],
  [213, 57, [6, 28, 50], 5, 26],
  [362, 73, [6, 26, 46, 66], 9, 24],
  [666, 97, [6, 34, 62, 90], 16, 26],
  [997, 117, [6, 32, 58, 84, 110], 21, 28],
]) {
  test(`${length} bytes fill a code of ${size} modules a side, and are read back`, () => {
    const text = 'https://wzp.example/茶#k=wzp-'
      .padEnd(length - 2, 'aB3_-x')
      .slice(0, length - 2)
      .padEnd(length - 2, 'z');
    const fitting = length > 30 ? text : 'x'.repeat(length);
    const modules = encode(fitting);
    assert.equal(modules.length, size);
    assert.equal(read(modules, centres, blocks, check), fitting);
  });
}

test('what no code holds is refused with an error', () => {
  assert.throws(() => encode('x'.repeat(998)), TooLong);
});
