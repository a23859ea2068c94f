/** Shares, measures and times in the language that is spoken: what say.js does without at the door. */

import { say, spoken } from './say.js';

const HOUR = 3_600_000; // ms

/** @param {number} share from 0 to 1 @param {number} [digits] after the point */
export function percent(share, digits = 0) {
  return new Intl.NumberFormat(spoken(), {
    style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(share);
}

/** @param {number} value @param {string} unit as ECMA-402 has it @param {number} [digits] at most */
export function measure(value, unit, digits = 0) {
  return new Intl.NumberFormat(spoken(), {
    style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits,
  }).format(value);
}

/** When something was, today. @param {number} at ms since 1970 */
export function clockTime(at) {
  return new Intl.DateTimeFormat(spoken(), { hour: 'numeric', minute: '2-digit' }).format(at);
}

/**
 * In which month something was, with the year if that is another one.
 * @param {number} at @param {number} now both ms since 1970
 */
export function month(at, now) {
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  return new Intl.DateTimeFormat(spoken(), { month: 'long', year }).format(at);
}

/**
 * When something was: within an hour how long ago, else the time, with the day if that is not today.
 * @param {number} at @param {number} now both ms since 1970
 */
export function when(at, now) {
  if (now - at < HOUR) return ago(at, now);
  const [then, today] = [new Date(at), new Date(now)];
  if (then.toDateString() === today.toDateString()) return clockTime(at);
  const day = now - at < 6 * 24 * HOUR ? { weekday: /** @type {const} */ ('long') }
    : { day: /** @type {const} */ ('numeric'), month: /** @type {const} */ ('long') };
  return new Intl.DateTimeFormat(spoken(), { ...day, hour: 'numeric', minute: '2-digit' }).format(at);
}

/** A time in the past, in words. @param {number} then @param {number} now both ms since 1970 */
export function ago(then, now) {
  const minutes = Math.floor((now - then) / 60_000);
  if (minutes < 1) return say('time.now');
  const relative = new Intl.RelativeTimeFormat(spoken());
  if (minutes < 60) return relative.format(-minutes, 'minute');
  if (minutes < 48 * 60) return relative.format(-Math.floor(minutes / 60), 'hour');
  return relative.format(-Math.floor(minutes / 1440), 'day');
}
