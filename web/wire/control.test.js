import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, fromHex, toUtf8 } from './bytes.js';
import { Deframer, MAX_MESSAGE, MAX_PAGE, decode, encode, frame } from './control.js';

const many = (/** @type {string} */ s, /** @type {number} */ n) => s.repeat(n);
const idA = fromHex('a1a2a3a4a5a6');
const idB = fromHex('b1b2b3b4b5b6');

const helloJson =
  '{"Hello":{"protocol":1,"identity":"d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc",'
  + '"name":"Ann","client":"wzp/0.1","session":"101112131415161718191a1b1c1d1e1f","connection_id":658188,"features":["x","yy"],'
  + '"signature":"3db09fea314a07e9df7bc8121868eb563715c4164e11c9bc1397a9d9065aab06'
  + '7158d64f0ce48cefdb095a27343acfddc590dc9069aa9e252393ba5069458207"}}';
const hello = {
  protocol: 1,
  identity: fromHex('d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc'),
  name: 'Ann',
  client: 'wzp/0.1',
  session: fromHex('101112131415161718191a1b1c1d1e1f'),
  connectionId: 658188,
  features: ['x', 'yy'],
  signature: fromHex(
    '3db09fea314a07e9df7bc8121868eb563715c4164e11c9bc1397a9d9065aab067158d64f0ce48cefdb095a27343acfddc590dc9069aa9e252393ba5069458207',
  ),
};
const welcomeJson =
  '{"Welcome":{"connection_id":1,"reset_token":"000102030405060708090a0b0c0d0e0f","incarnation":"0102030405060708",'
  + '"relay":"wzp/0.1","features":[]';
const welcome = {
  connectionId: 1, resetToken: fromHex('000102030405060708090a0b0c0d0e0f'),
  incarnation: fromHex('0102030405060708'), relay: 'wzp/0.1', features: [],
};

// Those of internal/wire/message_test.go, and what section 8 adds.
const goldens = /** @type {[string, string, any][]} */ ([
  ['Hello', helloJson, hello],
  ['Welcome', welcomeJson + '}}', welcome],
  [
    'Welcome', welcomeJson + ',"signature":"' + many('ab', 64) + '"}}',
    { ...welcome, signature: fromHex(many('ab', 64)) },
  ],
  [
    'Join', '{"Join":{"room":"a \\"b\\\\","entry":"AQIDBA=="}}',
    { room: 'a "b\\', entry: fromHex('01020304') },
  ],
  [
    'Joined', '{"Joined":{"room":"café","member":"a1a2a3a4a5a6","members":4294967295}}',
    { room: 'café', member: idA, members: 2 ** 32 - 1 },
  ],
  ['Available', '{"Available":{"record":""}}', { record: new Uint8Array(0) }],
  [
    'Available', '{"Available":{"record":"' + many('A', 238) + '=="}}', { record: new Uint8Array(178) },
  ],
  ['Line', '"Line"', {}],
  ['Members', '{"Members":{"after":"a1a2a3a4a5a6"}}', { after: idA }],
  ['Members', '"Members"', {}],
  [
    'MemberPage', '{"MemberPage":{"entries":["AQ==","AQI="],"next":"b1b2b3b4b5b6"}}',
    { entries: [fromHex('01'), fromHex('0102')], next: idB },
  ],
  ['MemberPage', '{"MemberPage":{"entries":[]}}', { entries: [] }],
  ['Leave', '"Leave"', {}],
  [
    'Goodbye', '{"Goodbye":{"code":"shutting_down","reason":"back at <9> & later"}}',
    { code: 'shutting_down', reason: 'back at <9> & later' },
  ],
  ['Refused', '{"Refused":{"code":"room_full","reason":""}}', { code: 'room_full', reason: '' }],
  [
    'Greeting', '{"Greeting":{"relay":"' + many('01', 32) + '","challenge":"' + many('02', 32) + '"}}',
    { relay: fromHex(many('01', 32)), challenge: fromHex(many('02', 32)) },
  ],
]);

test('golden messages are read and written', () => {
  for (const [name, json, fields] of goldens) {
    assert.equal(encode(name, fields), json);
    const { name: memberName, ...rest } = fields;
    assert.deepEqual(
      decode(json), memberName === undefined ? { name, ...rest } : { name, memberName, ...rest },
    );
    for (let n = 0; n < json.length; n++) {
      assert.throws(() => decode(json.slice(0, n)), { name: 'FormatError' });
    }
  }
});

test('what other writers of JSON may send means the same', () => {
  for (const [json, want] of /** @type {[string, any][]} */ ([
    [
      ' { "Join" :\t{ "entry" : "AQ\\u003d=" , "room"\r\n: "\\u0061" } } \n',
      { name: 'Join', room: 'a', entry: fromHex('01') },
    ],
    [
      '{"Joined":{"members" : 7 ,"member":"a1a2a3a4a5a6","room":"a","new":{"room":[[1e999]]},"ROOM":5}}',
      { name: 'Joined', room: 'a', member: idA, members: 7 },
    ],
    ['{"Leave":{}}', { name: 'Leave' }],
    ['{"Leave":{"later":1}}', { name: 'Leave' }],
    ['{"Members":{}}', { name: 'Members' }],
    [' "Leave" ', { name: 'Leave' }],
    ['"Hold"', { name: 'Hold', unknown: true }],
    ['{"Hold":[1,null,"x"]}', { name: 'Hold', unknown: true }],
    ['{"leave":{}}', { name: 'leave', unknown: true }],
    ['{"":null}', { name: '', unknown: true }],
    ['{"__proto__":{}}', { name: '__proto__', unknown: true }],
    ['"toString"', { name: 'toString', unknown: true }],
    ['{"Refused":{"code":"new_code","reason":""}}', { name: 'Refused', code: 'new_code', reason: '' }],
    [
      '{"Refused":{"code":"a","reason":"\\ud800 {\\"[\\\\"}}',
      { name: 'Refused', code: 'a', reason: '\ufffd {"[\\' },
    ],
    [
      '{"Refused":{"code":"a","reason":"","__proto__":{"code":"b"}}}',
      { name: 'Refused', code: 'a', reason: '' },
    ],
    [`"${many('x', 100)}"`, { name: many('x', 64), unknown: true }],
  ])) {
    assert.deepEqual(decode(json), want, json);
  }
});

/** @param {string} old @param {string} instead */
function changed(old, instead) {
  assert.ok(helloJson.includes(old), old);
  return helloJson.replace(old, instead);
}

test('what breaks the rules of JSON is refused', () => {
  for (const json of [
    'null', '5', '[]', '{}', '', '{"Leave":{}} 1', '{"Leave":{},"Hold":{}}', '{"Leave":{},"Leave":{}}',
    '{"X":{"a":{"b":1,"b":1}}}', '{"X":[1e999,{"b":1,"\\u0062":1}]}',
    '{"X":' + many('[', 30000) + many(']', 30000) + '}', '{"X":' + many('[', 16) + many(']', 16) + '}',
    '"' + many('x', MAX_MESSAGE) + '"', `"${many('é', 32768)}"`, '{"Leave":{}', '{Leave:{}}', "{'Leave':{}}",
    '{"Leave":{},}', '\ufeff"Leave"',
  ]) {
    assert.throws(() => decode(json), { name: 'FormatError', what: 'control message' }, json.slice(0, 60));
  }
  assert.equal(decode('{"X":' + many('[', 15) + many(']', 15) + '}').unknown, true);
});

test('what breaks the rules of a field is refused', () => {
  for (const [json, what, code] of [
    ['{"Leave":null}', 'Leave', 'invalid'], ['{"Leave":[]}', 'Leave', 'invalid'],
    ['"Join"', 'Join.room', 'truncated'], ['{"Join":{"room":"a"}}', 'Join.entry', 'truncated'],
    ['{"Join":{"ROOM":"a","entry":"AQ=="}}', 'Join.room', 'truncated'],
    ['{"Join":{"room":"a","entry":null}}', 'Join.entry', 'invalid'],
    ['{"Join":{"room":7,"entry":"AQ=="}}', 'Join.room', 'invalid'],
    ['{"Join":{"room":"_a","entry":"AQ=="}}', 'Join.room', 'invalid'],
    ['{"Join":{"room":"a\\u0000","entry":"AQ=="}}', 'Join.room', 'invalid'],
    ['{"Join":{"room":"a","entry":""}}', 'Join.entry', 'invalid'],
    ['{"Join":{"room":"a","entry":"AQ"}}', 'Join.entry', 'invalid'],
    ['{"Join":{"room":"a","entry":"AR=="}}', 'Join.entry', 'invalid'],
    ['{"Join":{"room":"a","entry":"AQ\\n=="}}', 'Join.entry', 'invalid'],
    ['{"Join":{"room":"a","entry":"' + many('AAAA', 141) + '"}}', 'Join.entry', 'limit'],
    ['{"Join":{"room":"a","entry":"' + many('A', 40000) + '"}}', 'Join.entry', 'limit'],
    ['{"Members":{"after":null}}', 'Members.after', 'invalid'],
    ['{"Members":{"after":"a1a2a3a4a5"}}', 'Members.after', 'invalid'],
    ['{"Members":{"after":"A1a2a3a4a5a6"}}', 'Members.after', 'invalid'],
    ['{"MemberPage":{"entries":null}}', 'MemberPage.entries', 'invalid'],
    ['{"MemberPage":{"entries":{}}}', 'MemberPage.entries', 'invalid'],
    ['{"MemberPage":{"entries":[1]}}', 'MemberPage.entries', 'invalid'],
    ['{"MemberPage":{"entries":["AQ==",null]}}', 'MemberPage.entries', 'invalid'],
    ['{"MemberPage":{"entries":["AQ=="' + many(',"AQ=="', MAX_PAGE) + ']}}', 'MemberPage.entries', 'limit'],
    ['{"Refused":{"code":"","reason":""}}', 'Refused.code', 'invalid'],
    ['{"Refused":{"code":"A","reason":""}}', 'Refused.code', 'invalid'],
    ['{"Refused":{"code":"a\\u001b[0m","reason":""}}', 'Refused.code', 'invalid'],
    ['{"Refused":{"code":"a\\n","reason":""}}', 'Refused.code', 'invalid'],
    ['{"Goodbye":{"code":"a","reason":"\\u001b[0m"}}', 'Goodbye.reason', 'invalid'],
    ['{"Goodbye":{"code":"a","reason":"' + many('x', 257) + '"}}', 'Goodbye.reason', 'limit'],
    [welcomeJson + ',"signature":null}}', 'Welcome.signature', 'invalid'],
    [changed('"protocol":1', '"protocol":2'), 'Hello.protocol', 'invalid'],
    [changed('"Ann"', `"${many('x', 65)}"`), 'Hello.name', 'limit'],
    [changed('658188', '0'), 'Hello.connection_id', 'invalid'],
    [changed('658188', '16777216'), 'Hello.connection_id', 'invalid'],
    [changed('"x"', `"${many('x', 33)}"`), 'Hello.features', 'limit'],
    [changed('"x"', '"x"' + many(',"x"', 31)), 'Hello.features', 'limit'],
    [changed('"session":"10', '"session":"'), 'Hello.session', 'invalid'],
    [changed('"features":["x","yy"],', ''), 'Hello.features', 'truncated'],
  ]) {
    assert.throws(() => decode(json), { name: 'FormatError', what, code }, json.slice(0, 100));
  }
  for (const number of ['0', '-1', '-0', '1.0', '1e1', '"1"', '4294967296', 'null', '[1]', many('9', 400)]) {
    assert.throws(() => decode(`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":${number}}}`),
      { name: 'FormatError', what: 'Joined.members', code: 'invalid' }, number);
  }
});

test('what breaks the rules is not sent', () => {
  for (const [name, fields, what] of /** @type {[string, any, string][]} */ ([
    ['Join', { room: '_a', entry: idA }, 'Join.room'],
    ['Join', { room: 'a', entry: new Uint8Array(0) }, 'Join.entry'],
    ['Join', { room: 'a\ud800', entry: idA }, 'Join.room'], ['Join', { entry: idA }, 'Join.room'],
    ['Joined', { room: 'a', member: idA, members: 0 }, 'Joined.members'],
    ['Welcome', { ...welcome, relay: 'a\n' }, 'Welcome.relay'],
    ['Welcome', { ...welcome, connectionId: 2 ** 24 }, 'Welcome.connection_id'],
    ['Hello', { ...hello, session: idA }, 'Hello.session'],
    ['Welcome', { ...welcome, features: new Array(33).fill('') }, 'Welcome.features'],
    ['MemberPage', { entries: [idA, new Uint8Array(421)] }, 'MemberPage.entries'],
    ['Refused', { code: '', reason: '' }, 'Refused.code'],
    ['Hold', {}, 'control message'],
  ])) {
    assert.throws(() => encode(name, fields), { name: 'FormatError', what });
  }
  assert.equal(encode('Members', { after: 'a1a2a3a4a5a6' }), '{"Members":{"after":"a1a2a3a4a5a6"}}');
});

test('a stream is cut into its messages, whatever the chunks', () => {
  const texts = goldens.map(([, json]) => json);
  const stream = concat(...texts.map(frame));
  for (const size of [1, 2, 3, 5, 7, 64, 1000, stream.length]) {
    const deframer = new Deframer();
    const got = [];
    for (let at = 0; at < stream.length; at += size) {
      got.push(...deframer.feed(stream.subarray(at, at + size)));
    }
    assert.deepEqual(got, texts, `chunks of ${size}`);
  }
});

test('a stream that breaks the framing is refused', () => {
  for (const head of ['00000000', '00010001', 'ffffffff']) {
    assert.throws(
      () => [...new Deframer().feed(concat(fromHex(head), [0x22]))],
      { name: 'FormatError', what: 'control message' }, head,
    );
  }
  assert.throws(() => [...new Deframer().feed(fromHex('00000001ff'))], { code: 'invalid' });
  const padded = '"Leave"' + many(' ', MAX_MESSAGE - 7);
  assert.deepEqual([...new Deframer().feed(frame(padded))], [padded]);
  assert.equal(decode(padded).name, 'Leave');
  const bytes = frame('"Leave"');
  const deframer = new Deframer();
  assert.deepEqual([...deframer.feed(bytes.subarray(0, 6))], []);
  bytes.fill(0, 0, 6); // what was fed is not kept
  assert.deepEqual([...deframer.feed(bytes.subarray(6))], ['"Leave"']);
  assert.equal(toUtf8('"Leave"').length, 7);
});
