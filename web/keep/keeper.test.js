// What a browser keeps of the page: with caches and a relay that are made here.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { Keeper } from './keeper.js';

const home = new URL('https://wzp.example/voice/');
const policy = (port) => `default-src 'none'; connect-src 'self' https://wzp.example:${port}/wt; base-uri 'none'`;

/** Caches that remember the order in which they were made, as the browser's do. */
class Caches {
  all = new Map();

  async open(name) {
    if (!this.all.has(name)) this.all.set(name, new Map());
    const entries = this.all.get(name);
    return {
      put: async (url, response) => void entries.set(url, response),
      match: async (url) => entries.get(url)?.clone(),
    };
  }

  async keys() {
    return [...this.all.keys()];
  }

  async delete(name) {
    return this.all.delete(name);
  }
}

/** A relay with a build of the page, and a browser that comes to it. */
function site() {
  const caches = new Caches();
  const asked = [];
  const served = new Map();
  const [dead, slow] = [{ is: false }, { is: false }];
  const underway = { now: 0, most: 0 };
  const build = (n) => {
    const [document, words, room] = [`door-en-0000000${n}.html`, `words-en-0000000${n}.js`, `room-0000000${n}.js`];
    for (const path of [document, words, room]) served.set(path, `${path} ${n}`);
    const hash = createHash('sha256').update(served.get(document)).digest('hex');
    return { version: String(n), files: [room], languages: { en: { words: [words], document, hash } } };
  };
  const keeper = (n, open = []) => new Keeper(build(n), {
    home, language: 'en', caches: /** @type {any} */ (caches), open: async () => open,
    pause: () => slow.is ? Promise.resolve() : new Promise(() => {}),
    fetch: async (request, options) => {
      const url = typeof request === 'string' ? request : request.url;
      const path = url.slice(home.href.length);
      asked.push(path);
      if (dead.is) throw new TypeError('Failed to fetch');
      if (slow.is) await new Promise(() => {});
      assert.ok(!options || options.cache === 'force-cache');
      underway.most = Math.max(underway.most, ++underway.now);
      await new Promise(setImmediate);
      underway.now--;
      const status = served.has(path) ? 200 : 404;
      return new Response(served.get(path), { status, headers: { 'content-security-policy': policy(4433) } });
    },
  });
  return { caches, asked, served, underway, dead, slow, keeper };
}

const get = (path, mode = 'navigate', method = 'GET') => ({ url: home.href + path, mode, method });

test('a room and the first door open without a network, and so do the files of the build', async () => {
  const { keeper, dead } = site();
  const one = keeper(1);
  await one.install();
  dead.is = true;
  for (const path of ['', 'tea', 'two%20words', 'a%2Fb', 'tea?x=1']) {
    assert.equal(await (await one.answer(get(path)))?.text(), 'door-en-00000001.html 1', path);
  }
  assert.equal(await (await one.answer(get('room-00000001.js', 'cors')))?.text(), 'room-00000001.js 1');
  assert.equal((await one.answer(get('tea/')))?.headers.get('location'), home.href + 'tea');
});

test('it is installed with one request at a time, so that a page that is opened has the network', async () => {
  const { keeper, asked, underway } = site();
  await keeper(1, [`${home.href}tea`]).install();
  assert.equal(asked.length, 4);
  assert.equal(underway.most, 1);
});

test('what says how the relay is reached, and all that is not of the page, is none of its business', () => {
  const one = site().keeper(1);
  for (const request of [
    get('connect.json', 'cors'), get('ws', 'websocket'), get('ws'), get('sw.js', 'same-origin'), get('tea/cup'),
    get('favicon.ico'), get('manifest.webmanifest', 'cors'), get('%FF'), get('/'), get('tea', 'navigate', 'POST'),
    { url: 'https://wzp.example/other', mode: 'navigate', method: 'GET' },
    { url: 'https://evil.example/voice/tea', mode: 'navigate', method: 'GET' },
  ]) {
    assert.equal(one.answer(request), null, JSON.stringify(request));
  }
});

test('what the host has at an address goes before what is kept, unless it takes long or is broken', async () => {
  const { keeper, served, slow } = site();
  const one = keeper(1);
  await one.install();
  served.set('about', 'another page of the host');
  assert.equal(await (await one.answer(get('about')))?.text(), 'another page of the host');
  served.set('shop/', 'a folder of the host');
  assert.equal(await (await one.answer(get('shop/')))?.text(), 'a folder of the host');
  slow.is = true;
  assert.equal(await (await one.answer(get('tea')))?.text(), 'door-en-00000001.html 1');
  assert.equal((await one.answer(get('tea/')))?.status, 308);
});

test('nothing is kept unless all of it came, and what was kept before is as it was', async () => {
  const { keeper, served, dead } = site();
  const one = keeper(1);
  await one.install();
  const two = keeper(2);
  served.delete('room-00000002.js');
  await assert.rejects(two.install(), /404/);
  dead.is = true;
  assert.equal(await (await one.answer(get('tea')))?.text(), 'door-en-00000001.html 1');
});

test('a tab has the document already, unless it is of another build', async () => {
  const { keeper, served, asked, dead } = site();
  const open = keeper(1, [home.href + 'tea', home.href + 'cup']);
  served.set('tea', 'of another build');
  served.set('cup', served.get('door-en-00000001.html'));
  await open.install();
  assert.ok(!asked.includes('door-en-00000001.html'));
  dead.is = true;
  assert.equal(await (await open.answer(get('')))?.text(), 'door-en-00000001.html 1');
});

test('of builds before only the last is kept, for pages that are open', async () => {
  const { keeper, caches, dead } = site();
  await caches.open('another page of this host');
  for (const n of [1, 2, 3]) {
    await keeper(n).install();
    await keeper(n).activate();
  }
  assert.deepEqual((await caches.keys()).map((name) => name.split(' ')[3]), ['this', '2', '3']);
  dead.is = true;
  const three = keeper(3);
  assert.equal(await (await three.answer(get('room-00000002.js', 'cors')))?.text(), 'room-00000002.js 2');
  await assert.rejects(three.answer(get('room-00000001.js', 'cors')));
});

test('the page may connect to where the relay is now', async () => {
  const { keeper, dead } = site();
  const one = keeper(1);
  await one.install();
  dead.is = true;
  const allowed = async () => (await one.answer(get('tea')))?.headers.get('content-security-policy');
  assert.equal(await allowed(), policy(4433));
  await one.learn(new Response('{}', { headers: { 'content-security-policy': policy(5544) } }));
  assert.equal(await allowed(), policy(5544));
  await one.learn(new Response('', { status: 502, headers: { 'content-security-policy': policy(1) } }));
  await one.learn(new Response('{}'));
  assert.equal(await allowed(), policy(5544));
});
