/**
 * The line of this tab: opened when calls are taken and no other tab takes them, or when somebody is called;
 * closed when nobody needs it.
 */

import { LineHold } from './line-hold.js';
import { connectUrl } from './address.js';
import { fileUrl } from './files.js';
import { Part } from './part.js';
import { startWorker } from './parts.js';
import { sendLeave } from '../call/leave.js';
import { LineEngine } from '../call/line-engine.js';
import { say } from '../words/say.js';

/** @typedef {import('./line.js').AnyLine} AnyLine */

const idleTime = 30_000; // ms that a line for our calls stays open after the last one
const closeTime = 2000; // ms that the relay may take to be told

/** Used up by a line. */
const worker = new Part(startWorker);

export class LineDesk {
  /** @type {AnyLine | null} */ line = null;
  #host;
  #options;
  #hold;
  #version = 0; // of the contacts, as the line knows them
  #state = ''; // of the line
  #available = false;
  #refused = false; // the relay did not take our record: the clock is off
  /** What hangs up for us. @type {import('../call/engine.js').StayMessage['leave'] | null} */ #leave = null;
  /** @type {Promise<AnyLine> | null} */ #opening = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #idle;

  /**
   * @param {import('./phone.js').PhoneHost} host
   * @param {{busy: () => boolean, received: (message: import('./line.js').LineMessage) => void,
   *   changed: () => void}} options
   */
  constructor(host, options) {
    this.#host = host;
    this.#options = options;
    this.#hold = new LineHold(() => void this.#follow(), () => !options.busy());
  }

  /** How the line is, in a word. */
  get word() {
    if (!this.#hold.held) return say('calls.line.elsewhere');
    if (this.#available) return say('calls.line.reachable');
    if (this.#refused) return say('calls.line.clock');
    return say(this.#state === 'ended' ? 'calls.line.ended' : 'calls.line.opening');
  }

  get #takes() {
    return this.#hold.held && this.#host.world.prefs.get('takeCalls') && !this.#refused;
  }

  async settingsChanged() {
    this.#refused = false;
    if (this.#host.world.prefs.get('takeCalls')) this.#hold.begin();
    else this.#hold.end();
    await this.#follow();
  }

  /** Opens the line or closes it, as is wanted by now. */
  async #follow() {
    this.#options.changed();
    if (this.#takes) await this.open().catch((error) => this.#host.bars.error(error));
    if (!this.line) return;
    const { prefs } = this.#host.world;
    this.line.setKeepMissed(prefs.get('keepMissed'));
    this.line.setTakesCalls(this.#takes);
    this.line.setDoNotDisturb(prefs.get('doNotDisturb'));
    if (!this.#takes) this.callEnded();
  }

  /** @returns {Promise<AnyLine>} the line, opened */
  open() {
    clearTimeout(this.#idle);
    this.#opening ??= this.#open().catch((error) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #open() {
    const { prefs, identity, line: fake } = this.#host.world;
    await (await identity()).ensure();
    const line = fake?.() ?? new LineEngine(await worker.load());
    worker.forget();
    line.listen((message) => this.#receive(message));
    this.line = line;
    line.open({
      script: fileUrl('line'), connectUrl, name: prefs.get('name'), prepared: this.#host.relay().prepared,
      takesCalls: this.#takes, doNotDisturb: prefs.get('doNotDisturb'), keepMissed: prefs.get('keepMissed'),
    });
    line.watched(!document.hidden);
    return line;
  }

  /** @param {import('./line.js').LineMessage} message */
  #receive(message) {
    if (message.type === 'line') {
      this.#state = message.state;
      this.#refused ||= message.error?.code === 'record'; // calls can be made all the same
      this.#available = message.available;
      if (message.state === 'ended') this.#gone();
      this.#options.changed();
    }
    if (message.type === 'stay') this.#leave = message.leave;
    if (message.type === 'failed') this.#gone();
    this.#options.received(message);
  }

  /** The line is over, or its Worker broke. */
  #gone() {
    const { line } = this;
    this.line = this.#opening = this.#leave = null;
    this.#available = false;
    line?.terminate();
  }

  /** There is one call less. */
  callEnded() {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (!this.#takes && !this.#options.busy()) this.close();
    }, idleTime);
  }

  /** The page goes away, and with it the Worker: the browser sends on what hangs up. */
  hide() {
    if (this.line && this.#leave) sendLeave(this.#leave);
    this.close();
  }

  /** Hangs up, and closes the line. */
  close() {
    const { line } = this;
    this.line = this.#opening = this.#leave = null;
    this.#available = false;
    line?.close();
    setTimeout(() => line?.terminate(), closeTime);
  }

  /** Others may be contacts than before. @param {number} version */
  contactsChanged(version) {
    if (version === this.#version) return;
    this.#version = version;
    this.line?.contactsChanged();
  }

  /** Somebody looks at the page, or not; or the network is back. */
  watched() {
    this.line?.watched(!document.hidden);
    if (this.#refused && !document.hidden) void this.settingsChanged(); // it may be set by now
  }
}
