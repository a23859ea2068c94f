import assert from 'node:assert/strict';
import {test} from 'node:test';

import * as hpke from './hpke.js';

const INFO = new TextEncoder().encode('info');
const TEXT = new TextEncoder().encode('sixteen bytes ..');

test('what is sealed opens, for the recipient and its info only', async () => {
  const to = await hpke.generatePair();
  const other = await hpke.generatePair();
  const sealed = await hpke.seal(to.publicKey, INFO, TEXT);
  assert.equal(sealed.length, TEXT.length + hpke.ENC_SIZE + hpke.TAG_SIZE);
  assert.notDeepEqual(await hpke.seal(to.publicKey, INFO, TEXT), sealed);
  assert.deepEqual(await hpke.open(to.privateKey, to.publicKey, INFO, sealed), TEXT);

  const fails = (/** @type {Promise<unknown>} */ opening) =>
    assert.rejects(opening, {name: 'HpkeError', code: 'open'});
  await fails(hpke.open(other.privateKey, other.publicKey, INFO, sealed));
  await fails(hpke.open(to.privateKey, other.publicKey, INFO, sealed));
  await fails(hpke.open(to.privateKey, to.publicKey, INFO.subarray(1), sealed));
  for (let n = 0; n < sealed.length; n++) {
    await fails(hpke.open(to.privateKey, to.publicKey, INFO, sealed.subarray(0, n)));
  }
  for (let i = 0; i < sealed.length; i++) {
    const changed = sealed.slice();
    changed[i] ^= 1;
    await fails(hpke.open(to.privateKey, to.publicKey, INFO, changed));
  }
});

test('private keys cannot be taken out', async () => {
  const {privateKey} = await hpke.generatePair();
  for (const format of /** @type {const} */ (['pkcs8', 'jwk', 'raw'])) {
    await assert.rejects(crypto.subtle.exportKey(format, privateKey));
  }
});

test('buffers are free at once', async () => {
  const to = await hpke.generatePair();
  const sealed = await hpke.seal(to.publicKey, INFO, TEXT);
  const enc = sealed.slice();
  const info = INFO.slice();
  const opening = hpke.open(to.privateKey, to.publicKey, info, enc);
  enc.fill(0);
  assert.deepEqual(await opening, TEXT);
});

test('public keys that are malformed are refused', async () => {
  for (const n of [0, 31, 33, 64]) {
    await assert.rejects(hpke.seal(new Uint8Array(n).fill(9), INFO, TEXT), {code: 'public-key'});
  }
});

test('messages are counted, and one that fails is not', async () => {
  const to = await hpke.generatePair();
  const ephemeral = await hpke.generatePair();
  const sender = await hpke.setupSender(ephemeral, to.publicKey, INFO);
  const receiver = await hpke.setupRecipient(ephemeral.publicKey, to, INFO);
  const first = await sender.seal(TEXT);
  const second = await sender.seal(TEXT, INFO);
  assert.notDeepEqual(first, second);
  await assert.rejects(receiver.open(second, INFO), {code: 'open'});
  assert.deepEqual(await receiver.open(first), TEXT);
  await assert.rejects(receiver.open(second), {code: 'open'});
  assert.deepEqual(await receiver.open(second, INFO), TEXT);
  await assert.rejects(receiver.open(new Uint8Array(3)), {code: 'open'});
});
