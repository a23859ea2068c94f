/**
 * The rooms that one was in lately and the people whom one remembers, at the first door: one quiet list, the
 * newest first. A tap leads back into a room, or opens a person's sheet. Nobody is here by themselves.
 */

import { fill, h, keepFocus, makeButton } from './dom.js';
import { icon, iconButton } from './icons.js';
import { identicon } from './identicon.js';
import { ago } from '../words/formats.js';
import { say } from '../words/say.js';

/** @typedef {import('./prefs.js').RecentRoom} RecentRoom */
/** @typedef {import('../identity/contacts.js').Contact} Contact */
/** Takes back what was forgotten. @typedef {() => Promise<void>} Restore */

/**
 * @typedef {object} ListOptions
 * @property {(room: string) => void} open
 * @property {(rooms: string[]) => Promise<Restore>} forget
 * @property {() => Promise<import('./own-identity.js').OwnIdentity>} identity
 * @property {(open: (sheets: typeof import('./sheets.js')) => unknown) => unknown} sheet opens one
 * @property {(who: import('./phone.js').Called) => void} call
 */

const few = 5; // that are shown before one asks for all

export class RoomsAndPeople {
  element = h('section', { class: 'card recent', 'data-part': 'recent' });
  #rooms;
  #options;
  #all = false;
  /** @type {Contact[]} */ #people = [];
  /** @type {Restore | null} */ #restore = null;

  /** @param {readonly RecentRoom[]} rooms the newest first @param {ListOptions} options */
  constructor(rooms, options) {
    this.#rooms = [...rooms];
    this.#options = options;
    this.#render();
    void this.refresh();
  }

  /** Looks again who is remembered. Without a store nobody is, which joining says. */
  async refresh() {
    const list = this.#options.identity().then(({ contacts }) => contacts.all());
    this.#people = await list.catch(() => []);
    const focused = document.activeElement?.closest('li');
    const person = focused && this.element.contains(focused) ? focused.dataset.person : '';
    this.#render();
    const row = person && this.element.querySelector(`[data-person="${person}"] button`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: true }); // who closed a sheet goes on there
  }

  #render() {
    const rows = [
      ...this.#rooms.map((entry) => ({ at: entry.at, row: () => this.#room(entry) })),
      ...this.#people.map((contact) => ({ at: contact.added, row: () => this.#person(contact) })),
    ].sort((a, b) => b.at - a.at);
    const shown = this.#all ? rows : rows.slice(0, few);
    this.element.hidden = rows.length === 0 && !this.#restore;
    const all = () => {
      this.#all = true;
      this.#render();
    };
    const link = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
      h('button', { type: 'button', class: 'link', onclick }, text);
    keepFocus(this.element, () => fill(this.element,
      h('h2', { tabIndex: -1 }, say(this.#people.length > 0 ? 'recent.both' : 'recent.title')),
      h('ul', { class: 'rooms', role: 'list' }, ...shown.map(({ row }) => row())),
      this.#restore && h('p', { class: 'note between', role: 'status' },
        h('span', {}, say('recent.forgotten')),
        makeButton('small', () => void this.#undo(), say('door.undo'))),
      h('div', { class: 'between' },
        rows.length > shown.length && link(say('recent.all'), all),
        this.#rooms.length > 0 && link(say('recent.clear'), () => void this.#forget(this.#rooms)))));
  }

  /** @param {RecentRoom} entry */
  #room(entry) {
    const { room, at } = entry;
    const label = say('recent.forget', { room });
    const sign = icon(entry.private ? 'lock' : 'unlock');
    return h('li', { class: 'room-row', 'data-room': room },
      opener(sign, room, ago(at, Date.now()), () => this.#options.open(room)),
      iconButton('close', label, () => void this.#forget([entry]), label));
  }

  /** A person: behind what opens their sheet there is place for a button. @param {Contact} contact */
  #person({ fingerprint, name, compared }) {
    const state = compared === undefined ? say('recent.notCompared')
      : say('recent.compared', { ago: ago(compared, Date.now()) });
    const label = say('recent.call', { name });
    const open = () => this.#options.sheet(async ({ openContact }) => {
      const identity = await this.#options.identity();
      const contact = (await identity.contacts.all()).find((one) => one.fingerprint === fingerprint);
      const { call } = this.#options;
      if (contact) openContact(contact, { identity, closed: () => void this.refresh(), call });
      else void this.refresh(); // they were forgotten in another tab
    });
    return h('li', { class: 'room-row', 'data-person': fingerprint },
      opener(h('span', { class: 'face' }, identicon(fingerprint)), name, state, open),
      iconButton('call', label, () => this.#options.call({ fingerprint, name }), label));
  }

  /** Forgets rooms, with the invites that were kept for them. @param {readonly RecentRoom[]} rooms */
  async #forget(rooms) {
    const before = this.#rooms;
    const restore = await this.#options.forget(rooms.map(({ room }) => room));
    this.#rooms = before.filter((entry) => !rooms.includes(entry));
    this.#restore = async () => {
      await restore();
      this.#rooms = before;
    };
    this.#render();
  }

  async #undo() {
    const restore = this.#restore;
    this.#restore = null;
    await restore?.();
    this.#render();
  }
}

/**
 * What fills a row and opens what it is of.
 * @param {Element} sign @param {string} name @param {string} hint @param {() => void} onclick
 */
function opener(sign, name, hint, onclick) {
  return h('button', { type: 'button', class: 'room-open', onclick }, sign,
    h('span', {}, h('span', { class: 'name' }, h('bdi', {}, name)), h('span', { class: 'hint' }, hint)));
}
