/**
 * What the page remembers between visits: small settings, and the invite of each room that was joined with
 * one. Read once, then at hand without waiting; writing happens behind.
 */

import { roomKey } from './address.js';

/**
 * @typedef {{get(key: string): Promise<any>, set(key: string, value: any): Promise<unknown>}} Shelf of Store
 */

const defaults = {
  name: '',
  room: '',
  mode: /** @type {'open' | 'radio'} */ ('open'),
  muted: false, // as the user left it: who was muted does not transmit when they join again
  talkKey: '', // held to talk, besides the space bar: its code (KeyboardEvent.code)
  talkKeyLabel: '', // what is written on it
  microphone: '', // a device id, '' is the system's choice
  loudspeaker: '',
  volume: 1, // of everybody
  noise: true,
  echo: false, // the microphone hears the loudspeaker, so that the sound takes another way
  sounds: true,
  theme: /** @type {'system' | 'light' | 'dark'} */ ('system'),
  takeCalls: false, // who is remembered may call this browser
  doNotDisturb: false, // nobody rings
  keepMissed: false, // the relay keeps calls that come while nobody is here
  language: '', // as words/say.js has it, '' is the browser's
};

/** @typedef {typeof defaults} Values */
/** A room that one was in, when (ms since 1970), and whether with an invite. */
/** @typedef {{room: string, at: number, private: boolean}} RecentRoom */

const maxRooms = 30;
const roomsKey = 'rooms:' + roomKey('');

export class Prefs {
  shelf;
  #failed;
  /** @type {Values} */ #values = { ...defaults };
  /** @type {BroadcastChannel | null} */ #channel = null;

  /** @param {Shelf} shelf @param {(error: unknown) => void} failed what could not be kept */
  constructor(shelf, failed) {
    this.shelf = shelf;
    this.#failed = failed;
  }

  /** @param {Shelf} shelf @param {(error: unknown) => void} failed @returns {Promise<Prefs>} */
  static async load(shelf, failed) {
    const prefs = new Prefs(shelf, failed);
    await Promise.all(Object.entries(defaults).map(async ([key, standard]) => {
      const value = await shelf.get(key);
      if (typeof value === typeof standard) Reflect.set(prefs.#values, key, value);
    }));
    return prefs;
  }

  /** @template {keyof Values} K @param {K} key @returns {Values[K]} */
  get(key) {
    return this.#values[key];
  }

  /** @template {keyof Values} K @param {K} key @param {Values[K]} value */
  set(key, value) {
    if (this.#values[key] === value) return;
    this.#values[key] = value;
    this.#channel?.postMessage([key, value]);
    this.shelf.set(key, value).catch(this.#failed);
  }

  /** Follows what other tabs set. @param {BroadcastChannel} channel @param {() => void} changed */
  follow(channel, changed) {
    this.#channel = channel;
    channel.onmessage = ({ data: [key, value] }) => {
      if (typeof value !== typeof Reflect.get(defaults, key)) return;
      Reflect.set(this.#values, key, value);
      changed();
    };
  }

  /** @returns {Promise<RecentRoom[]>} the rooms that one was in, the newest first */
  async rooms() {
    const kept = await this.shelf.get(roomsKey);
    return Array.isArray(kept) ? kept.filter(isRoom).slice(0, maxRooms) : [];
  }

  /** @param {RecentRoom[]} rooms the newest first @returns {Promise<unknown>} */
  setRooms(rooms) {
    const kept = rooms.slice(0, maxRooms);
    return this.shelf.set(roomsKey, kept.length > 0 ? kept : undefined).catch(this.#failed);
  }

  /** @param {string} room @returns {Promise<string>} its invite secret, '' if it was never joined with one */
  async secret(room) {
    const value = await this.shelf.get('secret:' + roomKey(room));
    return typeof value === 'string' ? value : '';
  }

  /** @param {string} room @param {string} secret '' to forget it @returns {Promise<unknown>} */
  setSecret(room, secret) {
    return this.shelf.set('secret:' + roomKey(room), secret || undefined).catch(this.#failed);
  }
}

/** @param {unknown} entry @returns {entry is RecentRoom} */
function isRoom(entry) {
  const { room, at, private: locked } = /** @type {Partial<RecentRoom>} */ (entry ?? {});
  return typeof room === 'string' && room !== '' && typeof at === 'number' && typeof locked === 'boolean';
}
