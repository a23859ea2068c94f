// Random and mutated bytes: every parser returns, or throws a FormatError, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identity } from '../identity/identity.js';
import { FormatError, concat, fromBase64, fromBase64Url, fromHex, fromUtf8, toUtf8 } from './bytes.js';
import { Deframer, decode, encode, frame } from './control.js';
import { build, parse } from './entry.js';
import * as wire from './frame.js';
import * as call from './call.js';
import * as kept from './kept.js';
import { parsePayload, parseView } from './payload.js';
import { parseReach, signReach } from './reach.js';
import { appendReport, parseReport } from './report.js';
import { appendRoute, parseRoute, parseRouteWanted } from './route.js';
import { appendSignal, parseSignal } from './signal.js';
import * as urgent from './urgent.js';

const ROUNDS = 20_000; // with half of them, some branches of frame.js and names.js are not reached

/** A generator of integers below n that gives the same ones every time (mulberry32). @param {number} seed */
function random(seed) {
  return (/** @type {number} */ n) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/**
 * Half of the inputs are random, half are seeds with some bytes changed, cut off, doubled or put in.
 * @param {import('./bytes.js').Bytes[]} seeds @param {number} rounds
 */
function* inputs(seeds, rounds) {
  const below = random(1);
  for (let i = 0; i < rounds; i++) {
    if (i % 2 === 0) {
      const b = new Uint8Array(below(i % 20 === 0 ? 1300 : 100));
      for (let at = 0; at < b.length; at++) b[at] = below(256);
      yield b;
      continue;
    }
    let b = seeds[below(seeds.length)].slice();
    for (let n = 1 + below(4); n > 0; n--) {
      const at = below(b.length + 1);
      switch (below(4)) {
        case 0: b[Math.min(at, b.length - 1)] = below(256); break;
        case 1: b = b.slice(0, at); break;
        case 2: b = concat(b.subarray(0, at), [below(256)], b.subarray(at)); break;
        default: b = concat(b, b.subarray(at));
      }
    }
    yield b;
  }
}

/**
 * @param {string} name @param {import('./bytes.js').Bytes[]} seeds @param {(b: any) => unknown} parser
 * @param {number} rounds
 */
function hostile(name, seeds, parser, rounds = ROUNDS) {
  test(name, async () => {
    let refused = 0;
    for (const b of inputs(seeds, rounds)) {
      try {
        await parser(b);
      } catch (error) {
        // The text is made only for a failure: a stack takes longer to print than all the rest.
        if (!(error instanceof FormatError)) {
          assert.fail(`${name}: ${Buffer.from(b).toString('hex')}: ${/** @type {Error} */ (error).stack}`);
        }
        refused++;
      }
    }
    assert.ok(refused > 0 && refused < rounds, `${refused} of ${rounds} were refused`);
  });
}

const id = fromHex('a1a2a3a4a5a6');
const report = appendReport({
  highest: 70000,
  received: 60000,
  lost: 5,
  bursts: [1, 2, 3, 4, 5, 6],
  age: 3,
  samples: [
    { counterBack: 1, arrivalBack: 20 }, { counterBack: 300, arrivalBack: 7 },
  ],
});
const header = urgent.appendKeyHeader({
  suite: 2, number: 9, epoch: 0x10, firstCtr: 300, hash: new Uint8Array(32), members: new Uint8Array(32),
});
const key = { signed: header, signature: new Uint8Array(64) };
const media = { alias: 300, ctr: 7, ciphertext: new Uint8Array(40) };
const packet = concat(
  wire.appendEcho('ping', new Uint8Array(8), false), wire.appendReport(report, false),
  wire.appendUrgentAck({ base: 5, bitmap: 9n }, false), wire.appendAliasAck([{ alias: 5, kid: 7n }], false),
  wire.appendUrgent({ number: 70, type: 2, message: id }, false),
  wire.appendMedia({ ...media, long: true, kid: 5n }, false),
  wire.appendMedia({ ...media, long: false }, true),
);

hostile('frames', [packet, wire.appendClose(1, true)], (b) => [...wire.frames(b)]);
hostile('packets', [wire.makePacket(9, packet), new Uint8Array(1201)], (b) => wire.parsePacket(b));
hostile('reports', [report], parseReport);
hostile('payloads', [fromHex('123408aabb'), fromHex('1234ff008200')], parsePayload);
hostile('views', [concat([1], new Uint8Array(32), [2])], parseView);
hostile(
  'members joined', [urgent.appendMembersJoined([new Uint8Array(200), new Uint8Array(7)])],
  urgent.parseMembersJoined,
);
hostile('relays', [urgent.appendRelays(new Map([['0102:0304:0506:0708', 'Oslo']]))], urgent.parseRelays);
hostile(
  'media dropped', [urgent.appendMediaDropped({ reason: 2, dropped: 250, sent: 500 })],
  urgent.parseMediaDropped,
);
hostile('record refused', [urgent.appendRecordRefused(2)], urgent.parseRecordRefused);
hostile('members left', [urgent.appendMembersLeft([id, id])], urgent.parseMembersLeft);
hostile('sender keys', [urgent.appendSenderKey({ recipients: 3, key })], urgent.parseSenderKey);
hostile(
  'key wraps', [urgent.appendKeyWraps(1, 64, [{ id, wrap: new Uint8Array(64) }])], urgent.parseKeyWraps,
);
hostile('keys', [urgent.appendKey({ sender: id, key, wrap: new Uint8Array(80) })], urgent.parseKey);
hostile('keys wanted', [urgent.appendKeysWanted([id, id, id])], urgent.parseKeysWanted);
hostile('key delivered', [urgent.appendKeyDelivered(7)], urgent.parseKeyDelivered);

const path = '2e4d43ebce22f328b1b5ca33b3dee6d9';
const proof = { key: new Uint8Array(32), generation: 300, expiry: 7n, signature: new Uint8Array(64) };
const target = '1011:1213:1415:1617:1819:1a1b:1c1d:1e1f';
hostile(
  'call forwards',
  [call.appendForward({
    ...proof, target, device: 'd0d1d2d3d4d5d6d7', source: call.NO_RELAY, hops: 8, offer: new Uint8Array(9),
  })],
  call.parseForward,
);
hostile('call states', [call.appendState({ path, generation: 1, code: 0 })], call.parseState);
hostile('call messages', [call.appendMessage({ path, body: id })], call.parseMessage);
hostile('call ends', [call.appendEnd({ path, generation: 1, reason: 0 })], call.parseEnd);
hostile(
  'call media', [call.appendMedia({ path, proof }), call.appendMedia({ path, proof: null })], call.parseMedia,
);
hostile('routes wanted', [new Uint8Array(16)], parseRouteWanted);
const device = {
  target, found: 1, index: 1, of: 3, chain: ['0102:0304:0506:0708', call.NO_RELAY], record: new Uint8Array(178),
};
hostile('routes', [appendRoute(device), appendRoute({ ...device, found: 3, index: 0, of: 1 })], parseRoute);
hostile('kept wanted', [kept.appendKeptWanted(['d0d1d2d3d4d5d6d7', '1011121314151617'])], kept.parseKeptWanted);
const none = { device: 'd0d1d2d3d4d5d6d7', of: 0, index: 0, key: null, offer: null };
hostile('kept calls', [
  kept.appendKeptCall(none),
  kept.appendKeptCall({ ...none, of: 2, index: 1, key: new Uint8Array(32), offer: new Uint8Array(9) }),
], kept.parseKeptCall);
const consent = { expiry: 7n, signature: new Uint8Array(64) };
hostile('signals', [
  ...[{ type: 'ringing' }, { type: 'answer', entry: new Uint8Array(200) }, { type: 'hang up', reason: 0 },
    { type: 'transfer', person: new Uint8Array(32), consent }, { type: 'transfer ack', accepted: true },
    { type: 'key', key, wrap: new Uint8Array(64) }, { type: 'consent', accepted: true, consent },
  ].map((s) => appendSignal(/** @type {import('./signal.js').Signal} */ (s))),
], parseSignal);

const messages = [
  encode('Welcome', {
    connectionId: 1, resetToken: new Uint8Array(16), incarnation: new Uint8Array(8), relay: 'wzp',
    features: ['a', 'b'],
  }),
  encode('MemberPage', { entries: [id, id], next: id }),
  encode('Joined', { room: 'café', member: id, members: 7 }),
  encode('Leave'),
  encode('Available', { record: new Uint8Array(178) }),
  encode('Refused', { code: 'rate', reason: '"\\' }),
  '{"X":[[{"a":-1.5e9,"b":[true,false,null,"\\u0041"]}]]}',
];
hostile('control messages', messages.map(toUtf8), (b) => decode(new TextDecoder().decode(b)));
hostile('control messages of strange characters', messages.map(toUtf8), (b) =>
  decode(String.fromCharCode(...b, ...(b[0] & 1 ? [0xd800] : []))),
);
hostile('control streams', messages.map(frame), (b) => [...new Deframer().feed(b)].map(decode));
hostile('texts', [toUtf8('café 🎤')], (b) => fromUtf8(b));
hostile('hexadecimal', [toUtf8('00ff')], (b) => fromHex(new TextDecoder().decode(b)));
hostile('base64', [toUtf8('AQIDBA==')], (b) => fromBase64(new TextDecoder().decode(b)));
hostile('base64url', [toUtf8('-_8AAQ')], (b) => fromBase64Url(new TextDecoder().decode(b)));

// A signature makes every changed entry an error; some stay as they are, so that both ends are seen.
const ann = await Identity.fromSeed(new Uint8Array(32).fill(0x2a));
const { entry } = await build({
  room: 'café', name: 'Ann', identity: ann, homeRelay: ann.publicKey, joinKey: new Uint8Array(32),
  staySecret: new Uint8Array(32),
  replaces: { hash: new Uint8Array(32), secret: new Uint8Array(32) },
});
let entries = 0;
hostile('entries', [entry], (b) => parse(entries++ % 1000 === 0 ? entry : b));

const reach = await signReach(ann, {
  stayKey: new Uint8Array(32), homeRelay: ann.publicKey, sequence: 1n, expiry: 2n,
});
let records = 0;
hostile('reach records', [reach], (b) => parseReach(records++ % 1000 === 0 ? reach : b));
