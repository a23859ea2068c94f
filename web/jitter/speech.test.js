import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Player } from './player.js';
import { random } from './sim.test.js';

const FILE = '/usr/share/sounds/alsa/Front_Center.wav'; // 48 kHz, mono, 16 bits; of Debian's alsa-utils
const here = existsSync(FILE) ? false : `${FILE} is not there`;

/** Real speech, over and over, with 300 ms between. @param {number} seconds */
function speech(seconds) {
  const file = readFileSync(FILE);
  const data = file.subarray(file.indexOf('data') + 8);
  const once = data.length >> 1;
  const out = new Float32Array(seconds * 48_000);
  for (let i = 0; i < out.length; i++) {
    const at = i % (once + 14_400);
    out[i] = at < once ? data.readInt16LE(2 * at) / 32_768 : 0;
  }
  return out;
}

/**
 * Plays speech over a network; delay(i) is that of frame i, ms, negative: lost. The decoder only copies,
 * after 1 ms.
 * @param {Float32Array} pcm @param {(i: number) => number} delay
 * @param {number} [ratio] reader's clock by the talker's
 */
function play(pcm, delay, ratio = 1) {
  /** @type {{at: number, pcm: Float32Array | null}[]} */ const answers = [];
  let now = 0;
  let last = 0;
  const player = new Player({
    decode(payload) {
      if (payload) last = new DataView(payload.buffer).getUint32(0);
      const from = payload ? last : (last += 960);
      answers.push({ at: now + 1, pcm: payload ? pcm.slice(from, from + 960) : null });
    },
  });
  const events = [];
  for (let i = 0; (i + 1) * 960 <= pcm.length; i++) {
    const d = delay(i);
    if (d < 0) continue;
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setUint32(0, i * 960);
    events.push({
      at: i * 20 + d, packet: { counter: i, timestamp: (i * 8) % 65_536, duration: 20, payload },
    });
  }
  events.sort((a, b) => a.at - b.at);
  const out = new Float32Array(Math.ceil(pcm.length / 480) * 480 + 48_000);
  let next = 0;
  for (let n = 0; n < out.length; n += 480) {
    const read = n / 48 / ratio;
    for (;;) {
      const [event, answer] = [events[next], answers[0]];
      if (Math.min(event?.at ?? Infinity, answer?.at ?? Infinity) > read) break;
      if (answer && answer.at <= (event?.at ?? Infinity)) {
        now = answer.at;
        player.decoded(/** @type {any} */ (answers.shift()).pcm, now);
      } else {
        now = event.at;
        next++;
        player.put(event.packet, now);
      }
    }
    now = read;
    player.read(out.subarray(n, n + 480), now);
  }
  return { out, stats: player.stats() };
}

/**
 * The best agreement of out[at, at + n) with the speech near there, dB.
 * @param {Float32Array} pcm @param {Float32Array} out @param {number} at
 */
function snr(pcm, out, at, n = 4800) {
  let best = Infinity;
  let power = 1e-9;
  for (let i = 0; i < n; i++) power += out[at + i] ** 2;
  for (let lag = 0; lag < 9600 && lag <= at; lag++) {
    let noise = 0;
    for (let i = 0; i < n && noise < best; i++) noise += (out[at + i] - pcm[at + i - lag]) ** 2;
    best = Math.min(best, noise);
  }
  return 10 * Math.log10(power / Math.max(best, 1e-12));
}

/** The greatest step between samples. @param {Float32Array} pcm */
function steepest(pcm) {
  let most = 0;
  for (let i = 1; i < pcm.length; i++) most = Math.max(most, Math.abs(pcm[i] - pcm[i - 1]));
  return most;
}

test('a steady network leaves speech as it is', { skip: here }, () => {
  const pcm = speech(16);
  const { out, stats } = play(pcm, () => 30);
  assert.equal(stats.concealed + stats.accelerated + stats.decelerated, 0);
  const db = snr(pcm, out, 700_000); // by then the delay has settled
  assert.ok(db > 55, `speech is not passed as it is: ${db} dB`);
});

test('lost and late frames of speech make no click', { skip: here }, () => {
  const pcm = speech(30);
  for (const [loss, jitter] of [[0.1, 0], [0.3, 0], [0, 80], [0.1, 60]]) {
    const rnd = random(loss * 100 + jitter);
    const { out, stats } = play(pcm, () => (rnd() < loss ? -1 : 30 + jitter * rnd()));
    assert.ok(stats.played > 0.6 * 1500);
    assert.ok(
      steepest(out) <= steepest(pcm) * 1.25,
      `loss ${loss}, jitter ${jitter}: ${steepest(out)} of ${steepest(pcm)}`,
    );
  }
});

test('drift is followed without a change that is heard', { skip: here }, () => {
  const pcm = speech(60);
  for (const ratio of [1.0002, 0.9998]) {
    const { out, stats } = play(pcm, () => 30, ratio);
    assert.equal(stats.concealed + stats.accelerated + stats.decelerated + stats.late, 0);
    assert.ok(steepest(out) <= steepest(pcm) * 1.05);
    assert.ok(stats.delayMs < 35, `delay ${stats.delayMs}`);
    assert.ok(snr(pcm, out, 50 * 48_000 + 20_000, 960) > 20);
  }
});
