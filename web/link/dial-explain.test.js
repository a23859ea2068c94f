// However joining fails, it ends within 20 s, with a code that the page has words for.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { door, room, sheets } from '../words/en.js';
import { LinkError } from './carrier.js';
import { fetchPlace } from './dial-resolve.js';
import { Lab } from './lab.test.js';

const LIMIT = 20_000; // ms

/** A server that answers all requests alike. */
const server = (/** @type {number} */ status, body = '') => async () => new Response(body, { status });
const silent = (/** @type {string} */ _url, /** @type {RequestInit} */ { signal }) =>
  new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason));
  });

/** The ways to fail: what is so, and the code. @type {Record<string, [(lab: Lab) => void, string]>} */
const ways = {
  'connect.json: no answer': [noPlace(silent), 'no_server'],
  'connect.json: no server, or a bad certificate': [
    noPlace(async () => {
      throw new TypeError('Failed to fetch');
    }),
    'no_server',
  ],
  'connect.json: the relay behind a proxy is not there': [noPlace(server(502)), 'server'],
  'connect.json: not found': [noPlace(server(404)), 'server'],
  'connect.json: not by this name': [noPlace(server(421)), 'misdirected'],
  'connect.json: a page that wants a sign-in': [noPlace(server(200, '<!doctype html>')), 'no_relay'],
  'both ways hang': [
    bothBlocked(async () => {
      throw new TypeError('x');
    }),
    'no_server',
  ],
  'both ways hang, and so does the answer': [bothBlocked(silent), 'no_server'],
  'UDP is blocked, and Upgrade dropped': [webSocketFails(server(426)), 'no_upgrade'],
  'UDP is blocked, and a proxy has nothing at ws': [webSocketFails(server(404)), 'no_upgrade'],
  'UDP is blocked, and a proxy answers with the page': [webSocketFails(server(200)), 'no_upgrade'],
  'UDP is blocked, and the origin refused': [webSocketFails(server(403)), 'origin'],
  'UDP is blocked, and the relay is full': [webSocketFails(server(503)), 'busy'],
  'UDP is blocked, and the relay is gone': [webSocketFails(server(502)), 'server'],
  'UDP is blocked, and there is no WebSocket': [
    (lab) => {
      lab.blocked.add('webtransport');
      lab.place.websocket = null;
    },
    'udp',
  ],
  'the WebSocket is of another origin, which browsers do not ask': [
    (lab) => {
      webSocketFails(async () => assert.fail('it was asked'))(lab);
      lab.place.websocket = 'wss://elsewhere.example/ws';
    },
    'blocked',
  ],
  'the relay greets, and says no more': [
    (lab) => {
      lab.relay.accept = greetOnly(lab);
    },
    'stalled',
  ],
  'the relay does not even greet': [
    (lab) => {
      lab.relay.greetings = false;
      lab.fetch = server(426);
    },
    'no_upgrade',
  ],
  'the WebSocket is refused for its name, and UDP is blocked': [
    (lab) => {
      lab.blocked.add('webtransport');
      lab.relay.refuse = { code: 'signature', reason: 'another name' };
      lab.fetch = server(426);
    },
    'signature',
  ],
  'the relay is full': [
    (lab) => {
      lab.relay.refuse = { code: 'too_many_sessions', reason: '' };
    },
    'too_many_sessions',
  ],
  'the room is full': [
    (lab) => {
      lab.relay.refuse = { code: 'room_full', reason: '' };
    },
    'room_full',
  ],
  'the relay shuts down': [
    (lab) => {
      lab.relay.refuse = { code: 'shutting_down', reason: '' };
    },
    'shutting_down',
  ],
  'the relay refuses for a reason that is not known yet': [
    (lab) => {
      lab.relay.refuse = { code: 'something_new', reason: 'x' };
    },
    'something_new',
  ],
  'the relay does not prove its key': [
    (lab) => {
      lab.relay.proves = false;
    },
    'signature',
  ],
};

/** @param {(url: string, options: RequestInit) => Promise<any>} fetch */
function noPlace(fetch) {
  return (/** @type {Lab} */ lab) => {
    lab.find = (signal) => fetchPlace('https://r/connect.json', { clock: lab.clock, signal, fetch });
  };
}

/** @param {(url: string, options: RequestInit) => Promise<any>} fetch */
function bothBlocked(fetch) {
  return (/** @type {Lab} */ lab) => {
    lab.blocked.add('webtransport').add('websocket');
    lab.fetch = fetch;
  };
}

/** @param {(url: string, options: RequestInit) => Promise<any>} fetch */
function webSocketFails(fetch) {
  return (/** @type {Lab} */ lab) => {
    lab.blocked.add('webtransport');
    lab.failing.add('websocket');
    lab.fetch = (url, options) => {
      assert.deepEqual([url, options.method], ['https://r/ws', 'POST']);
      return fetch(url, options);
    };
  };
}

/** @param {Lab} lab @returns {(carrier: any) => void} a relay that answers no Hello */
function greetOnly(lab) {
  const accept = lab.relay.accept.bind(lab.relay);
  return (carrier) => {
    accept(carrier);
    carrier.control.onmessage = () => {};
  };
}

for (const [way, [make, code]] of Object.entries(ways)) {
  test(`joining fails in time, and says why: ${way}`, async () => {
    const lab = await Lab.make();
    make(lab);
    let error = /** @type {any} */ (null);
    lab.client.join().catch((why) => { error = why; });
    await lab.clock.run(LIMIT);
    assert.ok(error instanceof LinkError, 'it still joins');
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.message, '');
    assert.ok(`ended.${code}.title` in { ...door, ...room, ...sheets } || code === 'something_new', `the page has no words for ${code}`);
    lab.relay.restart(); // what it keeps goes on
    await lab.clock.run(60_000);
    assert.equal(lab.clock.pending, 0, 'something goes on');
  });
}

test('a relay that goes on answering on a slow network is waited for', async () => {
  const lab = await Lab.make();
  lab.blocked.add('webtransport');
  Object.assign(lab.paths.websocket, { delay: 3500 }); // 18 s until Joined
  await lab.joined(30_000);
  assert.equal(lab.told[0], 'fresh'); // an answer takes longer than it then waits for a sign of life
});

test('who is in a room does not give up', async () => {
  const lab = await (await Lab.make()).joined(1000);
  lab.failing.add('webtransport').add('websocket');
  lab.relay.restart();
  await lab.clock.run(300_000);
  lab.failing.clear();
  await lab.clock.run(10_000);
  assert.equal(lab.told.at(-1), 'fresh');
});
