import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, toHex, toUtf8 } from '../wire/bytes.js';
import { Identity, fingerprintOf, importSeed, signedBytes, usableKey, verify } from './identity.js';

const repeated = (/** @type {number} */ b) => Identity.fromSeed(new Uint8Array(32).fill(b));

// featherChat's: seed byte repeated 32 times, Ed25519 public key, fingerprint.
const vectors = /** @type {[number, string, string][]} */ ([
  [
    0x2a, 'd335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc',
    '9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c',
  ],
  [
    0x63, 'd12d385331068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50',
    '7f92:a8cf:0814:393c:3bfb:4d48:cc2e:80f8',
  ],
  [
    0xab, '970164bac536365bc3701bdc4e43410bd07771da5628c971dc62cb15a7f7204d',
    '8470:57d7:a85a:f6fb:79de:e03e:8d5c:2634',
  ],
  [
    0x55, '21ea6370aceef4cf61a6ced389fdb16915edb1e1ff078b27a75f1d20fce9471b',
    'eb6d:ce47:7a66:fd12:3a0b:39f9:874a:e69b',
  ],
]);

test('keys and fingerprints are those of the vectors', async () => {
  for (const [seed, publicKey, fingerprint] of vectors) {
    const id = await repeated(seed);
    assert.equal(toHex(id.publicKey), publicKey);
    assert.equal(id.fingerprint, fingerprint);
    assert.equal(await fingerprintOf(fromHex(publicKey)), fingerprint);
  }
  const { publicKey, privateKey } = await (await repeated(0x2a)).agreement();
  assert.equal(toHex(publicKey), '450ec91af98d8d4a92c4df7123d1ef8addf6de185623135b015398652e7fa73d');
  assert.equal(privateKey.extractable, false);
});

test('signatures are those of the Go package', async () => {
  const id = await repeated(0x2a);
  const fields = [toUtf8('abc'), new Uint8Array(0), Uint8Array.of(0, 1, 2, 3)];
  assert.equal(
    toHex(signedBytes('hello', fields)),
    '777a702f312068656c6c6f00' + '00000003616263' + '00000000' + '0000000400010203',
  );
  const signature = await id.sign('hello', fields);
  assert.equal(
    toHex(signature),
    '5c23c19270dcb04aa61fd61afbfc9f2aa17de0df00d7ea24998d742cd8ce4b9bf951bb934daf5389e5c53f05622d0d75afde36375a4a83894fd8d68bbfcd630e',
  );
  assert.ok(await verify(id.publicKey, 'hello', fields, signature));
});

test('a signature serves nothing else', async () => {
  const [id, other] = await Promise.all([repeated(1), repeated(2)]);
  const [a, b] = [toUtf8('ab'), toUtf8('c')];
  const signature = await id.sign('hello', [a, b]);
  const flipped = signature.slice();
  flipped[10] ^= 1;
  for (const [name, ...args] of /** @type {[string, any, string, any[], any][]} */ ([
    ['other key', other.publicKey, 'hello', [a, b], signature],
    ['zero key', new Uint8Array(32), 'hello', [a, b], signature],
    ['no key', new Uint8Array(0), 'hello', [a, b], signature],
    ['long key', new Uint8Array(33).fill(9), 'hello', [a, b], signature],
    ['no point', new Uint8Array(32).fill(2), 'hello', [a, b], signature],
    ['other kind', id.publicKey, 'member', [a, b], signature],
    ['moved boundary', id.publicKey, 'hello', [toUtf8('a'), toUtf8('bc')], signature],
    ['joined fields', id.publicKey, 'hello', [toUtf8('abc')], signature],
    ['field less', id.publicKey, 'hello', [a], signature],
    ['empty field more', id.publicKey, 'hello', [a, b, new Uint8Array(0)], signature],
    ['other order', id.publicKey, 'hello', [b, a], signature],
    ['flipped bit', id.publicKey, 'hello', [a, b], flipped],
    ['no signature', id.publicKey, 'hello', [a, b], new Uint8Array(0)],
    ['short signature', id.publicKey, 'hello', [a, b], signature.subarray(0, 63)],
    ['long signature', id.publicKey, 'hello', [a, b], concat(signature, [0])],
    ['empty kind', id.publicKey, '', [a, b], signature],
    ['zero in kind', id.publicKey, 'a\0b', [a, b], signature],
  ])) {
    assert.equal(await verify(...args), false, name);
  }
  for (const kind of ['', 'a\0b', '\0']) await assert.rejects(id.sign(kind, []), { code: 'kind' });
});

test('keys that anybody can sign for are refused', async () => {
  // With R the neutral point and S zero, the plain equation of Ed25519 holds for each of them and some
  // message.
  const forged = concat([1], new Uint8Array(63));
  const nearP = (/** @type {string} */ low) => low + 'ff'.repeat(30) + '7f';
  const keys = [
    '00'.repeat(32), '01' + '00'.repeat(31),
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', nearP('ec'), nearP('ed'), nearP('ee'),
  ];
  for (const hex of keys) {
    for (const sign of [0, 0x80]) {
      const key = fromHex(hex);
      key[31] |= sign;
      assert.equal(usableKey(key), false, hex);
      for (let i = 0; i < 16; i++) {
        assert.equal(await verify(key, 'hello', [Uint8Array.of(i)], forged), false, hex);
      }
    }
  }
  assert.ok(usableKey((await repeated(1)).publicKey));
  assert.ok(usableKey(fromHex(nearP('eb'))));
  const { bad_key_header: bad } = JSON.parse(
    readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
  );
  for (const v of bad) {
    assert.equal(
      await verify(
        fromHex(v.identity), 'sender key', [fromHex(v.sender), fromHex(v.header)], fromHex(v.signature),
      ),
      false,
      v.why,
    );
  }
});

test('seeds that are none are refused', async () => {
  await assert.rejects(Identity.fromSeed(new Uint8Array(32)), { name: 'IdentityError', code: 'seed' });
  await assert.rejects(Identity.fromSeed(new Uint8Array(31).fill(1)), { code: 'seed' });
  assert.equal((await importSeed(new Uint8Array(32).fill(1))).extractable, false);
});

test('a new identity comes back from its seed, which is random', async () => {
  const [a, b] = await Promise.all([Identity.generate(), Identity.generate()]);
  assert.notEqual(toHex(a.seed), toHex(b.seed));
  const again = await Identity.fromSeed(a.seed);
  assert.equal(again.fingerprint, a.identity.fingerprint);
  assert.ok(await verify(a.identity.publicKey, 'x', [], await again.sign('x', [])));
  assert.deepEqual(Object.keys(a.identity).sort(), ['fingerprint', 'publicKey'], 'no secret can be read');
});
