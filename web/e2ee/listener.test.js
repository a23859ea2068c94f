/** The rules of receiving, as Go's listener_test.go, opener_test.go and back_test.go pin them. @module */

import assert from 'node:assert/strict';
import test from 'node:test';

import * as urgent from '../wire/urgent.js';
import {
  MadeKey, NEVER, Party, SUITE32, armed, at, chain, deliver, hashEntry, heard, makeKid, unheard,
} from './talker-party.test.js';

const good = MadeKey.good;
const party = (/** @type {string} */ name) => Party.create(name);

/**
 * A frame of a step of a chain.
 * @param {Party} from @param {Uint8Array[]} w @param {number} step @param {number} stream @param {number} ctr
 * @param {number} [generation]
 */
async function frameOf(from, w, step, stream, ctr, generation = 0) {
  return (await good(0, (generation << 4) | step, 0, w[step])).frame(from, stream, ctr);
}

test('accept refuses what breaks the rules, and changes nothing', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const [w, other] = [await chain('one'), await chain('other')];
  await b.takes(a, await good(7, 0x32, 100, w[2]), at(0));
  const frame = await (await good(7, 0x32, 100, w[2])).frame(a, 0, 100);

  const changed = async (/** @type {object} */ header, /** @type {Uint8Array} */ key = w[3]) => {
    const k = await good(8, 0x33, 100, w[3]);
    return new MadeKey({...k.header, ...header}, key);
  };
  const hash = (await good(8, 0x33, 100, w[3])).header.hash.slice();
  hash[0]++;
  for (const [reason, code, key] of /** @type {[string, string, MadeKey][]} */ ([
    ['', 'known_key', await changed({number: 7})],
    ['', 'known_key', await changed({number: 6})],
    ['', 'known_key', await changed({number: 0})],
    ['first CTR went back', 'bad_key', await changed({firstCtr: 99})],
    ['not the signed one', 'bad_key', await changed({hash})],
    ['not the signed one', 'bad_key', await changed({}, other[3])],
    ['suite', 'bad_key', await changed({suite: SUITE32})],
    ['does not follow', 'bad_key', await changed({epoch: 0x34})],
    ['does not follow', 'bad_key', await changed({epoch: 0x32})],
    ['does not follow', 'bad_key', await changed({epoch: 0x31})],
    ['does not follow', 'bad_key', await good(8, 0x33, 100, other[3])],
    ['does not follow', 'bad_key', await good(8, 0x32, 100, other[2])],
    ['does not follow', 'bad_key', await good(8, 0x31, 100, other[1])],
    ['does not follow', 'bad_key', await good(8, 0x30, 100, other[0])],
    ['length', 'bad_key', await good(8, 0x30, 100, w[3])],
    ['length', 'bad_key', await good(8, 0x33, 100, w[0])],
    ['length', 'bad_key', await good(8, 0x40, 100, w[3])],
    ['length', 'bad_key', await good(8, 0x43, 100, w[0])],
  ])) {
    await b.refuses(a, key, code, reason);
    await heard(frame, 'words', at(0), b);
  }
  // Nothing of that used up the number, or moved the first CTR.
  await b.takes(a, await good(8, 0x33, 100, w[3]), at(0));
  await heard(await frameOf(a, w, 3, 0, 100, 3), 'words', at(0), b);
  await b.takes(a, await good(9, 0x40, 100, other[0]), at(0));
});

test('each byte of a message counts', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const message = await (await good(8, 0x33, 100, (await chain('one'))[3])).message(a, b);
  for (let i = 0; i < message.length; i++) {
    const bad = message.slice();
    bad[i] ^= 1 << (i % 8);
    let key;
    try {
      key = urgent.parseKey(bad);
    } catch {
      continue;
    }
    await assert.rejects(b.listener.accept(a.hash, a.identity.publicKey, key, at(0)),
      ({code}) => code === 'bad_key' || code === 'known_key', `byte ${i}`);
  }
  assert.equal(await b.accept(a, message, at(0)), true);
  await assert.rejects(b.accept(a, message, at(0)), {code: 'known_key'});
});

test('a relay cannot give wraps to others, or put messages together anew', async () => {
  const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map(party));
  const w = (await chain('one'))[0];
  const k = await good(1, 0, 0, w);
  const ofA = urgent.parseKey(await k.message(a, b));
  const ofC = urgent.parseKey(await k.message(c, b));
  const refuse = (/** @type {string} */ reason, /** @type {Party} */ sender, /** @type {urgent.Key} */ key) =>
    assert.rejects(b.listener.accept(sender.hash, sender.identity.publicKey, key, at(0)),
      (error) => error.code === 'bad_key' && error.message.includes(reason), reason);
  await refuse('another sender', c, ofA);
  await refuse('wrap', a, {...ofA, wrap: urgent.parseKey(await k.message(a, d)).wrap}); // another recipient's
  await refuse('wrap', a, {...ofA, wrap: ofC.wrap}); // of the same key by another sender
  await refuse('signature', c, {...ofA, sender: ofC.sender}); // as another sender's
  await refuse('signature', a, {...ofA, key: {...ofA.key, signature: ofC.key.signature}});
  const second = urgent.parseKey(await (await good(2, 0, 0, w)).message(a, b));
  await refuse('wrap', a, {...ofA, key: second.key}); // of the same key under another header
  const elsewhere = await Party.create('a', null, await hashEntry('a in another room'));
  // Of another stay.
  await refuse('signature', a, {...urgent.parseKey(await k.message(elsewhere, b)), sender: ofA.sender});
  await refuse('wrap', a, {...ofA, wrap: new Uint8Array(64)}); // enc of low order: everybody can make that

  await b.takes(a, k, at(0));
  await b.takes(c, k, at(0));
});

test('keys may be repeated under new numbers', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0x02, 10, w[2]), at(0));
  const early = await frameOf(a, w, 2, 0, 15);
  await b.takes(a, await good(2, 0x02, 20, w[2]), at(1)); // the first header still holds
  await heard(early, 'words', at(1), b);

  // A frame of a later step was faster than the key.
  await heard(await frameOf(a, w, 5, 0, 30), 'words', at(2), b);
  await b.takes(a, await good(3, 0x03, 20, w[3]), at(3));
  await b.takes(a, await good(4, 0x05, 20, w[5]), at(4));
  b.listener.expire(at(30)); // steps 2 to 4
  await b.takes(a, await good(5, 0x03, 20, w[3]), at(30));
  await b.refuses(a, await good(6, 0x03, 20, (await chain('other'))[3]), 'bad_key', 'does not follow');
  await heard(await frameOf(a, w, 5, 0, 40), 'words', at(30), b);
});

test('the keys of a header count from its first CTR, also for steps that frames reached', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0x02, 10, w[2]), at(0));
  for (const step of [2, 4]) {
    await unheard(await frameOf(a, w, step, 0, 9), 'early', at(0), b);
    await heard(await frameOf(a, w, step, 0, 10), 'words', at(0), b);
    await unheard(await frameOf(a, w, step, 0, 9), 'early', at(0), b);
  }
  await b.takes(a, await good(2, 0x05, 50, w[5]), at(0));
  await unheard(await frameOf(a, w, 5, 0, 49), 'early', at(0), b);
  await unheard(await frameOf(a, w, 6, 0, 49), 'early', at(0), b);
  await heard(await frameOf(a, w, 4, 0, 49), 'words', at(0), b);
  await unheard(await frameOf(a, w, 1, 0, 60), 'early', at(0), b);
});

test('whoever missed sixteen generations holds one that has the number of the newest', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const other = await chain('other');
  await b.takes(a, await good(1, 0x30, 0, (await chain('one'))[0]), at(0));
  await b.refuses(a, await good(16, 0x30, 0, other[0]), 'bad_key', 'does not follow');
  const again = await good(17, 0x30, 0, other[0]);
  await b.takes(a, again, at(60));
  await heard(await again.frame(a, 0, 1), 'words', at(60), b);

  // Many headers may as well be of one generation.
  await b.takes(a, await good(40, 0x32, 0, other[2]), at(61));
  await heard(await again.frame(a, 0, 2), 'words', at(61), b);
});

test('generations are bounded', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const keys = [];
  for (let i = 0; i < 16; i++) {
    keys.push(await good(i + 1, i << 4, 0, (await chain(`${i}`))[0]));
    await b.takes(a, keys[i], at(0));
  }
  for (const [i, k] of keys.entries()) {
    const f = await k.frame(a, 0, 0);
    if (i < 4) await unheard(f, 'no_key', at(0), b);
    else await heard(f, 'words', at(0), b);
  }
});

test('steps and generations go 10 s after their successors came', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const expire = (/** @type {number} */ now, /** @type {number} */ next) =>
    assert.equal(b.listener.expire(at(now)), next);
  expire(0, NEVER);
  const [one, two] = [await chain('one'), await chain('two')];
  await b.takes(a, await good(1, 0x00, 0, one[0]), at(0));
  expire(0, NEVER);
  const frames = [
    await frameOf(a, one, 0, 0, 0), await frameOf(a, one, 1, 0, 1), await frameOf(a, one, 2, 0, 2),
  ];
  await heard(frames[2], 'words', at(1), b); // steps 0 and 1 are over
  await heard(frames[0], 'words', at(1), b);
  await b.takes(a, await good(2, 0x10, 0, two[0]), at(3)); // step 2 is over
  expire(10.9, at(11));
  await heard(frames[1], 'words', at(10.9), b);
  expire(11, at(13));
  await unheard(frames[1], 'early', at(11), b);
  await heard(frames[2], 'words', at(11), b);
  expire(13, NEVER);
  await unheard(frames[2], 'no_key', at(13), b);
  await heard(await frameOf(a, two, 0, 0, 9, 1), 'words', at(100), b);
});

test('who left is heard for 10 s more, and old keys do not become new', async () => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(party));
  const w = (await chain('one'))[0];
  const k = await good(5, 0, 0, w);
  const other = await good(1, 0, 0, (await chain('c'))[0]);
  await b.takes(a, k, at(0));
  await b.takes(c, other, at(0));
  const f = await k.frame(a, 0, 0);
  b.syncs(at(1), c);
  b.syncs(at(5), c); // left once
  assert.equal(b.listener.expire(at(2)), at(11));
  b.syncs(at(6), a, c);
  b.listener.expire(at(20));
  await heard(f, 'words', at(20), b);

  b.syncs(at(21), c);
  await b.takes(a, await good(6, 0, 0, w), at(22)); // it is back
  b.listener.expire(at(40));
  await heard(f, 'words', at(40), b);

  b.syncs(at(41), c);
  assert.equal(b.listener.expire(at(51)), NEVER);
  await unheard(f, 'no_key', at(51), b);
  await heard(await other.frame(c, 0, 0), 'words', at(51), b);
  await b.refuses(a, await good(6, 0, 0, w), 'known_key');
  b.syncs(at(52), a, c);
  await b.refuses(a, await good(6, 0, 0, w), 'known_key');
  await b.takes(a, await good(7, 0x10, 0, (await chain('two'))[0]), at(60));
});

test('an id belongs to one entry at a time', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const hash = await hashEntry('c');
  hash.set(a.hash.subarray(0, 6)); // ids are short enough to be searched for
  const c = await Party.create('c', null, hash);
  const [one, two] = [
    await good(5, 0, 50, (await chain('one'))[0]), await good(1, 0, 0, (await chain('two'))[0]),
  ];
  await b.takes(a, one, at(0));
  await b.refuses(c, two, 'bad_key', "another member has the sender's id");
  b.syncs(at(0), c);
  await b.takes(c, two, at(1));
  await heard(await two.frame(c, 0, 0), 'words', at(1), b);
  await unheard(await one.frame(a, 0, 50), 'auth', at(1), b);
  b.syncs(at(2), a); // c left: somebody inside who has its id is somebody else
  b.listener.expire(at(12));
  await unheard(await two.frame(c, 0, 0), 'no_key', at(12), b);
});

test('frames wait for their key', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const k = await good(1, 0x10, 0, (await chain('one'))[0]);
  const f = await k.frame(a, 0, 0);
  await unheard(f, 'no_key', at(0), b);
  await b.takes(a, k, at(1));
  await heard(f, 'words', at(1), b);
  for (const epoch of [0x00, 0x0f, 0x20, 0xf0]) {
    await unheard({...f, kid: makeKid(a.hash, 0, epoch)}, 'no_key', at(1), b);
  }
});

test('forged frames change nothing', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0x02, 0, w[2]), at(0));
  for (let step = 0; step < 16; step++) {
    for (const n of [0, 1, 8, 100]) {
      const forged = {kid: makeKid(a.hash, step, step), ctr: 5, ciphertext: new Uint8Array(n)};
      await unheard(forged, step < 2 ? 'early' : 'auth', at(0), b);
    }
  }
  assert.equal(b.listener.expire(at(0)), NEVER); // no step has a successor
  await heard(await frameOf(a, w, 2, 0, 5), 'words', at(0), b);
});

test('steps are of all streams, and late frames of steps that none reached open', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  await b.takes(a, await good(1, 0x00, 0, w[0]), at(0));
  for (const [step, stream] of [[0, 1], [15, 1], [15, 2], [3, 3], [0, 2], [14, 1]]) {
    await heard(await frameOf(a, w, step, stream, 7), 'words', at(0), b);
  }
  assert.equal(b.listener.expire(at(10)), NEVER);
  await unheard(await frameOf(a, w, 14, 2, 7), 'early', at(10), b);
  await heard(await frameOf(a, w, 15, 3, 7), 'words', at(10), b);
});

// Whoever has a talker's key has all later steps, and with the help of a relay can say that the talker is
// there. What the talker really says is mute when the steps before are over; its next header heals that.
test('a header heals a forged step', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  const real = (/** @type {number} */ ctr) => frameOf(a, w, 3, 0, ctr);
  const forged = (/** @type {number} */ ctr) => frameOf(a, w, 15, 9, ctr);
  await b.takes(a, await good(1, 0x03, 10, w[3]), at(0));

  await heard(await forged(10), 'words', at(1), b);
  await heard(await real(20), 'words', at(1), b);
  b.listener.expire(at(11));
  await unheard(await real(600), 'early', at(11), b);
  await b.takes(a, await good(2, 0x03, 500, w[3]), at(13));
  await heard(await real(700), 'words', at(13), b);
  await unheard(await real(499), 'early', at(13), b); // its first CTR counts
  assert.equal(b.listener.expire(at(100)), NEVER);
  await heard(await real(5000), 'words', at(100), b);

  // Asking within the 10 s heals as well, and again. Steps before the header's go when they would have.
  await heard(await frameOf(a, w, 4, 0, 5001), 'words', at(101), b);
  await heard(await forged(6000), 'words', at(102), b);
  await b.takes(a, await good(3, 0x04, 5500, w[4]), at(105));
  await heard(await real(5002), 'words', at(105), b);
  assert.equal(b.listener.expire(at(111)), NEVER);
  await unheard(await real(5003), 'early', at(111), b);
  // It goes on from there.
  for (const step of [4, 5, 15]) await heard(await frameOf(a, w, step, 0, 7000 + step), 'words', at(112), b);
  await b.takes(a, await good(4, 0x10, 7000, (await chain('two'))[0]), at(113));
});

test('only a header whose wrap is on the chain brings a step back, and none before it', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const [w, other] = [await chain('one'), await chain('other')];
  await b.takes(a, await good(1, 0x03, 10, w[3]), at(0));
  await heard(await frameOf(a, w, 8, 0, 10), 'words', at(1), b);
  b.listener.expire(at(11));
  for (const bad of [
    await good(1, 0x03, 20, w[3]), await good(2, 0x03, 9, w[3]), await good(2, 0x03, 20, other[3]),
    await good(2, 0x03, 20, w[4]),
  ]) {
    await assert.rejects(b.takes(a, bad, at(11)));
    await unheard(await frameOf(a, w, 3, 0, 20), 'early', at(11), b);
    await heard(await frameOf(a, w, 8, 0, 11), 'words', at(11), b);
  }
  await b.takes(a, await good(2, 0x05, 20, w[5]), at(12));
  for (const step of [3, 4]) await unheard(await frameOf(a, w, step, 0, 30), 'early', at(12), b);
  await heard(await frameOf(a, w, 5, 0, 30), 'words', at(12), b);
  await heard(await frameOf(a, w, 8, 0, 30), 'words', at(12), b);
});

test('a talker and its listeners understand each other', async () => {
  const {a, b, c, s} = await armed();
  const d = await party('d');
  a.sees(b, d);
  const change = a.step(at(10), true, at(18));
  await deliver(a, change, at(10), b, d);
  a.talker.delivered(change.number);
  a.step(at(11), false, NEVER);
  const f = await s.seal(new TextEncoder().encode('to b and d'));
  await heard(f, 'to b and d', at(11), b, d);
  await unheard(f, 'no_key', at(11), c);
});

// What a talker that means ill may sign, random and around a good key: whatever is refused changes nothing.
test('random headers', async () => {
  const [a, b] = [await party('a'), await party('b')];
  const w = await chain('one');
  const key = await good(1, 0x02, 10, w[2]);
  const frame = await key.frame(a, 0, 10);
  const random = (/** @type {number} */ n) => Math.floor(Math.random() * n);
  for (let i = 0; i < 60; i++) {
    b.listen();
    await b.takes(a, key, at(0));
    const step = random(16);
    const header = {
      ...(await good(random(20), random(3) * 16 + step, random(20), w[step])).header, suite: 2 + random(2),
    };
    let taken = false;
    try {
      taken = await b.takes(a, new MadeKey(header, w[step]), at(0));
    } catch (error) {
      assert.ok(['bad_key', 'known_key'].includes(error.code), error.stack);
    }
    if (taken) assert.ok(header.number > 1 && header.firstCtr >= 10, JSON.stringify(header));
    if (!taken || header.epoch >= 16) await heard(frame, 'words', at(0), b);
  }
});
