/** The door: which room, which name, can I be heard, join. One screen, with a link or without. */

import { fill, h, labelled, makeButton, setAttribute, setText, smallPrint } from './dom.js';
import { icon, iconButton, mark } from './icons.js';
import { excess, newRoomName, personName, roomName } from './address.js';
import { DoorInvite } from './door-invite.js';
import { say } from '../words/say.js';

/**
 * @typedef {object} DoorOptions
 * @property {string} room from the address, '' if none
 * @property {string} typed likewise, also if no room can be called so
 * @property {import('./address.js').NameFault | null} fault what is wrong with that
 * @property {string} name as last time
 * @property {boolean} muted as last time
 * @property {'open' | 'radio'} mode likewise
 * @property {string} secret of the address, or the kept one; '' if there is none
 * @property {string} kept the secret of this room from before, '' if there is none
 * @property {boolean} badSecret the address had one that cannot be right
 * @property {boolean} wasPrivate one was in this room with an invite
 * @property {import('./calls.js').Call[]} elsewhere calls in other tabs
 * @property {boolean} offline
 * @property {(wish: Wish) => void} join
 * @property {(use: (secret: string) => void) => Promise<HTMLElement>} paste makes a field for an invite
 * @property {(secret: string) => void} keep the invite of this room, '' forgets it
 * @property {() => void} other another room
 * @property {() => void} settings
 */

/**
 * `fresh`: the secret of a new room is still to be made; `replaces`: the user chose this secret over the kept
 * one, which is given up once they are in; `relayKey`: the other key of the relay, which they accepted;
 * `both`: calls of other rooms go on in their tabs.
 * @typedef {{room: string, name: string, secret: string, fresh?: boolean, replaces?: boolean,
 *   relayKey?: string, muted: boolean, both: boolean,
 *   microphone: import('./devices.js').Microphone | null}} Wish
 */

export class Door {
  element;
  #options;
  #micPlace = h('div', { class: 'mic-place' });
  /** @type {import('./mic-check.js').MicCheck | null} when it is loaded */ #mic = null;
  #invite;
  #room;
  #name;
  #form;
  #join = h('button', { type: 'submit', class: 'button primary large' });
  /** The user has pressed Join. */ gone = false;
  #muted = false;
  #mode = /** @type {'open' | 'radio'} */ ('open');
  #talk = h('div', {});
  #openly = h('div', { class: 'stack tight', 'data-part': 'openly' },
    makeButton('quiet', () => this.#enter(''), icon('unlock'), say('door.enterPublic')),
    smallPrint(say('door.enterPublicHint')));
  #tabs = h('div', { class: 'note stack tight', role: 'status', 'data-note': 'tab' });
  #both = false;
  #recent = h('div', { class: 'recent-place' });
  #offline = h('p', { class: 'note', role: 'status', 'data-note': 'away' });
  #away = { offline: false, unreachable: false };

  /** @param {DoorOptions} options */
  constructor(options) {
    this.#options = options;
    this.#invite = new DoorInvite(options, () => this.#arm());
    this.#talk.append(this.#talkPart(options.mode, options.muted));
    const { typed, name } = options;
    this.#room = new Field('room', typed, (text) => roomWords(roomName(text)));
    this.#name = new Field('name', name, (text) => nameWords(personName(text)));
    if (options.fault) this.#room.fault(roomWords({ room: options.typed, fault: options.fault }));
    this.#name.input.setAttribute('autocomplete', 'nickname');
    this.#form = this.#makeForm();
    const main = h('main', { class: 'card' }, this.#form);
    this.element = h('div', { class: 'door' }, this.#head(), main, this.#foot());
    this.setOffline(options.offline);
    this.setElsewhere(options.elsewhere);
    this.#arm();
  }

  /** Offers only what the user can mean: without a key that there should be, nobody joins by habit. */
  #arm() {
    const quiet = this.#muted && this.#mode === 'open';
    setText(this.#join, say(quiet ? 'door.joinMuted' : 'door.join'));
    this.#join.disabled = this.gone || (this.#invite.two && this.#invite.secret === '');
    this.#join.hidden = this.#options.room !== '' && this.#invite.lacksKey;
    this.#openly.hidden = !this.#join.hidden;
  }

  /** What must wait until the door is on the page. */
  begin() {
    const empty = [this.#room, this.#name].find(
      ({ input }) => input.isConnected && (input.value === '' || input.ariaInvalid === 'true'),
    );
    // A keyboard that jumps up hides half of a phone: only where there is room for it.
    const types = matchMedia('(hover: hover)').matches;
    const first = types ? empty?.input ?? this.#join : this.element.querySelector('h1');
    first?.focus({ preventScroll: true });
  }

  /**
   * The check of the microphone, which comes with the parts after the door.
   * @param {import('./mic-check.js').MicCheck} check
   */
  setMicCheck(check) {
    this.#mic = check;
    if (this.gone) return; // the call will ask
    this.#micPlace.append(check.element);
    void check.begin();
  }

  /** @param {boolean} offline */
  setOffline(offline) {
    this.#away = { ...this.#away, offline };
    this.#showAway();
  }

  /** @param {boolean} unreachable the relay does not answer */
  setUnreachable(unreachable) {
    this.#away = { ...this.#away, unreachable };
    this.#showAway();
  }

  #showAway() {
    const { offline, unreachable } = this.#away;
    setText(this.#offline, offline ? say('door.offline') : unreachable ? say('door.unreachable') : '');
    this.#offline.hidden = !offline && !unreachable;
  }

  /** What is typed. */
  get name() {
    return this.#name.input.value;
  }

  /** The invite to go in with, '' for none. */
  get secret() {
    return this.#invite.secret;
  }

  close() {
    this.#mic?.close();
    this.element.remove();
  }

  #head() {
    const name = h(this.#options.room ? 'div' : 'h1', { class: 'brand-name', tabIndex: -1 }, 'wzp');
    return h('header', { class: 'door-head' },
      h('div', { class: 'brand' }, mark(), h('div', {}, name, smallPrint(say('door.tagline')))),
      iconButton('settings', say('door.settings'), this.#options.settings));
  }

  #makeForm() {
    const { room } = this.#options;
    const onsubmit = (/** @type {Event} */ event) => this.#submit(event);
    return h('form', { class: 'stack', noValidate: true, onsubmit },
      room ? this.#title() : this.#room.element,
      this.#tabs,
      this.#name.element, this.#micPlace, this.#talk, this.#offline, this.#join, this.#openly);
  }

  /** Another tab has changed how one talks. @param {'open' | 'radio'} mode @param {boolean} muted */
  setTalk(mode, muted) {
    if (mode !== this.#mode || muted !== this.#muted) fill(this.#talk, this.#talkPart(mode, muted));
    this.#arm();
  }

  /**
   * How one joins: hands-free, muted or not, or with the button to be held.
   * @param {'open' | 'radio'} mode @param {boolean} muted
   */
  #talkPart(mode, muted) {
    this.#mode = mode;
    this.#muted = muted;
    if (mode === 'radio') return h('p', { class: 'note', 'data-note': 'radio' }, say('door.radio'));
    const box = h('input', { type: 'checkbox', id: 'join-muted', role: 'switch', checked: muted });
    box.onchange = () => {
      this.#muted = box.checked;
      this.#arm();
    };
    return h('div', { class: 'switch', 'data-note': 'muted' },
      h('div', {}, h('label', { for: box.id }, say('door.muted')),
        muted && smallPrint(say('door.wereMuted'))),
      box);
  }

  /** Who called, and rooms and people. @param {...import('./dom.js').Child} lists */
  setRecent(...lists) {
    fill(this.#recent, ...lists);
  }

  /** There are calls in other tabs, or not any more. @param {import('./calls.js').Call[]} calls */
  setElsewhere(calls) {
    const others = calls.filter(({ here }) => !here).map(({ room }) => room);
    const box = h('input', { type: 'checkbox', id: 'join-both', checked: this.#both });
    box.onchange = () => (this.#both = box.checked);
    this.#tabs.hidden = calls.length === 0;
    fill(this.#tabs,
      others.length < calls.length && h('p', {}, say('door.otherTab')),
      others.length > 0 && h('p', {}, say('door.otherRoomTab', { rooms: others })),
      others.length > 0 && h('label', { class: 'check', for: box.id }, box, h('span', {}, say('door.both'))));
  }

  #title() {
    const title = h('h1', { tabIndex: -1 }, h('bdi', {}, this.#options.room));
    return h('div', { class: 'door-title' }, title, this.#invite.element);
  }

  #foot() {
    const { room, other } = this.#options;
    return h('footer', { class: 'door-foot' },
      this.#recent,
      room ? h('button', { type: 'button', class: 'link', onclick: other }, say('door.otherRoom'))
        : h('div', { class: 'stack tight' },
          makeButton('quiet', () => this.#openPrivate(), icon('lock'), say('door.private')),
          smallPrint(say('door.privateHint'))),
      smallPrint(say('door.safe')));
  }

  #openPrivate() {
    const name = this.#checkedName();
    if (name !== null) this.#go({ room: newRoomName(), name, secret: '', fresh: true });
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    if (!this.#join.disabled && !this.#join.hidden) this.#enter(this.#invite.secret);
  }

  /** @param {string} secret '' to enter openly */
  #enter(secret) {
    const { room } = this.#options;
    const asked = room ? { room, fault: null } : roomName(this.#room.input.value);
    this.#room.fault(roomWords(asked));
    const name = this.#checkedName();
    if (asked.fault) return this.#room.input.focus();
    const replaces = secret !== '' && this.#invite.replaces;
    if (name !== null) this.#go({ room: asked.room, name, secret, replaces });
  }

  /** @returns {string | null} null if there is none: the field says so */
  #checkedName() {
    const called = personName(this.#name.input.value);
    this.#name.fault(nameWords(called));
    if (!called.fault) return called.name;
    this.#name.input.focus();
    return null;
  }

  /** @param {Omit<Wish, 'microphone' | 'muted' | 'both'>} wish */
  #go(wish) {
    if (this.gone) return;
    this.gone = this.#join.disabled = true;
    const microphone = this.#mic?.handOver() ?? null;
    this.#options.join({ ...wish, muted: this.#muted, both: this.#both, microphone });
  }
}

/**
 * What is wrong with a room's name.
 * @param {ReturnType<typeof roomName>} asked @returns {string} '' if nothing is
 */
const roomWords = ({ room, fault }) => (fault ? faultText(fault, room) : '');

/** Likewise with a person's. @param {ReturnType<typeof personName>} called @returns {string} */
const nameWords = ({ name, fault }) => (fault ? faultText(fault, name) : '');

/**
 * What is wrong with a name, and what to do.
 * @param {import('./address.js').NameFault} fault @param {string} name @returns {string}
 */
export function faultText(fault, name) {
  if (fault === 'long') return say('fault.long', { n: excess(name) });
  if (fault === 'control') return say('fault.control', { code: codeOf(name.match(/\p{Cc}/u)?.[0]) });
  return say(fault === 'nfc' ? 'fault.utf8' : `fault.${fault}`);
}

/** @param {string} [character] @returns {string} as Unicode numbers it */
function codeOf(character = '') {
  return 'U+' + (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

/**
 * A labelled text field with a hint, which gives way to what is wrong. It takes whatever is typed or pasted,
 * and cuts nothing off, for that would be another name.
 */
class Field {
  input;
  element;
  #hint;
  #hintText;

  /**
   * @param {'room' | 'name'} id @param {string} value @param {(typed: string) => string} check
   */
  constructor(id, value, check) {
    this.#hintText = say(`door.${id}Hint`);
    this.#hint = h('p', { class: 'hint', id: id + '-hint' }, this.#hintText);
    this.input = h('input', {
      id, value, type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: false, dir: 'auto',
      enterKeyHint: 'go', 'aria-describedby': id + '-hint',
      oninput: () => this.fault(this.input.value.trim() === '' ? '' : check(this.input.value)),
    });
    this.element = labelled(id, say(`door.${id}`), this.input, this.#hint);
  }

  /** @param {string} text '' if all is well */
  fault(text) {
    setAttribute(this.input, 'aria-invalid', text !== '' || null);
    setText(this.#hint, text || this.#hintText);
    setAttribute(this.#hint, 'role', text !== '' ? 'alert' : null);
  }
}
