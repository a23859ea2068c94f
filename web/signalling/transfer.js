/**
 * A transfer has three people: who transfers, whom, and to whom. The third agrees first, signed, to who
 * transfers; the transferred sees that signature, and has to agree, too. Then it calls the third, who takes
 * that call without a ring, and the first hangs up both.
 *
 *     transferring                  third                     transferred
 *          ├── consent wanted ────────>│ its user: yes              |
 *          |<─────────────── consent ──┤                            |
 *          ├── transfer, with the consent ─────────────────────────>│ its user: yes
 *          |<──────────────────────────────────────── transfer ack ─┤
 *          ├── hang up ───────────────>│<────────── offer ──────────┤
 *          ├── hang up ────────────────────────────────────────────>|
 */

import { STATE } from './call.js';
import { answer, inTime } from './called.js';
import { dial } from './caller.js';
import { SignallingError } from './errors.js';
import { expiry } from './path.js';
import { HANG_UP_TRANSFERRED } from './up.js';
import { fingerprintOf } from '../identity/identity.js';
import { soonest } from '../link/clock.js';
import { equal } from '../wire/bytes.js';
import { MAX_CONSENT, signConsent, verifyConsent } from '../wire/signal.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./line.js').Line} Line */
/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('../wire/signal.js').Signal} Signal */

// All in ms.
const TRANSFER_TIME = 1000 * MAX_CONSENT;
const TRANSFER_EVERY = 3000; // something is said again
const PART_TIME = 5000; // transferred: how long the first may take to hang up
const MAX_CONSENTS = 8;
/** How long a question of the other's waits for our user, which is longer than the other asks it. */
const QUESTION_TIME = TRANSFER_TIME + 10_000;
const QUESTION_EVERY = 10_000; // how soon it may have another one
const NO_CALL = new Uint8Array(0);

/**
 * One that we gave; via: the call with who asked.
 * @typedef {{person: Bytes, until: number, via: Call}} GivenConsent
 */
/**
 * What the other asked us last, and our answer: whether somebody may call us (call: theirs with the other),
 * or whether we go on with them. There is one at a time, so that an answer is to what the user sees.
 * @typedef {{type: 'consent wanted' | 'transfer', person: Bytes, call: Bytes, at: number,
 *   answer: Signal | null}} Question
 */
/**
 * One that we want; consent: of the other of to, when it has agreed.
 * @typedef {{from: Call, to: Call, until: number, repeat: number,
 *   consent: import('../wire/signal.js').Consent | null}} Transfer
 */

/**
 * Asks the other of call to whether it goes on with the other of call from, and then that one. The effect
 * transferOver says what became of it.
 * @param {Line} line @param {number} from @param {number} to @param {number} now
 */
export async function transfer(line, from, to, now) {
  const a = line.with(from, STATE.open);
  const b = line.with(to, STATE.open);
  if (a === b || line.transfer) throw new SignallingError('state');
  line.transfer = { from: a, to: b, until: now + TRANSFER_TIME, repeat: 0, consent: null };
  await sayTransfer(line, now);
}

/** Says whatever the transfer waits for an answer to. @param {Line} line @param {number} now */
async function sayTransfer(line, now) {
  const t = /** @type {Transfer} */ (line.transfer);
  t.repeat = now + TRANSFER_EVERY;
  if (t.consent === null) {
    const person = /** @type {Bytes} */ (t.from.other);
    await t.to.way.say({ type: 'consent wanted', person, call: t.from.callId }, now);
    return;
  }
  const person = /** @type {Bytes} */ (t.to.other);
  await t.from.way.say({ type: 'transfer', person, consent: t.consent }, now);
}

/** @param {Line} line @param {number} now @returns {Promise<number>} */
export async function tickTransfer(line, now) {
  const t = line.transfer;
  if (!t) return 0;
  if (now >= t.until) {
    endTransfer(line, false);
    return 0;
  }
  if (now >= t.repeat) await sayTransfer(line, now);
  return soonest(t.until, t.repeat);
}

/** @param {Line} line @param {boolean} done */
export function endTransfer(line, done) {
  const { from, to } = /** @type {Transfer} */ (line.transfer);
  line.transfer = null;
  line.emit({ type: 'transferOver', from: from.id, to: to.id, done });
}

/** Takes what the other says of a transfer. @param {Call} c @param {Signal} s @param {number} now */
export async function transferSignal(c, s, now) {
  const { line } = c;
  const t = line.transfer;
  switch (s.type) {
    case 'consent wanted':
      await consentWanted(c, s, now);
      break;
    case 'transfer':
      await transferWanted(c, s, now);
      break;
    case 'consent':
      if (t && t.to === c && t.consent === null) await consented(line, t, s, now);
      break;
    case 'transfer ack':
      if (t && t.from === c && t.consent !== null) await transferAcked(line, t, s.accepted, now);
      break;
    default:
  }
}

/**
 * Notes a question of the other's. Asked again of the same, the answer holds.
 * @param {Call} c @param {Question['type']} type @param {Bytes} person @param {Bytes} call
 * @param {number} now @returns {Promise<Bytes | null>} of whom our user is to be asked; null: it is not
 */
async function asks(c, type, person, call, now) {
  const q = c.question;
  if (q && now - q.at < QUESTION_TIME) {
    if (q.type === type && equal(q.person, person) && equal(q.call, call)) {
      if (q.answer) await c.way.say(q.answer, now);
      return null;
    }
    if (!q.answer || now - q.at < QUESTION_EVERY) {
      c.line.refuse(new SignallingError('asked'));
      return null;
    }
  }
  c.question = { type, person: person.slice(), call: call.slice(), at: now, answer: null };
  return c.question.person;
}

/**
 * The call whose other end has asked that of somebody, and its question, which waits for the answer.
 * @param {Line} line @param {number} id @param {Question['type']} type @param {Bytes} person
 * @param {number} now @returns {[Call, Question]}
 */
function asked(line, id, type, person, now) {
  const c = line.with(id, STATE.open);
  const q = c.question;
  if (!q || q.answer || now - q.at >= QUESTION_TIME || q.type !== type || !equal(q.person, person)) {
    throw new SignallingError('state');
  }
  return [c, q];
}

/**
 * Notes that the other asks us to take a call of somebody.
 * @param {Call} c @param {Extract<Signal, {type: 'consent wanted'}>} s @param {number} now
 */
async function consentWanted(c, { type, person: key, call }, now) {
  if (isOfTheCall(c, key)) return c.line.refuse(new SignallingError('consent'));
  const person = await asks(c, type, key, call, now);
  if (person) c.line.emit({ type: 'consentAsked', call: c.id, person });
}

/** Whether somebody is one of the two of a call. @param {Call} c @param {Bytes} person */
function isOfTheCall(c, person) {
  return equal(person, c.line.config.identity.publicKey) || equal(person, /** @type {Bytes} */ (c.other));
}

/**
 * Answers consentAsked, of that person. If it is a yes, a call of theirs within a minute is answered without
 * a ring.
 * @param {Line} line @param {number} id @param {Bytes} person @param {boolean} yes @param {number} now
 */
export async function consent(line, id, person, yes, now) {
  const [c, q] = asked(line, id, 'consent wanted', person, now);
  /** @type {Extract<Signal, {type: 'consent'}>} */
  const answer = { type: 'consent', accepted: yes, consent: null };
  q.answer = answer;
  if (yes) {
    const until = expiry(line.unix(now), TRANSFER_TIME);
    const asker = /** @type {Bytes} */ (c.other);
    answer.consent = await signConsent(line.config.identity, until, asker, q.person, q.call);
    line.consents.push({ person: q.person, until: now + TRANSFER_TIME, via: c });
    if (line.consents.length > MAX_CONSENTS) line.consents.shift();
  }
  await c.way.say(answer, now);
}

/**
 * Whether we consented to a call of somebody, which is good for one call, and by which call.
 * @param {Line} line @param {Bytes} person @param {number} now @returns {GivenConsent | null}
 */
export function agreedTo(line, person, now) {
  line.consents = line.consents.filter((given) => now < given.until);
  return line.consents.find((given) => equal(given.person, person)) ?? null;
}

/** Has consents that we gave to who asked by this call be good no longer. @param {Call} via */
export function withdraw(via) {
  const { line } = via;
  line.consents = line.consents.filter((given) => given.via !== via);
}

/**
 * Answers the call of somebody who was transferred to us.
 * @param {Call} c @param {Call} via @param {number} now
 */
export async function transferred(c, via, now) {
  const { line } = c;
  const other = /** @type {Bytes} */ (c.other);
  line.consents = line.consents.filter((given) => !equal(given.person, other));
  await via.end('transferred', HANG_UP_TRANSFERRED, now);
  c.enter(STATE.alerting, now);
  line.emit({ type: 'incoming', call: c.id, person: other, fingerprint: c.target, name: c.name });
  await answer(c, now);
}

/**
 * Takes the third's answer.
 * @param {Line} line @param {Transfer} t @param {Extract<Signal, {type: 'consent'}>} s @param {number} now
 */
async function consented(line, t, { accepted, consent: given }, now) {
  if (!accepted || !given) return endTransfer(line, false);
  const [third, person] = /** @type {Bytes[]} */ ([t.to.other, t.from.other]);
  const self = line.config.identity.publicKey;
  const good = inTime(given.expiry, line.unix(now), MAX_CONSENT)
    && (await verifyConsent(given, third, self, person, t.from.callId));
  if (!good) {
    line.refuse(new SignallingError('consent'));
    return endTransfer(line, false);
  }
  t.consent = { expiry: given.expiry, signature: given.signature.slice() };
  return sayTransfer(line, now);
}

/**
 * Notes that the other wants us to call somebody, if that one has agreed to it.
 * @param {Call} c @param {Extract<Signal, {type: 'transfer'}>} s @param {number} now
 */
async function transferWanted(c, { type, person: key, consent: given }, now) {
  const { line } = c;
  const person = key.slice();
  const self = line.config.identity.publicKey;
  const good = !isOfTheCall(c, person) && inTime(given.expiry, line.unix(now), MAX_CONSENT)
    && (await verifyConsent(given, person, /** @type {Bytes} */ (c.other), self, c.callId));
  if (!good) {
    line.refuse(new SignallingError('consent'));
    await c.way.say({ type: 'transfer ack', accepted: false }, now);
  } else if (await asks(c, type, person, NO_CALL, now)) {
    line.emit({ type: 'transferAsked', call: c.id, person });
  }
}

/**
 * Answers transferAsked, of that person.
 * @param {Line} line @param {number} id @param {Bytes} person @param {boolean} yes @param {number} now
 * @returns {Promise<number>} our call to them; 0 if it is a no
 */
export async function acceptTransfer(line, id, person, yes, now) {
  const [c, q] = asked(line, id, 'transfer', person, now);
  let to = 0;
  let wrong = null;
  if (yes) {
    c.parting = now + PART_TIME;
    try {
      to = await dial(line, { fingerprint: await fingerprintOf(q.person), key: q.person }, now);
    } catch (error) {
      c.parting = 0;
      wrong = error;
    }
  }
  q.answer = { type: 'transfer ack', accepted: to !== 0 };
  await c.way.say(q.answer, now);
  await line.direct(now);
  if (wrong) throw wrong;
  return to;
}

/**
 * Takes the answer of who is transferred.
 * @param {Line} line @param {Transfer} t @param {boolean} yes @param {number} now
 */
async function transferAcked(line, t, yes, now) {
  endTransfer(line, yes);
  if (!yes) return;
  await t.from.end('transferred', HANG_UP_TRANSFERRED, now);
  await t.to.end('transferred', HANG_UP_TRANSFERRED, now);
}
