/** What numbers of the connection mean in words. Pure. */

import { ago, measure, percent } from '../words/formats.js';
import { say } from '../words/say.js';

/** @typedef {import('../call/engine.js').QualityMessage} Quality */
/** @typedef {import('./room-model.js').RoomModel} RoomModel */

/**
 * What one must know about how it is, in sentences; '' if there is nothing.
 * @param {RoomModel} model @returns {string}
 */
export function explain({ up, down, quality, state }) {
  if (state !== 'joined' || !quality) return '';
  const is = (/** @type {import('./hearing.js').Level[]} */ ...levels) =>
    levels.includes(up) || levels.includes(down);
  if (is('lost', 'doubt')) return say('connection.lostExplain');
  if (quality.dropped) return droppedText(quality.dropped);
  if (is('bad', 'gaps')) return say('connection.lossExplain');
  if (is('late')) return say('connection.lateExplain', { time: measure(quality.rtt / 1000, 'second', 1) });
  return quality.path === 'websocket' ? say('connection.slowExplain') : '';
}

/**
 * The numbers that are known of making the connection again: sentences.
 * @param {import('./room-model.js').Away} away @param {number} now ms since 1970
 */
export function tries({ tries: n, next }, now) {
  const wait = next === null ? 0 : Math.ceil((next - now) / 1000);
  return [
    say('connection.tries', { n }),
    wait > 0 ? say('connection.nextTry', { n: wait }) : say('connection.trying'),
  ];
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
  rows.push([say('connection.codec'), 'Opus']);
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
