/** What numbers of the connection mean in words. Pure. */

import { ago, measure, percent, say } from '../words/say.js';


/** @typedef {'good' | 'weak' | 'bad' | 'off'} Grade the colour of the dot */
/** @typedef {import('../call/engine.js').QualityMessage} Quality */

const weakLoss = 0.03; // below, repair is not noticed
const badLoss = 0.4; // above, repair does not suffice
const lateRtt = 800; // ms: people begin to talk into each other

/**
 * The line under the title.
 * @param {import('../call/engine.js').CallState} state @param {Quality | null} quality
 * @param {boolean} offline @returns {{grade: Grade, text: string}}
 */
export function describe(state, quality, offline) {
  if (state === 'joining') return { grade: 'off', text: say('connection.joining') };
  if (state === 'reconnecting') {
    return { grade: 'off', text: say(offline ? 'connection.offline' : 'connection.reconnecting') };
  }
  if (!quality) return { grade: 'good', text: say('connection.measuring') };
  const loss = Math.max(quality.lossUp || 0, quality.lossDown || 0);
  if (quality.stopped) return { grade: 'bad', text: say('connection.stopped') };
  if (quality.dropped) return { grade: 'bad', text: droppedText(quality.dropped) };
  if (loss >= badLoss) return { grade: 'bad', text: say('connection.bad', { loss: percent(loss) }) };
  if (loss >= weakLoss) return { grade: 'weak', text: say('connection.weak', { loss: percent(loss) }) };
  if (quality.rtt >= lateRtt) {
    const time = measure(quality.rtt / 1000, 'second', 1);
    return { grade: 'weak', text: say('connection.late', { time }) };
  }
  if (quality.path === 'websocket') return { grade: 'weak', text: say('connection.slowWay') };
  return { grade: 'good', text: say('connection.good') };
}

/**
 * The numbers behind it that are known: label and value.
 * @param {Quality} quality @param {number} now ms since 1970
 * @returns {[string, string][]}
 */
export function numbers(quality, now) {
  /** @type {[string, string][]} */ const rows = [];
  /** @param {string} label @param {number | undefined} value @param {(value: number) => string} write */
  const row = (label, value, write) => {
    if (value !== undefined && Number.isFinite(value)) rows.push([label, write(value)]);
  };
  row(say('connection.lossUp'), quality.lossUp, share);
  row(say('connection.lossDown'), quality.lossDown, share);
  row(say('connection.rtt'), quality.rtt, ms);
  row(say('connection.jitter'), quality.jitter, ms);
  row(say('connection.delay'), quality.delay, ms);
  row(say('connection.up'), quality.bitrateUp, kbit);
  row(say('connection.down'), quality.bitrateDown, kbit);
  if (quality.path) rows.push([say('connection.path'), say(`connection.${quality.path}`)]);
  rows.push([say('connection.codec'), quality.codec ?? 'Opus']);
  row(say('connection.since'), quality.since, (then) => ago(then, now));
  return rows;
}

const ms = (/** @type {number} */ value) => measure(value, 'millisecond');
const kbit = (/** @type {number} */ bits) => measure(bits / 1000, 'kilobit-per-second', bits < 9950 ? 1 : 0);
const share = (/** @type {number} */ value) => percent(value, value < 0.1 ? 1 : 0);

/** @param {number} why as docs/protocol.md, section 4.5, numbers it */
function droppedText(why) {
  return say(`connection.dropped${why === 3 ? 'Many' : why < 3 ? 'Much' : 'Other'}`);
}
