/**
 * The two questions of the connection line, answered apart: am I heard, and do I hear them? Pure: times are
 * handed in.
 *
 *     quality of the link ──> PathLevel (hysteresis) ──.
 *     people, microphone, sound, mode, connection ─────+──> heardOf, hearOf ──> a code: its text, its colour
 *
 * What gets through is the link's verdict (link/session-signs.js), and shows at once. How much of it gets
 * lost may become worse at once, too, but better only after a while, so that the words do not flicker.
 */

import { say } from '../words/say.js';

/** @typedef {import('./room-model.js').RoomModel} RoomModel */
/** @typedef {import('../call/engine.js').QualityMessage} Quality */
/** @typedef {import('../call/engine.js').Verdict} Verdict */
/** @typedef {'good' | 'weak' | 'bad' | 'off'} Grade the colour of the dot */

/**
 * How a path is: nothing is known yet; nothing gets through, or that is likely; much of it gets lost, some,
 * or it takes long; all is well.
 * @typedef {'measuring' | 'lost' | 'doubt' | 'bad' | 'gaps' | 'late' | 'well'} Level
 */

/**
 * Whether we are heard. `ready`: in radio mode, well when the button is held. The others say why not, or not
 * well, beside the path: the relay drops part of it; there is nobody, or only people without our key; we lack
 * the key; the microphone is muted, asked for, absent, or gives no sound; there is no connection; we hold the
 * call, or they do.
 *
 * @typedef {Level | 'ready' | 'dropped' | 'alone' | 'outside' | 'noKey' | 'muted' | 'asking' | 'noMic' |
 *   'noSound' | 'joining' | 'away' | 'offline' | 'held' | 'theyHold'} Heard
 */
/**
 * Whether we hear them; as Heard.
 * @typedef {Level | 'alone' | 'outside' | 'noKey' | 'noSound' | 'joining' | 'away' | 'offline' | 'held' |
 *   'theyHold'} Hear
 */

// Shares of packets lost: from which it is so, and below which it is not any more.
const GAPS = Object.freeze({ from: 0.04, until: 0.02 });
const BAD = Object.freeze({ from: 0.45, until: 0.35 });
const LATE = Object.freeze({ from: 800, until: 600 }); // ms of the round trip: people talk into each other
const SURE = 30; // packets: a share that was measured of fewer is not believed to the full
const BETTER_AFTER = 2000; // ms that it must have been better

const worse = /** @type {const} */ (['well', 'late', 'gaps', 'bad']); // the best first

/** How one direction is. */
export class PathLevel {
  /** @type {Level} */ level = 'measuring';
  /** @type {typeof worse[number]} by loss and delay alone */ #measured = 'well';
  /** Since when it has been better than that. @type {number | null} */ #better = null;

  /** Nothing is known any more. */
  reset() {
    this.level = 'measuring';
    this.#measured = 'well';
    this.#better = null;
  }

  /**
   * Takes what is known of the path now.
   * @param {Verdict} verdict @param {number} share of packets lost @param {number} measured of so many
   * @param {number} rtt ms @param {number} now ms, monotonic
   */
  update(verdict, share, measured, rtt, now) {
    if (verdict === 'measuring') {
      // Else it moved from a path that was well.
      if (this.level !== 'well' && this.level !== 'late') this.reset();
      return;
    }
    if (verdict === 'doubt' || verdict === 'lost') {
      this.level = verdict;
      this.#measured = 'gaps'; // if it lives again, there was one
      this.#better = null;
      return;
    }
    const loss = share * Math.min(1, measured / SURE);
    this.#measure(this.#of(verdict === 'faint' ? Math.max(loss, GAPS.from) : loss, rtt), now);
    this.level = this.#measured;
  }

  /** @param {number} loss @param {number} rtt */
  #of(loss, rtt) {
    const is = worse.indexOf(this.#measured);
    /** @param {typeof worse[number]} level @param {{from: number, until: number}} limit */
    const bound = (level, { from, until }) => (is >= worse.indexOf(level) ? until : from);
    if (loss >= bound('bad', BAD)) return 'bad';
    if (loss >= bound('gaps', GAPS)) return 'gaps';
    return rtt >= bound('late', LATE) ? 'late' : 'well';
  }

  /** @param {typeof worse[number]} next @param {number} now */
  #measure(next, now) {
    if (worse.indexOf(next) >= worse.indexOf(this.#measured)) {
      this.#measured = next;
      this.#better = null;
      return;
    }
    this.#better ??= now;
    if (now - this.#better < BETTER_AFTER) return;
    this.#measured = next;
    this.#better = null;
  }
}

/** What both answers begin with: is there a connection, and is it used? @param {RoomModel} model */
function apart({ state, offline, onHold }) {
  if (state === 'joining') return 'joining';
  if (state !== 'joined') return offline ? 'offline' : 'away';
  if (onHold === '') return null;
  return onHold === 'us' ? 'held' : 'theyHold';
}

/** Who could hear us, or be heard, on a path that works. @param {RoomModel} model */
function company(model) {
  if (model.members.size === 0) return 'measuring'; // it is not known yet who is here
  if (model.others() > 0) return null;
  return model.members.size > 1 ? 'outside' : 'alone';
}

/** @param {RoomModel} model @returns {Heard} */
export function heardOf(model) {
  const { mode, muted, held, up } = model;
  const here = apart(model) ?? (model.lacksKey ? 'noKey' : ownSide(model));
  if (here) return here;
  if (mode === 'open' && muted) return 'muted';
  if (up === 'lost' || up === 'doubt') return up;
  const nobody = company(model);
  if (nobody) return nobody;
  if (model.quality?.dropped && up !== 'measuring') return 'dropped';
  return up === 'well' && mode === 'radio' && !held ? 'ready' : up;
}

/** What is missing at our own side. @param {RoomModel} model */
function ownSide({ mic, sound }) {
  if (mic === 'asking') return 'asking';
  if (mic !== 'on') return 'noMic';
  return sound.capturing ? null : 'noSound';
}

/** @param {RoomModel} model @returns {Hear} */
export function hearOf(model) {
  const { down, sound } = model;
  const here = apart(model) ?? (model.lacksKey ? 'noKey' : null);
  if (here) return here;
  if (!sound.playing) return 'noSound';
  if (down === 'lost' || down === 'doubt') return down;
  return company(model) ?? down;
}

/** @type {ReadonlySet<Heard>} */
const audible = new Set(/** @type {const} */ (['well', 'late', 'gaps', 'bad', 'dropped', 'ready']));

/** Whether somebody hears what is sent. @param {Heard} heard */
export const isAudible = (heard) => audible.has(heard);

/**
 * Whether what the microphone takes up leaves this device, whoever is there to hear it.
 * @param {RoomModel} model
 */
export function canSend(model) {
  const heard = heardOf(model);
  return isAudible(heard) || ['alone', 'outside', 'measuring', 'doubt'].includes(heard);
}

/** @type {Readonly<Record<Heard, Grade>>} */
const grades = Object.freeze({
  well: 'good', ready: 'good', late: 'weak', gaps: 'weak', dropped: 'weak', doubt: 'weak', bad: 'bad',
  lost: 'bad',
  noKey: 'bad', noSound: 'bad', noMic: 'off', asking: 'off', muted: 'off', alone: 'off', outside: 'off',
  measuring: 'off', joining: 'off', away: 'off', offline: 'off', held: 'off', theyHold: 'off',
});

/** The colour of an answer. @param {Heard | Hear} code */
export const gradeOf = (code) => grades[code];

/** Codes that answer both questions with one phrase. @type {ReadonlySet<Heard>} */
const both = new Set(/** @type {const} */ ([
  'joining', 'away', 'offline', 'noKey', 'alone', 'outside', 'measuring', 'held', 'theyHold',
]));

/** @param {Heard} code */
export const heardText = (code) => say(`heard.${code}`);

/** @param {Hear} code */
export const hearText = (code) => say(`hear.${code}`);

/** Whether one phrase says it all. @param {Heard} heard @param {Hear} hear */
export const isOne = (heard, hear) => heard === hear && both.has(heard);
