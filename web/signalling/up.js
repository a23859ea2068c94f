/** What the ends of an open call say: hold, mute, keys. */

import { STATE } from './call.js';
import { confirm } from './caller.js';
import { SignallingError } from './errors.js';
import { transferSignal } from './transfer.js';
import { equal } from '../wire/bytes.js';
import { hashEntry } from '../wire/entry.js';
import { HANG_UP } from '../wire/signal.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./line.js').Line} Line */
/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('../wire/signal.js').Signal} Signal */

/** @type {Signal} */
export const HANG_UP_TRANSFERRED = Object.freeze({ type: 'hang up', reason: HANG_UP.transferred });

/**
 * Holds a call: no media goes over it until it is not held. To go on with it, whatever else there is has to
 * be held.
 * @param {Line} line @param {number} id @param {boolean} on @param {number} now
 */
export async function hold(line, id, on, now) {
  const c = line.with(id, STATE.open);
  if (!on) {
    const other = line.calls.some((other) => other !== c && other.state !== STATE.yielding
      && !(other.state === STATE.open && other.talk.byUs));
    if (other) throw new SignallingError('talking');
  }
  if (c.talk.byUs === on) return;
  c.talk.byUs = on;
  c.talk.changed = true;
  await sayHold(c, now);
  line.emit({ type: 'held', call: c.id, byUs: on, byTheirs: c.talk.byTheirs });
  await line.direct(now);
}

/**
 * Tells the other whether our microphone is closed.
 * @param {Line} line @param {number} id @param {boolean} muted @param {number} now
 */
export async function mute(line, id, muted, now) {
  const c = line.with(id, STATE.open);
  if (c.talk.muted === muted) return;
  c.talk.muted = muted;
  c.talk.changed = true;
  await sayMute(c, now);
}

/**
 * Says something about keys to the other.
 * @param {Line} line @param {number} id
 * @param {Extract<Signal, {type: 'key' | 'key received'}> | {type: 'keys wanted'}} s @param {number} now
 */
export async function sayKeys(line, id, s, now) {
  await line.with(id, STATE.open).way.say(s, now);
}

/**
 * Takes what the other says in an open call.
 * @param {Call} c @param {Signal} s @param {number} counter @param {number} now
 */
export async function upSignal(c, s, counter, now) {
  const { line, id: call } = c;
  switch (s.type) {
    case 'hang up': case 'cancel': case 'elsewhere': await c.end(outcomeOf(s), null, now); break;
    case 'answer': // it missed our confirmation
      if (c.member && equal(await hashEntry(s.entry), c.member.hash)) await confirm(c, now);
      break;
    case 'hold': case 'unhold': await heldByTheirs(c, s.type === 'hold', counter, now); break;
    case 'mute': case 'unmute': mutedByTheirs(c, s.type === 'mute', counter); break;
    case 'key': {
      const sender = /** @type {import('../wire/entry.js').Entry} */ (c.member).id;
      const key = /** @type {import('../wire/urgent.js').SignedKey} */ (s.key);
      line.emit({ type: 'keyCame', call, key: { sender, key, wrap: s.wrap } });
      break;
    }
    case 'key received': line.emit({ type: 'keyReceived', call, number: s.number }); break;
    case 'keys wanted': line.emit({ type: 'keysWanted', call }); break;
    case 'consent wanted': case 'consent': case 'transfer': case 'transfer ack':
      await transferSignal(c, s, now);
      break;
    default:
  }
}

/** @param {Signal} s @returns {import('./effects.js').Outcome} */
function outcomeOf(s) {
  if (s.type === 'elsewhere') return 'elsewhere';
  if (s.type === 'hang up' && s.reason === HANG_UP.failed) return 'failed';
  return s.type === 'hang up' && s.reason === HANG_UP.transferred ? 'transferred' : 'hung_up';
}

/** @param {Call} c @param {boolean} on @param {number} counter @param {number} now */
async function heldByTheirs(c, on, counter, now) {
  const { line, talk } = c;
  if (counter < talk.held) return; // of before what it said last
  talk.held = counter + 1;
  if (talk.byTheirs === on) return;
  talk.byTheirs = on;
  line.emit({ type: 'held', call: c.id, byUs: talk.byUs, byTheirs: on });
  await line.direct(now);
}

/** @param {Call} c @param {boolean} on @param {number} counter */
function mutedByTheirs(c, on, counter) {
  const { line, talk } = c;
  if (counter < talk.muting) return;
  talk.muting = counter + 1;
  if (talk.theirMuted === on) return;
  talk.theirMuted = on;
  line.emit({ type: 'muted', call: c.id, muted: on });
}

/** @param {Call} c @param {number} now */
export async function sayHold(c, now) {
  await c.way.say({ type: c.talk.byUs ? 'hold' : 'unhold' }, now);
}

/** @param {Call} c @param {number} now */
export async function sayMute(c, now) {
  await c.way.say({ type: c.talk.muted ? 'mute' : 'unmute' }, now);
}
