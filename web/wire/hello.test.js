import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identity, verify } from '../identity/identity.js';
import { concat, fromHex, toHex, toUtf8 } from './bytes.js';
import { encode } from './control.js';
import { signHello, verifyWebCertificates, verifyWelcome, webHelloValue, webSocketBinding } from './hello.js';

const filled = (/** @type {number} */ b) => Identity.fromSeed(new Uint8Array(32).fill(b));
const count = (/** @type {number} */ n, /** @type {number} */ start) =>
  Uint8Array.from({ length: n }, (_, i) => start + i);
const [ann, relay] = await Promise.all([filled(0x2a), filled(0x63)]);
const fields = {
  name: 'Ann', client: 'wzp/0.1', session: count(16, 0x10), connectionId: 0x0a0b0c, features: ['x', 'yy'],
};

test('a Hello is signed as in Go', async () => {
  const hello = await signHello(ann, fields, count(32, 0), relay.publicKey);
  // Of wire/message_test.go, made by another program from section 5 alone.
  assert.equal(
    toHex(hello.signature),
    '3db09fea314a07e9df7bc8121868eb563715c4164e11c9bc1397a9d9065aab067158d64f0ce48cefdb095a27343acfddc590dc9069aa9e252393ba5069458207',
  );
  assert.ok(encode('Hello', hello).startsWith('{"Hello":{"protocol":1,"identity":"d335'));
  const plain = await signHello(
    ann, { name: '', client: 'wzp', session: fields.session }, count(32, 0), relay.publicKey,
  );
  assert.deepEqual([plain.connectionId, plain.features], [1, []]);
  const signed = [
    count(32, 0), relay.publicKey, fields.session, Uint8Array.of(0, 0, 1), toUtf8(''), toUtf8('wzp'),
  ];
  assert.ok(await verify(ann.publicKey, 'hello', signed, plain.signature));
});

test('what a browser signs binds it to challenge and carrier', async () => {
  // Of wire/greeting_test.go, computed by another program from section 8 alone.
  const challenge = count(32, 0x40);
  assert.equal(toHex(await webHelloValue(challenge, webSocketBinding('wss://Relay.Example/ws'))),
    '9dcba8696119fb23bff8c0afa03760e762d2410d93578f10dc25810ec072dc45');
  assert.equal(
    toHex(await webHelloValue(challenge, count(32, 0x80))),
    'ec4181e6cc5b16d04a843cc1f1d12aa3fef2af9e27a104b2b11b3f6bda52142b',
  );
});

test('the binding of a WebSocket always has the port', () => {
  for (const [url, want] of [
    ['wss://Relay.Example/ws', 'relay.example:443'], ['wss://relay.example:443/ws', 'relay.example:443'],
    ['ws://localhost/ws', 'localhost:80'], ['ws://localhost:8080/ws', 'localhost:8080'],
    ['wss://a:4433/x?y', 'a:4433'], ['ws://[::1]:80/', '[::1]:80'], ['https://a/', 'a:443'],
  ]) {
    assert.equal(toHex(webSocketBinding(url)), toHex(toUtf8(want)), url);
  }
});

test('a Welcome proves the relay, for this connection and session alone', async () => {
  const value = count(32, 7);
  const { session } = fields;
  const signature = await relay.sign('web welcome', [value, session, ann.publicKey]);
  assert.ok(await verifyWelcome(relay.publicKey, value, session, ann.publicKey, signature));
  assert.ok(!(await verifyWelcome(relay.publicKey, value, session, ann.publicKey, undefined)));
  assert.ok(!(await verifyWelcome(ann.publicKey, value, session, ann.publicKey, signature)));
  assert.ok(!(await verifyWelcome(relay.publicKey, count(32, 8), session, ann.publicKey, signature)));
  assert.ok(!(await verifyWelcome(relay.publicKey, value, count(16, 0), ann.publicKey, signature)));
  assert.ok(!(await verifyWelcome(relay.publicKey, value, session, relay.publicKey, signature)));
  assert.ok(
    !(await verifyWelcome(
      new Uint8Array(32), value, session, ann.publicKey, concat([1], new Uint8Array(63)),
    )),
  );
});

test('the certificates of a page are the relay\'s', async () => {
  const hashes = [count(32, 0), count(32, 100)];
  const signature = await relay.sign('web certificate', hashes);
  assert.ok(await verifyWebCertificates(relay.publicKey, hashes, signature));
  assert.ok(!(await verifyWebCertificates(relay.publicKey, [hashes[1], hashes[0]], signature)));
  assert.ok(!(await verifyWebCertificates(relay.publicKey, hashes.slice(1), signature)));
  assert.ok(!(await verifyWebCertificates(relay.publicKey, [concat(...hashes)], signature)));
  assert.ok(!(await verifyWebCertificates(ann.publicKey, hashes, signature)));
  assert.ok(!(await verifyWebCertificates(relay.publicKey, hashes, fromHex(''))));
});
