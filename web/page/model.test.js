// What the page knows of a room: order of rows, who talks, warnings that stay, and what a hostile relay cannot do to it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RoomModel } from './model.js';

const member = (id, more = {}) => ({ id, name: id, fingerprint: id, outside: false, known: 'same', self: id === 'me', ...more });
const list = (...members) => ({ type: 'members', list: members });
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
  model.apply(levels({ a: -20 }), 0);
  model.apply({ type: 'transmitting', on: true }, 0);
  model.apply({ type: 'state', state: 'reconnecting' }, 10);
  assert.deepEqual(model.talkers(), []);
  assert.equal(model.transmitting, false);
  assert.equal(model.members.size, 2);
  model.apply({ type: 'warning', code: 'relay', text: '' }, 10);
  model.apply({ type: 'state', state: 'joined' }, 20);
  assert.equal(model.transmitting, true);
  assert.deepEqual(model.warnings, []);
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

test('a warning goes with whom it is about', () => {
  const model = joined(member('me'), member('a'));
  model.apply({ type: 'warning', code: 'no_key', member: 'a', text: '' }, 0);
  model.apply(list(member('me')), 0);
  assert.equal(model.warnings.length, 0);
});

test('who wears a name that another wears too is ambiguous', () => {
  const model = joined(member('me'), member('a', { name: 'Ben' }), member('b', { name: 'ben' }), member('c'));
  assert.deepEqual(['a', 'b', 'c'].map((id) => model.ambiguous(model.members.get(id))), [true, true, false]);
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
