/** The caller's side, from dial to the chosen answer. */

import { Call, STATE } from './call.js';
import { answerCall } from './called.js';
import { SignallingError } from './errors.js';
import { PATH, Path } from './path.js';
import { sealOffer } from '../e2ee/offer.js';
import { Secret } from '../e2ee/secret.js';
import { fingerprintOf } from '../identity/identity.js';
import { soonest } from '../link/clock.js';
import { equal } from '../wire/bytes.js';
import { CODE } from '../wire/call.js';
import { CALL_NONCE_SIZE, callIdOf, callRoom } from '../wire/call-id.js';
import { PATH_SEED_SIZE } from '../wire/call-path.js';
import { parseCall } from '../wire/entry.js';
import { deviceOf, isAway, isFresh, parseReach } from '../wire/reach.js';
import { FOUND, MAX_DEVICES, appendRouteWanted } from '../wire/route.js';
import { ROUTE_WANTED } from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./line.js').Line} Line */
/** @typedef {import('../wire/signal.js').Signal} Signal */

// All in ms.
const ROUTE_WAIT = 3000; // for a relay's answer
const ROUTE_PAUSE = 1200;
const ROUTE_TRIES = 3;
const OFFER_TIME = 15_000; // in which a path to a device has to stand
/** From then on: nobody answers. */
export const RING_TIME = 30_000;
const DIALS_PER = 60_000; // we call at most MAX_DIALS times in this time
const MAX_DIALS = 10;
const MAX_CALLS = 8; // that are not over

/**
 * Calls somebody, on all devices. Whatever else there is has to be held.
 * @param {Line} line @param {{fingerprint: string, key?: Bytes | null}} who key: if it is known
 * @param {number} now @returns {Promise<number>} the call; rejects with a SignallingError
 */
export async function dial(line, { fingerprint, key = null }, now) {
  if (key && (await fingerprintOf(key)) !== fingerprint) throw new SignallingError('who');
  if (fingerprint === line.config.identity.fingerprint) throw new SignallingError('self');
  if (line.calls.length >= MAX_CALLS) throw new SignallingError('talking');
  for (const c of [...line.calls]) {
    if (c.state === STATE.alerting && c.target === fingerprint) {
      await answerCall(line, c.id, now);
      return c.id;
    }
    if (c.state === STATE.yielding) continue;
    if (c.target === fingerprint && c.parting === 0) throw new SignallingError('already');
    const rests = c.state === STATE.open && (c.talk.byUs || c.parting !== 0);
    if (!rests) throw new SignallingError('talking');
  }
  line.dials = line.dials.filter((at) => now - at < DIALS_PER);
  if (line.dials.length >= MAX_DIALS) throw new SignallingError('rate');
  line.dials.push(now);
  const c = new Call(line, true, now);
  c.target = fingerprint;
  c.other = key;
  c.secret = await Secret.generate();
  c.nonce = crypto.getRandomValues(new Uint8Array(CALL_NONCE_SIZE));
  c.enter(STATE.resolving, now);
  askRoute(c, now);
  return c.id;
}

/** Asks our relay where the other can be reached. @param {Call} c @param {number} now */
export function askRoute(c, now) {
  c.asking.tries++;
  c.asking.due = now + ROUTE_WAIT;
  c.line.send(ROUTE_WANTED, appendRouteWanted(c.target));
}

/**
 * Takes one device of the other's, or that there is none.
 * @param {Call} c @param {import('../wire/route.js').Route} m @param {number} now
 */
export async function routeCame(c, m, now) {
  const { asking } = c;
  if (m.found !== FOUND.device || !m.record) {
    if (asking.found || c.state !== STATE.resolving) return;
    const most = m.found === FOUND.unsure ? ROUTE_TRIES : ROUTE_TRIES - 1;
    if (asking.tries < most) asking.due = now + ROUTE_PAUSE;
    else await nobody(c, m, now);
    return;
  }
  const reach = await readRecord(c, m.record, now, isFresh);
  if (reach) await ring(c, reach, now);
}

/**
 * Takes it that the other is not there. If their home keeps offers while they are away, it gets one.
 * @param {Call} c @param {import('../wire/route.js').Route} m @param {number} now
 */
async function nobody(c, m, now) {
  const away = m.found === FOUND.away && m.record;
  const reach = away ? await readRecord(c, away, now, isAway) : null;
  if (reach) await ring(c, reach, now, true);
  if (c.paths.length === 0) await c.end('not_there', null, now);
}

/**
 * A reach record of the other's that is good; null: it is not.
 * @param {Call} c @param {Bytes} record @param {number} now @param {typeof isFresh} isGood
 */
async function readRecord(c, record, now, isGood) {
  const { line } = c;
  let reach;
  try {
    reach = await parseReach(record);
  } catch (error) {
    line.refuse(error);
    return null;
  }
  const theirs = (await fingerprintOf(reach.identity)) === c.target
    && (c.other === null || equal(c.other, reach.identity));
  if (theirs && isGood(reach, line.unix(now))) return reach;
  line.refuse(new SignallingError('record'));
  return null;
}

/**
 * Offers the call to one device.
 * @param {Call} c @param {import('../wire/reach.js').Reach} r @param {number} now
 * @param {boolean} [away] it is not there, as far as is known
 */
async function ring(c, r, now, away = false) {
  const { line } = c;
  const device = await deviceOf(r.stayKey);
  if (c.paths.some((p) => p.device === device)) return; // a newer record says nothing that a forward needs
  if (c.paths.length >= MAX_DEVICES) return;
  if (c.entry === null) {
    c.other = r.identity;
    c.callId = await callIdOf(line.config.identity.publicKey, c.other, c.nonce);
    await c.makeEntry();
  }
  const seed = crypto.getRandomValues(new Uint8Array(PATH_SEED_SIZE));
  const secret = /** @type {Secret} */ (c.secret);
  const { entry } = /** @type {import('../wire/entry.js').BuiltEntry} */ (c.entry);
  let made;
  try {
    made = await sealOffer(r.stayKey, { nonce: c.nonce, seed, secret, entry }, line.unix(now));
  } catch (error) {
    line.refuse(error); // a key of low order
    return;
  } finally {
    seed.fill(0);
  }
  c.asking.found = true;
  c.asking.due = 0;
  if (c.state === STATE.resolving) c.enter(STATE.offering, now);
  const p = new Path(c, made.path, made.channel);
  p.device = device;
  p.away = away;
  p.offer = made.sealed;
  c.paths.push(p);
  await p.forward(now);
}

/** Does what is due before the call is up. @param {Call} c @param {number} now @returns {Promise<number>} */
export async function tickCaller(c, now) {
  const { asking } = c;
  if (asking.due !== 0 && now >= asking.due) {
    if (asking.tries >= ROUTE_TRIES) {
      await c.end('unreachable', null, now);
      return 0;
    }
    askRoute(c, now);
  }
  let next = asking.due;
  for (const p of c.paths) next = soonest(next, await p.tickOffer(now));
  if (c.state > STATE.ringing) return 0;
  const ends = endsAt(c);
  if (ends === 0 || now < ends) return soonest(next, ends);
  const unreached = c.paths.every(({ away }) => away) ? 'not_there' : 'unreachable';
  await c.end(asking.reached === 0 ? unreached : 'no_answer', { type: 'cancel' }, now);
  return 0;
}

/**
 * When the caller gives up: some time after a device was reached. A caller whose offer is taken for a
 * stranger's, or at a bad time, sees the same as one whom nobody answers.
 * @param {Call} c
 */
function endsAt({ state, since, asking }) {
  if (state === STATE.resolving) return 0;
  return asking.reached === 0 ? since + OFFER_TIME : asking.reached + RING_TIME;
}

/** Notes that a path to a device stands. @param {Call} c @param {Path} p @param {number} now */
export async function pathReady(c, p, now) {
  if (c.asking.reached === 0) c.asking.reached = now;
  if (c.state === STATE.open && p === c.chosen) {
    await c.sayState(now); // by the way that is there now
    c.line.again ||= c.line.media === p; // our relay may not have known it before
    await c.line.direct(now);
  } else if (p.stands > 1) {
    await p.sayAlive(now);
  }
}

/** Ends the call when no device is left that could answer. @param {Call} c @param {number} now */
export async function deviceLost(c, now) {
  if (c.state > STATE.ringing) return;
  /** @type {import('./effects.js').Outcome} */ let outcome = 'unreachable';
  let [busy, kept] = [false, false];
  for (const p of c.paths) {
    if (p.state === PATH.closing || p.state === PATH.gone) busy = true;
    else if (p.state !== PATH.dead) return;
    else if (p.code === CODE.kept) kept = true;
    else if (p.away) outcome = 'not_there';
    else if (p.code === CODE.tooMany) outcome = 'too_many';
    else if (p.code === CODE.stale) outcome = 'wrong_clock';
  }
  await c.end(busy ? 'busy' : kept ? 'away' : outcome, null, now);
}

/**
 * Takes what one device of the other's says before the call is up, and what the others say then.
 * @param {Call} c @param {Path} p @param {Signal} s @param {number} now
 */
export async function callerSignal(c, p, s, now) {
  if (c.asking.reached === 0) c.asking.reached = now;
  switch (s.type) {
    case 'ringing':
      if (c.state !== STATE.offering) return;
      c.enter(STATE.ringing, now);
      c.line.emit({ type: 'rings', call: c.id });
      break;
    case 'answer':
      await answered(c, p, s.entry, now);
      break;
    case 'decline': case 'hang up': // the second one has answered, and thought better of it
      await p.close(null, now);
      await c.end('declined', { type: 'cancel' }, now);
      break;
    case 'busy':
      await p.close(null, now);
      await deviceLost(c, now);
      break;
    default:
  }
}

/**
 * Chooses the first answer that is one, and tells all devices.
 * @param {Call} c @param {Path} p @param {Bytes} entry @param {number} now
 */
async function answered(c, p, entry, now) {
  const theirs = entry.slice();
  let member;
  try {
    member = await checkAnswer(c, theirs);
  } catch (error) {
    c.line.refuse(error);
    return;
  }
  Object.assign(c, { theirs, member, chosen: p });
  p.offer = null;
  await confirm(c, now);
  for (const other of c.paths) {
    if (other !== p) await other.close({ type: 'elsewhere' }, now);
  }
  await c.open(now);
}

/** Says which answer was chosen: the called sends nothing before. @param {Call} c @param {number} now */
export async function confirm(c, now) {
  if (c.member) await c.way.say({ type: 'confirm', chosen: c.member.hash }, now);
}

/** The entry in an answer, if it is the called's, of this call. @param {Call} c @param {Bytes} entry */
async function checkAnswer(c, entry) {
  const e = await parseCall(entry);
  const secret = /** @type {Secret} */ (c.secret);
  const theirs = c.other !== null && equal(e.identity, c.other);
  const fits = theirs && e.room === callRoom(c.callId) && !e.replaces;
  if (!fits || !(await secret.check(e.room, e.proved, e.proof))) throw new SignallingError('answer');
  return e;
}
