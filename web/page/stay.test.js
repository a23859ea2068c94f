import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stay } from './stay.js';

/** @typedef {import('../call/engine.js').EngineMessage} EngineMessage */

/** A stay without a browser: what it does to the engine, and what it tells. */
function makeStay() {
  /** @type {string[]} */ const asked = []; // of the engine
  /** @type {[string[], string[]][]} */ const news = [];
  /** @type {string[]} */ const sounds = [];
  /** @type {(message: EngineMessage) => void} */ let say = () => {};
  const engine = /** @type {any} */ (new Proxy({}, {
    get: (_, name) => (/** @type {any} */ f) => name === 'listen' ? (say = f) : asked.push(String(name)),
  }));
  const devices = /** @type {any} */ ({
    running: { playing: true, capturing: true, cause: '' }, rest() {},
    sound: (/** @type {string} */ name) => sounds.push(name),
  });
  const stay = new Stay(/** @type {any} */ ({
    room: 'tea', secret: '', mode: 'open', engine, devices, microphone: null, changed() {},
    sounds: () => true,
    people: (/** @type {string[]} */ came, /** @type {string[]} */ went) => news.push([came, went]),
  }));
  return { stay, asked, news, sounds, say: (/** @type {EngineMessage} */ message) => say(message) };
}

const leave = { url: 'https://r/leave', body: Uint8Array.of(1, 2, 3) };

test('a page that goes away says so by a request of its own, if there is a stay to end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  /** @type {unknown[]} */ const sent = [];
  t.mock.method(globalThis, 'fetch', async (/** @type {any} */ url, /** @type {any} */ { body }) => {
    sent.push(url, body);
    return new Response();
  });
  const early = makeStay();
  early.stay.hide(); // the relay was not asked yet
  assert.deepEqual([sent, early.asked], [[], ['leave']]);

  const { stay, asked, say } = makeStay();
  say({ type: 'stay', leave });
  stay.hide();
  stay.hide();
  assert.deepEqual([sent, asked], [[leave.url, leave.body], ['leave']]);

  const over = makeStay();
  over.say({ type: 'stay', leave });
  over.say({ type: 'state', state: 'ended', error: { code: 'room_full', text: '' } });
  over.stay.hide();
  assert.equal(sent.length, 2);
});

test('a hand that goes up before the engine has joined is told then, and stays up', () => {
  const { stay, asked, say } = makeStay();
  stay.setHand();
  say({ type: 'state', state: 'joined' });
  say({ type: 'state', state: 'reconnecting' });
  say({ type: 'state', state: 'joined' });
  assert.deepEqual([asked, stay.model.hand], [['hand', 'hand'], true]);
  stay.setHand();
  assert.deepEqual([asked.length, stay.model.hand], [3, false]);
});

test('who was there before, and who takes the place of an old stay, is no news', (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const { say, news, sounds } = makeStay();
  /** @param {[string, string][]} list ids and names, which are keys as well */
  const members = (list) => {
    const same = /** @type {const} */ ({ outside: false, known: 'same', self: false });
    say({ type: 'members', list: list.map(([id, name]) => ({ id, name, fingerprint: name, ...same })) });
  };
  say({ type: 'state', state: 'joined' });
  members([]);
  members([['1', 'anna'], ['2', 'bert']]);
  t.mock.timers.tick(3000);
  members([['3', 'anna'], ['2', 'bert']]);
  assert.deepEqual([news, sounds], [[], []]);
  members([['3', 'anna'], ['4', 'carl']]);
  members([['3', 'anna']]);
  assert.deepEqual(news, [[['carl'], ['bert']], [[], ['carl']]]);
  assert.deepEqual(sounds, ['joined', 'left']);
});
