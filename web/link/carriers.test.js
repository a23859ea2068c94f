import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Identity } from '../identity/identity.js';
import { toHex } from '../wire/bytes.js';
import { parsePlace, fetchPlace } from './dial-resolve.js';
import { VirtualClock } from './lab.test.js';
import { PacketQueue, QUEUE_LIMIT } from './queue.js';
import { openWebSocket } from './websocket.js';

const packet = (n) => new Uint8Array([n]);

test('the queue drops the oldest media first, and media that waited too long', () => {
  const q = new PacketQueue(200);
  for (let i = 0; i < QUEUE_LIMIT; i++) q.push(packet(i), i % 2 === 1, 0);
  q.push(packet(100), true, 100);
  assert.equal(q.dropped, 1);
  assert.equal(q.waited(100), 100);
  const got = [];
  for (let p = q.shift(100); p; p = q.shift(150)) got.push(p[0]);
  assert.equal(got.length, QUEUE_LIMIT);
  assert.ok(!got.includes(1) && got.at(-1) === 100);

  for (let i = 0; i < 4; i++) q.push(packet(i), i % 2 === 1, 1000);
  assert.deepEqual([q.shift(1500)[0], q.shift(1500)[0], q.shift(1500)], [0, 2, null]);
  for (let i = 0; i < QUEUE_LIMIT + 3; i++) q.push(packet(i), false, 2000);
  assert.deepEqual([q.size, q.shift(2000)[0]], [QUEUE_LIMIT, 3]);
});

/** A WebSocket that sends `rate` bytes a second. */
class FakeSocket extends EventTarget {
  bufferedAmount = 0;
  protocol = 'wzp';
  sent = [];
  send(data) {
    this.bufferedAmount += data.length;
    this.sent.push(data);
  }
  close() {
    this.dispatchEvent(new Event('close'));
  }
}

async function openFake(clock) {
  let socket;
  class Socket extends FakeSocket {
    constructor(url, protocol) {
      super();
      socket = this;
      Object.assign(this, { url, asked: protocol });
    }
  }
  const open = openWebSocket(
    { relay: '', webtransport: null, websocket: 'wss://Relay.Example/ws' }, new AbortController().signal,
    { clock, WebSocket: Socket },
  );
  socket.dispatchEvent(new Event('open'));
  return { carrier: await open, socket };
}

test('a WebSocket is given little at a time; media that waits is dropped, the rest is not', async () => {
  const clock = new VirtualClock();
  const { carrier, socket } = await openFake(clock);
  assert.equal(socket.asked, 'wzp');
  assert.equal(new TextDecoder().decode(carrier.binding), 'relay.example:443');
  for (let at = 0; at < 3000; at += 20) { // 10 kB/s into a path that takes 2.5 kB/s
    carrier.sendPacket(new Uint8Array(200).fill(1), true);
    if (at % 1000 === 0) carrier.sendPacket(new Uint8Array(100).fill(2), false);
    await clock.run(20);
    socket.bufferedAmount = Math.max(0, socket.bufferedAmount - 50);
    assert.ok(socket.bufferedAmount < 2500, `${socket.bufferedAmount} bytes`);
    assert.ok(carrier.queued() < 500, `${carrier.queued()} ms`);
  }
  assert.ok(carrier.dropped() > 60);
  socket.bufferedAmount = 0;
  await clock.run(500);
  assert.equal(socket.sent.filter((p) => p[0] === 2).length, 3);
  carrier.close();
  assert.equal(typeof (await carrier.closed), 'string');
  carrier.sendPacket(packet(1), true);
});

test('what comes before start is held', async () => {
  const { carrier, socket } = await openFake(new VirtualClock());
  const got = [];
  socket.dispatchEvent(Object.assign(new Event('message'), { data: 'greeting' }));
  carrier.control.onmessage = (text) => got.push(text);
  carrier.onpacket = (p) => got.push(p[0]);
  assert.deepEqual(got, []);
  carrier.start();
  socket.dispatchEvent(Object.assign(new Event('message'), { data: packet(5).buffer }));
  socket.dispatchEvent(Object.assign(new Event('message'), { data: new ArrayBuffer(1201) }));
  assert.deepEqual(got, ['greeting', 5]);
});

test('a WebSocket that is not answered by a relay fails', async () => {
  const clock = new VirtualClock();
  const place = { relay: '', webtransport: null, websocket: 'ws://h/ws' };
  let socket;
  const make = (protocol) => class extends FakeSocket {
    constructor() {
      super();
      this.protocol = protocol;
      socket = this;
    }
  };
  const none = openWebSocket(place, new AbortController().signal, { clock, WebSocket: make('') });
  socket.dispatchEvent(new Event('open'));
  await assert.rejects(none, { code: 'connect' });
  const late = new AbortController();
  const open = openWebSocket(place, late.signal, { clock, WebSocket: make('wzp') });
  late.abort();
  await assert.rejects(open, { code: 'connect' });
  const closed = openWebSocket(place, new AbortController().signal, { clock, WebSocket: make('wzp') });
  socket.close();
  await assert.rejects(closed, { code: 'connect' });
});

async function connectJson(change = {}) {
  const relay = await Identity.fromSeed(new Uint8Array(32).fill(7));
  const hashes = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const signature = toHex(await relay.sign('web certificate', hashes));
  const json = {
    relay: toHex(relay.publicKey), version: '1',
    webtransport: { port: 4433, path: '/wt', hashes: hashes.map(toHex), signature, ...change.webtransport },
    websocket: '/ws', leave: 'leave',
    ...change.top,
  };
  return { relay, text: JSON.stringify(json) };
}

test('connect.json says where', async () => {
  const { relay, text } = await connectJson();
  const place = await parsePlace(text, 'https://relay.example:8443/connect.json', relay.publicKey);
  assert.equal(place.webtransport.url, 'https://relay.example:4433/wt');
  assert.equal(place.webtransport.hashes.length, 2);
  assert.equal(place.websocket, 'wss://relay.example:8443/ws');
  assert.equal(place.leave, 'https://relay.example:8443/leave');
  assert.equal(
    (await parsePlace(text, 'http://localhost:8080/connect.json', null)).websocket, 'ws://localhost:8080/ws',
  );
  const urls = await connectJson({
    webtransport: { port: undefined, path: undefined, url: 'https://b.example/wt' },
    top: { websocket: 'wss://c.example/ws', leave: 'https://d.example/leave' },
  });
  const other = await parsePlace(urls.text, 'https://a.example/connect.json', null);
  assert.deepEqual([other.webtransport.url, other.websocket], ['https://b.example/wt', 'wss://c.example/ws']);
  assert.equal(other.leave, 'https://d.example/leave');
  const without = await connectJson({ top: { leave: undefined } });
  assert.equal((await parsePlace(without.text, 'https://a.example/connect.json', null)).leave, null);
});

test('connect.json that is wrong is refused', async () => {
  const base = 'https://relay.example/connect.json';
  await assert.rejects(parsePlace((await connectJson()).text, base, new Uint8Array(32)), {
    code: 'relay_key', final: true,
  });
  const forged = await connectJson({ webtransport: { hashes: ['33'.repeat(32)] } });
  await assert.rejects(parsePlace(forged.text, base, null), { code: 'signature' });
  for (const change of [
    { top: { relay: 'xx' } }, { top: { relay: undefined } }, { top: { websocket: 'javascript:alert(1)' } },
    { top: { websocket: 5 } }, { top: { leave: 'javascript:alert(1)' } }, { top: { webtransport: null } },
    { top: { webtransport: undefined, websocket: undefined } }, { webtransport: { hashes: [] } },
    { webtransport: { hashes: new Array(9).fill('11'.repeat(32)) } }, { webtransport: { signature: '00' } },
    { webtransport: { port: 0 } }, { webtransport: { port: '4433' } },
    { webtransport: { path: '//evil.example/wt' } }, { webtransport: { url: 'ftp://x/' } },
  ]) {
    await assert.rejects(
      parsePlace((await connectJson(change)).text, base, null), { name: 'FormatError' },
      JSON.stringify(change),
    );
  }
  for (const text of ['', '[]', 'null', '{', '"x"', '{"relay":{}}']) {
    await assert.rejects(parsePlace(text, base, null));
  }
});

test('fetching connect.json is bounded in size and time', async () => {
  const clock = new VirtualClock();
  const fetch = (body, status = 200) => async () => new Response(body, { status });
  const { text } = await connectJson();
  const place = await fetchPlace('https://r.example/connect.json', { clock, fetch: fetch(text) });
  assert.equal(place.websocket, 'wss://r.example/ws');
  await assert.rejects(fetchPlace('https://r.example/', { clock, fetch: fetch(' '.repeat(20_000)) }), {
    code: 'protocol',
  });
  await assert.rejects(fetchPlace('https://r.example/', { clock, fetch: fetch('', 404) }), {
    code: 'connect',
  });
  const changed = 'relay r has another key than before: known 1, now 2';
  await assert.rejects(fetchPlace('https://r.example/', { clock, fetch: fetch(changed, 409) }), {
    code: 'relay_key', message: changed, final: true,
  });
  const hangs = (_url, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const late = assert.rejects(fetchPlace('https://r.example/', { clock, fetch: hangs }), { code: 'connect' });
  await clock.run(6000);
  await late;
  assert.equal(clock.pending, 0);
});
