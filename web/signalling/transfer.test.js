// As internal/signalling/transfer_test.go, with fewer seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signConsent } from '../wire/signal.js';
import * as urgent from '../wire/urgent.js';
import { acceptTransfer, consent, transfer } from './transfer.js';
import { hold } from './up.js';
import { SECOND, World } from './world.test.js';

/** ann, who talks with bob, whom it holds, and with cem. */
async function three(seed) {
  const w = await World.make(seed, 'ann', 'bob', 'cem');
  w.jitter = 200;
  const [ann, bob, cem] = w.people;
  bob.talks = cem.talks = true;
  const [toBob] = await w.talk(ann, bob);
  await ann.do((line, now) => hold(line, toBob, true, now));
  const [toCem] = await w.talk(ann, cem);
  return { w, ann, bob, cem, toBob, toCem };
}

const transfers = (p, from, to) => p.do((line, now) => transfer(line, from, to, now));
const consents = (p, yes, { call, person } = p.last('consentAsked')) =>
  p.do((line, now) => consent(line, call, person, yes, now));
const accepts = (p, yes, { call, person } = p.last('transferAsked')) =>
  p.do((line, now) => acceptTransfer(line, call, person, yes, now));

test('a call is transferred when all three want it, and a consent is good for one call', async () => {
  for (let seed = 0; seed < 5; seed++) {
    const { w, ann, bob, cem, toBob, toCem } = await three(seed);
    cem.known.clear(); // bob is nobody to it
    await transfers(ann, toBob, toCem);
    await w.until('cem is asked', () => cem.count('consentAsked') === 1);
    assert.deepEqual(cem.last('consentAsked').person, bob.id.publicKey);
    await w.run(7 * SECOND); // people think; it is asked again
    assert.equal(bob.count('transferAsked'), 0, 'bob is sent to somebody who has not agreed');
    await consents(cem, true);
    await w.until('bob is asked', () => bob.count('transferAsked') === 1);
    await w.run(7 * SECOND);
    assert.deepEqual([cem.count('consentAsked'), bob.count('transferAsked')], [1, 1], 'asked twice');
    const id = await accepts(bob, true);
    await w.until('bob and cem talk', () => bob.isOpen(id));
    await w.run(3 * SECOND);
    assert.deepEqual(ann.last('transferOver'), { type: 'transferOver', from: toBob, to: toCem, done: true });
    assert.deepEqual(w.people.map((p) => p.line.calls.length), [0, 1, 1], `seed ${seed}${w.log()}`);
    assert.deepEqual([ann.ended(toBob), ann.ended(toCem)], ['transferred', 'transferred']);
    assert.deepEqual(cem.last('up').details.other.identity, bob.id.publicKey);
    assert.ok(!bob.quiet && !cem.quiet, 'they do not talk with each other');
    await bob.hangUp(id);
    await w.quiet();
    const at = await bob.dial(cem);
    await w.until('no answer', () => bob.ended(at) !== '');
    assert.deepEqual([bob.ended(at), cem.count('up')], ['no_answer', 2], 'a consent served twice');
  }
});

test('a transfer that one of them does not want', async () => {
  for (const who of ['third', 'transferred', 'nobody answers']) {
    const { w, ann, bob, cem, toBob, toCem } = await three(1);
    await transfers(ann, toBob, toCem);
    await w.until('cem is asked', () => cem.count('consentAsked') === 1);
    if (who !== 'nobody answers') await consents(cem, who !== 'third');
    if (who === 'transferred') {
      await w.until('bob is asked', () => bob.count('transferAsked') === 1);
      assert.equal(await accepts(bob, false), 0);
    }
    await w.until('it is over', () => ann.count('transferOver') === 1);
    await w.run(5 * SECOND);
    assert.deepEqual([ann.last('transferOver').done, ann.isOpen(toBob), ann.isOpen(toCem)], [false, true, true]);
    if (who !== 'transferred') assert.equal(bob.count('transferAsked'), 0, `${who}: bob was asked`);
  }
});

test('a transfer to somebody who never agreed, or agreed to something else, asks nobody', async () => {
  const { w, ann, bob, cem, toBob } = await three(1);
  const { callId } = bob.last('up').details;
  const [a, b] = [ann.id.publicKey, bob.id.publicKey];
  const person = cem.id.publicKey;
  const given = (third, asker, who, call, seconds = 60) =>
    signConsent(third, BigInt(Math.floor(w.now / 1000) + seconds), asker, who, call);
  const none = { expiry: BigInt(Math.floor(w.now / 1000) + 60), signature: new Uint8Array(64) };
  const says = async (signal) => {
    await ann.do((line, now) => line.call(toBob).way.say({ type: 'transfer', ...signal }, now));
    await w.run(SECOND);
  };
  const changed = await given(cem.id, a, b, callId);
  changed.signature[0] ^= 1;
  let n = 0;
  for (const [name, signal] of Object.entries({
    none: { person, consent: none },
    changed: { person, consent: changed },
    'by ann': { person, consent: await given(ann.id, a, b, callId) },
    'of another call': { person, consent: await given(cem.id, a, b, cem.last('up').details.callId) },
    'for another': { person, consent: await given(cem.id, a, a, callId) },
    'asked by another': { person, consent: await given(cem.id, b, b, callId) },
    expired: { person, consent: await given(cem.id, a, b, callId, -122) },
    'for long': { person, consent: await given(cem.id, a, b, callId, 600) },
    'to bob': { person: b, consent: none },
    'to ann': { person: a, consent: none },
  })) {
    await says(signal);
    assert.equal(bob.count('transferAsked'), 0, name);
    assert.deepEqual([bob.refused.length, bob.refused.at(-1)], [++n, 'consent'], `${name}${w.log()}`);
  }
  assert.deepEqual([bob.sentOf(urgent.CALL_FORWARD), bob.line.calls.length], [0, 1], 'bob called somebody');
  await says({ person, consent: await given(cem.id, a, b, callId) });
  assert.equal(bob.count('transferAsked'), 1, w.log());
});

test('a third whose signature is not good leads nowhere, and who is asked of itself says nothing', async () => {
  const { w, ann, bob, cem, toBob, toCem } = await three(1);
  await transfers(ann, toBob, toCem);
  await w.until('cem is asked', () => cem.count('consentAsked') === 1);
  const forged = { expiry: BigInt(Math.floor(w.now / 1000) + 60), signature: new Uint8Array(64) };
  const id = cem.last('up').call;
  await cem.do((line, now) =>
    line.call(id).way.say({ type: 'consent', accepted: true, consent: forged }, now));
  await w.until('it is over', () => ann.count('transferOver') === 1);
  assert.deepEqual([ann.last('transferOver').done, ann.refused.at(-1)], [false, 'consent']);
  assert.equal(bob.count('transferAsked'), 0);
  for (const { id: { publicKey: person } } of [cem, ann]) {
    await ann.do((line, now) =>
      line.call(toCem).way.say({ type: 'consent wanted', person, call: new Uint8Array(16) }, now));
    await w.run(SECOND);
  }
  assert.deepEqual([cem.count('consentAsked'), cem.refused.length], [1, 2], w.log());
});

test('a third who hangs up after its yes, or is not to be disturbed any more, is called by nobody', async () => {
  for (const [name, change] of Object.entries({
    'hung up': (cem, at) => cem.hangUp(at),
    'not to be disturbed': async (cem) => {
      await cem.do((line) => line.doNotDisturb(true));
      await cem.do((line) => line.doNotDisturb(false));
    },
  })) {
    const { w, ann, bob, cem, toBob, toCem } = await three(1);
    cem.known.clear();
    await transfers(ann, toBob, toCem);
    await w.until('cem is asked', () => cem.count('consentAsked') === 1);
    await consents(cem, true);
    await w.until('bob is asked', () => bob.count('transferAsked') === 1);
    await change(cem, cem.last('consentAsked').call);
    await accepts(bob, true);
    await w.run(10 * SECOND);
    assert.deepEqual(['up', 'incoming', 'stranger'].map((type) => cem.count(type)), [1, 1, 1],
      `${name}: somebody is put through all the same${w.log()}`);
  }
});

test('one question is asked at a time, and seldom; an answer is to what it names', async () => {
  const { w, ann, bob, cem, toBob, toCem } = await three(1);
  const dan = await w.add('dan');
  const { call, details: { callId } } = bob.last('up');
  const asks = async (to) => {
    const until = BigInt(Math.floor(w.now / 1000) + 60);
    const given = await signConsent(to.id, until, ann.id.publicKey, bob.id.publicKey, callId);
    const signal = { type: 'transfer', person: to.id.publicKey, consent: given };
    await ann.do((line, now) => line.call(toBob).way.say(signal, now));
    await w.run(300);
  };
  const of = (p) => ({ call, person: p.id.publicKey });
  const state = { name: 'SignallingError', code: 'state' };
  await asks(cem);
  for (let i = 0; i < 30; i++) { // while the user makes up its mind
    await asks(dan);
    await asks(cem);
  }
  assert.deepEqual(bob.all('transferAsked').map(({ person }) => person), [cem.id.publicKey]);
  assert.equal(bob.refused.at(-1), 'asked');
  await assert.rejects(accepts(bob, true, of(dan)), state, 'who was not asked about');
  await assert.rejects(consents(bob, true, of(cem)), state, 'what was not asked');
  await w.run(70 * SECOND - (w.now - bob.line.call(call).question.at));
  await assert.rejects(accepts(bob, true, of(cem)), state, 'what nobody waits for');
  await asks(dan);
  assert.equal(await accepts(bob, false, of(dan)), 0);
  await asks(cem);
  assert.equal(bob.count('transferAsked'), 2, 'asked too soon');
  await w.run(10 * SECOND);
  await asks(cem);
  assert.deepEqual([bob.count('transferAsked'), bob.line.calls.length], [3, 1]);
  for (let i = 0; i < 30; i++) {
    await ann.do((line, now) => line.call(toCem).way.say(
      { type: 'consent wanted', person: bob.id.publicKey, call: new Uint8Array(16).fill(i) }, now));
    await w.run(100);
  }
  assert.equal(cem.count('consentAsked'), 1);
});
