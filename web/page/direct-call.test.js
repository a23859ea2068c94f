// What the page makes of direct calls, without a browser: their models, words, rings and news.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { roomKey } from './address.js';
import { CallModel } from './call-model.js';
import { endedWords, phaseWords } from './call-screen.js';
import { NewsList } from './call-news.js';
import { heardOf, hearOf, heardText, isOne } from './hearing.js';
import { keyState } from './key-state.js';
import { Ringer } from './ringer.js';
import { RoomModel } from './room-model.js';
import { talkButtonState } from './talk-button-state.js';
import { languages, say, speak } from '../words/say.js';
import * as english from '../words/en.js';
import '../words/english.test.js';

const ben = { fingerprint: '7f92', key: 'd1', name: 'Ben' };

test('a call goes through its phases, and what ended it stays', () => {
  const model = new CallModel({ ...ben, name: '' }, true);
  const told = [phaseWords(model, 'on')];
  for (const phase of ['ringing', 'talking']) {
    assert.ok(model.apply({ type: 'call', phase }));
    told.push(phaseWords(model, 'on'));
  }
  assert.deepEqual(told, ['Calling…', 'It rings at their side', '']);
  assert.ok(model.apply({ type: 'person', ...ben }));
  assert.equal(model.person.name, 'Ben');
  model.apply({ type: 'held', us: false, them: true });
  assert.equal(model.onHold, 'them');
  model.apply({ type: 'held', us: true, them: true });
  assert.equal(model.onHold, 'us', 'what we can end goes before');
  model.apply({ type: 'consent_wanted', fingerprint: '8470', key: '97' });
  const first = model.question;
  assert.deepEqual(first, { kind: 'consent', fingerprint: '8470', key: '97' });
  assert.deepEqual([model.lapsed(first), model.question, model.lapsed(first)], [true, null, false]);
  model.apply({ type: 'transfer_asked', fingerprint: '8471', key: '98' });
  assert.equal(model.lapsed(first), false, 'another question is another one');
  assert.equal(model.question?.kind, 'transfer');
  model.apply({ type: 'call', phase: 'ended', reason: 'hung_up', by: 'them' });
  model.apply({ type: 'call', phase: 'ended', reason: 'failed', by: null });
  assert.equal(model.reason, 'hung_up');
  assert.equal(model.question, null, 'nobody answers a question of a call that is over');
  assert.equal(model.apply({ type: 'something_new' }), false);
});

test('whatever a call comes to is said in plain words, in every language', async () => {
  const reasons = [
    'hung_up', 'hung_up_here', 'cancelled', 'no_answer', 'declined', 'busy', 'not_there', 'unreachable',
    'too_many', 'wrong_clock', 'away', 'missed', 'elsewhere', 'failed', 'transferred',
  ];
  const codes = ['self', 'already', 'talking', 'rate', 'tab', 'identity', 'relay_key'];
  for (const code of languages) {
    const { door, room, sheets, calls } = await import(`../words/${code}.js`);
    speak(code, door, room, sheets, calls);
    const titles = [
      ...reasons.map((reason) => endedWords({ reason, talked: false, error: null }, 'Ben').title),
      ...codes.map((code) => endedWords({ reason: 'error', error: { code } }, 'Ben').title),
    ];
    for (const title of titles) assert.doesNotMatch(title, /callEnd|ended\./, title);
    assert.equal(endedWords({ reason: 'error', error: { code: 'new' } }, 'Ben').title, say('callEnd.failed.title'));
    assert.equal(endedWords({ reason: 'failed', talked: true }, 'Ben').title, say('callEnd.lost.title'));
  }
  speak('en', english.door, english.room, english.sheets, english.calls);
});

test('what is known of a key is said by when it was met, and a name with another key is CHANGED', () => {
  const now = Date.UTC(2026, 10, 30);
  const contact = (fingerprint, name, more = {}) =>
    ({ fingerprint, name, added: Date.UTC(2026, 4, 3), ...more });
  const contacts = [contact('7f92', 'Benjamin'), contact('8470', 'Cleo', { compared: now - 3 * 86400e3 })];
  const of = (person, verdict = 'new') => {
    const { title, called, known, text } = keyState(person, contacts, verdict, now);
    return [title, called, known, text];
  };
  assert.deepEqual(of(ben), ['Benjamin', 'Ben', 'same', 'Same key as in May']);
  assert.deepEqual(of({ ...ben, fingerprint: '8470', name: 'cleo' }),
    ['Cleo', '', 'compared', 'You compared this key (3 days ago)']);
  assert.deepEqual(of({ ...ben, fingerprint: '13d2', name: 'Eve' }), ['Eve', '', 'new', 'New: never met']);
  assert.deepEqual(of({ ...ben, fingerprint: '13d2', name: 'Eve' }, 'same')[2], 'same');
  assert.equal(of(ben, 'changed')[2], 'changed', 'they call themselves as somebody else did');
  assert.equal(of({ ...ben, fingerprint: '13d2', name: 'ＣＬＥＯ' })[2], 'changed', 'a name of a contact');
  assert.equal(of({ fingerprint: '13d2:0e47', key: '', name: '' })[0], '13d2:0e47');
});

test('a held call says so in all three lines, and nothing is pressed in it', () => {
  const model = new RoomModel('Ben', { private: true });
  model.mic = 'on';
  model.apply({ type: 'state', state: 'joined' }, 0);
  for (const [who, text, label] of [
    ['us', 'On hold: nothing is heard', 'On hold'], ['them', 'They hold the call', 'They hold the call'],
  ]) {
    assert.ok(model.setHold(who).includes('control'));
    assert.equal(heardText(heardOf(model)), text);
    assert.ok(isOne(heardOf(model), hearOf(model)));
    assert.equal(talkButtonState(model, []).label, label);
  }
  assert.deepEqual(model.setHold('them'), []);
});

test('it rings three times, softly, over no speech, and stops at once', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let rings = 0;
    let speech = true;
    const pass = () => { // a minute
      for (let i = 0; i < 120; i++) mock.timers.tick(500);
    };
    const ringer = new Ringer(() => rings++, () => speech);
    ringer.start();
    pass();
    assert.equal(rings, 0);
    speech = false;
    mock.timers.tick(500);
    assert.equal(rings, 1);
    pass();
    assert.equal(rings, 3);
    ringer.start();
    assert.equal(rings, 4);
    ringer.stop();
    pass();
    assert.equal(rings, 4);
  } finally {
    mock.timers.reset();
  }
});

test('of who called one line each is kept, a few, and nothing that cannot be right', async () => {
  const key = 'calls:' + roomKey('');
  const values = { [key]: [{ kind: 'missed', fingerprint: 7 }, null, { kind: 'else' }] };
  const shelf = { get: async (key) => values[key], set: async (key, value) => void (values[key] = value) };
  let changes = 0;
  const news = new NewsList(shelf, () => changes++);
  const call = (i, kind = 'missed') => ({ kind, fingerprint: `f${i}`, key: '', name: '', at: i });
  for (let i = 0; i < 30; i++) void news.add(call(i));
  await news.add({ ...call(29), at: 40 });
  await news.add({ ...call(29, 'stranger'), at: 41 });
  await news.add({ ...call(29), at: 7 }); // that was kept, and is told late
  assert.deepEqual(news.list.slice(0, 3).map(({ kind, at }) => [kind, at]),
    [['stranger', 41], ['missed', 40], ['missed', 28]]);
  assert.equal(news.list.length, 20);
  for (const one of news.list) void news.remove(one);
  await news.read();
  assert.deepEqual([news.list, values[key]], [[], undefined]);
  assert.ok(changes > 30);
});
