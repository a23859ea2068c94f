/**
 * Who rings now: shows them, one screen or some strips, rings, tells the tab and the system, and puts all of
 * that away when they are answered or give up.
 */

import { callsElsewhere } from './calls.js';
import { h, setText } from './dom.js';
import { incomingScreen, incomingStrip } from './incoming-views.js';
import { Ringer } from './ringer.js';
import { say } from '../words/say.js';

/** @typedef {import('./line.js').Person} Person */
/** A call that rings. @typedef {{line: import('./line.js').AnyLineCall, person: Person}} Entry */

/**
 * What there is. `strip`: something that is not to be covered; `room`: is left by answering, '' for none.
 * @typedef {{strip: boolean, room: string}} Situation
 */

/**
 * @typedef {object} IncomingActions
 * @property {(person: Person) => import('./key-state.js').KeyState} stateOf
 * @property {(person: Person) => void} compare
 * @property {(entry: Entry) => void} answer
 * @property {(entry: Entry, reason: string) => void} over it rings no more, and was not answered here
 * @property {() => Situation} situation
 */

/** Where letters are typed: the focus is not taken from there. */
const typing = 'input:not([type=radio], [type=checkbox], [type=range]), textarea';

export class Incoming {
  #host;
  #strips;
  #actions;
  /** @type {Entry[]} who came first is first */ #list = [];
  /** @type {HTMLDialogElement | null} */ #screen = null;
  #ringer;
  #shown = '';
  #said = h('p', { class: 'unseen', role: 'status' });
  #place = h('div', { class: 'incoming-strips' });
  /** @type {Notification | null} */ #notification = null;
  /** @type {string[]} rooms that other tabs are in */ #elsewhere = [];

  /**
   * @param {import('./phone.js').PhoneHost} host @param {HTMLElement} strips @param {IncomingActions} actions
   */
  constructor(host, strips, actions) {
    this.#host = host;
    this.#strips = strips;
    this.#actions = actions;
    strips.append(this.#said, this.#place);
    this.#ringer = new Ringer(() => this.#ring(), () => this.#speech());
  }

  get some() {
    return this.#list.length > 0;
  }

  /** Somebody calls. @param {Entry} entry */
  add(entry) {
    this.#list.push(entry);
    entry.line.listen((message) => {
      if (message.type !== 'call' || message.phase !== 'ended' || !this.#remove(entry)) return;
      this.#actions.over(entry, message.reason ?? 'failed');
    });
    this.#ringer.start();
    void callsElsewhere('').then((calls) => {
      this.#elsewhere = calls.map(({ room }) => room);
      this.show();
    });
    this.show();
    this.#notify(entry);
  }

  /** @param {Entry} entry @returns {boolean} whether it rang */
  #remove(entry) {
    const rang = this.#list.includes(entry);
    this.#list = this.#list.filter((one) => one !== entry);
    if (this.#list.length === 0) this.#ringer.stop();
    this.#notification?.close();
    this.#notification = null;
    this.show();
    return rang;
  }

  /** Shows who rings, as it is now. */
  show() {
    const situation = this.#actions.situation();
    const shown = this.#list.map((entry) => ({ entry, state: this.#actions.stateOf(entry.person) }));
    const dialog = document.querySelector('dialog[open]:not(.call-over)');
    const rows = shown.map(({ entry, state }) => [entry.line.id, state]);
    const key = JSON.stringify([situation, this.#elsewhere, rows]);
    this.#host.sign.ring(shown[0] ? shown[0].state.title : '');
    const place = situation.strip && dialog ? dialog : this.#strips;
    if (this.#place.parentElement !== place) this.#settle(place);
    if (key === this.#shown) return; // or screen readers would say it again, and the focus be lost
    this.#shown = key;
    this.#closeScreen();
    const strips = shown.map((one) => this.#strip(one, situation));
    const focused = this.#place.contains(document.activeElement);
    this.#place.replaceChildren(...situation.strip ? strips.map(({ element }) => element) : []);
    if (!situation.strip && shown[0]) this.#open(shown[0], situation);
    if (situation.strip && strips[0]) this.#lead(strips[0], dialog);
    else if (focused) this.#host.current()?.focus();
  }

  /** Strips are in the sheet while one is open: what is below it cannot be reached. @param {Element} place */
  #settle(place) {
    if (place === this.#strips) return place.append(this.#place);
    place.querySelector('.sheet-head')?.after(this.#place);
    place.addEventListener('close', () => setTimeout(() => this.show()));
  }

  /** @param {{entry: Entry, state: import('./key-state.js').KeyState}} one @param {Situation} situation */
  #strip(one, situation) {
    return incomingStrip(this.#options(one, situation));
  }

  /** @param {{entry: Entry, state: import('./key-state.js').KeyState}} one @param {Situation} situation */
  #options({ entry, state }, { room }) {
    const leaves = room !== '' ? [room] : this.#elsewhere;
    const note = leaves.length > 0 ? say('call.leaves', { rooms: leaves }) : '';
    return {
      fingerprint: entry.person.fingerprint, state, note,
      answer: () => this.#remove(entry) && this.#actions.answer(entry),
      decline: () => this.#remove(entry) && entry.line.leave(),
      compare: () => this.#actions.compare(entry.person),
      later: () => this.#later(entry),
    };
  }

  /** It is put away, and rings on for the caller. @param {Entry} entry */
  #later(entry) {
    if (this.#remove(entry)) this.#actions.over(entry, 'missed');
    entry.line.listen(() => {});
  }

  /** @param {{entry: Entry, state: import('./key-state.js').KeyState}} one @param {Situation} situation */
  #open(one, situation) {
    const dialog = this.#screen = incomingScreen(this.#options(one, situation));
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector('h1')?.focus({ preventScroll: true }); // no button is armed by accident
  }

  #closeScreen() {
    this.#screen?.close();
    this.#screen?.remove();
    this.#screen = null;
  }

  /**
   * Leads a keyboard to a strip, but not away from what is typed, and not out of a sheet; else it is said.
   * @param {ReturnType<typeof incomingStrip>} strip @param {Element | null} sheet
   */
  #lead({ heading, label }, sheet) {
    if (sheet || document.activeElement?.matches(typing)) return setText(this.#said, label);
    setText(this.#said, '');
    heading.focus({ preventScroll: true });
  }

  #ring() {
    const { sound, world } = this.#host;
    if (world.prefs.get('sounds')) sound.devices.sound('ring');
  }

  /** Whether somebody talks. */
  #speech() {
    const model = this.#host.current()?.stay.model;
    return !!model && (model.talkers().length > 0 || model.transmitting);
  }

  /** @param {Entry} entry */
  #notify({ person }) {
    if (!document.hidden || globalThis.Notification?.permission !== 'granted') return;
    const { title, text } = this.#actions.stateOf(person);
    const options = { body: text, tag: 'wzp call', requireInteraction: true };
    try {
      const notification = this.#notification = new Notification(say('call.calls', { name: title }), options);
      notification.onclick = () => {
        window.focus();
        notification.close();
      };
    } catch { // phones show those of the service worker only
      void navigator.serviceWorker?.getRegistration().then(
        (worker) => worker?.showNotification(say('call.calls', { name: title }), options)).catch(() => {});
    }
  }

  /** Says everything again, in another language. */
  speakAgain() {
    this.#shown = '';
    this.show();
  }
}
