/** What a device remembers of its stays, and what it does with that when it is back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toHex } from '../wire/bytes.js';
import { leaveRequest } from '../wire/leave.js';
import { leaveOptions, sendLeave } from './leave.js';
import { OwnStay } from './own-stay.js';
import { Stays } from './stays.js';

const filled = (/** @type {number} */ n) => new Uint8Array(32).fill(n);
const stayOf = (/** @type {number} */ n) => ({ hash: filled(n), secret: filled(n + 100) });
const URL_OF_LEAVE = 'https://r/leave';

/** A browser's storage, and a relay that answers requests to leave. */
class World {
  /** @type {Map<string, any>} */ shelf = new Map();
  broken = false;
  reachable = true;
  /** @type {string[]} */ requests = [];
  /** @type {any[]} */ told = [];

  storage() {
    const done = async (/** @type {() => any} */ f) => {
      if (this.broken) throw new Error('the disk is full');
      return f();
    };
    return {
      get: (/** @type {string} */ key) => done(() => structuredClone(this.shelf.get(key))),
      set: (/** @type {string} */ key, /** @type {any} */ value) => done(() => {
        if (value === undefined) this.shelf.delete(key);
        else this.shelf.set(key, structuredClone(value));
      }),
    };
  }

  /** @param {string} [room] @param {string} [fingerprint] */
  async open(room = 'tea', fingerprint = 'anna') {
    const stays = await Stays.open(this.storage(), room, fingerprint);
    return new OwnStay({
      room: 'tea', stays,
      leaveUrl: () => URL_OF_LEAVE,
      tell: (message) => this.told.push(message),
      fetch: async (_url, init) => {
        if (!this.reachable) throw new TypeError('Failed to fetch');
        this.requests.push(toHex(/** @type {any} */ (init).body));
        return new Response(null, { status: 204 });
      },
    });
  }

  /** Names what the next stay would replace. */
  async next() {
    return (await this.open()).fields.replaces?.hash[0] ?? null;
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const requestOf = (/** @type {OwnStay} */ own, /** @type {number} */ n) =>
  leaveRequest('tea', { hash: filled(n), secret: own.fields.staySecret });

test('a stay is kept before the relay is asked for it, until the relay knows that it is over', async () => {
  const world = new World();
  const first = await world.open();
  assert.equal(first.fields.replaces, null);
  await first.begin(filled(1));
  assert.equal(await world.next(), 1);
  const body = requestOf(first, 1);
  assert.deepEqual(world.told, [{ type: 'stay', leave: { url: URL_OF_LEAVE, body } }]);
  first.joined();
  await settled();
  assert.equal(await world.next(), 1);
  await first.left(true);
  assert.equal(await world.next(), null);
  assert.equal(world.shelf.size, 0);
  assert.deepEqual(world.requests, []);
});

test('rooms and identities have stays of their own', async () => {
  const world = new World();
  await (await world.open()).begin(filled(1));
  assert.equal((await world.open('coffee')).fields.replaces, null);
  assert.equal((await world.open('tea', 'bert')).fields.replaces, null);
});

test('the last stay that came to be is replaced; of others the relay is asked to end them', async () => {
  const world = new World();
  const first = await world.open();
  await first.begin(filled(1));
  first.joined();
  await settled(); // the browser is killed
  const second = await world.open();
  await second.begin(filled(2)); // nobody answers, and again
  const third = await world.open();
  await third.begin(filled(3));
  const last = await world.open();
  assert.equal(last.fields.replaces?.hash[0], 1);
  await last.begin(filled(4));
  assert.deepEqual(world.requests, []);
  last.joined();
  await settled();
  assert.deepEqual(world.requests, [requestOf(second, 2), requestOf(third, 3)].map(toHex));
  assert.equal(await world.next(), 4);
  assert.deepEqual((await Stays.open(world.storage(), 'tea', 'anna')).others, []);
});

test('who never joined names the last that it asked for, and few are kept', async () => {
  const world = new World();
  for (let n = 1; n <= 20; n++) await (await world.open()).begin(filled(n));
  assert.equal(await world.next(), 20);
  assert.ok([...world.shelf.values()][0].length <= 4);
});

test('a relay that was not told is asked by a request; if that fails, the stay is remembered', async () => {
  const world = new World();
  const stay = await world.open();
  await stay.begin(filled(1));
  world.reachable = false;
  await stay.left(false);
  assert.equal(await world.next(), 1);
  world.reachable = true;
  await stay.left(false);
  assert.deepEqual(world.requests, [toHex(requestOf(stay, 1))]);
  assert.equal(await world.next(), null);
});

test('who left does not take away what another tab has begun', async () => {
  const world = new World();
  const [old, fresh] = [await world.open(), await world.open()];
  await old.begin(filled(1));
  old.joined();
  await settled();
  await fresh.begin(filled(2));
  fresh.joined();
  await settled();
  await old.left(true);
  assert.equal(await world.next(), 2);
});

test('a storage that fails, or holds something else, keeps nobody from joining', async () => {
  const world = new World();
  world.broken = true;
  const stay = await world.open();
  await stay.begin(filled(1));
  stay.joined();
  await stay.left(true);
  world.broken = false;
  const cut = { ...stayOf(1), hash: new Uint8Array(31) };
  for (const value of [7, 'x', [null, {}, { hash: 1, secret: 2 }, cut]]) {
    world.shelf.set('stay:anna:tea', value);
    assert.equal(await world.next(), null);
  }
});

test('a page that is closed sends the request so that it outlives it, and says whose page it is', (t) => {
  /** @type {any[]} */ const sent = [];
  t.mock.method(globalThis, 'fetch', (/** @type {any[]} */ ...args) => {
    sent.push(args);
    return Promise.reject(new TypeError('the page is gone'));
  });
  const body = leaveRequest('tea', stayOf(1));
  sendLeave({ url: URL_OF_LEAVE, body });
  assert.deepEqual(sent, [[URL_OF_LEAVE, leaveOptions(body)]]);
  const { keepalive, mode, method, headers } = leaveOptions(body);
  assert.deepEqual([keepalive, mode, method, headers], [true, 'cors', 'POST', undefined]);
});
