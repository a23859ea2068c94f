/**
 * What is said: pre-roll, push-to-talk, the gate of an open microphone, markers, order. Codec and keys are
 * fakes that answer later, and not in order.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parsePayload } from '../wire/payload.js';
import { FakeEncoder, VirtualClock } from './lab.test.js';
import { Publication } from './publish.js';

/** A Publication and what it sent; frames are written with their number as sound. */
class Mic {
  clock = new VirtualClock();
  sent = [];
  transmitting = [];
  encoding = [];
  failed = [];
  voice = true;
  onset = 60;
  ctr = 0;
  samples = 0;
  sealTime = () => 1;
  sealError = null;

  constructor({ gated = false, ...config } = {}) {
    const { clock } = this;
    const mic = this;
    this.publication = new Publication(
      { gated, ...config },
      {
        clock,
        encoder: (options) => (this.encoder = new FakeEncoder(options, 1, clock)),
        vad: {
          process: () => this.voice,
          get onset() {
            return mic.onset;
          },
        },
        sealer: { seal: (plain) => this.seal(plain) },
        send: (kid, ctr, ciphertext) =>
          this.sent.push({ ctr, size: ciphertext.length, ...parsePayload(ciphertext) }),
        transmitting: (on) => this.transmitting.push(on),
        encoding: (on) => this.encoding.at(-1) !== on && this.encoding.push(on),
        failed: (error) => this.failed.push(error.message),
      },
    );
  }

  async seal(plain) {
    const ctr = this.ctr++;
    if (this.sealError) throw this.sealError;
    const ciphertext = plain.slice();
    await new Promise((resolve) => this.clock.setTimeout(resolve, this.sealTime(ctr)));
    return { kid: 1n, ctr, ciphertext };
  }

  /** Captures so many ms, and lets them pass. */
  async capture(ms) {
    for (let i = 0; i < ms / 10; i++) {
      this.publication.write(new Float32Array(480).fill(this.samples / 960 % 100 / 100));
      this.samples += 480;
      await this.clock.run(10);
    }
  }

  /** What was sent since the last time: 'x' speech, '-' marker. */
  take() {
    return this.sent.splice(0).map(({ silence }) => (silence ? '-' : 'x')).join('');
  }

  talk(on) {
    this.publication.setTalking(on);
  }
}

test('push-to-talk: nothing before, the pre-roll and all of the word, then markers and nothing', async () => {
  const mic = new Mic();
  await mic.capture(1000);
  assert.equal(mic.take(), '');
  mic.talk(true);
  await mic.capture(500);
  mic.talk(false);
  await mic.capture(5000);
  assert.deepEqual(mic.sent.map(({ ctr }) => ctr), mic.sent.map((_, i) => i));
  assert.deepEqual(
    mic.sent.slice(0, 35).map(({ timestamp }) => timestamp),
    Array.from({ length: 35 }, (_, i) => (800 + 20 * i) / 2.5),
  );
  assert.ok(mic.sent.every(({ size }) => size === 62), 'sizes tell nothing');
  assert.equal(mic.take(), `${'x'.repeat(10 + 25 + 1)}---`);
  assert.deepEqual(mic.transmitting, [true, false]);
});

test('the sound is what was said, in order, though keys are late now and then', async () => {
  const mic = new Mic();
  mic.sealTime = (ctr) => [50, 1, 20, 1][ctr % 4];
  mic.talk(true);
  await mic.capture(1000);
  await mic.clock.run(100);
  assert.deepEqual(mic.sent.map(({ ctr }) => ctr), Array.from({ length: 50 }, (_, i) => i));
  assert.deepEqual(
    mic.sent.map(({ codec }) => codec[4]),
    Array.from({ length: 50 }, (_, i) => Math.round(127 * Math.fround((i % 100) / 100))),
  );
});

test('muting: the frame in which it happens is not sent, and nothing of before is said twice', async () => {
  const mic = new Mic();
  mic.talk(true);
  await mic.capture(410);
  mic.talk(false); // in the middle of the 21st frame
  await mic.capture(90);
  assert.deepEqual(mic.sent.map(({ codec }) => codec?.[4]).slice(18), [
    23, 24, 0, undefined, undefined, undefined,
  ]);
  assert.equal(mic.take(), `${'x'.repeat(21)}---`);
  mic.talk(true);
  await mic.capture(100);
  assert.equal(mic.sent[0].timestamp, 400 / 2.5, 'the pre-roll goes back to where it was muted');
  assert.equal(mic.take().length, 5 + 5);
});

test('an open microphone sends only voices, from a little before they began', async () => {
  const mic = new Mic({ gated: true });
  mic.talk(true);
  mic.voice = false;
  await mic.capture(2000);
  assert.equal(mic.take(), '');
  mic.voice = true;
  await mic.capture(200);
  assert.equal(mic.sent[0].timestamp, (2000 - 60) / 2.5);
  assert.equal(mic.take(), 'x'.repeat(3 + 10));
  mic.voice = false;
  await mic.capture(20 + 2000);
  assert.equal(mic.take(), 'x--------', 'the end, three markers, and one every 400 ms');
  mic.publication.setGated(false); // as who holds a button
  await mic.capture(100);
  assert.equal(mic.take(), 'x'.repeat(10 + 5));
});

test('markers come every 400 ms only while the microphone is open', async () => {
  const mic = new Mic({ gated: true });
  mic.talk(true);
  await mic.capture(100);
  mic.voice = false;
  await mic.capture(1220);
  assert.equal(mic.take(), `${'x'.repeat(6)}---${'---'}`);
  mic.talk(false);
  await mic.capture(3000);
  assert.equal(mic.take(), '---', 'that it is muted is told, and then nothing');
});

test('a hand is told by who has said nothing, every 2 s; speech does not give way', async () => {
  const mic = new Mic();
  mic.publication.setHand(true);
  await mic.capture(5100);
  assert.ok(mic.sent.every(({ hand, size }) => hand === true && size === 62));
  assert.equal(mic.take(), '-----');
  mic.talk(true);
  await mic.capture(3000);
  mic.voice = false;
  await mic.capture(100);
  assert.ok(!mic.take().includes('-'));
  mic.publication.setHand(false);
  assert.equal(mic.publication.hand, false, 'it is said beside what is said');
  mic.talk(false);
  await mic.capture(30_000);
  assert.equal(mic.take().length, 1 + 3 + 14);
  await mic.capture(32_000);
  mic.take();
  await mic.capture(10_000);
  assert.deepEqual([mic.take(), mic.publication.hand], ['', null], 'in the end nothing is');
});

test('ending: what the codec holds is sent, and that it is the end', async () => {
  const mic = new Mic();
  mic.talk(true);
  await mic.capture(100);
  const closed = mic.publication.close();
  assert.equal(mic.publication.close(), closed);
  await mic.capture(500);
  await closed;
  assert.equal(mic.take(), 'xxxxxx---');
  assert.deepEqual([mic.transmitting, mic.encoder.closed, mic.clock.pending], [[true, false], true, 0]);
});

test('ending silently, and with a codec that hangs', async () => {
  const silent = new Mic();
  await silent.capture(100);
  await silent.publication.close();
  assert.deepEqual([silent.take(), silent.encoder.closed], ['', true]);

  const hung = new Mic();
  hung.talk(true);
  await hung.capture(100);
  hung.take();
  hung.encoder.flush = () => new Promise(() => {});
  hung.encoder.encode = () => {};
  const closed = hung.publication.close();
  await hung.clock.run(300);
  await closed;
  assert.equal(hung.take(), '---');
});

test('frames that the codec drops hold nothing up', async () => {
  const mic = new Mic();
  mic.talk(true);
  await mic.capture(100);
  const { encode } = FakeEncoder.prototype;
  mic.encoder.encode = () => {};
  await mic.capture(100);
  mic.encoder.encode = encode;
  await mic.capture(100);
  assert.equal(mic.take(), 'x'.repeat(10));
  assert.equal(mic.publication.dropped, 5);
  assert.deepEqual(mic.encoding, [true]);
  mic.encoder.encode = () => {}; // for good
  await mic.capture(2500);
  assert.deepEqual(mic.encoding, [true, false], 'within 3 s');
  await mic.capture(7500);
  assert.equal(mic.publication.dropped, 5 + 400);
  mic.encoder.encode = encode;
  await mic.capture(100);
  assert.equal(mic.encoding.at(-1), true);
});

test('keys that do not come hold up a bounded number of payloads', async () => {
  const mic = new Mic();
  mic.sealTime = () => 1e6;
  mic.talk(true);
  await mic.capture(5000);
  assert.equal(mic.ctr, 100);
  assert.ok(mic.publication.dropped >= 149);
});

test('a sealer that was closed is no fault, another error is one; nothing follows a stop', async () => {
  const mic = new Mic();
  mic.talk(true);
  mic.sealError = Object.assign(new Error('closed'), { code: 'closed' });
  await mic.capture(100);
  assert.deepEqual([mic.failed, mic.take()], [[], '']);
  mic.sealError = new Error('broken');
  await mic.capture(20);
  assert.deepEqual(mic.failed, ['broken']);
  mic.sealError = null;
  await mic.capture(40);
  mic.publication.stop();
  mic.take();
  await mic.capture(200);
  assert.deepEqual([mic.take(), mic.encoder.closed], ['', true]);
});
