/**
 * Whether a session lives: the circuit breaker, the pings while there is doubt, and when silence has lasted
 * too long (docs/protocol.md, section 6). It is pure.
 *
 *     expect ──(1.5 s)──> doubt: pings ──(5 s)──> stopped: no media
 *        ^                   |                       |
 *        +──── progress <────+───────────────────────+     a report with more packets, a pong, an urgent ack
 */

import { BREAK_AFTER, DOUBT_AFTER, Pinger, SILENT_AFTER } from './pinger.js';

const HURRY_AFTER = 1000; // ms, and four round trips, of silence that are enough after hurry()

/**
 * What a look needs to know of a session.
 * @typedef {object} Signs
 * @property {number} sent packets, ever
 * @property {number} rtt ms
 * @property {number} heardAt when something came last
 */

export class Liveness {
  /** The circuit breaker is open: no media. */
  stopped = false;

  #pinger = new Pinger();
  /** Since when sent packets have shown no sign of arriving. @type {number | null} */ #waiting = null;
  /** When hurry was called last, until something is heard. @type {number | null} */ #hurried = null;

  /** Notes that something is sent that the relay will report. @param {number} now */
  expect(now) {
    this.#waiting ??= now;
  }

  /** Notes that what is sent arrives. */
  progress() {
    this.#waiting = null;
    this.stopped = false;
  }

  /** Notes that something came. */
  heard() {
    this.#hurried = null;
  }

  /** Notes a pong. */
  answered() {
    this.#pinger.answered();
    this.progress();
  }

  /** Notes that a ping is sent whose answer matters. @param {number} now */
  ask(now) {
    this.#pinger.ask(now);
  }

  /** Makes silence noticed sooner, since the network may be another one. @param {number} now */
  hurry(now) {
    this.#hurried = now;
  }

  /**
   * Tells what is to be done now.
   * @param {number} now @param {Signs} signs
   * @returns {{ping: boolean, silent: boolean}} silent: nothing is heard though it was asked
   */
  check(now, { sent, rtt, heardAt }) {
    const unsure = this.#waiting === null ? 0 : now - this.#waiting;
    if (unsure > BREAK_AFTER) this.stopped = true;
    const doubt = unsure > DOUBT_AFTER + rtt;
    const ping = this.#pinger.due(now, sent, doubt, doubt && unsure <= BREAK_AFTER);
    const hurried = this.#hurried !== null && now - this.#hurried > HURRY_AFTER + 4 * rtt;
    return { ping, silent: this.#pinger.asked !== null && (hurried || now - heardAt > SILENT_AFTER) };
  }

  /** Whether a ping is not answered. */
  get asking() {
    return this.#pinger.asked !== null;
  }

  /** Returns when there will be doubt if nothing shows that what was sent arrives. @param {number} rtt */
  doubtAt(rtt) {
    return this.#waiting === null ? Infinity : this.#waiting + DOUBT_AFTER + rtt;
  }
}
