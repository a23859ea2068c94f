/**
 * Why joining came to nothing, in one code for which the page has words. Browsers do not tell scripts why a
 * WebSocket was not opened; the relay does, if the same address is asked otherwise (section 8).
 *
 *     Seen (dial-reconnect.js) ──> askWhy: POST to the WebSocket's address ──> explain ──> LinkError
 */

import { messageOf } from '../wire/bytes.js';
import { Refused } from './dial-attempt.js';
import { LinkError } from './carrier.js';
import { deadline } from './clock.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./dial-reconnect.js').Seen} Seen */
/** @typedef {{status: number} | null} Answer status 0: nothing answered; null: nobody was asked */

const ASK_TIME = 3000; // ms

/**
 * Asks the relay why it took no WebSocket. Only where that is of the page's own origin: elsewhere browsers
 * keep the answer to themselves.
 * @param {Seen} seen @param {string} connectUrl
 * @param {{clock: Clock, signal: AbortSignal, fetch?: typeof globalThis.fetch}} options
 * @returns {Promise<Answer>}
 */
export async function askWhy({ place }, connectUrl, { clock, signal, fetch: ask = globalThis.fetch }) {
  if (!place?.websocket) return null;
  const url = new URL(place.websocket);
  url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
  if (url.origin !== new URL(connectUrl).origin) return null;
  const limit = deadline(clock, ASK_TIME, signal);
  try { // by POST, for browsers then say which page asks
    const { status } = await ask(url.href, {
      method: 'POST', credentials: 'same-origin', cache: 'no-store', redirect: 'manual', signal: limit.signal,
    });
    return { status };
  } catch {
    return { status: 0 };
  } finally {
    limit.finish();
  }
}

/** Says why. @param {Seen} seen @param {Answer} answer @returns {LinkError} */
export function explain({ place, failures, greeted }, answer) {
  const refused = [...failures.values()].find((error) => error instanceof Refused || error.final);
  if (refused) return refused;
  const all = [...failures.values()].map(messageOf);
  if (answer?.status) all.push(`the WebSocket's address answers with status ${answer.status}`);
  return new LinkError(codeOf({ place, failures, greeted }, answer), all.join('; ') || 'nothing answers');
}

/**
 * Why somebody who was welcome once does not get in: the relay says no for now, answers slowly, answers
 * but not here, or nothing does.
 * @typedef {'restart' | 'busy' | 'slow' | 'blocked' | 'silent'} AwayCode
 */

/**
 * Why attaching again takes long, as far as that shows.
 * @param {Seen} seen @param {boolean} found connect.json came when it was last asked for
 * @returns {AwayCode}
 */
export function whyAway({ failures, greeted }, found) {
  const refused = [...failures.values()].find((error) => error instanceof Refused);
  if (refused) return refused.code === 'shutting_down' ? 'restart' : 'busy';
  if (greeted) return 'slow';
  return found && failures.size > 0 ? 'blocked' : 'silent';
}

/** @param {Seen} seen @param {Answer} answer @returns {string} */
function codeOf({ place, failures, greeted }, answer) {
  if (!place) return placeCode(failures.get('place'));
  if (greeted) return 'stalled';
  if (!place.websocket) return 'udp';
  switch (answer?.status) {
    case undefined: return 'blocked';
    case 0: return noServer();
    case 403: return 'origin';
    case 421: return 'misdirected';
    case 503: return 'busy';
    case 500: case 502: case 504: return 'server';
    default: return 'no_upgrade'; // 426 from the relay, or a server that answers in its place
  }
}

/** Nothing answers: maybe the device knows why. */
function noServer() {
  return globalThis.navigator?.onLine === false ? 'offline' : 'no_server';
}

/** @param {LinkError} [error] of fetching connect.json @returns {string} */
function placeCode(error) {
  if (!error || (error.code === 'connect' && error.status === 0)) return noServer();
  if (error.status === 421) return 'misdirected';
  return error.status > 0 ? 'server' : 'no_relay';
}
