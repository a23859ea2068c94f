/**
 * Whether the microphone hears our own loudspeaker. If it does, loopback.js helps.
 *
 *     testEcho: chirp up, chirp down --> loudspeaker ~~air~~> microphone --> correlation, at every delay
 *
 * Speech may look like one of the chirps somewhere, but not like both at the same delay.
 */

const RATE = 48_000;
const CHIRP = 0.25; // s, each of the two
const PAUSE = 0.1; // s between them
const CHIRP_LEVEL = 0.05; // quiet
const LOW = 700; // Hz
const HIGH = 2800; // Hz
const LISTEN = 0.5; // s after the chirps: more than any output latency
const COARSE = 6; // the correlation runs at a sixth of the rate: the chirps end below 4 kHz
const AGREE = 3; // ms within which both are to be found
/** Peak over the mean of the correlation from which a chirp was heard. Noise alone gives about 4. */
export const HEARD = 5;

/** A tone that rises or falls, 1 is full scale. @param {number} from Hz @param {number} to Hz */
export function chirp(from, to) {
  const n = Math.round(CHIRP * RATE);
  const pcm = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const t = i / RATE;
    const phase = 2 * Math.PI * (from * t + ((to - from) * t * t) / (2 * CHIRP));
    pcm[i] = CHIRP_LEVEL * Math.sin(phase) * Math.sin((Math.PI * i) / n) ** 2;
  }
  return pcm;
}

/** The sound of the test: a chirp up and, after a pause, one down. */
export function testSound() {
  const [up, down] = [chirp(LOW, HIGH), chirp(HIGH, LOW)];
  const pcm = new Float32Array(up.length + PAUSE * RATE + down.length);
  pcm.set(up);
  pcm.set(down, pcm.length - down.length);
  return pcm;
}

/**
 * Looks for a sound in another, however loud it is there.
 * @param {Float32Array} heard @param {Float32Array} sent
 * @returns {{ratio: number, delay: number}} ratio: the greatest normalised correlation by the mean one;
 *   delay: where it is, ms
 */
export function correlate(heard, sent) {
  const [a, b] = [thin(sent), thin(heard)];
  const lags = b.length - a.length;
  let power = 1e-9; // of b under a
  for (let i = 0; i < a.length; i++) power += b[i] * b[i];
  let [sum, peak, at] = [0, 0, 0];
  for (let lag = 0; lag < lags; lag++) {
    let c = 0;
    for (let i = 0; i < a.length; i++) c += a[i] * b[lag + i];
    const size = Math.abs(c) / Math.sqrt(Math.max(power, 1e-9));
    sum += size;
    if (size > peak) [peak, at] = [size, lag];
    power += b[lag + a.length] ** 2 - b[lag] ** 2;
  }
  return { ratio: sum > 0 ? (peak * lags) / sum : 0, delay: (at * COARSE * 1000) / RATE };
}

/** Every sixth sample, as the mean of six. @param {Float32Array} pcm */
function thin(pcm) {
  const out = new Float32Array(Math.floor(pcm.length / COARSE));
  for (let i = 0; i < out.length; i++) {
    for (let k = 0; k < COARSE; k++) out[i] += pcm[i * COARSE + k] / COARSE;
  }
  return out;
}

/**
 * Whether what a microphone recorded holds the sound of the test.
 * @param {Float32Array} recording from when the sound was played on
 * @returns {EchoResult}
 */
export function findEcho(recording) {
  const reach = Math.round((CHIRP + LISTEN) * RATE);
  const second = Math.round((CHIRP + PAUSE) * RATE);
  const up = correlate(recording.subarray(0, reach), chirp(LOW, HIGH));
  const down = correlate(recording.subarray(second, second + reach), chirp(HIGH, LOW));
  const ratio = Math.min(up.ratio, down.ratio);
  return { heard: ratio >= HEARD && Math.abs(up.delay - down.delay) <= AGREE, ratio, delay: up.delay };
}

/**
 * heard: the microphone hears our loudspeaker; ratio: how clearly; delay: of both together, ms.
 * @typedef {{heard: boolean, ratio: number, delay: number}} EchoResult
 */

/**
 * Plays two quiet chirps and listens whether the microphone, echo canceller included, hears them.
 * @param {AudioContext} context running, at 48 kHz
 * @param {MessagePort} port of a Capture; it is given back without a listener
 * @param {AudioNode} [to] what the chirps are played into; absent: the loudspeaker
 * @returns {Promise<EchoResult>}
 */
export async function testEcho(context, port, to = context.destination) {
  const sent = testSound();
  const recording = record(port, sent.length + Math.round(LISTEN * RATE));
  const buffer = new AudioBuffer({ length: sent.length, sampleRate: RATE });
  buffer.copyToChannel(sent, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(to);
  source.start();
  const heard = await recording;
  source.disconnect();
  return findEcho(heard);
}

/**
 * The next n samples of a microphone; fewer when it stops.
 * @param {MessagePort} port @param {number} n @returns {Promise<Float32Array>}
 */
function record(port, n) {
  const pcm = new Float32Array(n);
  let filled = 0;
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      port.onmessage = null;
      resolve(pcm);
    };
    const timer = setTimeout(done, 2000 * (n / RATE) + 500);
    port.onmessage = ({ data }) => {
      const block = /** @type {Float32Array<ArrayBuffer>} */ (data.pcm);
      pcm.set(block.subarray(0, n - filled), filled);
      filled = Math.min(n, filled + block.length);
      port.postMessage({ back: block.buffer }, [block.buffer]);
      if (filled === n) done();
    };
  });
}
