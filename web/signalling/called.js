/** The called's side, from an offer to our answer; strangers, busy, glare. */

import { Call, STATE } from './call.js';
import { SignallingError } from './errors.js';
import { PATH, Path } from './path.js';
import { agreedTo, transferred } from './transfer.js';
import { OfferError } from '../e2ee/offer.js';
import { soonest } from '../link/clock.js';
import { compare, equal, toHex } from '../wire/bytes.js';
import { verifyForward } from '../wire/call.js';
import { pathIdOf } from '../wire/call-path.js';
import { HANG_UP } from '../wire/signal.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../wire/call.js').Forward} Forward */
/** @typedef {import('../e2ee/offer.js').OpenedOffer} OpenedOffer */
/** @typedef {import('./line.js').Line} Line */
/** @typedef {import('../wire/signal.js').Signal} Signal */

// All in ms.
const ALERT_TIME = 35_000; // 5 s more than a caller rings: after that we believe that the caller has given up
const CONFIRM_TIME = 15_000; // how long our answer waits
const ENDED_WAIT = 5000; // for a path of a call that rings, before it is missed
const MAX_EARLY = 4; // keys that came before the confirmation
const CLOCK_SKEW = 120; // seconds
const FORWARD_MOST = 60; // seconds ahead
const CLOCK_EVERY = 600_000; // at most that often it is said that a clock is off
const STRANGER_EVERY = 10_000;

/**
 * Takes urgent message 19: somebody calls, or a caller's path comes by another way now.
 * @param {Line} line @param {Forward} m @param {number} now
 */
export async function offerCame(line, m, now) {
  if (!line.config.stay) return;
  const { identity, stay } = line.config;
  const ours = m.target === identity.fingerprint && m.device === stay.device;
  const id = await pathIdOf(m.key);
  const p = line.paths.get(id);
  if (!ours || !inTime(m.expiry, line.unix(now), FORWARD_MOST)) {
    line.refuse(new SignallingError('forward'));
    if (!ours || p || line.seen.has(id) || !line.seen.allow(now) || !(await verifyForward(m))) return;
    clockOff(line, now);
  } else if (!p && line.seen.has(id)) line.refuse(new SignallingError('seen'));
  else if (!line.seen.allow(now)) line.refuse(new SignallingError('flood')); // what follows takes a while
  else if (!(await verifyForward(m))) line.refuse(new SignallingError('forward'));
  else if (p) await moved(p, m, now);
  else await newOffer(line, m, id, now);
}

/**
 * Says that an offer is not of now. Relays can bring old ones again, so it is said seldom.
 * @param {Line} line @param {number} now
 */
function clockOff(line, now) {
  if (line.clockTold !== 0 && now - line.clockTold < CLOCK_EVERY) return;
  line.clockTold = now;
  line.emit({ type: 'clock', at: line.unix(now) });
}

/**
 * Whether an expiry has not come, and is not farther ahead than most; clocks may be off.
 * @param {bigint} expiry Unix seconds @param {number} unix ms since 1970 @param {number} most seconds
 */
export function inTime(expiry, unix, most) {
  const left = Number(expiry) - Math.floor(unix / 1000);
  return left >= -CLOCK_SKEW && left <= most + CLOCK_SKEW;
}

/**
 * Notes that a path that we know comes by another way. What it was set up with is not opened again.
 * @param {Path} p @param {Forward} m @param {number} now
 */
async function moved(p, m, now) {
  const { line } = p.call;
  if (p.call.caller) return line.refuse(new SignallingError('role'));
  if (m.generation <= p.generation) return line.refuse(new SignallingError('seen'));
  p.generation = m.generation;
  if (p.state === PATH.closing || p.state === PATH.gone) return p.repeatLast(now);
  p.state = PATH.ready;
  line.again ||= line.media === p;
  await p.heardAt(now); // the seed is known to the caller alone, and the generation is new
  await p.call.sayState(now);
  await line.direct(now);
}

/**
 * Opens an offer and decides what becomes of it.
 * @param {Line} line @param {Forward} m @param {string} id of its path @param {number} now
 */
async function newOffer(line, m, id, now) {
  const { identity, known, stay } = line.config;
  let o;
  try {
    o = await stay?.key.openOffer(m.key, identity.publicKey, m.offer, line.unix(now));
  } catch (error) {
    if (error instanceof OfferError && error.code === 'time') clockOff(line, now);
    return line.refuse(error);
  }
  if (!o) return undefined;
  const { fingerprint } = o.caller;
  const contact = known?.(fingerprint) === true;
  const own = dialling(line, fingerprint);
  const given = own ? null : agreedTo(line, o.caller.identity, now);
  const expected = contact || own !== null || given !== null;
  if (line.seen.has(toHex(o.call))) return line.refuse(new SignallingError('seen'));
  if (expected && !line.seen.allowPerson(fingerprint, now)) { // it looks like no answer
    return line.refuse(new SignallingError('flood'));
  }
  line.seen.add(expected, id, toHex(o.call));
  if (!expected) return stranger(line, o, now);
  if (own) return glare(line, own, callOf(line, o, m, now), now);
  if (given && !talking(line, given.via)) return transferred(callOf(line, o, m, now), given.via, now);
  if (!contact) return undefined;
  if (line.disturb) return ringHere(line, o, m, now);
  return missed(line, o, now);
}

/** @param {Line} line @param {OpenedOffer} o @param {number} now */
function missed(line, { caller: { identity: person, fingerprint, name } }, now) {
  line.emit({ type: 'missed', person, fingerprint, name, at: line.unix(now) });
}

/** A contact calls: it rings, or we say that we talk. @param {Line} line @param {OpenedOffer} o
 * @param {Forward} m @param {number} now */
async function ringHere(line, o, m, now) {
  const person = o.caller.identity;
  for (const c of [...line.calls]) { // who calls anew does not go on with what it has left
    if (!c.other || !equal(c.other, person) || (c.caller && c.state !== STATE.open)) continue;
    if (c.state === STATE.alerting) await c.end('missed', null, now);
    else if (c.state === STATE.open && c.silence.since !== 0) await c.end('failed', null, now);
  }
  const busy = talking(line, null);
  const c = callOf(line, o, m, now);
  if (busy) {
    c.hidden = true;
    await c.end('busy', { type: 'busy' }, now);
    missed(line, o, now);
    return;
  }
  c.enter(STATE.alerting, now);
  line.emit({ type: 'incoming', call: c.id, person, fingerprint: c.target, name: c.name });
  await c.sayState(now);
}

/** Whether there is a call, but for one. @param {Line} line @param {Call | null} but */
function talking(line, but) {
  return line.calls.some((c) => c !== but && c.state !== STATE.yielding);
}

/**
 * Our own call to somebody that is not up.
 * @param {Line} line @param {string} fingerprint @returns {Call | null}
 */
function dialling(line, fingerprint) {
  return line.calls.find((c) => c.caller && c.state <= STATE.ringing && c.target === fingerprint) ?? null;
}

/** The call of an offer. @param {Line} line @param {OpenedOffer} o @param {Forward} m @param {number} now */
function callOf(line, o, m, now) {
  const c = new Call(line, false, now);
  const p = new Path(c, o.path, o.channel);
  Object.assign(p, { generation: m.generation, state: PATH.ready, bound: true, heard: now });
  return Object.assign(c, {
    other: o.caller.identity, target: o.caller.fingerprint, name: o.caller.name, callId: o.call,
    secret: o.secret, theirs: o.entry, member: o.caller, paths: [p], chosen: p,
  });
}

/**
 * Decides which of two calls stays whose ends call each other: that of the lower identity key. The other end
 * answers it without a ring, and cancels its own.
 * @param {Line} line @param {Call} own @param {Call} theirs @param {number} now
 */
async function glare(line, own, theirs, now) {
  if (compare(line.config.identity.publicKey, /** @type {Bytes} */ (theirs.other)) < 0) {
    for (const c of [...line.calls]) { // the newest is enough
      if (c.state === STATE.yielding && c.target === theirs.target) await c.end('missed', null, now);
    }
    theirs.hidden = true;
    theirs.enter(STATE.yielding, now);
    return;
  }
  theirs.takeOver(own);
  await own.end('cancelled', { type: 'cancel' }, now);
  await answer(theirs, now);
}

/** Answers a call that rings here. @param {Line} line @param {number} id @param {number} now */
export async function answerCall(line, id, now) {
  await answer(line.with(id, STATE.alerting), now);
}

/** @param {Call} c @param {number} now */
export async function answer(c, now) {
  await c.makeEntry();
  c.enter(STATE.answering, now);
  await c.sayState(now);
}

/** Does what is due before the call is up. @param {Call} c @param {number} now @returns {Promise<number>} */
export async function tickCalled(c, now) {
  const answering = c.state === STATE.answering;
  let ends = c.since + (answering ? CONFIRM_TIME : ALERT_TIME);
  if (c.way.state === PATH.broken) ends = c.way.due;
  if (now >= ends) {
    if (answering) await c.end('failed', { type: 'hang up', reason: HANG_UP.failed }, now);
    else await c.end('missed', null, now);
    return 0;
  }
  if (c.state === STATE.yielding) return ends;
  if (now >= c.repeat) await c.sayState(now);
  return soonest(ends, c.repeat);
}

/**
 * Notes that relays part us from the caller, who may come back by another way.
 * @param {Call} c @param {number} now
 */
export function pathEnded(c, now) {
  c.way.due = now + ENDED_WAIT;
}

/** Takes what the caller says before the call is up. @param {Call} c @param {Signal} s @param {number} now */
export async function calledSignal(c, s, now) {
  switch (s.type) {
    case 'cancel': case 'hang up':
      await c.end('missed', null, now);
      break;
    case 'elsewhere':
      await c.end('elsewhere', null, now);
      break;
    case 'confirm':
      if (c.state === STATE.answering && c.entry && equal(s.chosen, c.entry.hash)) await c.open(now);
      else c.line.refuse(new SignallingError('chosen'));
      break;
    case 'key': // it overtook the confirmation
      if (c.state === STATE.answering && c.early.length < MAX_EARLY) c.early.push(s);
      break;
    default:
  }
}

/** Notes a call of somebody who may not ring. Nothing at all goes out. @param {Line} line
 * @param {OpenedOffer} o @param {number} now */
function stranger(line, { caller: { identity: person, fingerprint, name } }, now) {
  const s = line.strangers;
  if (s.told !== 0 && now - s.told < STRANGER_EVERY) {
    s.more++;
    return;
  }
  line.emit({ type: 'stranger', person, fingerprint, name, at: line.unix(now), more: s.more });
  line.strangers = { told: now, more: 0 };
}
