/**
 * The Worker's side of the messages, as far as it can be had without a browser's database and codecs: what is
 * answered before, and instead of, a stay.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const script = new URL('./line-worker.js', import.meta.url).href;

test('without an identity the stay ends at once, the loudspeaker gets silence, the microphone its blocks back', async () => {
  const told = [];
  globalThis.self = { postMessage: (message) => told.push(message), addEventListener: () => {} };
  await import('./worker.js');
  const [speaker, microphone] = [new MessageChannel(), new MessageChannel()];
  const [played, back] = [[], []];
  const answers = new Promise((resolve) => {
    speaker.port2.onmessage = ({ data }) => played.push(data.pcm) + back.length === 4 && resolve();
    microphone.port2.onmessage = ({ data }) => back.push(data.back) + played.length === 4 && resolve();
  });
  const ports = { capture: microphone.port1, playback: speaker.port1 };
  self.onmessage({
    data: {
      type: 'join', connectUrl: '', room: 'r', name: 'n', publish: { mode: 'open', muted: false }, ports,
    },
  });
  speaker.port2.postMessage({ need: 3 });
  const pcm = new Float32Array(480);
  microphone.port2.postMessage({ pcm }, [pcm.buffer]);
  await answers;
  assert.deepEqual(
    played.map((p) => [p.length, p.every((x) => x === 0)]),
    [
      [480, true], [480, true], [480, true],
    ],
  );
  assert.equal(back[0].byteLength, 1920);
  assert.deepEqual(
    told.map(({ type, state, error }) => [type, state, error?.code]),
    [['ready', undefined, undefined], ['state', 'ended', 'storage']],
  );

  for (const data of [
    { type: 'talk', on: true }, { type: 'mute', on: true }, { type: 'mode', mode: 'radio' },
    { type: 'volume', member: 'x', gain: 1 }, { type: 'trust', member: 'x' },
    { type: 'devices', ports: { capture: null } }, { type: 'else' },
  ]) {
    self.onmessage({ data });
  }
  self.onmessage({ data: { type: 'open_line', script, connectUrl: '', name: 'n', takesCalls: true } });
  for (const data of [
    { type: 'call', call: 'o1', what: 'dial', who: { fingerprint: 'x' }, publish: {}, ports: {} },
    { type: 'call', call: 'i1', what: 'hold', on: true }, { type: 'takes_calls', on: false },
    { type: 'do_not_disturb', on: true }, { type: 'contacts' }, { type: 'watch_line', on: true },
  ]) {
    self.onmessage({ data });
  }
  while (told.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(told.slice(2).map(({ type, state, error }) => [type, state, error?.code]), [
    ['line', 'ended', 'storage'],
  ]);
  self.onmessage({ data: { type: 'close_line' } });
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(told.at(-1), { type: 'line', state: 'ended', available: false });
  self.onmessage({ data: { type: 'leave' } });
  assert.deepEqual(told.at(-1), { type: 'state', state: 'ended' });
  speaker.port2.close();
  microphone.port2.close();
});
