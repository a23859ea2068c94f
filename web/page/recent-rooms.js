/** The rooms that one was in lately, at the first door: one tap leads back, and each can be forgotten. */

import { fill, h, keepFocus, makeButton } from './dom.js';
import { icon, iconButton } from './icons.js';
import { ago } from '../words/formats.js';
import { say } from '../words/say.js';

/** @typedef {import('./prefs.js').RecentRoom} RecentRoom */
/** Takes back what was forgotten. @typedef {() => Promise<void>} Restore */

const few = 5; // that are shown before one asks for all

export class RecentRooms {
  element = h('section', { class: 'card recent', 'data-part': 'recent' });
  #list;
  #options;
  #all = false;
  /** @type {Restore | null} */ #restore = null;

  /**
   * @param {readonly RecentRoom[]} list the newest first
   * @param {{open: (room: string) => void, forget: (rooms: string[]) => Promise<Restore>}} options
   */
  constructor(list, options) {
    this.#list = [...list];
    this.#options = options;
    this.#render();
  }

  #render() {
    const shown = this.#all ? this.#list : this.#list.slice(0, few);
    const more = this.#list.length - shown.length;
    this.element.hidden = this.#list.length === 0 && !this.#restore;
    const all = () => {
      this.#all = true;
      this.#render();
    };
    const link = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
      h('button', { type: 'button', class: 'link', onclick }, text);
    keepFocus(this.element, () => fill(this.element,
      h('h2', { tabIndex: -1 }, say('recent.title')),
      h('ul', { class: 'rooms', role: 'list' }, ...shown.map((room) => this.#row(room))),
      this.#restore && h('p', { class: 'note between', role: 'status' },
        h('span', {}, say('recent.forgotten')),
        makeButton('small', () => void this.#undo(), say('door.undo'))),
      h('div', { class: 'between' },
        more > 0 && link(say('recent.all'), all),
        this.#list.length > 0 && link(say('recent.clear'), () => void this.#forget(this.#list)))));
  }

  /** @param {RecentRoom} entry */
  #row(entry) {
    const { room, at } = entry;
    const label = say('recent.forget', { room });
    return h('li', { class: 'room-row', 'data-room': room },
      h('button', { type: 'button', class: 'room-open', onclick: () => this.#options.open(room) },
        icon(entry.private ? 'lock' : 'unlock'),
        h('span', {}, h('span', { class: 'name' }, h('bdi', {}, room)),
          h('span', { class: 'hint' }, ago(at, Date.now())))),
      iconButton('close', label, () => void this.#forget([entry]), label));
  }

  /** Forgets rooms, with the invites that were kept for them. @param {readonly RecentRoom[]} rooms */
  async #forget(rooms) {
    const before = this.#list;
    const restore = await this.#options.forget(rooms.map(({ room }) => room));
    this.#list = before.filter((entry) => !rooms.includes(entry));
    this.#restore = async () => {
      await restore();
      this.#list = before;
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
