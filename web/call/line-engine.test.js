import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LineEngine } from './line-engine.js';

/** A Worker that keeps what it is told. */
class FakeWorker {
  posted = [];
  terminated = false;

  postMessage(message, transfer) {
    this.posted.push({ ...message, transfer });
  }

  terminate() {
    this.terminated = true;
  }

  say(...messages) {
    for (const data of messages) this.onmessage({ data });
  }
}

test('what is of a call goes to it, also if it came before somebody listened; all else to the line', () => {
  const worker = new FakeWorker();
  const line = new LineEngine(worker);
  const told = [];
  line.listen((message) => told.push(message));
  const incoming = { type: 'incoming', call: 'i1', key: '', fingerprint: 'f', name: 'n', answered: false };
  const of = (call, event) => ({ type: 'of', call, event });
  const state = (s) => ({ type: 'state', state: s });
  worker.say({ type: 'line', state: 'up', available: true }, incoming, of('i1', state('joining')),
    of('i1', { type: 'levels', me: 0, talkers: {} }), null, 'x');
  assert.deepEqual(told.map(({ type }) => type), ['line', 'incoming']);
  const call = line.take('i1');
  assert.equal(call.outgoing, false);
  const events = [];
  call.listen((event) => events.push(event));
  worker.say(of('i1', { type: 'transferred', call: 't2', fingerprint: 'g' }), of('i1', state('ended')));
  assert.deepEqual(events.map(({ type, state }) => state ?? type), ['joining', 'transferred', 'ended']);
  assert.notEqual(line.take('i1'), call, 'a call that is over');
  worker.onerror({ message: 'broke' });
  assert.deepEqual(told.at(-1), { type: 'failed', text: 'broke' });
  line.terminate();
  worker.say(incoming);
  line.close();
  assert.deepEqual([told.length, worker.posted.length, worker.terminated], [3, 0, true]);
});

test('what the user does with a call', () => {
  const worker = new FakeWorker();
  const line = new LineEngine(worker);
  line.open({ connectUrl: 'c', name: 'n', takesCalls: true, doNotDisturb: false, keepMissed: false });
  line.setTakesCalls(false);
  line.setDoNotDisturb(true);
  line.setKeepMissed(true);
  line.contactsChanged();
  line.watched(true);
  assert.deepEqual(worker.posted.splice(0).map(({ type }) => type), [
    'open_line', 'takes_calls', 'do_not_disturb', 'keep_missed', 'contacts', 'watch_line',
  ]);
  const { port1 } = new MessageChannel();
  const call = line.call({ fingerprint: 'f', key: 'aa' });
  const other = line.call({ fingerprint: 'g' });
  call.join({ mode: 'open', ports: { playback: port1 } });
  call.talk(true);
  call.mute(true);
  call.mode('radio');
  call.watched(false);
  call.hand(true);
  call.volume('m', 0.5);
  call.trust('m');
  call.compare('m', true);
  call.devices({ capture: null });
  call.hold(true);
  call.transfer(other);
  call.consent('aa', true);
  call.acceptTransfer('bb', false);
  call.leave();
  line.take('i7').join({ mode: 'open', muted: true, ports: {} });
  const first = worker.posted[0];
  assert.deepEqual(first, {
    type: 'call', call: 'o1', what: 'dial', who: { fingerprint: 'f', key: 'aa' },
    publish: { mode: 'open', muted: false }, ports: { playback: port1 }, transfer: [port1],
  });
  const asked = worker.posted.map(({ call: id, what, to, key, publish }) =>
    [id, what, to ?? key, publish?.muted].join(' '));
  assert.deepEqual(asked, [
    'o1 dial  false', 'o1 talk  ', 'o1 mute  ', 'o1 mode  ', 'o1 watched  ', 'o1 hand  ', 'o1 volume  ',
    'o1 trust  ', 'o1 compare  ', 'o1 devices  ', 'o1 hold  ', 'o1 transfer o2 ', 'o1 consent aa ',
    'o1 accept_transfer bb ', 'o1 leave  ', 'i7 answer  true',
  ]);
  port1.close();
});
