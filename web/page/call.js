/**
 * A call as the page shows it, from the click on Join to its end: the stay, its view, the claim on the
 * microphone, the sign of the tab, and what is remembered of it.
 *
 *     Stay ── changed(parts) ──> Call ──> RoomView, TabSign, Prefs, sound bar ──> ended(error) ──> App
 */

import { connectUrl, roomPath } from './address.js';
import { CallClaim } from './call-claim.js';
import { openLeave } from './leave-sheet.js';
import { RoomView } from './room-view.js';
import { openSheet } from './sheet.js';
import { showSound } from './sound-bar.js';
import { Stay } from './stay.js';
import { say } from '../words/say.js';

/** @typedef {import('./door.js').Wish} Wish */

/**
 * @typedef {object} CallOptions
 * @property {import('./app.js').World} world
 * @property {HTMLElement} root where it is shown
 * @property {import('./bars.js').Bars} bars
 * @property {import('./page-sound.js').PageSound} sound
 * @property {import('./room-list.js').RoomList} rooms that one was in
 * @property {Wish} wish what to join with again, too
 * @property {Wish['microphone']} microphone one that runs already
 * @property {import('./stay.js').StayOptions['engine']} engine
 * @property {() => import('./app.js').RelayWord} relay what it said of itself last
 * @property {import('./tab-sign.js').TabSign} sign of the tab
 * @property {(state: string, model: import('./room-model.js').RoomModel) => void} tell tests and the style
 *   sheet
 * @property {(wish: Wish) => void} join again, with another wish; this call is over
 * @property {(closed: () => void) => void} settings
 * @property {(open: (sheets: typeof import('./sheets.js')) => void) => void} sheet opens one
 * @property {import('./phone.js').Phone} phone
 * @property {(error: import('../call/engine.js').CallError | null) => void} ended
 */

/** The entry of the history that a call is in: the one before it is the way back, which is asked for. */
const inCall = { call: true };

/** @param {import('./room-model.js').RoomModel} model @returns {import('./tab-sign.js').Sign} */
function signOf({ state, mic, mode, muted, held }) {
  if (state !== 'joined') return 'here';
  return mic === 'on' && (mode === 'open' ? !muted : held) ? 'live' : 'muted';
}

export class Call {
  stay;
  #options;
  #view;
  #claim;
  #over = false; // what the stay says is not shown any more

  /** @param {CallOptions} options */
  constructor(options) {
    this.#options = options;
    const { wish, root } = options;
    const stay = this.stay = this.#makeStay();
    this.#view = this.#makeView();
    root.append(this.#view.element);
    this.#view.focus();
    this.#claim = new CallClaim(wish.room, {
      both: wish.both,
      taken: () => stay.leave('tab'), mute: () => stay.mute(), leave: () => stay.leave(),
    });
    options.bars.ask = (then) => this.#askToLeave(() => {
      stay.leave();
      then();
    }, () => {});
    stay.setOffline(!navigator.onLine);
  }

  /** Joins. */
  start() {
    void this.stay.start();
  }

  #makeStay() {
    const { world: { prefs, identity }, sound: { devices }, wish, microphone, engine, relay } = this.#options;
    return new Stay({
      connectUrl,
      room: wish.room, name: wish.name, secret: wish.secret, microphone,
      mode: prefs.get('mode'), muted: wish.muted, relayKey: wish.relayKey, prepared: relay().prepared,
      engine, devices,
      ready: async () => (await identity()).ensure(),
      sounds: () => prefs.get('sounds'),
      talkKey: () => ({ code: prefs.get('talkKey'), label: prefs.get('talkKeyLabel') }),
      changed: (parts) => this.#changed(parts),
      people: (came, went) => this.#view?.news(came, went),
    });
  }

  #makeView() {
    const { world: { secrets }, wish, relay, settings, sheet, phone } = this.#options;
    return new RoomView(this.stay, {
      secret: wish.secret,
      page: () => relay().page ?? '',
      valid: (secret) => secrets.valid(secret),
      useSecret: (secret) => this.#rejoin(secret),
      leave: () => this.stay.leave(),
      settings, sheet, strips: phone.strips, call: (who) => phone.call(who),
    });
  }

  /** @param {import('./room-model.js').Part[]} parts */
  #changed(parts) {
    if (this.#over || !this.stay) return;
    const { bars, ended, sign, tell, sound } = this.#options;
    const { model } = this.stay;
    if (parts.includes('state') && model.state === 'joined') this.#joined();
    if (parts.includes('error')) bars.error(model.broken);
    if (model.state === 'ended') return ended(model.error);
    this.#view?.changed(parts);
    tell(model.state, model);
    if (parts.includes('control')) {
      this.#remember(model);
      this.#claim?.show(model.mic === 'on' && !model.muted);
      sign.show(signOf(model), model.room, model.hands);
    }
    if (parts.includes('levels')) sound.onlevel?.(model.me);
    if (parts.includes('sound')) this.#showSound();
  }

  /** So the user talks when they join again. @param {import('./room-model.js').RoomModel} model */
  #remember({ mode, muted }) {
    const { world: { prefs }, wish } = this.#options;
    prefs.set('mode', mode);
    prefs.set('muted', muted);
    wish.muted = muted;
  }

  /** The user is in: the room is remembered, and the invite that they chose over the kept one. */
  #joined() {
    const { world: { prefs }, wish, bars, rooms } = this.#options;
    bars.hide('error'); // of what is overcome
    void rooms.note({ room: wish.room, at: Date.now(), private: wish.secret !== '' });
    if (!wish.replaces) return;
    wish.replaces = false;
    void prefs.setSecret(wish.room, wish.secret);
  }

  /** Joins the same room again, with its key. @param {string} secret */
  #rejoin(secret) {
    const { wish, join } = this.#options;
    this.#over = true; // what it says of its end is not shown
    this.stay.leave();
    join({ ...wish, secret, replaces: false });
  }

  /** The device has a network, or has none any more. @param {boolean} offline */
  setOffline(offline) {
    this.stay.setOffline(offline);
    if (offline) this.#options.bars.show('offline', { text: say('bar.offline'), fixed: true });
  }

  /** @param {import('../audio/sound-watch.js').Sound} sound */
  setSound(sound) {
    this.stay.setSound(sound);
    this.#showSound();
  }

  #showSound() {
    const { sound: { devices }, bars } = this.#options;
    const { sound, state } = this.stay.model;
    const loading = sound.cause === 'worker' && state !== 'joined';
    showSound(bars, devices, loading ? '' : sound.cause, () => this.stay.renewSound());
  }

  /**
   * The user goes back, to an address without another invite: what is open is closed first, then it is asked
   * whether to leave; going twice leaves.
   * @returns {boolean} whether the call goes on
   */
  goBack() {
    if (isCall(history.state)) return true;
    const sheet = openSheet();
    if (!sheet) {
      this.#askToLeave(() => this.stay.leave(), () => this.#stayHere());
    } else if (sheet.name !== 'leave') { // phones go back to close it
      sheet.close();
      this.#stayHere();
    } else {
      return false;
    }
    return true;
  }

  /** @param {() => void} leave @param {() => void} stay */
  #askToLeave(leave, stay) {
    openLeave(this.stay.model.room, { leave, stay });
  }

  #stayHere() {
    const { state, room } = this.stay.model;
    if (!this.#over && state !== 'ended') history.pushState(inCall, '', roomPath(room));
  }

  /** Says everything again, in another language. */
  speakAgain() {
    const old = this.#view;
    this.#view = this.#makeView();
    old.element.replaceWith(this.#view.element);
    old.close();
  }

  /** Puts the keyboard where one acts. */
  focus() {
    this.#view.focus();
  }

  /** Takes away what is shown of it. */
  close() {
    this.#over = true;
    this.#options.bars.ask = null;
    this.#view.close();
    this.#claim.close();
  }
}

/** @param {unknown} state of the history */
const isCall = (state) => /** @type {{call?: boolean} | null} */ (state)?.call === true;

/** Puts a call into the history. @param {string} room */
export function enterHistory(room) {
  if (!isCall(history.state)) history.pushState(inCall, '', roomPath(room));
}
