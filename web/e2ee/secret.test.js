import assert from 'node:assert/strict';
import {test} from 'node:test';
import {inspect} from 'node:util';

import {Secret, SecretError} from './secret.js';

const ENTRY = new TextEncoder().encode('an entry up to its proof');

test('text', async () => {
  const one = await Secret.generate();
  assert.notEqual(one.text, (await Secret.generate()).text);
  assert.match(one.text, /^wzp-[A-Za-z0-9_-]{48}$/);
  const again = await Secret.parse(one.text);
  assert.equal(again.text, one.text);
  assert.deepEqual(again.revealTo((bytes) => bytes.slice()), one.revealTo((bytes) => bytes.slice()));
});

test('parse refuses, and its errors show nothing of the text', async () => {
  const {text} = await Secret.generate();
  const fails = async (/** @type {any} */ bad) => {
    const error = await Secret.parse(bad).catch((e) => e);
    assert.ok(error instanceof SecretError, `taken: ${bad}`);
    assert.match(error.message, /passwords are not accepted/);
    for (let i = 4; i + 8 < String(bad).length; i++) {
      assert.ok(!error.message.includes(String(bad).slice(i, i + 8)), 'the error shows some of the text');
    }
  };
  for (let i = 0; i < text.length; i++) {
    await fails(text.slice(0, i) + (text[i] === 'a' ? 'b' : 'a') + text.slice(i + 1));
    await fails(text.slice(0, i));
  }
  for (const bad of [
    text + '\n', ' ' + text, text + '=', text + 'A', text.slice(0, 30) + '\n' + text.slice(30),
    text.toUpperCase(), 'correct horse battery staple', 'wzp-' + 'é'.repeat(48), null, undefined, 7,
    'x'.repeat(1 << 20),
  ])
    await fails(bad);
});

test('whatever is taken is exactly what text makes of it', async () => {
  const alphabet = 'wzp-ABab01_/+= ';
  for (let round = 0; round < 2000; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(48 + (round % 3)));
    const text = 'wzp-' + Array.from(bytes, (b) => alphabet[b % alphabet.length]).join('');
    const secret = await Secret.parse(text).catch(() => null);
    if (secret) assert.equal(secret.text, text);
  }
});

test('proof', async () => {
  const secret = await Secret.generate();
  const proof = await secret.proof('room', ENTRY);
  assert.equal(proof.length, 32);
  assert.ok(await secret.check('room', ENTRY, proof));
  assert.ok(!(await secret.check('room', ENTRY, undefined)));
  assert.ok(!(await secret.check('room', ENTRY, null)));
  assert.ok(!(await secret.check('room', ENTRY, new Uint8Array(0))));
  assert.ok(!(await (await Secret.generate()).check('room', ENTRY, proof)));
  assert.ok(!(await secret.check('room2', ENTRY, proof)));
  assert.ok(!(await secret.check('room', ENTRY.subarray(1), proof)));
  assert.ok(await secret.check('room', ENTRY, proof), 'another room between changed something');
  for (let i = 0; i < 32; i++) {
    const changed = proof.slice();
    changed[i] ^= 0x10;
    assert.ok(!(await secret.check('room', ENTRY, changed)));
  }
});

test('buffers are free at once', async () => {
  const secret = await Secret.generate();
  const proof = await secret.proof('room', ENTRY);
  const [entry, copy] = [ENTRY.slice(), proof.slice()];
  const checking = secret.check('room', entry, copy);
  entry.fill(0);
  copy.fill(0);
  assert.ok(await checking);
});

test('the keys of a room cannot be taken out', async () => {
  const key = await (await Secret.generate()).mediaKey('room');
  assert.equal(key.extractable, false);
  assert.deepEqual(key.usages, ['sign']);
});

test('a secret shows itself by text only', async () => {
  const secret = await Secret.generate();
  const printed = [
    String(secret), JSON.stringify({secret}), inspect(secret, {depth: 9, showHidden: true}), `${secret}`,
  ].join('\n');
  assert.ok(!printed.includes(secret.text.slice(4, 12)), printed);
  const hidden = inspect(secret.revealTo((bytes) => bytes.slice(0, 4))).replace(/.*\[|\].*/gs, '').trim();
  assert.ok(!printed.includes(hidden));
});

test('a secret has 32 bytes', async () => {
  for (const n of [0, 31, 33]) await assert.rejects(Secret.fromBytes(new Uint8Array(n)), RangeError);
});
