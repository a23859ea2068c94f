/**
 * When nothing comes from the other of an open call.
 *
 *     heard ── nothing for 1.5 s in speech, else 2.5 s; or the relay ends the path ──> silent ── heard ──> heard
 *                                                                        └── 60 s ──> the call has failed
 */

import { HANG_UP_TRANSFERRED } from './up.js';
import { soonest } from '../link/clock.js';
import { HANG_UP } from '../wire/signal.js';
import { appendRouteWanted } from '../wire/route.js';
import { ROUTE_WANTED } from '../wire/urgent.js';

/** @typedef {import('./call.js').Call} Call */

// All in ms.
const TALKED_IN = 2000; // media of the other's came in this time before it was heard last
const QUIET_MEDIA = 1500;
const QUIET_ELSE = 2500;
const TRY_PAUSE = 1500; // after the first try, then twice as long
const TRY_TIME = 60_000;
const WAIT_TIME = TRY_TIME + 5000; // called: it cannot try

/**
 * Notes that the other is not heard, or cannot be. The caller tries other ways, while the one that there was
 * goes on; the called waits for it.
 * @param {Call} c @param {number} now
 */
export async function lose(c, now) {
  if (c.silence.since !== 0) return;
  c.silence = { since: now, tries: 0, due: now };
  c.line.emit({ type: 'silent', call: c.id, silent: true });
  if (!c.caller) await c.way.wait(now);
}

/** Puts off the next try, for there was one just now. @param {Call['silence']} silence @param {number} now */
export function pause(silence, now) {
  silence.due = now + TRY_PAUSE * 2 ** Math.min(silence.tries, 1);
  silence.tries++;
}

/** Notes that the other is heard. @param {Call} c @param {number} now */
export async function found(c, now) {
  if (c.silence.since === 0) return;
  c.silence = { since: 0, tries: 0, due: 0 };
  c.line.emit({ type: 'silent', call: c.id, silent: false });
  await c.sayState(now);
}

/** How long the other may be silent. @param {Call} c */
function quiet({ way: { media, heard } }) {
  return media !== 0 && heard - media < TALKED_IN ? QUIET_MEDIA : QUIET_ELSE;
}

/** Does what is due in an open call. @param {Call} c @param {number} now @returns {Promise<number>} */
export async function tickOpen(c, now) {
  let next = c.parting;
  if (next !== 0 && now >= next) {
    await c.end('transferred', HANG_UP_TRANSFERRED, now);
    return 0;
  }
  const most = quiet(c);
  if (now - c.way.heard >= most) await lose(c, now);
  else if (c.silence.since === 0) next = soonest(next, c.way.heard + most);
  if (c.silence.since !== 0) {
    const due = await tickSilence(c, now);
    if (due === null) return 0;
    next = soonest(next, due);
  }
  return soonest(next, await c.way.tickAlive(now));
}

/**
 * Looks for another way.
 * @param {Call} c @param {number} now @returns {Promise<number | null>} null: it was silent for too long
 */
async function tickSilence(c, now) {
  const { silence } = c;
  const ends = silence.since + (c.caller ? TRY_TIME : WAIT_TIME);
  if (now >= ends) {
    await c.end('failed', { type: 'hang up', reason: HANG_UP.failed }, now);
    return null;
  }
  if (!c.caller || !c.line.up) return ends; // with a session it is tried at once
  if (now >= silence.due) {
    // Perhaps the other is at another relay now.
    if (silence.tries > 0) c.line.send(ROUTE_WANTED, appendRouteWanted(c.target));
    await c.way.forward(now);
  }
  return soonest(ends, silence.due);
}
