import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Decoder } from './decoder.js';
import { Encoder } from './encoder.js';

/** What the tests have the browser's codecs do. */
const browser = { made: 0, /** @type {any[]} */ configs: [], fail: false, drop: false, hang: false };

class FakeCodec {
  state = 'unconfigured';
  base = -1;
  at = 0;

  /** @param {{output: Function, error: Function}} init */
  constructor({ output, error }) {
    this.output = output;
    this.error = error;
    browser.made++;
  }

  /** @param {object} config */
  configure(config) {
    this.state = 'configured';
    browser.configs.push(config);
  }

  /** @param {any} input */
  decode(input) {
    this.#work(input, () => ({
      timestamp: input.timestamp,
      numberOfFrames: 960,
      copyTo: (/** @type {Float32Array} */ pcm) => pcm.fill(input.data[0]),
      close() {},
    }));
  }

  /** @param {any} input */
  encode(input) {
    this.#work(input, () => ({ byteLength: 60, copyTo: (/** @type {Uint8Array} */ bytes) => bytes.fill(7) }));
  }

  /** @param {any} input @param {() => any} make */
  #work(input, make) {
    if (this.state !== 'configured') throw new Error('it is closed');
    if (browser.hang) return;
    const { fail, drop } = browser;
    queueMicrotask(() => {
      if (this.state !== 'configured') return;
      if (fail) {
        this.state = 'closed';
        this.error(new Error('broken'));
      } else if (!drop) {
        this.output(make());
      }
    });
  }

  async flush() {}

  close() {
    if (this.state === 'closed') throw new Error('it is closed');
    this.state = 'closed';
  }
}

class Fields {
  /** @param {object} fields */
  constructor(fields) {
    Object.assign(this, fields);
  }

  close() {}
}

Object.assign(globalThis, { AudioDecoder: FakeCodec, AudioEncoder: FakeCodec });
Object.assign(globalThis, { EncodedAudioChunk: Fields, AudioData: Fields });
const settle = () => new Promise((resolve) => setTimeout(resolve, 1));
const packet = (/** @type {number} */ toc = 0x48) => Uint8Array.of(toc, 1, 2); // SILK, 20 ms

beforeEach(() => Object.assign(browser, { made: 0, configs: [], fail: false, drop: false, hang: false }));

function decoder() {
  /** @type {(number | null)[]} */ const answers = [];
  return { answers, codec: new Decoder({ onpcm: (pcm) => void answers.push(pcm && pcm[0]) }) };
}

test('every request is answered once, in order', async () => {
  const { codec, answers } = decoder();
  codec.decode(null); // nothing to go on with yet
  codec.decode(packet(0x48));
  codec.decode(new Uint8Array(0)); // would close the codec
  codec.decode(Uint8Array.of(3)); // malformed
  codec.decode(packet(0x4b & 0xfc));
  codec.decode(null);
  codec.conceal();
  await settle();
  assert.deepEqual(answers, [null, 0x48, null, null, 0x48, 0x48, 0x48]);
  assert.equal(browser.made, 1);
});

test('a codec that fails is made anew and counted; what it swallows is answered with null', async () => {
  const { codec, answers } = decoder();
  codec.decode(packet());
  await settle();
  browser.fail = true;
  codec.decode(packet());
  codec.decode(packet());
  await settle();
  assert.deepEqual(answers, [0x48, null, null]);
  assert.equal(codec.failures, 1);
  browser.fail = false;
  browser.drop = true;
  codec.decode(packet());
  await settle();
  browser.drop = false;
  codec.decode(packet(0x50));
  await settle();
  assert.deepEqual(answers, [0x48, null, null, null, 0x50]);
  assert.equal(browser.made, 2);
});

test('a codec that always fails is not made again and again', async () => {
  const { codec, answers } = decoder();
  browser.fail = true;
  for (let i = 0; i < 200; i++) {
    codec.decode(packet());
    await settle();
  }
  assert.equal(answers.length, 200);
  assert.ok(browser.made < 16, `${browser.made} codecs`);
  browser.fail = false;
  for (let i = 0; i < 60; i++) {
    codec.decode(packet());
    await settle();
  }
  assert.equal(answers.at(-1), 0x48, 'it works again');
});

test('a codec that hangs holds no memory', async () => {
  const { codec, answers } = decoder();
  browser.hang = true;
  for (let i = 0; i < 1000; i++) codec.decode(packet());
  await settle();
  assert.ok(answers.length >= 900);
  codec.close();
  codec.close();
  const before = answers.length;
  codec.decode(packet());
  await settle();
  assert.equal(answers.length, before);
});

function encoder() {
  /** @type {[number, number][]} */ const packets = [];
  /** @type {string[]} */ const errors = [];
  const codec = new Encoder({
    onpacket: (bytes, sample) => void packets.push([bytes.length, sample]),
    onerror: ({ message }) => void errors.push(message),
  });
  return { codec, packets, errors };
}

test('frames become packets of one size, each with its sample', async () => {
  const { codec, packets } = encoder();
  for (const sample of [0, 960, 5000, 4000]) codec.encode(new Float32Array(960), sample);
  codec.encode(new Float32Array(480), 7); // not a frame
  await settle();
  assert.deepEqual(packets, [[60, 0], [60, 960], [60, 5000], [60, 4000]]);
  assert.deepEqual([codec.packetSize, codec.uneven, codec.dropped], [60, 0, 1]);
  const [config] = browser.configs;
  assert.deepEqual([config.bitrate, config.bitrateMode, config.opus.usedtx], [24_000, 'constant', false]);
});

test('an encoder that fails is made anew, but not for ever; its queue is bounded', async () => {
  const { codec, packets, errors } = encoder();
  browser.fail = true;
  codec.encode(new Float32Array(960), 0);
  await settle();
  browser.fail = false;
  codec.encode(new Float32Array(960), 960);
  await settle();
  assert.deepEqual(packets, [[60, 960]]);
  browser.fail = true;
  for (let i = 0; i < 20; i++) {
    codec.encode(new Float32Array(960), i);
    await settle();
  }
  assert.deepEqual(errors, ['broken']);
  const other = encoder();
  browser.hang = true;
  for (let i = 0; i < 80; i++) other.codec.encode(new Float32Array(960), i);
  assert.equal(other.codec.dropped, 30);
  other.codec.close();
  other.codec.close();
});
