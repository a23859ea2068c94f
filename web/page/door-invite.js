/**
 * The door of a room: what it is, as far as this device knows, and with which invite one goes in.
 *
 *     the link's key, or the kept one ──> private         two that differ ──> one is to be chosen
 *     none: public, or, where the room was private before or is called as made ones are, "lacks its key"
 */

import { fill, h, keepFocus, makeButton, setAttribute, smallPrint } from './dom.js';
import { icon } from './icons.js';
import { isMadeName } from './address.js';
import { say } from '../words/say.js';

/** @typedef {import('./door.js').DoorOptions} DoorOptions */

export class DoorInvite {
  element = h('div', { class: 'stack tight' });
  #options;
  #changed;
  /** The one to go in with, '' for none. */ secret;
  /** Of two, one is to be chosen. */ two;
  #forgotten = ''; // for the way back
  #asked = false; // the user says that they have an invite
  #lock = h('p', { class: 'lock' });
  #paste = h('div', {});

  /** @param {DoorOptions} options @param {() => void} changed what can be done at the door is another */
  constructor(options, changed) {
    const { kept, secret } = options;
    this.#options = options;
    this.#changed = changed;
    this.two = kept !== '' && secret !== '' && kept !== secret;
    this.secret = this.two ? '' : secret;
    this.#render();
  }

  /** Whether it seems that there is a key, and we have none: then nobody goes in by habit. */
  get lacksKey() {
    const { badSecret, wasPrivate, room } = this.#options;
    return !this.two && this.secret === '' && (badSecret || wasPrivate || isMadeName(room));
  }

  /** @param {string} secret */
  #use(secret) {
    const { kept } = this.#options;
    this.two = false;
    this.secret = secret;
    this.replaces = kept !== '' && kept !== secret;
    this.#render();
    this.#changed();
  }

  /** Whether it takes the place of the kept one, once the user is in. */ replaces = false;

  #render() {
    const { badSecret, kept } = this.#options;
    const locked = this.two || this.secret !== '';
    const what = locked ? 'door.privateRoom' : this.lacksKey ? 'door.lacksKey' : 'door.publicRoom';
    setAttribute(this.#lock, 'data-private', locked);
    fill(this.#lock, icon(locked ? 'lock' : this.lacksKey ? 'key' : 'unlock'), h('span', {}, say(what)));
    /** @param {string} part @param {string} text @param {() => void} onclick */
    const link = (part, text, onclick) =>
      h('button', { type: 'button', class: 'link', 'data-part': part, onclick }, text);
    const pastes = !locked && (this.lacksKey || this.#asked);
    if (pastes) void this.#showPaste();
    keepFocus(this.element, () => fill(this.element,
      !(badSecret && !locked) && this.#lock,
      badSecret && !this.#forgotten && h('p', { class: 'trouble', role: 'alert', 'data-note': 'secret' },
        icon('warning'), h('span', {}, say(kept && locked ? 'door.badSecretKept' : 'door.badSecret'))),
      this.two && this.#choice(),
      this.#forgotten !== '' && this.#undo(),
      !this.two && this.secret !== '' && link('forget', say('door.forget'), () => this.#forget()),
      !locked && !this.lacksKey && !this.#asked && link('have', say('door.haveInvite'), () => this.#ask()),
      pastes && this.#paste));
  }

  #ask() {
    this.#asked = true;
    this.#render();
    void this.#showPaste().then(() => { // who went on with something else goes on with that
      if (document.activeElement === document.body) this.#paste.querySelector('input')?.focus();
    });
  }

  /** The field is one of the parts that come after the door. */
  async #showPaste() {
    if (!this.#paste.hasChildNodes()) this.#paste.append(smallPrint(say('bar.sheet')));
    const field = await this.#options.paste((secret) => this.#use(secret)).catch(() => null);
    if (field && !this.#paste.querySelector('input')) fill(this.#paste, field);
  }

  #forget() {
    this.#forgotten = this.secret;
    this.secret = '';
    this.#options.keep('');
    this.#render();
    this.#changed();
  }

  #undo() {
    const undo = () => {
      this.secret = this.#forgotten;
      this.#forgotten = '';
      this.#options.keep(this.secret);
      this.#render();
      this.#changed();
    };
    return h('p', { class: 'note between', role: 'status', 'data-note': 'forgotten' },
      h('span', {}, say('door.forgotten')), makeButton('small', undo, say('door.undo')));
  }

  /** Which of two invites. */
  #choice() {
    const { kept, secret: link } = this.#options;
    const one = (/** @type {'kept' | 'link'} */ which, /** @type {string} */ secret) => {
      const onchange = () => {
        this.secret = secret;
        this.replaces = secret !== kept;
        this.#changed();
      };
      return h('label', { class: 'invite-choice' },
        h('input', {
          type: 'radio', name: 'invite', value: which, checked: this.secret === secret, onchange,
        }),
        h('span', {}, say(`door.${which}Invite`),
          h('span', { class: 'hint' }, say(`door.${which}InviteHint`))));
    };
    return h('fieldset', { class: 'stack tight', 'data-note': 'invites' },
      h('legend', { class: 'note' }, say('door.otherInvite')), one('kept', kept), one('link', link));
  }
}
