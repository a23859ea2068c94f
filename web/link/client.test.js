import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CLOSE } from '../wire/frame.js';
import { LinkError } from './carrier.js';
import { Lab } from './lab.test.js';

const KEY = 6; // a kind of urgent message

test('it joins by WebTransport', async () => {
  const lab = await (await Lab.make()).joined(1000);
  assert.deepEqual(lab.told, ['fresh']);
  assert.deepEqual(lab.opened.map((o) => o.kind), ['webtransport']);
  assert.equal(lab.client.quality().path, 'webtransport');
  assert.equal(lab.joins, 1);
});

test('it joins by WebSocket 600 ms later where UDP is blocked', async () => {
  const lab = await Lab.make();
  lab.blocked.add('webtransport');
  const start = lab.clock.now();
  await lab.joined(1000);
  assert.equal(lab.opened[1].kind, 'websocket');
  assert.equal(lab.opened[1].at - start, 600);
  assert.equal(lab.client.quality().path, 'websocket');
});

test('it joins by WebSocket at once when WebTransport fails, or is absent', async () => {
  const lab = await Lab.make();
  lab.failing.add('webtransport');
  const start = lab.clock.now();
  await lab.joined(500);
  assert.equal(lab.opened[1].at - start, 10);

  const none = await Lab.make();
  none.place.webtransport = null;
  await none.joined(300);
  assert.equal(none.client.quality().path, 'websocket');
});

test('a line is opened in the place of joining, with a record for each attempt', async () => {
  let asked = 0;
  const lab = await Lab.make({
    makeLine: async (relay) => {
      assert.deepEqual(relay, lab.relay.identity.publicKey);
      return { record: new Uint8Array(178).fill(++asked) };
    },
  });
  await lab.joined(1000);
  assert.deepEqual([lab.told, lab.joins], [['Line'], undefined]);
  assert.equal(lab.client.quality().path, 'webtransport');
  lab.relay.restart();
  lab.blocked.add('webtransport');
  await lab.clock.run(5000);
  assert.equal(lab.told.at(-1), 'Line');
  assert.equal(lab.client.quality().path, 'websocket');
  assert.equal(lab.relay.entries.length, 0);
  const records = lab.relay.records.map((record) => record[0]);
  assert.ok(records.length >= 2 && new Set(records).size === records.length, `records ${records}`);

  const refused = await Lab.make({ makeLine: async () => ({ record: new Uint8Array(0) }) });
  refused.relay.refuse = { code: 'record', reason: '' };
  await assert.rejects(refused.joined(1000), { code: 'record' });
  const none = await Lab.make({ makeLine: async () => { throw new Error('no record'); } });
  await assert.rejects(none.joined(1000), { message: 'no record' });
});

test('the loser of the race is closed', async () => {
  const lab = await Lab.make();
  lab.paths.webtransport.delay = 300; // welcomed after more than 600 ms
  await lab.joined(5000);
  const kind = lab.client.quality().path;
  assert.deepEqual(lab.relay.carriers.filter((c) => c.open).map((c) => c.kind), [kind]);
  assert.deepEqual(lab.told, ['fresh']);
});

test('it tries the hashes of certificates one after the other, and the one that was right first', async () => {
  const tried = [];
  const lab = await Lab.make();
  const [right] = lab.place.webtransport.hashes;
  lab.place.webtransport.hashes = [new Uint8Array(32).fill(1), right];
  lab.place.websocket = null;
  lab.wrong = (binding) => {
    tried.push(binding[0]);
    return binding[0] === 1;
  };
  await lab.joined(1000);
  assert.deepEqual(tried, [1, 3]);
  lab.relay.restart();
  await lab.clock.run(1000);
  assert.deepEqual(tried, [1, 3, 3]);
});

test('media and urgent messages cross a path that loses, repeats and reorders', async () => {
  const lab = await (await Lab.make()).joined(1000);
  Object.assign(lab.paths.webtransport, { loss: 0.3, duplicates: 0.2, jitter: 60 });
  const { session, media, urgent } = lab.relay.only;
  const acked = [];
  for (let i = 0; i < 20; i++) {
    assert.equal(lab.client.sendUrgent(KEY, new Uint8Array([i]), (ok) => acked.push(ok)), true);
    session.sendUrgent(KEY, new Uint8Array([i]));
  }
  let ctr = 0;
  for (let at = 0; at < 10_000; at += 20) {
    session.sendMedia(0x0a0b0c0d0e0f0000n, ctr++, new Uint8Array([1]));
    await lab.talk(20, ctr);
  }
  await lab.clock.run(2000);
  assert.deepEqual(
    [...new Set(urgent.map((u) => u.body[0]))].sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i),
  );
  assert.equal(urgent.length, 20, 'each once');
  assert.equal(lab.urgent.length, 20);
  assert.deepEqual(acked, new Array(20).fill(true));
  for (const got of [media.map((m) => m.ctr), lab.media]) {
    assert.equal(new Set(got).size, got.length, 'no frame twice');
    assert.ok(got.length > 300 && got.length < 400, `${got.length} of 500 frames came`);
  }
  const quality = lab.client.quality();
  assert.ok(
    Math.abs(quality.lossUp - 0.3) < 0.1 && Math.abs(quality.lossDown - 0.3) < 0.1, JSON.stringify(quality),
  );
  assert.ok(quality.rtt >= 40 && quality.rtt < 200 && quality.jitter > 3, JSON.stringify(quality));
  assert.deepEqual(lab.told, ['fresh']);
});

test('what was measured of a path is not said of the next one', async () => {
  const lab = await Lab.make();
  await lab.joined(1000);
  Object.assign(lab.paths.webtransport, { loss: 0.6 });
  const both = async (ms) => {
    for (let at = 0; at < ms; at += 20) {
      lab.ctr = (lab.ctr ?? 0) + 1;
      lab.relay.only.session.sendMedia(0x0a0b0c0d0e0f0000n, lab.ctr, new Uint8Array([1]));
      await lab.talk(20, lab.ctr);
    }
    return lab.client.quality();
  };
  const lossy = await both(4000);
  assert.ok(lossy.lossUp > 0.4 && lossy.lossDown > 0.4 && lossy.up === 'alive', JSON.stringify(lossy));
  lab.paths.webtransport.dead = true;
  const dead = await both(3000);
  assert.deepEqual([dead.up, dead.down, dead.stopped], ['lost', 'lost', false]);
  let switched = dead;
  while (switched.path !== 'websocket') switched = await both(20);
  assert.deepEqual([switched.up, switched.lossUp, switched.lossDown, switched.rtt], ['measuring', 0, 0, 0]);
  for (let i = 0; i < 100; i++) {
    const now = await both(20);
    assert.ok(now.lossUp < 0.01 && now.lossDown < 0.01, `${20 * i} ms after the switch: ${JSON.stringify(now)}`);
    if (i > 75) assert.deepEqual([now.up, now.down], ['alive', 'alive']);
  }
});

test('a client at which nobody looks asks less often, and at once when somebody does again', async () => {
  const lab = await Lab.make();
  lab.client.watched = false; // before there is a session
  await lab.joined(1000);
  const client = () => lab.relay.carriers[0].other;
  const asks = async (ms) => {
    const before = client().sent;
    await lab.clock.run(ms);
    return client().sent - before;
  };
  const unwatched = await asks(20_000);
  const before = client().sent;
  lab.client.watched = true;
  assert.equal(client().sent, before + 1, 'at once');
  const watched = await asks(20_000);
  assert.ok(unwatched <= 25 && watched > unwatched + 30, `${unwatched} and ${watched} packets`);
});

test('an urgent message that cannot be used yet comes again, and is handed over once when it can', async () => {
  const lab = await (await Lab.make()).joined(1000);
  let refused = 0;
  lab.takes = () => ++refused > 3;
  const { session } = lab.relay.only;
  session.sendUrgent(KEY, new Uint8Array([1]));
  await lab.clock.run(2000);
  assert.equal(refused, 4);
  assert.equal(lab.urgent.length, 1);
  assert.equal(session.urgentPending, 0);
});

test('after the silent death of its carrier it attaches again, and goes on with the session', async () => {
  const lab = await (await Lab.make()).joined(1000);
  await lab.talk(1000);
  lab.paths.webtransport.dead = true;
  lab.client.sendUrgent(KEY, new Uint8Array([1]));
  await lab.clock.run(6000);
  assert.deepEqual(lab.told.slice(0, 3), ['fresh', 'detached: nothing is heard from the relay', 'attached']);
  assert.equal(lab.client.quality().path, 'websocket');
  assert.equal(lab.relay.sessions.size, 1);
  assert.equal(lab.relay.only.urgent.length, 1);
  const before = lab.relay.only.media.length;
  const sent = await lab.talk(1000, 50);
  await lab.clock.run(100);
  assert.equal(lab.relay.only.media.length - before, sent);
  assert.equal(lab.joins, 1);
  assert.equal(new Set(lab.relay.entries).size, 1, 'the same entry again');
});

test('it moves back to WebTransport when that works again', async () => {
  const lab = await Lab.make();
  lab.blocked.add('webtransport');
  await lab.joined(2000);
  await lab.clock.run(40_000); // a try that fails
  lab.blocked.clear();
  lab.paths.webtransport.dead = false;
  await lab.clock.run(60_000);
  assert.equal(lab.client.quality().path, 'webtransport');
  assert.deepEqual(lab.told, ['fresh', 'attached']);
  await lab.clock.run(5000);
  assert.deepEqual(lab.relay.carriers.filter((c) => c.open).map((c) => c.kind), ['webtransport']);
});

test('a restarted relay makes a fresh session', async () => {
  const lab = await (await Lab.make()).joined(1000);
  await lab.talk(500);
  const unacked = [];
  lab.relay.only.takes = () => false;
  lab.client.sendUrgent(KEY, new Uint8Array([1]), (ok) => unacked.push(ok));
  await lab.clock.run(500);
  lab.relay.restart();
  await lab.clock.run(3000);
  assert.deepEqual(lab.told, ['fresh', 'detached: the connection ended: closed by the other side', 'fresh']);
  assert.deepEqual(unacked, [false]);
  await lab.talk(500, 25);
  await lab.clock.run(100);
  assert.equal(lab.relay.only.media.length, 25);
  assert.equal(lab.relay.only.media[0].ctr, 25);
});

test('a first refusal ends it, with code and reason', async () => {
  const lab = await Lab.make();
  lab.relay.refuse = { code: 'room_full', reason: 'no room' };
  await assert.rejects(lab.joined(2000), { code: 'room_full', reason: 'no room', message: 'no room' });
  assert.deepEqual(lab.told, []);
});

test('one carrier that is refused for its binding leaves it to the other', async () => {
  const lab = await Lab.make();
  lab.relay.refuse = { code: 'signature', reason: 'another host' };
  lab.relay.refuseKind = 'webtransport';
  await lab.joined(2000);
  assert.equal(lab.client.quality().path, 'websocket');
  const both = await Lab.make();
  both.relay.refuse = { code: 'signature', reason: 'another host' };
  await assert.rejects(both.joined(5000), { code: 'signature' });
});

test('refusals that pass do not end a client that was welcome; others do', async () => {
  const lab = await (await Lab.make()).joined(1000);
  lab.relay.refuse = { code: 'rate', reason: 'slower' };
  lab.relay.restart();
  await lab.clock.run(20_000);
  const tries = lab.opened.length;
  assert.ok(tries > 6 && tries < 30, `${tries} tries`);
  lab.relay.refuse = null;
  await lab.clock.run(10_000);
  assert.equal(lab.told.at(-1), 'fresh');
  lab.relay.refuse = { code: 'entry', reason: '' };
  lab.relay.restart();
  await lab.clock.run(5000);
  assert.equal(lab.told.at(-1), 'ended: entry');
  await assert.rejects(lab.client.request('Members'), { code: 'entry' });
});

test('a relay without the right key, or that does not prove it, is refused', async () => {
  const lab = await Lab.make();
  lab.place.relay = '11'.repeat(32);
  await assert.rejects(lab.joined(2000), { code: 'relay_key' });
  const liar = await Lab.make();
  liar.relay.proves = false;
  await assert.rejects(liar.joined(3000), { code: 'signature' });
});

test('goodbye: shutting down attaches again, replaced ends', async () => {
  const lab = await (await Lab.make()).joined(1000);
  lab.relay.only.session.end(CLOSE.shuttingDown);
  await lab.clock.run(3000);
  assert.equal(lab.told[1], 'detached: the relay is shutting down');
  assert.ok(['fresh', 'attached'].includes(lab.told[2]));
  const other = await (await Lab.make()).joined(1000);
  other.relay.only.session.end(CLOSE.replaced);
  await other.clock.run(1000);
  assert.deepEqual(other.told, ['fresh', 'ended: replaced']);
});

test('requests are answered in order, and sent again on another carrier', async () => {
  const lab = await (await Lab.make()).joined(1000);
  const both = Promise.all([
    lab.client.request('Members'), lab.client.request('Members', { after: new Uint8Array(6) }),
  ]);
  await lab.clock.run(500);
  assert.deepEqual((await both).map((m) => m.name), ['MemberPage', 'MemberPage']);
  lab.relay.answers = false;
  const late = lab.client.request('Members');
  await lab.clock.run(1900);
  assert.deepEqual(lab.told, ['fresh']);
  lab.relay.answers = true;
  await lab.clock.run(2000);
  assert.equal((await late).name, 'MemberPage');
  assert.deepEqual(lab.told, ['fresh', 'detached: the relay does not answer', 'attached']);
});

test('join gives up when it is told to, and says what was wrong', async () => {
  const lab = await Lab.make();
  lab.failing.add('webtransport').add('websocket');
  const signal = new AbortController();
  const join = assert.rejects(lab.client.join(signal.signal), {
    code: 'timeout', message: /does not answer: .* failed/,
  });
  await lab.clock.run(10_000);
  signal.abort();
  await join;
  await lab.clock.run(1000);
  const { length } = lab.opened;
  await lab.clock.run(60_000);
  assert.equal(lab.opened.length, length, 'nothing goes on');
  assert.equal(lab.clock.pending, 0);
});

test('online hurries: a dead path is noticed within about a second, a waiting race goes on at once', async () => {
  const lab = await (await Lab.make()).joined(1000);
  await lab.clock.run(500);
  lab.paths.webtransport.dead = true;
  lab.events.dispatchEvent(new Event('online'));
  await lab.clock.run(2500);
  assert.equal(lab.told.at(-1), 'attached');

  const joining = await Lab.make();
  joining.failing.add('webtransport').add('websocket');
  const join = joining.client.join();
  await joining.clock.run(10_000);
  joining.failing.clear();
  joining.events.dispatchEvent(new Event('online'));
  await joining.clock.run(300);
  await join;

  const waiting = await (await Lab.make()).joined(1000);
  waiting.failing.add('webtransport').add('websocket');
  waiting.relay.restart();
  await waiting.clock.run(30_000);
  assert.match(waiting.told.at(-1), /^detached/);
  waiting.failing.clear();
  waiting.events.dispatchEvent(new Event('online'));
  await waiting.clock.run(300);
  assert.equal(waiting.told.at(-1), 'fresh');
});

test('leave tells the relay, and everything stops', async () => {
  const lab = await (await Lab.make()).joined(1000);
  const left = lab.client.leave();
  await lab.clock.run(500);
  assert.equal(await left, true, 'the relay knows');
  assert.deepEqual(lab.relay.only.urgent.map((u) => u.kind), [5]);
  assert.equal(lab.relay.only.ended, CLOSE.left);
  assert.equal(lab.client.sendUrgent(KEY, new Uint8Array(1)), false);
  await lab.clock.run(5000);
  assert.ok(lab.relay.carriers.every((c) => !c.open));
  assert.deepEqual(lab.told, ['fresh']);
  assert.equal(lab.clock.pending, 0);
});

test('leave takes a second at most on a dead path', async () => {
  const lab = await (await Lab.make()).joined(1000);
  lab.paths.webtransport.dead = true;
  let left = false;
  lab.client.leave().then((told) => { left = !told; });
  await lab.clock.run(900);
  assert.equal(left, false);
  await lab.clock.run(200);
  assert.equal(left, true);
});

test('random bytes from a relay change nothing', async () => {
  const lab = await (await Lab.make()).joined(1000);
  const carrier = lab.relay.carriers[0];
  for (let i = 0; i < 3000; i++) {
    const junk = crypto.getRandomValues(new Uint8Array(i % 90));
    junk.fill(0, 0, 3); // a counter that is not absurd
    if (i % 2 && junk.length > 5) junk[4] = 0x60 | (i % 11); // frames that are known, but for close
    if (junk[4] % 32 !== 9) carrier.other.onpacket(junk);
  }
  await lab.clock.run(3000);
  assert.ok(!lab.told.some((t) => t.startsWith('failed')), lab.told.join('\n'));
  carrier.control.send('{"MemberPage":{"entries":[');
  await lab.clock.run(3000);
  assert.equal(lab.told.at(-1), 'attached', 'what cannot be read costs the carrier only');
});

test('while it is away it says since when, when it tries again, and why it takes long', async () => {
  const lab = await (await Lab.make()).joined(2000);
  assert.equal(lab.client.away(), null);
  lab.failing.add('webtransport').add('websocket');
  lab.find = async () => { throw new LinkError('connect', 'nobody answers'); };
  const from = lab.clock.now();
  lab.relay.restart();
  await lab.clock.run(4000);
  const away = lab.client.away();
  assert.ok(away.since <= from && away.since > from - 1000 && away.rounds >= 3, JSON.stringify(away));
  assert.ok(away.nextAt === null || away.nextAt <= lab.clock.now() + 5000);
  assert.equal(away.why, 'silent');
  lab.find = async () => lab.place;
  await lab.clock.run(10_000);
  assert.equal(lab.client.away().why, 'blocked', 'only the page answers');
  lab.failing.clear();
  lab.relay.refuse = { code: 'shutting_down', reason: '' };
  await lab.clock.run(10_000);
  assert.equal(lab.client.away().why, 'restart');
  lab.relay.refuse = null;
  await lab.clock.run(10_000);
  assert.equal(lab.client.away(), null);
});
