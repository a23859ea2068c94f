/**
 * The page as a whole: reads the address, keeps the screens apart, and leads from the door into a call and
 * out of it. What touches the world (engine, devices, store) is handed in, by main.js or the scenes.
 *
 *     address ──> Door ── join ──> Stay + RoomView ── leave, error ──> ended screen ──> Door
 *
 * Tests read `data-state`, `data-transmitting`, `data-members` and `data-sound` of the root element.
 */

import { messageOf } from '../wire/bytes.js';
import { Bars } from './bars.js';
import { offerDevice } from './device-offer.js';
import { Door } from './door.js';
import { connectUrl, isMadeName, readAddress, roomPath } from './address.js';
import { callsElsewhere, watchCalls } from './calls.js';
import { OldPageError, within } from './part.js';
import { endedScreen } from './screens.js';
import { closeSheets, openSheet } from './sheet.js';
import { say } from '../words/say.js';

/** @typedef {import('./door.js').Wish} Wish */
/** @typedef {import('./stay.js').Stay} Stay */
/** @typedef {import('./room-view.js').RoomView} RoomView */
/** @typedef {ReturnType<typeof readAddress>} Address */

/**
 * @typedef {object} World
 * @property {import('./prefs.js').Prefs} prefs
 * @property {() => Promise<import('./own-identity.js').OwnIdentity>} identity
 * @property {import('./devices.js').Devices} devices
 * @property {import('./parts.js').Parts} parts
 * @property {{generate: () => Promise<string>, valid: (text: string) => Promise<boolean>}} secrets
 * @property {() => Promise<{version: string, page: string, prepared?: import('../call/prepared.js').Answer}>}
 *   relay what it says of itself; page: the address of its own, '' for none
 * @property {(language: string) => Promise<void>} speak a language, '' for the browser's, as the door needs it
 */

/** Takes the address, and the secret out of it before anything else may see it. @returns {Address} */
export function takeAddress() {
  const address = readAddress(location);
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
  return address;
}

const askAgain = 5000; // ms between questions to a relay that does not answer
const optimism = 100; // ms that the check of an invite may take, before the door is shown as if it were right
const loadTime = 45_000; // ms that the parts of the page may take: then it is said that they do not come

/** The entry of the history that a call is in: the one before it is the way back, which is asked for. */
const inCall = { call: true };

/** @param {unknown} state of the history */
const isCall = (state) => /** @type {{call?: boolean} | null} */ (state)?.call === true;

/** @param {import('./room-model.js').RoomModel} model @returns {import('./tab-sign.js').Sign} */
function signOf({ state, mic, mode, muted, held }) {
  if (state !== 'joined') return 'here';
  return mic === 'on' && (mode === 'open' ? !muted : held) ? 'live' : 'muted';
}

export class App {
  #world;
  #root;
  #bars;
  /** @type {Door | null} */ #door = null;
  /** @type {RoomView | null} */ #view = null;
  /** @type {Stay | null} */ #stay = null;
  /** @type {Wish | null} the last one, to join again */ #wish = null;
  /** @type {import('./call-claim.js').CallClaim | null} */ #claim = null;
  /** @type {((level: number) => void) | null} */ #level = null;
  /** @type {typeof import('./room.js') | null} when they are loaded */ #modules = null;
  /** @type {Partial<Awaited<ReturnType<World['relay']>>>} what the relay said last */ #relay = {};
  /** @type {ReturnType<typeof setTimeout>} */ #again = 0;
  #room = ''; // whose door or call is shown
  /** @type {import('./tab-sign.js').TabSign | null} */ #sign = null;

  /** @param {World} world @param {HTMLElement} root @param {Bars} bars */
  constructor(world, root, bars) {
    this.#world = world;
    this.#root = root;
    this.#bars = bars;
    world.devices.onsound = (sound) => this.#sound(sound);
    world.devices.onadded = (added) => offerDevice(bars, world, added, {
      microphone: () => this.#microphoneChanged(), loudspeaker: (id) => void this.#loudspeaker(id),
    });
    world.devices.onlevel = (level) => this.#level?.(level);
    window.addEventListener('online', () => this.#network());
    window.addEventListener('offline', () => this.#network());
    window.addEventListener('hashchange', () => this.#visit());
    window.addEventListener('popstate', () => this.#visit());
    watchCalls(() => void this.#callsChanged());
    window.addEventListener('pagehide', () => this.#stay?.hide());
    this.theme();
  }

  /** The address was changed by the user: another invite was pasted, or it is the way back. */
  #visit() {
    const address = takeAddress();
    const stay = this.#stay;
    if (stay && address.secret === '') {
      const sheet = openSheet();
      if (isCall(history.state)) return;
      if (!sheet) return this.#askToLeave();
      if (sheet.name !== 'leave') { // phones go back to close it
        sheet.close();
        return history.pushState(inCall, '', roomPath(stay.model.room));
      }
    }
    stay?.leave();
    void this.open(address);
  }

  /** The way back out of a call is asked for: going it twice leaves. */
  #askToLeave() {
    const { room } = /** @type {Stay} */ (this.#stay).model;
    this.#modules?.openLeave(room, {
      leave: () => this.#stay?.leave(),
      stay: () => {
        if (this.#stay && this.#stay.model.state !== 'ended') history.pushState(inCall, '', roomPath(room));
      },
    });
  }

  /**
   * Goes to a room's door, or to the first one, also with a name that no room can have.
   * @param {Address} address
   */
  async open({ room: typed, fault, secret }) {
    const room = fault ? '' : typed;
    const { prefs, secrets, devices } = this.#world;
    const checked = secret === '' ? Promise.resolve(true) : secrets.valid(secret);
    const hoped = new Promise((resolve) => setTimeout(() => resolve(true), optimism));
    const badSecret = !(await Promise.race([checked, hoped]));
    const kept = room === '' ? '' : await prefs.secret(room);
    const elsewhere = await callsElsewhere(room);
    const rooms = await prefs.rooms();
    this.#clear();
    this.#tell('door');
    this.#room = room;
    this.#showSign(elsewhere.length > 0 ? 'elsewhere' : 'here', room);
    const door = new Door({
      room, typed, fault, kept, badSecret, elsewhere, devices,
      wasPrivate: rooms.some((entry) => entry.room === room && entry.private),
      secret: badSecret || secret === '' ? kept : secret,
      name: prefs.get('name'), muted: prefs.get('muted'), mode: prefs.get('mode'),
      offline: !navigator.onLine,
      newSecret: () => secrets.generate(),
      paste: async (use) => {
        const { PasteInvite } = await this.#world.parts.room.load();
        return new PasteInvite(room, { use, valid: (text) => secrets.valid(text) }).element;
      },
      join: (wish) => this.#joinFrom(room, rooms, wish),
      keep: (secret) => void prefs.setSecret(room, secret),
      other: () => this.#toDoor(''),
      settings: () => this.#settings(() => {}),
    });
    this.#door = door;
    this.#root.append(door.element);
    door.begin();
    void checked.then((good) => { // the check came with the room's part
      if (!good && !badSecret && this.#door === door) void this.open({ room: typed, fault, secret });
    });
    this.#loadParts().then(
      ([{ keepPage }]) => keepPage(document.documentElement.lang, () => this.#busy()), () => {}, // joining tries again
    );
    this.#askRelay();
    if (room !== '') return;
    const { RecentRooms } = await this.#world.parts.room.load();
    door.setRecent(new RecentRooms(rooms, {
      open: (room) => this.#toDoor(room), forget: (rooms) => prefs.forgetRooms(rooms),
    }).element);
  }

  /** Asks the relay about itself, while the door is there until it answers. */
  #askRelay() {
    clearTimeout(this.#again);
    const door = this.#door;
    this.#world.relay().then((relay) => {
      this.#relay = relay;
      door?.setUnreachable(false);
    }, () => {
      if (!door || door !== this.#door) return;
      door.setUnreachable(true);
      this.#again = setTimeout(() => this.#askRelay(), askAgain);
    });
  }

  /** Whether there is a call, in this tab or another one. */
  async #busy() {
    return this.#stay !== null || (await callsElsewhere('')).length > 0;
  }

  /** A call began or ended in another tab. */
  async #callsChanged() {
    if (this.#stay) return;
    const calls = await callsElsewhere(this.#room);
    if (this.#stay) return;
    this.#door?.setElsewhere(calls);
    this.#showSign(calls.length > 0 ? 'elsewhere' : 'here', this.#room);
  }

  /** What a stay needs. It is loaded while people type. */
  async #loadParts() {
    const { room, engine, worklet } = this.#world.parts;
    room.load().then((modules) => this.#loaded(modules), () => {});
    return Promise.all([room.load(), engine.load(), worklet.load()]);
  }

  /** @param {typeof import('./room.js')} modules */
  #loaded(modules) {
    this.#modules = modules;
    if (this.#sign) return;
    this.#sign = new modules.TabSign();
    void this.#callsChanged();
  }

  /** @param {import('./tab-sign.js').Sign} sign @param {string} room */
  #showSign(sign, room) {
    if (this.#sign) this.#sign.show(sign, room);
    else document.title = room === '' ? 'wzp' : `${room} - wzp`;
  }

  /** @param {string} room '' for the first door */
  #toDoor(room) {
    if (roomPath(room) !== location.pathname) history.pushState(null, '', roomPath(room));
    void this.open({ room, fault: null, secret: '' });
  }

  /**
   * Somebody wants to join. A room that was typed and has a key, as far as is known, has a door of its own.
   * @param {string} room of the door @param {import('./prefs.js').RecentRoom[]} rooms @param {Wish} wish
   */
  #joinFrom(room, rooms, wish) {
    const hasKey = isMadeName(wish.room) || rooms.some((one) => one.room === wish.room && one.private);
    if (room !== '' || wish.secret !== '' || !hasKey) return this.#join(wish);
    wish.microphone?.stop();
    this.#world.prefs.set('name', wish.name);
    this.#toDoor(wish.room);
  }

  /** Goes in. It begins in the click, so that the browser lets sound begin. @param {Wish} wish */
  #join(wish) {
    const { prefs, devices, parts } = this.#world;
    void devices.wake();
    this.#wish = { ...wish, microphone: null };
    prefs.set('name', wish.name);
    prefs.set('muted', wish.muted);
    if (wish.secret && !wish.replaces) void prefs.setSecret(wish.room, wish.secret);
    if (roomPath(wish.room) !== location.pathname) history.pushState(null, '', roomPath(wish.room));
    if (!isCall(history.state)) history.pushState(inCall, '', roomPath(wish.room)); // for the way back
    this.#room = wish.room;
    this.#showSign('here', wish.room);
    this.#tell('joining');
    within(loadTime, this.#loadParts())
      .then(([room, engine]) => {
        parts.engine.forget();
        this.#enter(room, engine, wish);
      })
      .catch((error) => {
        wish.microphone?.stop();
        const code = error instanceof OldPageError ? 'old' : 'loading';
        this.#showEnded({ code, text: messageOf(error) });
      });
  }

  /**
   * @param {typeof import('./room.js')} modules
   * @param {import('./stay.js').StayOptions['engine']} engine @param {Wish} wish
   */
  #enter(modules, engine, wish) {
    const { CallClaim, Stay, RoomView } = modules;
    const { prefs, identity, devices } = this.#world;
    this.#clear();
    const stay = new Stay({
      connectUrl,
      room: wish.room, name: wish.name, secret: wish.secret, microphone: wish.microphone,
      mode: prefs.get('mode'), muted: wish.muted, relayKey: wish.relayKey, prepared: this.#relay.prepared,
      engine, devices,
      ready: async () => (await identity()).ensure(),
      sounds: () => prefs.get('sounds'),
      talkKey: () => ({ code: prefs.get('talkKey'), label: prefs.get('talkKeyLabel') }),
      changed: (parts) => this.#changed(stay, parts),
      people: (came, went) => this.#view?.news(came, went),
    });
    this.#stay = stay;
    this.#view = new RoomView(stay, {
      secret: wish.secret,
      page: () => this.#relay.page ?? '',
      valid: (secret) => this.#world.secrets.valid(secret),
      useSecret: (secret) => this.#rejoin(secret),
      leave: () => stay.leave(),
      settings: (closed) => this.#settings(closed),
    });
    this.#root.append(this.#view.element);
    this.#view.focus();
    this.#claim = new CallClaim(wish.room, {
      both: wish.both,
      taken: () => stay.leave('tab'), mute: () => stay.mute(), leave: () => stay.leave(),
    });
    stay.setOffline(!navigator.onLine);
    void stay.start();
  }

  /** @param {Stay} stay @param {import('./room-model.js').Part[]} parts */
  #changed(stay, parts) {
    if (stay !== this.#stay) return;
    const { model } = stay;
    if (parts.includes('state') && model.state === 'joined') this.#joined();
    if (parts.includes('error')) this.#bars.error(model.broken);
    if (model.state === 'ended') return this.#showEnded(model.error);
    this.#view?.changed(parts);
    this.#tell(model.state, model);
    if (parts.includes('control')) {
      this.#remember(model);
      this.#claim?.show(model.mic === 'on' && !model.muted);
      this.#showSign(signOf(model), model.room);
    }
    if (parts.includes('levels')) this.#level?.(model.me);
    if (parts.includes('sound')) this.#soundBar(model.sound);
  }

  /** So the user talks when they join again. @param {import('./room-model.js').RoomModel} model */
  #remember({ mode, muted }) {
    const { prefs } = this.#world;
    prefs.set('mode', mode);
    prefs.set('muted', muted);
    if (this.#wish) this.#wish.muted = muted;
  }

  /** The user is in: the room is remembered, and the invite that they chose over the kept one. */
  #joined() {
    const wish = this.#wish;
    if (!wish) return;
    const { prefs } = this.#world;
    prefs.noteRoom({ room: wish.room, at: Date.now(), private: wish.secret !== '' });
    if (!wish.replaces) return;
    wish.replaces = false;
    void prefs.setSecret(wish.room, wish.secret);
  }

  /** Joins the same room again, with its key. @param {string} secret */
  #rejoin(secret) {
    const [wish, stay] = [this.#wish, this.#stay];
    if (!wish || !stay) return;
    this.#stay = null; // what it says of its end is not shown
    stay.leave();
    this.#join({ ...wish, secret, replaces: false });
  }

  /** @param {import('../call/engine.js').CallError | null} error */
  #showEnded(error) {
    this.#clear();
    this.#tell('ended');
    this.#showSign(error?.code === 'tab' ? 'elsewhere' : 'here', this.#room);
    const wish = this.#wish;
    const room = wish?.room ?? '';
    const keys = error?.keys;
    const otherKey = this.#modules?.relayKeyScreen;
    const old = error?.code === 'old';
    const door = () => void this.open({ room, fault: null, secret: wish?.replaces ? wish.secret : '' });
    const screen = keys && otherKey
      ? otherKey(keys, { door, accept: () => wish && this.#join({ ...wish, relayKey: keys.shown }) })
      : endedScreen(error, { door, again: () => old ? location.reload() : wish && this.#join(wish) });
    this.#root.append(screen);
    screen.querySelector('h1')?.focus();
  }

  /** Takes away what is shown. */
  #clear() {
    closeSheets();
    this.#door?.close();
    this.#view?.close();
    this.#claim?.close();
    this.#door = this.#view = this.#claim = this.#stay = null;
    this.#root.replaceChildren();
  }

  /**
   * For tests, and for the style sheet.
   * @param {string} state @param {import('./room-model.js').RoomModel} [model] of the call, if there is one
   */
  #tell(state, model) {
    Object.assign(document.documentElement.dataset, {
      state,
      transmitting: String(model?.transmitting ?? false),
      members: String(model?.members.size ?? 0),
      path: model?.quality?.path ?? '',
      delay: String(Math.round(model?.quality?.delay ?? 0)),
      sound: model?.sound.cause ?? '',
    });
  }

  /** @param {() => void} closed */
  #settings(closed) {
    const { parts, identity } = this.#world;
    within(loadTime, Promise.all([parts.room.load(), identity()])).then(([{ openSettings }, own]) => openSettings({
      ...this.#world,
      identity: own,
      inCall: this.#stay !== null,
      version: this.#relay.version ?? '',
      microphoneChanged: () => this.#microphoneChanged(),
      loudspeakerChanged: (id) => void this.#loudspeaker(id),
      themeChanged: () => this.theme(),
      languageChanged: () => void this.#languageChanged(),
      level: (show) => (this.#level = show),
      heard: this.#stay ? this.#stay.model.mic === 'on' : this.#door?.heard ?? false,
      test: () => this.#stay ? void this.#stay.askMicrophone() : this.#door?.check(),
      closed: () => {
        this.#level = null;
        closed();
      },
    })).catch((error) => this.#bars.error(error));
  }

  #microphoneChanged() {
    if (this.#stay) void this.#stay.askMicrophone();
    else this.#door?.devicesChanged();
  }

  /** @param {string} id */
  async #loudspeaker(id) {
    const { devices } = this.#world;
    if (!(await devices.loudspeaker(id))) this.#bars.show('device', { text: say('bar.device') });
  }

  /** Says everything again, in another language. */
  async #languageChanged() {
    const { prefs, speak } = this.#world;
    try {
      await speak(prefs.get('language'));
    } catch (error) {
      return this.#bars.error(error);
    }
    const old = this.#view;
    if (old) {
      this.#view = old.again();
      old.element.replaceWith(this.#view.element);
      old.close();
    } else {
      await this.open(takeAddress());
    }
    this.#settings(() => {});
  }

  /** Another tab set something: who is muted there is so when they join here. */
  settingsChanged() {
    const { prefs } = this.#world;
    this.#door?.setTalk(prefs.get('mode'), prefs.get('muted'));
    this.theme();
  }

  /** Follows the setting, or the system. */
  theme() {
    const theme = this.#world.prefs.get('theme');
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  #network() {
    const offline = !navigator.onLine;
    this.#door?.setOffline(offline);
    if (!offline && this.#door) this.#askRelay();
    this.#stay?.setOffline(offline);
    if (offline && this.#stay) this.#bars.show('offline', { text: say('bar.offline'), fixed: true });
    else this.#bars.hide('offline');
  }

  /** Says why sound does not run, and what to do. @param {import('../audio/sound-watch.js').Sound} sound */
  #sound(sound) {
    this.#stay?.setSound(sound);
    this.#soundBar(this.#stay?.model.sound ?? sound);
  }

  /** @param {import('../audio/sound-watch.js').Sound} sound */
  #soundBar({ cause }) {
    const loading = cause === 'worker' && this.#stay?.model.state !== 'joined';
    if (cause === '' || loading) return this.#bars.hide('sound');
    const can = cause === 'paused' ? say('sound.resume') : say('sound.again');
    this.#bars.show('sound', {
      text: say(`sound.${cause}`), fixed: cause !== 'sink', act: () => void this.#soundAgain(cause),
      action: ['paused', 'clock', 'player', 'capture'].includes(cause) ? can : '',
    });
  }

  /** @param {import('../audio/sound-watch.js').SoundCause} cause of its not running */
  async #soundAgain(cause) {
    const { devices } = this.#world;
    if (cause === 'paused' && await devices.wake()) return;
    devices.renew();
    void devices.wake();
    if (this.#stay) await this.#stay.renewSound();
    else this.#door?.devicesChanged();
  }
}
