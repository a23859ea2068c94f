// What the connection line and the big control say, from what the engine tells.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  PathLevel, canSend, gradeOf, hearOf, hearText, heardOf, heardText, isAudible, isOne,
} from './hearing.js';
import { awayTexts } from './away.js';
import { explain, numbers, tries } from './quality.js';
import { RoomModel } from './room-model.js';
import { talkButtonState } from './talk-button-state.js';
import '../words/english.test.js';

const member = (id, more = {}) =>
  ({ id, name: id, fingerprint: id, outside: false, known: 'same', self: id === 'me', ...more });
const outside = member('eve', { outside: true });
const list = (...who) =>
  ({ type: 'members', list: who.map((one) => (typeof one === 'string' ? member(one) : one)) });
const silent = { playing: false, capturing: false, cause: 'muted' };
const alive = {
  type: 'quality', lossUp: 0, lossDown: 0.01, rtt: 80, path: 'webtransport', up: 'alive', down: 'alive',
};

const own = ['well', 'bad', 'gaps', 'late', 'lost', 'doubt']; // said of each direction

/** A model in a room, with others; now is 0. */
function inRoom({ others = [member('a')], mode = 'open', quality = alive } = {}) {
  const model = new RoomModel('tea', { private: true, mode });
  model.mic = 'on';
  model.apply({ type: 'state', state: 'joined' }, 0);
  model.apply({ type: 'members', list: [member('me'), ...others] }, 0);
  if (quality) model.apply(quality, 0);
  return model;
}

const answers = (model) => [heardOf(model), hearOf(model)];

test('loss is worse at once, and better after a while, without a flicker', () => {
  const path = new PathLevel();
  const told = [];
  const feed = (ms, loss, verdict = 'alive', rtt = 50) => {
    for (const end = (path.at ?? 0) + ms; (path.at ?? 0) < end; ) {
      path.at = (path.at ?? 0) + 500;
      path.update(verdict, typeof loss === 'function' ? loss() : loss, 100, rtt, path.at);
      if (told.at(-1) !== path.level) told.push(path.level);
    }
    return told.splice(0);
  };
  assert.deepEqual(feed(500, 0, 'measuring'), ['measuring']);
  assert.deepEqual(feed(500, 0), ['well']);
  assert.deepEqual(feed(500, 0.3), ['gaps']);
  assert.deepEqual(feed(500, 0.6), ['bad']);
  let i = 0;
  assert.deepEqual(feed(60_000, () => [0.3, 0.5][i++ % 2]), ['bad'], 'about a limit');
  assert.deepEqual(feed(1500, 0.1), ['bad']);
  assert.deepEqual(feed(1000, 0.1), ['bad', 'gaps']);
  assert.deepEqual(feed(60_000, () => [0.01, 0.03][i++ % 2]), ['gaps'], 'about the other limit');
  assert.deepEqual(feed(3000, 0), ['gaps', 'well']);
  assert.deepEqual(feed(500, 0, 'alive', 900), ['late']);
  assert.deepEqual(feed(5000, 0, 'alive', 700), ['late']);
  assert.deepEqual(feed(3000, 0, 'alive', 500), ['late', 'well']);
  assert.deepEqual(feed(500, 0, 'doubt'), ['doubt']);
  assert.deepEqual(feed(500, 0, 'lost'), ['lost']);
  assert.deepEqual(feed(500, 0), ['gaps'], 'there was one');
  assert.deepEqual(feed(3000, 0), ['gaps', 'well']);
  assert.deepEqual(feed(500, 0, 'measuring'), ['well'], 'it moved to another path, from one that was well');
  assert.deepEqual(feed(500, 0, 'lost'), ['lost']);
  assert.deepEqual(feed(500, 0, 'measuring'), ['measuring'], 'of the path before nothing is said');
});

test('each answer says the worst that is so', () => {
  for (const [what, change, heard, hear] of [
    ['all is well', () => {}, 'well', 'well'],
    ['only the way out is bad', (m) => m.apply({ ...alive, lossUp: 0.5 }, 1), 'bad', 'well'],
    ['only the way in is', (m) => m.apply({ ...alive, lossDown: 0.1 }, 1), 'well', 'gaps'],
    ['numbers that are none', (m) => m.apply({ ...alive, lossUp: NaN, rtt: NaN }, 1), 'well', 'well'],
    ['nothing gets out', (m) => m.apply({ ...alive, up: 'lost' }, 1), 'lost', 'well'],
    ['the relay drops part', (m) => m.apply({ ...alive, dropped: 3 }, 1), 'dropped', 'well'],
    ['alone', (m) => m.apply(list('me'), 1), 'alone', 'alone'],
    ['others are outside', (m) => m.apply(list('me', outside), 1), 'outside', 'outside'],
    ['some are', (m) => m.apply(list('me', 'a', outside), 1), 'well', 'well'],
    ['we lack the key', (m) => {
      m.private = false;
      m.apply({ type: 'members', list: [member('me'), outside] }, 1);
    }, 'noKey', 'noKey'],
    ['muted', (m) => { m.muted = true; }, 'muted', 'well'],
    ['muted, and dead', (m) => {
      m.muted = true;
      m.apply({ ...alive, up: 'lost', down: 'lost' }, 1);
    }, 'muted', 'lost'],
    ['alone as far as we know, but dead', (m) => {
      m.apply({ type: 'members', list: [member('me')] }, 1);
      m.apply({ ...alive, up: 'doubt', down: 'doubt' }, 1);
    }, 'doubt', 'doubt'],
    ['no microphone', (m) => { m.mic = 'denied'; }, 'noMic', 'well'],
    ['it gives no sound', (m) => m.setSound({ ...silent, playing: true }), 'noSound', 'well'],
    ['nothing is played', (m) => m.setSound({ ...silent, capturing: true }), 'well', 'noSound'],
    ['away', (m) => m.apply({ type: 'state', state: 'reconnecting' }, 1), 'away', 'away'],
    ['offline', (m) => {
      m.apply({ type: 'state', state: 'reconnecting' }, 1);
      m.offline = true;
    }, 'offline', 'offline'],
    ['back, and not measured', (m) => {
      m.apply({ type: 'state', state: 'reconnecting' }, 1);
      m.apply({ type: 'state', state: 'joined' }, 2);
    }, 'measuring', 'measuring'],
  ]) {
    const model = inRoom();
    change(model);
    assert.deepEqual(answers(model), [heard, hear], what);
    const texts = [heardText(heard), hearText(hear)];
    assert.ok(texts.every((text) => text !== '' && !text.includes('.')), texts.join());
    assert.ok(isAudible(heard) || gradeOf(heard) !== 'good', what);
    assert.equal(isOne(heard, hear), heard === hear && !own.includes(hear));
  }
  assert.deepEqual(answers(inRoom({ quality: null })), ['measuring', 'measuring'], 'nothing was measured');
  assert.deepEqual(answers(inRoom({ mode: 'radio' })), ['ready', 'well']);
});

test('"Transmitting" means that somebody can hear it, and the bar that something is sent', () => {
  for (const [what, change, label, live, sends] of [
    ['others', () => {}, 'Transmitting', true, true],
    ['lossy', (m) => m.apply({ ...alive, lossUp: 0.6 }, 1), 'Transmitting', true, true],
    ['alone', (m) => m.apply(list('me'), 1), 'Microphone is on', false, true],
    ['outside', (m) => m.apply(list('me', outside), 1), 'Nobody hears you', false, true],
    ['doubt', (m) => m.apply({ ...alive, up: 'doubt' }, 1), 'Not sure that you are heard', false, true],
    ['lost', (m) => m.apply({ ...alive, up: 'lost' }, 1), 'Nobody hears you', false, false],
    ['stopped', (m) => m.apply({ ...alive, up: 'lost', stopped: true }, 1), 'Nobody hears you', false, false],
    ['away', (m) => m.apply({ type: 'state', state: 'reconnecting' }, 1), 'Reconnecting…', false, false],
    ['muted', (m) => { m.muted = true; }, 'Muted - tap to talk', false, false],
    ['no sound', (m) => m.setSound({ ...silent, playing: true }), 'Nobody hears you', false, false],
  ]) {
    const model = inRoom();
    model.apply({ type: 'transmitting', on: true }, 0);
    change(model);
    const state = talkButtonState(model, []);
    assert.deepEqual([state.label, state.kind === 'live', model.transmitting, canSend(model)],
      [label, live, live, sends], what);
    const radio = inRoom({ mode: 'radio' });
    radio.held = true;
    radio.apply({ type: 'transmitting', on: true }, 0);
    change(radio);
    if (what !== 'muted') assert.equal(talkButtonState(radio, []).kind === 'live', live, `${what}, radio`);
  }
});

test('the control says what it does now', () => {
  const label = (more, talkers = []) => talkButtonState(Object.assign(inRoom(), more), talkers).label;
  assert.equal(label({}), 'Microphone is on');
  assert.equal(label({ muted: true }), 'Muted - tap to talk');
  assert.equal(label({}, ['Ana']), 'Ana is talking');
  assert.equal(label({ mode: 'radio' }), 'Hold to talk');
  assert.equal(label({ mode: 'radio' }, ['Ana', 'Ben', 'Cleo']), 'Ana and 2 others are talking');
  assert.notEqual(label({ mode: 'radio', held: true }), 'Transmitting');
  assert.equal(label({ mic: 'denied' }), 'No microphone');
  const hint = (more, talkers, how) =>
    talkButtonState(Object.assign(inRoom(), { mode: 'radio', ...more }), talkers, how).hint;
  assert.equal(hint({}, [], { keyboard: true }), 'or hold the space bar');
  assert.equal(hint({}, [], { keyboard: true, key: 'F8' }), 'or hold F8');
  assert.match(hint({ muteRefused: true }, ['Ana']), /unless you hold/);
  const muted = talkButtonState(Object.assign(inRoom(), { muted: true, loudMe: true }), ['Ana']);
  assert.equal(muted.hint, 'You are talking, but nobody hears you');
});

test('while it is away it is said since when, why, and after a while what to do', () => {
  const model = inRoom();
  assert.deepEqual(awayTexts(model, 0), []);
  model.apply({ type: 'state', state: 'reconnecting' }, 0);
  const since = new Date(2026, 0, 2, 14, 3).getTime();
  model.apply({ type: 'away', since, next: since + 9000, tries: 3, why: 'silent' }, 0);
  const [when, why, ...more] = awayTexts(model, since + 5000);
  assert.match(when, /lost at 2:03.PM\. This page keeps trying/);
  assert.match(why, /network, or the relay/);
  assert.deepEqual(more, []);
  assert.match(awayTexts(model, since + 31_000)[2], /another network/);
  for (const code of ['restart', 'busy', 'slow', 'blocked']) {
    model.away.why = code;
    assert.doesNotMatch(awayTexts(model, since)[1], /^away/, code);
  }
  model.offline = true;
  assert.equal(awayTexts(model, since + 60_000).length, 1, 'that there is no network is said elsewhere');
  assert.deepEqual(tries(model.away, since + 5000), ['Tried 3 times.', 'Next try in 4 seconds.']);
  assert.deepEqual(tries({ ...model.away, next: null, tries: 1 }, since), ['Tried 1 time.', 'Trying now.']);
  model.apply({ type: 'state', state: 'joined' }, 0);
  assert.deepEqual([model.away, awayTexts(model, 0)], [null, []]);
});

test('the sheet explains what is not well, and tells the numbers that are known', () => {
  const said = (more) => {
    const model = inRoom();
    model.apply({ ...alive, ...more }, 1);
    return explain(model);
  };
  assert.equal(said({}), '');
  assert.match(said({ lossDown: 0.1 }), /gaps/);
  assert.match(said({ rtt: 1500 }), /1\.5 sec/);
  assert.match(said({ path: 'websocket' }), /fast way/);
  assert.match(said({ up: 'lost' }), /made again by itself/);
  assert.match(said({ dropped: 3 }), /too many people/);
  assert.match(said({ dropped: 99 }), /operator/);
  const rows = numbers({ ...alive, bitrateUp: 28400 }, 0);
  assert.deepEqual(rows.find(([label]) => label === 'Sending'), ['Sending', '28 kb/s']);
  assert.ok(!rows.some(([label]) => label === 'Receiving'));
});
