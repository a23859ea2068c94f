import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identity } from '../identity/identity.js';
import { concat, fromHex, toHex } from './bytes.js';
import * as call from './call.js';
import { callIdOf, callRoom } from './call-id.js';
import { PathKey, pathIdOf } from './call-path.js';
import * as kept from './kept.js';
import { deviceOf, isAway, isFresh, parseReach, signReach } from './reach.js';
import * as route from './route.js';
import * as signal from './signal.js';
import { MAX_URGENT } from './frame.js';
import { appendKeyHeader } from './urgent.js';

/** @param {string} s */
const unhex = (s) => fromHex(s.replaceAll(' ', ''));
const many = (/** @type {string} */ s, /** @type {number} */ n) => s.repeat(n);
const count = (/** @type {number} */ n, /** @type {number} */ start) =>
  Uint8Array.from({ length: n }, (_, i) => start + i);
const filled = (/** @type {number} */ b) => Identity.fromSeed(new Uint8Array(32).fill(b));
const [ann, relay, other] = await Promise.all([filled(0x2a), filled(0x63), filled(0x11)]);

// Those of internal/wire/call_test.go and reach_test.go, made by another program from sections 11 and 13.
const pathKey = 'a7f6dfaf8f38b89ba8ce649b594f91e4d01fdc57f9c9493df43b5e50a9987367';
const pathId = '2e4d43ebce22f328b1b5ca33b3dee6d9';
const forwardSign = 'b602edc37f48e9279c5776d0c1a02a5f3bd51a49bd6a6f3dc4f2950615b9751a'
  + '79bbba3ab7d44b10f6fc7806ba98bb39c296a87f8e19000fbced738f533e7e0a';
const proofSign = '7f491ddda92182414b3de18ce56056ea125b60a3e4072c979eb42c3dfc014c86'
  + 'ce323f19db844aef2ce85bd74f73e2d7bdb75af75bdf25051f3e4b3426f2d000';
const forwardHead = pathKey + '80012345 0102030405060708 101112131415161718191a1b1c1d1e1f d0d1d2d3d4d5d6d7';
const reachHex = '0100d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc404142434445464748494a4b4c4d'
  + '4e4f505152535455565758595a5b5c5d5e5fd12d385331068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837ac'
  + 'fe50010203040506070800000000713fb300090ee438a1a8b2469540a392abea96866070f977491a664f37e8ab81a056'
  + 'b17c608f320387553c638e6bef75ef67238b107b389fc831af7341a746141a7d0e03';
const expiry = 0x0102030405060708n;
const seed = new Uint8Array(32).fill(0x63);
const forward = {
  key: unhex(pathKey), generation: 0x12345, expiry, target: '1011:1213:1415:1617:1819:1a1b:1c1d:1e1f',
  device: 'd0d1d2d3d4d5d6d7', source: '0102:0304:0506:0708', hops: 8, signature: unhex(forwardSign),
  offer: unhex('aabbcc'),
};
const proof = { key: unhex(pathKey), generation: 0x12345, expiry, signature: unhex(proofSign) };
const target = forward.target;
const targetHex = target.replaceAll(':', '');
const chain = ['0102:0304:0506:0708', '7f92:a8cf:0814:393c'];
const chainHex = '02 0102030405060708 7f92a8cf0814393c';
const person = count(32, 0x20);
const consent = { expiry, signature: unhex(many('cc', 64)) };
const consentHex = '0102030405060708' + many('cc', 64);
const keyHeaderHex = toHex(appendKeyHeader({
  suite: 2, number: 0x01020304, epoch: 0x51, firstCtr: 300, hash: unhex(many('11', 32)),
  members: unhex(many('22', 32)),
}));
const keyHex = keyHeaderHex + many('33', 64);
const key = {
  suite: 2, number: 0x01020304, epoch: 0x51, firstCtr: 300, hash: unhex(many('11', 32)),
  members: unhex(many('22', 32)), signed: unhex(keyHeaderHex), signature: unhex(many('33', 64)),
};

/** @type {Record<string, {parse: (b: any) => any, append: (v: any) => any}>} */
const layouts = {
  forward: { parse: call.parseForward, append: call.appendForward },
  state: { parse: call.parseState, append: call.appendState },
  message: { parse: call.parseMessage, append: call.appendMessage },
  end: { parse: call.parseEnd, append: call.appendEnd },
  media: { parse: call.parseMedia, append: call.appendMedia },
  wanted: { parse: route.parseRouteWanted, append: route.appendRouteWanted },
  route: { parse: route.parseRoute, append: route.appendRoute },
  'kept wanted': { parse: kept.parseKeptWanted, append: kept.appendKeptWanted },
  'kept call': { parse: kept.parseKeptCall, append: kept.appendKeptCall },
  signal: { parse: signal.parseSignal, append: signal.appendSignal },
};

const deviceHex = forward.device;
const nobody = { target, index: 0, of: 0, chain: [], record: null };

// Those of internal/wire/call_test.go, route_test.go, kept_test.go and signal_test.go.
const goldens = /** @type {[string, string, any][]} */ ([
  ['forward', forwardHead + '0102030405060708 08' + forwardSign + 'aabbcc', forward],
  [
    'forward', forwardHead.replace('80012345', '01') + '0000000000000000 01' + forwardSign,
    { ...forward, source: call.NO_RELAY, hops: 1, generation: 1, offer: new Uint8Array(0) },
  ],
  ['state', pathId + '80012345 00', { path: pathId, generation: 0x12345, code: call.CODE.setUp }],
  ['state', pathId + '01 ff', { path: pathId, generation: 1, code: 255 }],
  ['message', pathId + '0102ff', { path: pathId, body: unhex('0102ff') }],
  ['end', pathId + '80012345 03', { path: pathId, generation: 0x12345, reason: call.END.replaced }],
  ['media', pathId, { path: pathId, proof: null }],
  ['media', pathId + pathKey + '80012345 0102030405060708' + proofSign, { path: pathId, proof }],
  ['wanted', targetHex, target],
  [
    'route', targetHex + '01 01 03' + chainHex + reachHex,
    { target, found: route.FOUND.device, index: 1, of: 3, chain, record: unhex(reachHex) },
  ],
  ['route', targetHex + '00 00 00 00', { ...nobody, found: route.FOUND.nobody }],
  ['route', targetHex + '02 00 00 00', { ...nobody, found: route.FOUND.unsure }],
  [
    'route', targetHex + '03 00 01' + chainHex + reachHex,
    { target, found: route.FOUND.away, index: 0, of: 1, chain, record: unhex(reachHex) },
  ],
  ['kept wanted', deviceHex, [deviceHex]],
  ['kept wanted', deviceHex + '1011121314151617', [deviceHex, '1011121314151617']],
  ['kept call', deviceHex + '00', { device: deviceHex, of: 0, index: 0, key: null, offer: null }],
  [
    'kept call', deviceHex + '14 13' + toHex(person) + 'aabbcc',
    { device: deviceHex, of: 20, index: 19, key: person, offer: unhex('aabbcc') },
  ],
  ['signal', '02 aabbcc', { type: 'answer', entry: unhex('aabbcc') }],
  ['signal', '03' + toHex(person), { type: 'confirm', chosen: person }],
  ['signal', '07 02', { type: 'hang up', reason: signal.HANG_UP.transferred }],
  ['signal', '07 ff', { type: 'hang up', reason: 255 }],
  ['signal', '0c' + toHex(person) + consentHex, { type: 'transfer', person, consent }],
  ['signal', '0d 01', { type: 'transfer ack', accepted: true }],
  ['signal', '0d 00', { type: 'transfer ack', accepted: false }],
  ['signal', '0e' + keyHex + many('aa', 64), { type: 'key', key, wrap: unhex(many('aa', 64)) }],
  ['signal', '0e' + keyHex + many('cc', 80), { type: 'key', key, wrap: unhex(many('cc', 80)) }],
  ['signal', '11', { type: 'alive', generation: 0 }],
  ['signal', '11 80012345', { type: 'alive', generation: 0x12345 }],
  ['signal', '0f 01020304', { type: 'key received', number: 0x01020304 }],
  [
    'signal', '13' + toHex(person) + 'a1a2a3a4a5a6b1b2b3b4b5b6c1c2c3c4',
    { type: 'consent wanted', person, call: unhex('a1a2a3a4a5a6b1b2b3b4b5b6c1c2c3c4') },
  ],
  ['signal', '14 01' + consentHex, { type: 'consent', accepted: true, consent }],
  ['signal', '14 00', { type: 'consent', accepted: false, consent: null }],
  ...Object.entries({
    '01': 'ringing', '04': 'decline', '05': 'busy', '06': 'cancel', '08': 'hold', '09': 'unhold', '0a': 'mute',
    '0b': 'unmute', 10: 'keys wanted', 12: 'elsewhere',
  }).map(([hex, type]) => ['signal', hex, { type }]),
]);

test('golden messages of calls are read and written', () => {
  for (const [name, hex, want] of goldens) {
    assert.deepEqual(layouts[name].parse(unhex(hex)), want, `${name} ${hex}`);
    assert.equal(toHex(layouts[name].append(want)), hex.replaceAll(' ', ''));
  }
});

test('every beginning of a golden message of a call is an error or a shorter meaning of its own', () => {
  for (const [name, hex] of goldens) {
    const bytes = unhex(hex);
    for (let n = 0; n < bytes.length; n++) {
      let got;
      try {
        got = layouts[name].parse(bytes.subarray(0, n));
      } catch (error) {
        assert.equal(/** @type {Error} */ (error).name, 'FormatError');
        continue;
      }
      assert.equal(toHex(layouts[name].append(got)), toHex(bytes.subarray(0, n)), `${name}: ${n} bytes`);
    }
  }
});

test('what breaks the layout of a message of a call is refused', () => {
  const hop = '7f92a8cf0814393c';
  const of = (/** @type {string} */ generation, /** @type {string} */ hops, /** @type {string} */ offer) =>
    forwardHead.replace('80012345', generation) + '0102030405060708' + hops + forwardSign + offer;
  const rest = '0102030405060708' + proofSign;
  for (const [name, hex, code] of [
    ['forward', '', 'truncated'], ['forward', of('00', '08', 'aa'), 'invalid'],
    ['forward', of('01', '00', 'aa'), 'invalid'], ['forward', of('01', '09', 'aa'), 'limit'],
    ['forward', of('01', '08', many('aa', 851)), 'limit'],
    ['forward', forwardHead + '0102030405060708 08' + forwardSign.slice(2), 'truncated'],
    ['state', pathId + '00 00', 'invalid'], ['state', pathId + '01', 'truncated'],
    ['state', pathId + '01 00 00', 'invalid'], ['message', pathId, 'invalid'],
    ['message', pathId.slice(2), 'truncated'], ['message', pathId + many('aa', 901), 'limit'],
    ['end', pathId + '00 00', 'invalid'], ['end', pathId + '01 00 00', 'invalid'], ['end', pathId, 'truncated'],
    ['end', pathId + 'ffffffffffffffff 00', 'limit'], ['media', pathId + '00', 'truncated'],
    ['media', pathId + pathKey + '00' + rest, 'invalid'],
    ['media', pathId + pathKey + '01' + rest + '00', 'invalid'], ['wanted', targetHex + '00', 'invalid'],
    ['route', targetHex + '04 00 00 00', 'unknown'], ['route', targetHex + '03 00 00 00', 'invalid'],
    ['route', targetHex + '03 00 02 01' + hop + reachHex, 'invalid'],
    ['route', targetHex + '03 00 01 00' + reachHex, 'invalid'],
    ['route', targetHex + '03 00 01 01' + hop, 'truncated'],
    ['route', targetHex + '00 00 00 00 00', 'invalid'],
    ['route', targetHex + '00 00 00 01' + hop, 'invalid'], ['route', targetHex + '02 00 01 00', 'invalid'],
    ['route', targetHex + '00 00 00 00' + reachHex, 'invalid'],
    ['route', targetHex + '01 00 00 01' + hop + reachHex, 'invalid'],
    ['route', targetHex + '01 02 02 01' + hop + reachHex, 'invalid'],
    ['route', targetHex + '01 08 09 01' + hop + reachHex, 'limit'],
    ['route', targetHex + '01 00 01 00' + reachHex, 'invalid'],
    ['route', targetHex + '01 00 01 09' + many(hop, 9) + reachHex, 'limit'],
    ['route', targetHex + '01 00 01 01' + hop + reachHex.slice(2), 'truncated'],
    ['route', targetHex + '01 00 01 01' + hop + reachHex + '00', 'invalid'],
    ['route', targetHex + '01 00 01 01' + hop, 'truncated'],
    ['kept wanted', '', 'truncated'], ['kept wanted', deviceHex.slice(2), 'truncated'],
    ['kept wanted', deviceHex + '00', 'invalid'], ['kept wanted', many(deviceHex, 17), 'limit'],
    ['kept call', deviceHex, 'truncated'], ['kept call', deviceHex + '00 00', 'invalid'],
    ['kept call', deviceHex + '15 00' + pathKey + 'aa', 'limit'],
    ['kept call', deviceHex + '02 02' + pathKey + 'aa', 'invalid'],
    ['kept call', deviceHex + '02 01' + pathKey, 'truncated'],
    ['kept call', deviceHex + '02 01' + pathKey.slice(2), 'truncated'],
    ['kept call', deviceHex + '02 01' + pathKey + many('aa', 851), 'limit'],
    ['signal', '', 'truncated'], ['signal', '00', 'unknown'], ['signal', '15', 'unknown'],
    ['signal', 'ff 0102', 'unknown'], ['signal', '01 00', 'invalid'], ['signal', '02', 'invalid'],
    ['signal', '02' + many('00', 421), 'invalid'], ['signal', '07', 'truncated'],
    ['signal', '0d 02', 'invalid'], ['signal', '0e' + keyHex, 'invalid'],
    ['signal', '0e' + keyHex + many('aa', 72), 'invalid'],
    ['signal', '0e 00' + keyHex.slice(2) + many('aa', 64), 'unknown'], ['signal', '14 00 00', 'invalid'],
    ['signal', '14 01', 'truncated'], ['signal', '02' + many('00', signal.MAX_SIGNAL), 'limit'],
  ]) {
    assert.throws(
      () => layouts[name].parse(unhex(hex)), { name: 'FormatError', code }, `${name} ${hex.slice(0, 90)}`,
    );
  }
  const largest = { ...forward, generation: Number.MAX_SAFE_INTEGER, offer: new Uint8Array(call.MAX_OFFER) };
  assert.ok(call.appendForward(largest).length <= MAX_URGENT);
});

test('a path is named by the key of its seed, which signs its forwards', async () => {
  const path = await PathKey.of(seed);
  assert.deepEqual([toHex(path.publicKey), path.id], [pathKey, pathId]);
  assert.equal(await pathIdOf(path.publicKey), pathId);
  const { generation, device, offer } = forward;
  const signed = await call.signForward(path, { generation, expiry, target, device, offer });
  assert.deepEqual(signed, { ...forward, source: call.NO_RELAY });
  const stranger = await PathKey.of(new Uint8Array(32).fill(1));
  for (const [changed, ok] of /** @type {[Partial<call.Forward>, boolean][]} */ ([
    [{}, true], [{ source: chain[1] }, true], [{ hops: 7 }, true], [{ key: stranger.publicKey }, false],
    [{ key: new Uint8Array(32) }, false], [{ generation: 0x12346 }, false], [{ expiry: expiry + 1n }, false],
    [{ target: target.replace('1e1f', '1e20') }, false], [{ device: 'd0d1d2d3d4d5d6d8' }, false],
    [{ offer: unhex('aabb') }, false], [{ signature: unhex(proofSign) }, false],
  ])) {
    assert.equal(await call.verifyForward({ ...forward, ...changed }), ok, Object.keys(changed)[0]);
  }
});

test('the proof of a leg is for one relay and one session', async () => {
  const path = await PathKey.of(seed);
  const made = await call.signProof(path, proof, relay.publicKey, ann.publicKey);
  assert.deepEqual(made, proof);
  const verify = (/** @type {Partial<call.Proof>} */ changed, id = pathId) =>
    call.verifyProof({ path: id, proof: { ...proof, ...changed } }, relay.publicKey, ann.publicKey);
  assert.equal(await verify({}), true);
  assert.equal(await verify({}, '3' + pathId.slice(1)), false);
  assert.equal(await verify({ generation: 1 }), false);
  assert.equal(await verify({ expiry: 1n }), false);
  assert.equal(await verify({ key: ann.publicKey }), false);
  assert.equal(await call.verifyProof({ path: pathId, proof }, ann.publicKey, ann.publicKey), false);
  assert.equal(await call.verifyProof({ path: pathId, proof }, relay.publicKey, relay.publicKey), false);
  assert.equal(await call.verifyProof({ path: pathId, proof: null }, relay.publicKey, ann.publicKey), false);
});

test('a reach record', async () => {
  const reach = {
    stayKey: count(32, 0x40), homeRelay: relay.publicKey, sequence: expiry, expiry: 1900000000n,
    keep: false,
  };
  const bytes = unhex(reachHex);
  assert.equal(toHex(await signReach(ann, reach)), reachHex);
  assert.deepEqual(await parseReach(bytes), { identity: ann.publicKey, ...reach });
  assert.equal(await deviceOf(reach.stayKey), '864326c7f2a8db54');
  for (let n = 0; n < bytes.length; n++) {
    await assert.rejects(parseReach(bytes.subarray(0, n)), { name: 'FormatError', code: 'truncated' });
    const changed = bytes.slice();
    changed[n] ^= 0x20;
    await assert.rejects(parseReach(changed), { name: 'FormatError' }, `byte ${n}`);
  }
  await assert.rejects(parseReach(concat(bytes, [0])), { code: 'invalid' });
  for (const [before, want] of /** @type {[number, boolean][]} */ ([
    [0, true], [300, true], [420, true], [-119, true], [-120, false], [421, false], [1e12, false],
  ])) {
    const now = (1900000000 - before) * 1000;
    assert.equal(isFresh({ identity: ann.publicKey, ...reach }, now), want, `${before} s before its expiry`);
  }
  assert.equal(isFresh({ identity: ann.publicKey, ...reach, expiry: 2n ** 63n - 1n }, 19e11), false);
});

test('a reach record may say that offers are kept for a device that is away; other flags are unknown', async () => {
  const keep = {
    stayKey: count(32, 0x40), homeRelay: relay.publicKey, sequence: expiry, expiry: 1900000000n, keep: true,
  };
  const bytes = await signReach(ann, keep);
  assert.equal(bytes[1], 1);
  const reach = await parseReach(bytes);
  assert.deepEqual(reach, { identity: ann.publicKey, ...keep });
  assert.notDeepEqual(bytes.slice(-64), unhex(reachHex).slice(-64), 'the flag is not signed');
  for (const flags of [2, 3, 0x80, 0xff]) {
    const signed = bytes.slice(0, -64);
    signed[1] = flags;
    const whole = concat(signed, await ann.sign('reach', [signed]));
    await assert.rejects(parseReach(whole), { code: 'invalid' }, `flags ${flags}`);
  }
  const day = 86_400;
  for (const [after, want] of /** @type {[number, boolean][]} */ ([
    [0, true], [-420, true], [-421, false], [day, true], [day + 119, true], [day + 120, false], [1e12, false],
  ])) {
    const now = (1900000000 + after) * 1000;
    assert.equal(isAway(reach, now), want, `${after} s after its expiry`);
    assert.equal(isAway({ ...reach, keep: false }, now), false, 'without having asked for it');
  }
});

// Of internal/wire/signal_test.go.
test('a consent is for one call of two people', async () => {
  const id = count(16, 0x80);
  const consentSign = '38cd8eceffb07a67202b134228e0f17ee4997f9aa523c101278a53a39463112cfc92a8cc2789ac6263077998c82223e5'
    + '77bd25b113e14b400681cdc9afc73305';
  const made = await signal.signConsent(ann, expiry, relay.publicKey, other.publicKey, id);
  assert.deepEqual(made, { expiry, signature: unhex(consentSign) });
  const [third, asker, who] = [ann.publicKey, relay.publicKey, other.publicKey];
  assert.equal(await signal.verifyConsent(made, third, asker, who, id), true);
  assert.equal(await signal.verifyConsent(made, asker, asker, who, id), false);
  assert.equal(await signal.verifyConsent(made, third, who, who, id), false);
  assert.equal(await signal.verifyConsent(made, third, asker, asker, id), false);
  assert.equal(await signal.verifyConsent(made, third, asker, who, count(16, 0x81)), false);
  assert.equal(await signal.verifyConsent({ ...made, expiry: 1n }, third, asker, who, id), false);
});

test('a call is named by its two people and a nonce', async () => {
  const id = await callIdOf(ann.publicKey, relay.publicKey, count(32, 0x50));
  assert.equal(callRoom(id), '_call/86e1f1d56bc8bf6a791bd3a44bdd8c44');
});
