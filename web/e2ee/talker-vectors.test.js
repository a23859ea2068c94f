/**
 * Key messages put together from Go's vectors (testdata/vectors/e2ee.json): a listener takes what Go made,
 * byte for byte, and what a talker here says of such a key is what Go says.
 */

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';

import {Identity} from '../identity/identity.js';
import {fromHex, toHex} from '../wire/bytes.js';
import * as urgent from '../wire/urgent.js';
import {Distribution} from './distribution.js';
import {generatePair} from './hpke.js';
import {JoinKey} from './keys.js';
import {Listener} from './listener.js';
import {Secret} from './secret.js';
import {MediaKey} from './media-key.js';
import {at} from './talker-party.test.js';

const vectors = JSON.parse(
  readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
);

/** The join key of a vector. @param {string} secret @param {string} publicKey */
async function joinKey(secret, publicKey) {
  const pkcs8 = fromHex(`302e020100300506032b656e04220420${secret}`);
  return new JoinKey(
    await crypto.subtle.importKey('pkcs8', pkcs8, 'X25519', false, ['deriveBits']), fromHex(publicKey),
  );
}

/** The header of a wrap. @param {any} wrap */
const headerOf = (wrap) => vectors.key_header.find((/** @type {any} */ h) => h.header === wrap.header);

/** The message "key" that a relay makes of a vector. @param {any} wrap @param {any} header */
function keyMessage(wrap, header) {
  const key = {signed: fromHex(header.header), signature: fromHex(header.signature)};
  return urgent.parseKey(
    urgent.appendKey({sender: header.sender.slice(0, 12), key, wrap: fromHex(wrap.wrap)}),
  );
}

test("a listener takes Go's keys", async () => {
  let taken = 0;
  for (const wrap of vectors.wrap) {
    const header = headerOf(wrap);
    if (BigInt(header.first_ctr) > BigInt(Number.MAX_SAFE_INTEGER)) {
      // JavaScript does not count so far.
      assert.throws(() => keyMessage(wrap, header), {name: 'FormatError'});
      continue;
    }
    const listener = new Listener({
      self: fromHex(wrap.recipient), joinKey: await joinKey(wrap.join_private, wrap.join_key), room: 'Küche',
      secret: null,
    });
    const key = keyMessage(wrap, header);
    assert.equal(await listener.accept(fromHex(header.sender), fromHex(header.identity), key, at(0)), true);
    taken++;
  }
  assert.ok(taken >= 3);
});

test("a listener refuses what Go's vectors call bad", async () => {
  const good = vectors.wrap[0];
  const header = headerOf(good);
  const accept = async (/** @type {any} */ wrap, /** @type {any} */ signed) => {
    const pair = wrap.join_key
      ? null
      : vectors.wrap.find((/** @type {any} */ w) => w.join_private === wrap.join_private);
    const key = wrap.join_key || pair
      ? await joinKey(wrap.join_private, wrap.join_key ?? pair.join_key)
      : new JoinKey((await generatePair()).privateKey, fromHex(good.join_key));
    const listener = new Listener({self: fromHex(wrap.recipient), joinKey: key, room: 'Küche', secret: null});
    return listener.accept(fromHex(signed.sender), fromHex(signed.identity), keyMessage(wrap, signed), at(0));
  };
  assert.equal(await accept(good, header), true);
  for (const bad of vectors.bad_key_header) {
    await assert.rejects(accept(good, {...header, ...bad}), {code: 'bad_key'}, bad.why);
  }
  for (const bad of vectors.bad_wrap) {
    await assert.rejects(
      accept(bad, {...header, sender: bad.sender, header: bad.header}),
      ({code}) => code === 'bad_key' || code === 'invalid', bad.why,
    );
  }
});

test("frames under Go's keys open, ratcheted or not", async () => {
  for (const {cipher_suite: suite, secret: hex, room, steps} of vectors.ratchet) {
    const secret = hex === '' ? null
      : await Secret.parse(vectors.secret.find((/** @type {any} */ v) => v.secret === hex).text);
    const hash = new Uint8Array(32);
    hash.set(fromHex(BigInt(steps[0].kid).toString(16).padStart(16, '0')).subarray(0, 6));
    const {identity} = await Identity.generate();
    const join = await JoinKey.create();
    const self = new Uint8Array(32).fill(9);
    const listener = new Listener({self, joinKey: join, room, secret});
    const epoch = Number(BigInt(steps[0].kid) & 0xffn);
    const key = new MediaKey(
      {suite, generation: epoch >> 4, step: epoch & 15, first: 0}, Promise.resolve(fromHex(steps[0].w)),
    );
    const d = new Distribution({
      identity, self: hash, number: 1, key, everyMember: [hash], to: [{hash: self, joinKey: join.publicKey}],
    });
    const announced = urgent.parseSenderKey(await d.announce());
    for await (const message of d.wraps()) {
      const {wrap} = urgent.parseKeyWraps(message).wraps[0];
      await listener.accept(
        hash, identity.publicKey, {sender: hash.subarray(0, 6), key: announced.key, wrap}, at(0),
      );
    }
    for (const step of steps) {
      assert.equal(
        toHex(await listener.decrypt(BigInt(step.kid), Number(step.ctr), fromHex(step.ct), at(0))), step.pt,
      );
    }
  }
});

test('a distribution says of a key what Go says', async () => {
  for (const v of vectors.key_header) {
    if (BigInt(v.first_ctr) > BigInt(Number.MAX_SAFE_INTEGER)) continue;
    const key = new MediaKey(
      {suite: v.cipher_suite, generation: v.epoch >> 4, step: v.epoch & 15, first: Number(v.first_ctr)},
      Promise.resolve(fromHex(v.w)),
    );
    const hashes = vectors.members.find((/** @type {any} */ m) => m.digest === v.member_digest).entry_hashes;
    const d = new Distribution({
      identity: await Identity.fromSeed(fromHex(v.seed)), self: fromHex(v.sender), number: v.number, key,
      everyMember: hashes.map((/** @type {string} */ hash) => fromHex(hash)), to: [],
    });
    assert.equal(toHex(await d.announce()), `00${v.header}${v.signature}`);
  }
});
