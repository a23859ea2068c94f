import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';

import {Identity} from '../identity/identity.js';
import {fromHex} from '../wire/bytes.js';
import {MAX_OFFER} from '../wire/call.js';
import {callIdOf, callRoom} from '../wire/call-id.js';
import {buildCall} from '../wire/entry.js';
import {CallChannel, callKeyOf} from './call-channel.js';
import {sealOffer} from './offer.js';
import {Secret} from './secret.js';
import {StayKey} from './stay-key.js';

const vectors = JSON.parse(
  readFileSync(new URL('../../testdata/vectors/e2ee.json', import.meta.url), 'utf8'),
);
const now = 1_900_000_000_000;
const [alice, bob] = await Promise.all([1, 2].map((n) => Identity.fromSeed(new Uint8Array(32).fill(n))));
const stay = await StayKey.create();

/** An offer from alice to bob's stay key. @param {string} [name] */
async function offered(name = 'Alice') {
  const [nonce, seed] = [new Uint8Array(32).fill(3), crypto.getRandomValues(new Uint8Array(32))];
  const secret = await Secret.generate();
  const room = callRoom(await callIdOf(alice.publicKey, bob.publicKey, nonce));
  const key = new Uint8Array(32).fill(9);
  const {entry} = await buildCall({
    room, name, identity: alice, homeRelay: bob.publicKey, joinKey: key, secret, staySecret: key,
  });
  const offer = {nonce, seed, secret, entry};
  return {offer, ...await sealOffer(stay.publicKey, offer, now)};
}

/** @param {CallChannel} channel @param {string} text */
const said = (channel, text) => channel.seal(new TextEncoder().encode(text));
/** @param {CallChannel} channel @param {import('../wire/bytes.js').Bytes} body */
const heard = async (channel, body) => new TextDecoder().decode((await channel.open(body)).plaintext);

test('an offer opens for the device, path and time that it is for', async () => {
  const {offer, sealed, path} = await offered();
  const key = path.publicKey;
  const bobs = (self = bob.publicKey, at = now, of = key) => stay.openOffer(of, self, sealed, at);
  const {caller, secret, path: same} = await bobs();
  assert.deepEqual([caller.name, caller.fingerprint, same.id], ['Alice', alice.fingerprint, path.id]);
  assert.equal(secret.text, offer.secret.text);
  await Promise.all([bobs(bob.publicKey, now + 120_999), bobs(bob.publicKey, now - 120_000)]);
  await assert.rejects(bobs(bob.publicKey, now + 121_000), {name: 'OfferError', code: 'time'});
  await assert.rejects(bobs(alice.publicKey), {code: 'self'});
  await assert.rejects(bobs(bob.publicKey, now, alice.publicKey), {code: 'sealed'});
  for (let n = 0; n < sealed.length; n += 7) {
    await assert.rejects(stay.openOffer(key, bob.publicKey, sealed.subarray(0, n), now), {code: 'sealed'});
  }
  const erased = await StayKey.create();
  erased.erase();
  await assert.rejects(erased.openOffer(key, bob.publicKey, sealed, now), {code: 'erased'});
  for (const low of vectors.low_order) {
    await assert.rejects(sealOffer(fromHex(low), offer, now), {name: 'HpkeError'}, low);
  }
  const sizes = await Promise.all([0, 1, 64].map(async (n) => (await offered('n'.repeat(n))).sealed.length));
  assert.deepEqual(sizes, [sealed.length, sealed.length, sealed.length], 'the size shows the name');
  assert.ok(sealed.length <= MAX_OFFER);
});

test('an offer that was kept opens for a day and an hour, and says when it was made', async () => {
  const {sealed, path} = await offered();
  const at = (ms, self = bob.publicKey, of = path.publicKey) => stay.openKept(of, self, sealed, now + ms);
  const {made, caller, call} = await at(25 * 3_600_000 + 999);
  assert.deepEqual([made, caller.name, caller.fingerprint], [now, 'Alice', alice.fingerprint]);
  assert.deepEqual(call, (await stay.openOffer(path.publicKey, bob.publicKey, sealed, now)).call);
  await at(-120_000);
  for (const ms of [25 * 3_600_000 + 1000, -121_000, 1e12]) {
    await assert.rejects(at(ms), {name: 'OfferError', code: 'time'}, `${ms}`);
  }
  await assert.rejects(at(0, alice.publicKey), {code: 'self'});
  await assert.rejects(at(0, bob.publicKey, alice.publicKey), {code: 'sealed'});
  const stored = new StayKey(structuredClone(stay.pair)); // as a store gives it back
  assert.equal((await stored.openKept(path.publicKey, bob.publicKey, sealed, now)).made, now);
  stored.erase();
  await assert.rejects(stored.openKept(path.publicKey, bob.publicKey, sealed, now), {code: 'erased'});
  assert.throws(() => stored.pair, {code: 'erased'});
});

test('what one end of a call says the other hears once, in any order', async () => {
  const {sealed, path, channel: a} = await offered();
  const {channel: b} = await stay.openOffer(path.publicKey, bob.publicKey, sealed, now);
  const [first, second] = await Promise.all([said(a, 'first'), said(a, 'second')]);
  assert.equal(await heard(b, second), 'second');
  assert.equal(await heard(b, first), 'first');
  await assert.rejects(b.open(second), {name: 'CallMessageError', code: 'replayed'});
  await assert.rejects(a.open(first), {code: 'message'}, 'to its sender');
  assert.equal(await heard(a, await said(b, 'hi')), 'hi');
  const third = await said(a, 'third');
  for (let n = 0; n < third.length; n++) await assert.rejects(b.open(third.subarray(0, n)), {code: 'message'});
  for (let i = 0; i < 1024; i++) await b.open(await said(a, 'more'));
  await assert.rejects(b.open(first), {code: 'replayed'});
  const twice = await said(a, 'twice');
  const both = await Promise.allSettled([b.open(twice), b.open(twice)]);
  assert.deepEqual(both.map(({status}) => status).sort(), ['fulfilled', 'rejected']);
});

test('random bodies open nothing', async () => {
  const key = await callKeyOf(new Uint8Array(28).fill(7));
  const channel = new CallChannel('01'.repeat(16), key, key);
  for (let n = 0; n < 300; n++) {
    const body = crypto.getRandomValues(new Uint8Array(n % 60));
    await assert.rejects(channel.open(body), {code: 'message'});
  }
});
