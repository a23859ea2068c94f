/** What numbers of the connection mean in words. Pure. */

import { connection as words } from './words-room.js';

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
  if (state === 'joining') return { grade: 'off', text: words.joining };
  if (state === 'reconnecting') return { grade: 'off', text: offline ? words.offline : words.reconnecting };
  if (!quality) return { grade: 'good', text: words.measuring };
  const loss = Math.max(quality.lossUp || 0, quality.lossDown || 0);
  const percent = Math.round(loss * 100);
  if (quality.stopped) return { grade: 'bad', text: words.stopped };
  if (quality.dropped) return { grade: 'bad', text: words.dropped(quality.dropped) };
  if (loss >= badLoss) return { grade: 'bad', text: words.bad(percent) };
  if (loss >= weakLoss) return { grade: 'weak', text: words.weak(percent) };
  if (quality.rtt >= lateRtt) return { grade: 'weak', text: words.late((quality.rtt / 1000).toFixed(1)) };
  if (quality.path === 'websocket') return { grade: 'weak', text: words.slowWay };
  return { grade: 'good', text: words.good };
}

/**
 * The numbers behind it that are known: label and value.
 * @param {Quality} quality @param {(then: number) => string} ago says a time in the past
 * @returns {[string, string][]}
 */
export function numbers(quality, ago) {
  /** @type {[string, string][]} */ const rows = [];
  /** @param {string} label @param {number | undefined} value @param {(value: number) => string} say */
  const row = (label, value, say) => {
    if (value !== undefined && Number.isFinite(value)) rows.push([label, say(value)]);
  };
  row(words.lossUp, quality.lossUp, words.percent);
  row(words.lossDown, quality.lossDown, words.percent);
  row(words.rtt, quality.rtt, words.ms);
  row(words.jitter, quality.jitter, words.ms);
  row(words.delay, quality.delay, words.ms);
  row(words.up, quality.bitrateUp, words.kbit);
  row(words.down, quality.bitrateDown, words.kbit);
  if (quality.path) rows.push([words.path, words.paths[quality.path] ?? quality.path]);
  rows.push([words.codec, quality.codec ?? 'Opus']);
  row(words.since, quality.since, ago);
  return rows;
}
