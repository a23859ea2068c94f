/**
 * The telephone of the page, as far as every page has it: whether calls are taken here, places for what calls
 * show, and the way to the switchboard, which is loaded only when calls are taken or somebody is called.
 *
 *     settings, Call buttons ──> Phone ── parts.calls ──> Switchboard ──> LineEngine (Worker)
 *     App, RoomView <── strips, news ──┘
 */

import { personName } from './address.js';
import { h } from './dom.js';
import { say } from '../words/say.js';

/** @typedef {import('./switchboard.js').Switchboard} Switchboard */

/** Who is to be called. `name`: what they are called here; `key`: hexadecimal, if it is known. */
/** @typedef {{fingerprint: string, name: string, key?: string}} Called */

/**
 * What the page has for calls.
 * @typedef {object} PhoneHost
 * @property {import('./app.js').World} world
 * @property {HTMLElement} root where all is shown
 * @property {import('./bars.js').Bars} bars
 * @property {import('./page-sound.js').PageSound} sound
 * @property {import('./tab-sign.js').TabSign} sign
 * @property {() => import('./app.js').RelayWord} relay what it said of itself last
 * @property {() => import('./app.js').ShownCall | null} current the room or call that is shown
 * @property {(call: import('./direct-call.js').DirectCall) => void} take shows it
 * @property {(screen: HTMLElement) => void} show shows what a call came to
 * @property {(room: string) => void} back joins the room that one was in before, '' goes to the door
 * @property {(state: string, model?: import('./room-model.js').RoomModel) => void} tell tests, and the style
 * @property {(closed: () => void) => void} settings
 * @property {(open: (sheets: typeof import('./sheets.js')) => unknown) => unknown} sheet opens one
 * @property {() => void} people others are remembered than before
 */

const patience = 500; // ms that loading may take before it is said

export class Phone {
  /** Strips above the people of a room, or of a call. */
  strips = h('div', { class: 'strips' });
  /** Who called, at the door. */
  news = h('div', { class: 'call-news-place' });
  /** @type {(word: string) => void} the settings show how the line is */ onword = () => {};
  #host;
  /** @type {Promise<Switchboard> | null} */ #loading = null;
  /** @type {Switchboard | null} */ #board = null;

  /** @param {PhoneHost} host */
  constructor(host) {
    this.#host = host;
    host.root.addEventListener('change', ({ target }) => this.#named(target));
    if (this.takesCalls) void this.#load();
  }

  /** What one types as one's name at the door counts for calls, too. @param {EventTarget | null} target */
  #named(target) {
    if (!(target instanceof HTMLInputElement) || target.id !== 'name') return;
    const { name, fault } = personName(target.value);
    if (fault === null) this.#host.world.prefs.set('name', name);
  }

  get takesCalls() {
    return this.#host.world.prefs.get('takeCalls');
  }

  /** @returns {Promise<Switchboard>} */
  #load() {
    this.#loading ??= this.#host.world.parts.calls.load().then(({ Switchboard }) => {
      this.#board = new Switchboard(this.#host, this);
      this.#board.settingsChanged();
      return this.#board;
    }).catch((error) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  /** Calls somebody. @param {Called} who */
  call(who) {
    const { bars, world } = this.#host;
    this.#host.sound.devices.wake().catch(() => {}); // in the click
    const late = setTimeout(() => bars.show('sheet', { text: say('bar.sheet'), fixed: true }), patience);
    Promise.all([this.#load(), world.parts.worklet.load()])
      .then(([board]) => board.call(who))
      .then(() => bars.hide('sheet'), (error) => bars.error(error, 'sheet'))
      .finally(() => clearTimeout(late));
  }

  /** @param {boolean} on people may call */
  setTakesCalls(on) {
    this.#host.world.prefs.set('takeCalls', on);
    if (on) globalThis.Notification?.requestPermission?.()?.catch?.(() => {}); // it rings without, too
    this.settingsChanged();
  }

  /** @param {boolean} on nobody rings */
  setDoNotDisturb(on) {
    this.#host.world.prefs.set('doNotDisturb', on);
    this.settingsChanged();
  }

  /** @param {boolean} on the relay keeps calls that come while nobody is here */
  setKeepMissed(on) {
    this.#host.world.prefs.set('keepMissed', on);
    this.settingsChanged();
  }

  /** Here, or in another tab. */
  settingsChanged() {
    if (this.#board) this.#board.settingsChanged();
    else if (this.takesCalls) this.#load().catch(() => {});
  }

  /** How the line is, in a word, '' while nobody can call. */
  get word() {
    return this.#board?.word ?? '';
  }

  /** There is another screen now. */
  shown() {
    this.#board?.shown();
  }

  /** Says everything again, in another language. */
  speakAgain() {
    this.#board?.speakAgain();
  }

  /** Whether a call goes on, also one that waits. */
  get busy() {
    return this.#board?.busy ?? false;
  }
}
