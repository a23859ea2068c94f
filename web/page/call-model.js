/**
 * What the page knows of one direct call, beside what its room model knows: in which phase it is, who it is,
 * who holds it, what was asked. Pure.
 *
 *     LineCall's messages ──> CallModel.apply ──> screens and bars of the call
 */

/** @typedef {import('./line.js').CallEvent} CallEvent */

export class CallModel {
  /** @type {import('./line.js').Phase} */ phase;
  /** @type {import('./line.js').Reason | ''} what it came to, '' until it is over */ reason = '';
  /** @type {import('./line.js').CallError | null} */ error = null;
  /** @type {import('./line.js').Person} */ person;
  us = false; // we hold it
  them = false; // they do
  lost = false; // the way to them
  /** Whether it ever came to talking. */ talked = false;
  /** @type {'' | 'asking' | 'refused' | 'done'} how handing somebody over goes */ transfer = '';
  /** @type {{kind: 'consent' | 'transfer', fingerprint: string, key: string} | null} */ question = null;

  /** @param {import('./line.js').Person} person @param {boolean} outgoing */
  constructor(person, outgoing) {
    this.person = person;
    this.phase = outgoing ? 'calling' : 'answering';
  }

  /**
   * Takes a message of the call. Unknown ones change nothing.
   * @param {CallEvent} message @returns {boolean} whether something changed
   */
  apply(message) {
    switch (message.type) {
      case 'call':
        return this.#setPhase(message);
      case 'person': {
        const { fingerprint, key, name } = message;
        this.person = { fingerprint, key: key || this.person.key, name: name || this.person.name };
        return true;
      }
      case 'held':
        this.us = message.us;
        this.them = message.them;
        return true;
      case 'path':
        this.lost = message.state === 'lost';
        return true;
      case 'consent_wanted':
      case 'transfer_asked': {
        const { type, fingerprint, key } = message;
        this.question = { kind: type === 'consent_wanted' ? 'consent' : 'transfer', fingerprint, key };
        return true;
      }
      case 'transfer':
        this.transfer = message.state;
        return true;
      default:
        return false;
    }
  }

  /** @param {import('./line.js').PhaseEvent} message */
  #setPhase(message) {
    if (this.phase === 'ended') return false; // what comes late says nothing new
    this.phase = message.phase;
    if (message.phase === 'talking') this.talked = true;
    if (message.phase !== 'ended') return true;
    this.reason = message.reason;
    this.error = message.error ?? null;
    this.question = null;
    return true;
  }

  /** The user answered what was asked. */
  answered() {
    this.question = null;
  }

  /**
   * Nobody waits for the answer any more. @param {CallModel['question']} question
   * @returns {boolean} whether it was still asked
   */
  lapsed(question) {
    const asked = question !== null && this.question === question;
    if (asked) this.question = null;
    return asked;
  }

  /** Who holds it, for the room model. @returns {'' | 'us' | 'them'} */
  get onHold() {
    return this.us ? 'us' : this.them ? 'them' : '';
  }
}
