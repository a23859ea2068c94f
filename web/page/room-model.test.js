// What the page knows of a room: order of rows, who talks, warnings that stay, and what a hostile relay
// cannot do to it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RoomModel } from './room-model.js';

const member = (id, more = {}) => ({
  id, name: id, fingerprint: id, outside: false, known: 'same', self: id === 'me', ...more,
});
const list = (...members) => ({ type: 'members', list: members });
const alive = {
  type: 'quality', lossUp: 0, lossDown: 0, rtt: 50, path: 'webtransport', up: 'alive', down: 'alive',
};
const levels = (talkers, me = -90) => ({ type: 'levels', me, talkers });

/** A model that has joined with these members. */
function joined(...members) {
  const model = new RoomModel('tea', { private: false });
  model.apply({ type: 'state', state: 'joined' }, 0);
  model.apply(list(...members), 0);
  return model;
}

test('oneself comes first, who is outside last, newcomers below', () => {
  const model = joined(member('a'), member('x', { outside: true }), member('me'), member('b'));
  assert.deepEqual(model.order, ['me', 'a', 'b', 'x']);
  model.apply(list(member('c'), member('b'), member('me'), member('a'), member('x', { outside: true })), 0);
  assert.deepEqual(model.order, ['me', 'a', 'b', 'c', 'x']);
  assert.equal(model.others(), 3);
});

test('raised hands come next, as they went up, and who talks does not move among them', () => {
  const model = joined(member('me'), member('a'), member('b'), member('c'), member('d'));
  const talk = (id, from) => {
    for (let now = from; now < from + 4000; now += 100) model.apply(levels({ [id]: -20 }), now);
  };
  const others = (hands) => [...'abcd'].map((id) => member(id, id in hands ? { hand: hands[id] } : {}));
  model.apply(list(member('me', { hand: 8 }), ...others({ c: 9, b: 7 })), 0);
  assert.deepEqual(
    [model.order, model.raised, model.hands], [['me', 'b', 'c', 'a', 'd'], ['b', 'me', 'c'], 2],
  );
  assert.deepEqual(['me', 'b', 'c'].map((id) => model.turnOf(id)), [2, 0, 0], 'which was up before is not known');
  talk('c', 0);
  assert.deepEqual(model.order, ['me', 'b', 'c', 'a', 'd'], 'a hand has its place');
  talk('d', 10_000);
  assert.deepEqual(model.order, ['me', 'b', 'c', 'd', 'a'], 'others come to the top below them');
  model.apply(list(member('me'), ...others({ c: 9, d: 12 })), 15_000);
  assert.deepEqual(['c', 'd'].map((id) => model.turnOf(id)), [0, 2]);
  model.apply(list(member('me'), ...others({ c: 9 })), 15_000);
  assert.deepEqual([model.order, model.raised, model.hands], [['me', 'c', 'd', 'a', 'b'], ['c'], 1]);
  model.apply(list(member('me'), member('a')), 15_000);
  assert.deepEqual([model.raised, model.hands], [[], 0], 'they are gone with who leaves');
});

test('who talked is marked for 10 s, and in a list for minutes, the latest first', () => {
  const model = joined(member('me'), member('a'), member('b'), member('c'));
  const names = () => model.talkedLast().map(({ name }) => name);
  model.apply(levels({ a: -20, me: -20 }), 0);
  assert.deepEqual([names(), model.justTalked('a')], [[], true], 'who talks now did not talk last');
  model.apply(levels({ b: -20 }), 1000);
  assert.deepEqual(names(), ['a']);
  model.apply(levels({}), 2000);
  assert.deepEqual(names(), ['b', 'a'], 'not oneself');
  model.apply(list(member('me'), member('b')), 2000);
  assert.deepEqual(names(), ['b', 'a'], 'who left meanwhile, too');
  model.apply(levels({}), 10_500);
  assert.deepEqual([model.justTalked('a'), model.justTalked('b')], [false, true]);
  model.apply(levels({}), 11_500);
  assert.equal(model.justTalked('b'), false);
  assert.deepEqual(names(), ['b', 'a']);
  model.apply(levels({}), 182_000);
  assert.deepEqual(names(), []);
  model.apply(list(member('me'), ...Array.from({ length: 100 }, (_, i) => member('p' + i))), 190_000);
  for (let i = 0; i < 100; i++) model.apply(levels({ ['p' + i]: -20 }), 190_000 + 500 * i);
  model.apply(levels({}), 250_000);
  assert.deepEqual(names(), ['p99', 'p98', 'p97', 'p96']);
});

test('a talker moves to the top only after the others are quiet', () => {
  const model = joined(member('me'), member('a'), member('b'));
  for (let now = 0; now < 2000; now += 100) model.apply(levels({ a: -20, b: -20 }), now);
  assert.deepEqual(model.order, ['me', 'a', 'b']);
  for (let now = 2000; now < 3000; now += 100) model.apply(levels({ b: -20 }), now);
  assert.deepEqual(model.order, ['me', 'a', 'b']);
  for (let now = 3000; now < 5000; now += 100) model.apply(levels({ b: -20 }), now);
  assert.deepEqual(model.order, ['me', 'b', 'a']);
});

test('a short gap is no silence, a long one is', () => {
  const model = joined(member('me'), member('a'));
  model.apply(levels({ a: -20 }), 0);
  model.apply(levels({}), 200);
  assert.deepEqual(model.talkers(), ['a']);
  model.apply(levels({}), 500);
  assert.deepEqual(model.talkers(), []);
});

test('levels of nobody who is there change nothing', () => {
  const model = joined(member('me'));
  model.apply(levels({ ghost: -3, ['__proto__']: -3 }), 0);
  assert.deepEqual(model.talkers(), []);
  assert.equal(model.levels.size, 0);
});

test('without a connection nobody talks and nothing is transmitted; afterwards it goes on', () => {
  const model = joined(member('me'), member('a'));
  model.mic = 'on';
  model.apply(alive, 0);
  model.apply(levels({ a: -20 }), 0);
  model.apply({ type: 'transmitting', on: true }, 0);
  model.apply({ type: 'state', state: 'reconnecting' }, 10);
  assert.deepEqual(model.talkers(), []);
  assert.equal(model.transmitting, false);
  assert.equal(model.members.size, 2);
  model.apply({ type: 'warning', code: 'relay', text: '' }, 10);
  model.apply({ type: 'state', state: 'joined' }, 20);
  assert.equal(model.transmitting, false, 'it is not known yet whether that is heard');
  assert.ok(model.apply(alive, 30).includes('control'));
  assert.equal(model.transmitting, true);
  assert.deepEqual(model.warnings, []);
});

test('without sound from the microphone nothing is transmitted, whatever the engine says', () => {
  const model = joined(member('me'), member('a'));
  assert.deepEqual(model.sound, { playing: true, capturing: true, cause: '' });
  model.mic = 'on';
  model.apply(alive, 0);
  model.apply({ type: 'transmitting', on: true }, 0);
  const parts = model.setSound({ playing: true, capturing: false, cause: 'muted' });
  assert.ok(parts.includes('control') && parts.includes('quality'), parts.join());
  assert.equal(model.transmitting, false);
  model.setSound({ playing: true, capturing: true, cause: '' });
  assert.equal(model.transmitting, true);
});

test('a codec that stopped is why sound does not run, unless the devices know of something', () => {
  const model = joined(member('me'), member('a'));
  assert.ok(model.apply({ type: 'codec', encoding: false, decoding: true }, 0).includes('sound'));
  assert.deepEqual(model.sound, { playing: true, capturing: false, cause: 'encoder' });
  model.apply({ type: 'codec', encoding: true, decoding: false }, 0);
  assert.deepEqual(model.sound, { playing: false, capturing: true, cause: 'decoder' });
  model.setSound({ playing: true, capturing: false, cause: 'silent' });
  assert.deepEqual(model.sound, { playing: false, capturing: false, cause: 'silent' });
  model.apply({ type: 'codec', encoding: true, decoding: true }, 0);
  model.setSound({ playing: true, capturing: true, cause: '' });
  assert.deepEqual(model.sound, { playing: true, capturing: true, cause: '' });
});

test('a changed key warns until it is acknowledged, and not again for the same key', () => {
  const changed = member('a', { known: 'changed' });
  const model = joined(member('me'), changed);
  assert.deepEqual(model.warnings.map(({ code, member: id }) => [code, id]), [['name', 'a']]);
  model.apply({ type: 'warning', code: 'name', member: 'a', text: '' }, 0);
  assert.equal(model.warnings.length, 1);
  model.acknowledge(model.warnings[0]);
  model.apply(list(member('me'), changed), 0);
  assert.equal(model.warnings.length, 0);
  model.apply(list(member('me'), { ...changed, fingerprint: 'third' }), 0);
  assert.equal(model.warnings.length, 1);
});

test('many warnings do not wash away that a key has changed', () => {
  const model = joined(member('me'), member('a', { known: 'changed' }));
  for (let i = 0; i < 100; i++) model.apply({ type: 'warning', code: 'code' + i, text: '' }, 0);
  assert.ok(model.warnings.length <= 8);
  assert.equal(model.warnings[0].code, 'name');
});

const warn = (code, id = '') => ({ type: 'warning', code, member: id, text: '' });
const told = (model) =>
  model.warnings.map(({ code, name, fingerprint, count }) => [code, name, fingerprint, count]);

test('only a light warning goes with whom it is about', () => {
  const model = joined(member('me'), member('a'));
  for (const code of ['sound', 'outside', 'key']) model.apply(warn(code, 'a'), 0);
  model.apply(list(member('me')), 0);
  assert.deepEqual(told(model), [['key', 'a', 'a', 1]]);
});

test('a relay that lets somebody leave and come back takes no warning away, nor the name in it', () => {
  for (const code of ['members', 'key', 'no_key', 'name']) {
    const model = joined(member('me'), member('a', { name: 'Ana' }));
    model.apply(warn(code, 'a'), 0);
    model.apply(list(member('me')), 0);
    assert.deepEqual(told(model), [[code, 'Ana', 'a', 1]]);
    model.apply(list(member('me'), member('other', { name: 'Ana', fingerprint: 'a' })), 150);
    model.apply(warn(code, 'other'), 150);
    assert.deepEqual(told(model), [[code, 'Ana', 'a', 1]]);
    assert.equal(model.warnings[0].member, 'other', 'what the user chooses reaches who is there');
    model.acknowledge(model.warnings[0]);
    model.apply(warn(code, 'other'), 200);
    assert.deepEqual(told(model), []);
  }
});

test('a warning of an unknown member outlives every list', () => {
  const model = joined(member('me'));
  model.apply(warn('unknown_member', 'ghost'), 0);
  model.apply(list(member('me'), member('a')), 0);
  model.apply(list(member('me')), 0);
  assert.deepEqual(told(model), [['unknown_member', '', '', 1]]);
  model.acknowledge(model.warnings[0]);
  assert.deepEqual(told(model), []);
});

test('many unknown members are one warning, and push out nothing', () => {
  const model = joined(member('me'), member('a'));
  model.apply(warn('members', 'a'), 0);
  for (let i = 0; i < 5000; i++) model.apply(warn('unknown_member', 'ghost' + i), 0);
  assert.deepEqual(told(model).map(([code]) => code), ['members', 'unknown_member']);
  assert.ok(model.warnings[1].count > 4000);
});

test('warnings of one code cannot push out another: light ones go first, then they become one', () => {
  const crowd = Array.from({ length: 30 }, (_, i) => member('m' + i));
  const model = joined(member('me'), ...crowd);
  for (const code of ['relay', 'outside', 'sound']) model.apply(warn(code, 'm0'), 0);
  model.apply(warn('members', 'm0'), 0);
  for (const code of ['key', 'no_key']) for (const { id } of crowd) model.apply(warn(code, id), 0);
  model.apply(warn('names', 'm0'), 0);
  model.apply(warn('names', 'm1'), 0);
  model.apply(warn('unknown_member', 'ghost'), 0);
  model.apply(list(member('me'), ...crowd, member('b', { known: 'changed' })), 0);
  assert.ok(model.warnings.length <= 8);
  const sum = {};
  for (const { code, count } of model.warnings) sum[code] = (sum[code] ?? 0) + count;
  assert.deepEqual(sum, { members: 1, key: 30, no_key: 30, names: 1, unknown_member: 1, name: 1 });
  for (const warning of [...model.warnings]) model.acknowledge(warning);
  for (const { id } of crowd) {
    assert.deepEqual(model.apply(warn('key', id), 0), [], 'all of them are acknowledged');
  }
});

test('a warning that comes before its member gets the name when it is known', () => {
  const model = joined(member('me'));
  model.apply(warn('key', 'a'), 0);
  model.apply(list(member('me'), member('a')), 0);
  model.apply(warn('key', 'a'), 0);
  assert.deepEqual(told(model), [['key', 'a', 'a', 1]]);
});

test('who wears a name that another wears too is ambiguous, whatever cannot be seen in it', () => {
  const names = { a: 'Ben', b: 'ben', c: 'c', d: '\u200b', e: '\u2060', f: 'Dan', g: 'Da\u200bn\u202e' };
  const model = joined(member('me'), ...Object.entries(names).map(([id, name]) => member(id, { name })));
  const ambiguous = Object.keys(names).filter((id) => model.ambiguous(model.members.get(id)));
  assert.deepEqual(ambiguous, ['a', 'b', 'f', 'g']);
});

test('a link lacks its key where all the others have one, and that is said once, of all', () => {
  const has = { outside: true };
  const model = joined(member('me'), member('a', has), member('b', has));
  model.private = false;
  for (const [list_, lacks] of [
    [[member('me')], false], [[member('me'), member('a', has), member('b', has)], true],
    [[member('me'), member('a', has), member('c')], false],
  ]) {
    model.apply(list(...list_), 0);
    if (list_.length > 1) model.apply(warn('outside', 'a'), 0);
    assert.equal(model.lacksKey, lacks);
    assert.equal(model.warnings.length, !lacks && list_.length > 1 ? 1 : 0);
  }
  model.private = true;
  model.apply(list(member('me'), member('a', has)), 0);
  assert.equal(model.lacksKey, false, 'it is they who lack it');
});

test('speech into a muted microphone is noticed', () => {
  const model = joined(member('me'));
  model.apply(levels({}, -20), 0);
  assert.equal(model.loudMe, false);
  model.muted = true;
  assert.ok(model.apply(levels({}, -20), 100).includes('control'));
  assert.equal(model.loudMe, true);
  model.apply(levels({}, -80), 200);
  assert.equal(model.loudMe, false);
});

test('what broke in the engine is for the bar, and unknown messages are nothing', () => {
  const model = joined(member('me'));
  assert.deepEqual(model.apply({ type: 'warning', code: 'program', text: 'oh' }, 0), ['error']);
  assert.equal(model.broken, 'oh');
  assert.deepEqual(model.apply({ type: 'new' }, 0), []);
  model.apply({ type: 'safety', number: null }, 0);
  assert.equal(model.safety, '');
});
