/**
 * Whether what we send arrives, and whether anything comes: judged by the pings that nothing answers, as soon
 * as loss alone hardly explains that (docs/protocol.md, section 6). It is pure.
 *
 *     measuring ──some signs──> alive ──silence, hardly chance──> doubt ──and for longer──> lost
 *                                 ^                                |                         |
 *                                 +───────────── a sign ───────────+─────────────────────────+
 *
 * A sign is, on the way out, what says that packets arrive over there; on the way in, any packet.
 */

/** @typedef {'measuring' | 'alive' | 'faint' | 'doubt' | 'lost'} Verdict faint: pings get lost */

/**
 * What is known of the path.
 * @typedef {object} PathSigns
 * @property {number} rtt ms; 0: unknown
 * @property {number} spread of the round trip, ms
 * @property {number} loss share of round trips of which a packet was lost, lately; 0 to 1
 */

/** Signs that must have come before anything is said of a path. */
export const MEASURE_SIGNS = 3;
/** ms of silence before a path is called lost: a delay that grew must not be taken for that. */
export const LOST_AFTER = 850;

const FAINT = 3; // unanswered pings in a row that are no accident
const UNKNOWN_RTT = 500; // ms
const LATE = 50; // ms, and three times its spread, that an answer may take longer than a round trip
const DOUBT_CHANCE = 0.002; // that loss alone explains the silence, below which there is doubt
const LOST_CHANCE = 0.0001;
// Less than this is not believed of loss, of round trips.
const DOUBT_LOSS = 0.3;
const LOST_LOSS = 0.75;
const NEW_LOSS = 0.85; // of a path of which nothing is known
const MOST_LOSS = 0.95;
/** ms between two looks. */
export const LOOK_EVERY = 10;
const MAX_OPEN = 512;

/** Returns how long an answer to a ping may take, in ms. @param {PathSigns} path */
export function patience({ rtt, spread }) {
  return (rtt || UNKNOWN_RTT) + Math.max(LATE, 3 * spread);
}

/**
 * Returns how many pings in a row loss alone leaves unanswered with a chance, or more seldom.
 * @param {number} chance @param {number} loss share of round trips of which a packet was lost
 * @param {number} [least] that is believed of loss, which may have grown a moment ago
 */
export function unanswered(chance, loss, least = DOUBT_LOSS) {
  return Math.ceil(Math.log(chance) / Math.log(Math.max(Math.min(loss, MOST_LOSS), least)));
}

/**
 * Returns how many unanswered pings make one doubt, and how many make it certain, by what is known of loss.
 * @param {number} loss share of round trips of which a packet was lost
 */
export function enough(loss) {
  return { doubt: unanswered(DOUBT_CHANCE, loss), lost: unanswered(LOST_CHANCE, loss, LOST_LOSS) };
}

/** One direction. */
class Way {
  /** @type {Verdict} */ verdict = 'measuring';
  at = -Infinity; // when the last sign came
  #signs = 0;

  /** @param {number} now */
  sign(now) {
    this.at = now;
    this.#signs = Math.min(this.#signs + 1, MEASURE_SIGNS);
    if (this.#signs >= MEASURE_SIGNS) this.verdict = 'alive';
  }

  /** The path is another one, of which this moment is the first sign. @param {number} now */
  reset(now) {
    this.at = now;
    this.#signs = 0;
    this.verdict = 'measuring';
  }

  /** @param {number} now @param {number} silent pings that should have been answered @param {number} loss */
  judge(now, silent, loss) {
    const { doubt, lost } = enough(this.#signs < MEASURE_SIGNS ? Math.max(loss, NEW_LOSS) : loss);
    if (now - this.at > LOST_AFTER && silent >= lost) {
      this.verdict = 'lost';
    } else if (this.verdict !== 'lost' && silent >= doubt) {
      this.verdict = 'doubt';
    } else if (this.verdict === 'alive' && silent >= FAINT) {
      this.verdict = 'faint';
    }
  }
}

export class Signs {
  #up = new Way();
  #down = new Way();
  /** When pings were sent that nothing answered, the oldest first. @type {number[]} */ #open = [];
  // The last two looks. What came while this program stood still is handled after the first that follows.
  #look = { now: -Infinity, before: -Infinity };

  /** @returns {Verdict} whether what we send arrives */
  get up() {
    return this.#up.verdict;
  }

  /** @returns {Verdict} whether anything comes */
  get down() {
    return this.#down.verdict;
  }

  /** When it last was sure that what we send arrives. */
  get arrivedAt() {
    return this.#up.at;
  }

  /** The path is another one. @param {number} now */
  reset(now) {
    this.#up.reset(now);
    this.#down.reset(now);
    this.#open = [];
  }

  /** When the first of the pings was sent that nothing answered; null: all are answered. */
  get askedAt() {
    return this.#open[0] ?? null;
  }

  /** How many of them there are. */
  get asks() {
    return this.#open.length;
  }

  /**
   * Notes a sign that what we send arrives: what was sent until a time needs no answer any more.
   * @param {number} now @param {number} sent
   */
  arrived(now, sent) {
    this.#up.sign(now);
    this.#open = this.#open.filter((at) => at > sent);
  }

  /** What was asked so far needs no answer. */
  forget() {
    this.#open = [];
  }

  /** Notes that a packet came. @param {number} now */
  heard(now) {
    this.#down.sign(now);
  }

  /** Notes that a ping is sent. @param {number} now */
  asked(now) {
    if (this.#open.length < MAX_OPEN) this.#open.push(now);
  }

  /** Judges the silence so far. @param {number} now @param {PathSigns} path */
  judge(now, path) {
    if (now - this.#look.now >= LOOK_EVERY) this.#look = { now, before: this.#look.now };
    const due = this.#look.before - patience(path); // what was sent by then should have been answered
    const silent = this.#open.filter((at) => at <= due);
    this.#up.judge(now, silent.length, path.loss);
    this.#down.judge(now, silent.filter((at) => at > this.#down.at).length, path.loss);
  }
}
