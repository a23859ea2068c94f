/**
 * The page as a whole: reads the address, keeps the screens apart, and leads from the door into a call and
 * out of it. What touches the world (engine, devices, store) is handed in, by main.js or the scenes.
 *
 *     address ──> Door ── join ──> Call ── leave, error ──> ended screen ──> Door
 *     Phone ── somebody called, or answered ──> DirectCall ──┘
 *
 * Tests read `data-state`, `data-transmitting`, `data-members` and `data-sound` of the root element.
 */

import { messageOf } from '../wire/bytes.js';
import { Bars } from './bars.js';
import { newAudioContext } from './audio-context.js';
import { Door } from './door.js';
import { isMadeName, readAddress, roomPath } from './address.js';
import { callsElsewhere, watchCalls } from './calls.js';
import { hurry, OldPageError, within } from './part.js';
import { endedScreen } from './screens.js';
import { say } from '../words/say.js';

/** @typedef {import('./door.js').Wish} Wish */
/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('./direct-call.js').DirectCall} DirectCall */
/** A stay that is shown. @typedef {Call | DirectCall} ShownCall */
/** @typedef {Omit<ReturnType<typeof readAddress>, 'contact'> & {contact?: string}} Address */

/**
 * What the relay says of itself; page: the address of its own, '' for none.
 * @typedef {{version?: string, page?: string, prepared?: import('../call/prepared.js').Answer}} RelayWord
 */

/**
 * @typedef {object} World
 * @property {import('./prefs.js').Prefs} prefs
 * @property {() => Promise<import('./own-identity.js').OwnIdentity>} identity
 * @property {(modules: typeof import('./room.js'), context: AudioContext | null) =>
 *   import('./devices.js').Devices} devices makes them, with an AudioContext that begun before they came
 * @property {import('./parts.js').Parts} parts
 * @property {{generate: () => Promise<string>, valid: (text: string) => Promise<boolean>}} secrets
 * @property {() => Promise<RelayWord>} relay asks it
 * @property {() => import('./line.js').AnyLine} [line] a fake in the place of the Worker's
 * @property {(language: string) => Promise<void>} speak a language, '' for the browser's, as the door needs
 *   it
 */

/**
 * Takes the address, and the secret out of it before anything else may see it. The tab's history keeps it, or
 * who loads the page again before they have joined would lack it; likewise who is to be remembered.
 * @returns {Address}
 */
export function takeAddress() {
  const address = readAddress(location);
  if (location.hash !== '') keepInTab(address.secret, address.contact);
  const { secret = '', contact = '' } = history.state ?? {};
  return { ...address, secret: address.secret || secret, contact: address.contact || contact };
}

/** @param {string} secret '' for none @param {string} [contact] likewise */
function keepInTab(secret, contact) {
  const state = secret || contact ? { secret, contact } : null;
  history.replaceState(state, '', location.pathname + location.search);
}

const askAgain = 5000; // ms between questions to a relay that does not answer
const optimism = 100; // ms that the check of an invite may take, before the door is shown as if it were right
const loadTime = 45_000; // ms that the parts of the page may take: then it is said that they do not come
const patience = 500; // ms that a sheet, or the way in, may take, before it is said that it is still loading

export class App {
  #world;
  #root;
  #bars;
  /** @type {Door | null} */ #door = null;
  /** @type {ShownCall | null} */ #call = null;
  /** @type {Wish | null} the last one, to join again */ #wish = null;
  #giveUp = () => {}; // the way in, if somebody is on it
  #asked = 0; // numbers the sheets that were asked for, so that only the last one opens
  /** @type {typeof import('./room.js') | null} when they are loaded */ #modules = null;
  /** @type {RelayWord} said last */ #relay = {};
  /** @type {ReturnType<typeof setTimeout>} */ #again = 0;
  #room = ''; // whose door or call is shown
  /** @type {Address} of the door that was opened last */ #address = { room: '', fault: null, secret: '' };
  /** @type {import('./tab-sign.js').TabSign | null} when it is loaded */ #sign = null;
  /** @type {import('./page-sound.js').PageSound | null} likewise */ #sound = null;
  /** @type {import('./room-list.js').RoomList | null} likewise */ #rooms = null;
  /** @type {import('./rooms-and-people.js').RoomsAndPeople | null} likewise */ #recent = null;
  /** @type {import('./phone.js').PhoneHost | null} likewise */ #host = null;
  /** @type {import('./phone.js').Phone | null} likewise */ #phone = null;
  /** @type {AudioContext | null} begun by a click before the devices were loaded */ #context = null;

  /** @param {World} world @param {HTMLElement} root @param {Bars} bars */
  constructor(world, root, bars) {
    this.#world = world;
    this.#root = root;
    this.#bars = bars;
    window.addEventListener('online', () => this.#network());
    window.addEventListener('offline', () => this.#network());
    window.addEventListener('hashchange', () => location.hash && this.#visit()); // else popstate has told it
    window.addEventListener('popstate', () => this.#visit());
    watchCalls(() => void this.#callsChanged());
    window.addEventListener('pagehide', () => this.#call?.stay.hide());
    this.theme();
  }

  /** The address was changed by the user: another invite was pasted, or it is the way back. */
  #visit() {
    const { room, secret, contact } = readAddress(location);
    const address = takeAddress();
    if (secret === '' && contact !== '' && room === this.#room) return this.#askContact(address);
    if (secret === '' && this.#call?.goBack()) return;
    this.#call?.stay.leave();
    void this.open(address);
  }

  /**
   * Goes to a room's door, or to the first one, also with a name that no room can have.
   * @param {Address} address @param {string} [name] of who comes
   */
  async open(address, name = this.#world.prefs.get('name')) {
    this.#giveUp();
    this.#address = address;
    const { room: typed, fault, secret } = address;
    const room = fault ? '' : typed;
    const { prefs, secrets } = this.#world;
    // If it cannot be checked, Join says why.
    const checked = secret === '' ? Promise.resolve(true) : secrets.valid(secret).catch(() => true);
    const hoped = new Promise((resolve) => setTimeout(() => resolve(true), optimism));
    const badSecret = !(await Promise.race([checked, hoped]));
    const kept = room === '' ? '' : await prefs.secret(room);
    const elsewhere = await callsElsewhere(room);
    const rooms = await prefs.rooms();
    if (this.#address !== address) return; // they went on meanwhile
    this.#clear();
    this.#tell('door');
    this.#room = room;
    this.#showSign(elsewhere.length > 0 ? 'elsewhere' : 'here', room);
    const door = new Door({
      room, typed, fault, kept, badSecret, elsewhere,
      wasPrivate: rooms.some((entry) => entry.room === room && entry.private),
      secret: badSecret || secret === '' ? kept : secret,
      name, muted: prefs.get('muted'), mode: prefs.get('mode'),
      offline: !navigator.onLine,
      paste: async (use) => {
        const { PasteInvite } = await this.#world.parts.room.load();
        return new PasteInvite(room, { use, valid: (text) => secrets.valid(text) }).element;
      },
      join: (wish) => this.#joinFrom(room, rooms, wish),
      keep: (secret) => {
        keepInTab(secret);
        void prefs.setSecret(room, secret);
      },
      other: () => this.#toDoor(''),
      settings: () => this.#settings(() => {}),
    });
    this.#door = door;
    this.#root.append(door.element);
    door.begin();
    if (this.#sound) door.setMicCheck(this.#sound.atDoor());
    void checked.then(async (good) => { // the check came with the room's part
      if (good || badSecret) return this.#door === door && this.#askContact(address);
      // Who joined meanwhile had it kept.
      if ((await prefs.secret(room)) === secret) await prefs.setSecret(room, kept);
      if (this.#door === door) await this.open(address, door.name);
    });
    this.#loadAll().catch(() => {}); // joining tries again
    this.#askRelay();
    if (room !== '') return;
    this.#world.parts.room.load().then((modules) => {
      const list = this.#loaded(modules);
      this.#recent = new modules.RoomsAndPeople(rooms, {
        open: (room) => this.#toDoor(room), forget: (rooms) => list.forget(rooms),
        identity: this.#world.identity, sheet: (open) => this.#openSheet(open),
        call: (who) => this.#phone?.call(who),
      });
      door.setRecent(this.#phone?.news, this.#recent.element);
    }, () => {});
  }

  /** Asks whether to remember who made a contact link. @param {Address} address */
  #askContact({ contact }) {
    if (!contact) return;
    const identity = this.#world.identity();
    void this.#openSheet(async ({ openContactLink }) => openContactLink(contact, {
      identity: await identity, changed: () => this.#recent?.refresh(), call: (who) => this.#phone?.call(who),
    }), identity);
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
    return this.#call !== null || this.#phone?.busy || (await callsElsewhere('')).length > 0;
  }

  /** A call began or ended in another tab. */
  async #callsChanged() {
    if (this.#call) return;
    const calls = await callsElsewhere(this.#room);
    if (this.#call) return;
    this.#door?.setElsewhere(calls);
    this.#showSign(calls.length > 0 ? 'elsewhere' : 'here', this.#room);
  }

  /** Loads what one can join with, then the rest. */
  async #loadAll() {
    const [{ keepPage }] = await this.#loadParts();
    await this.#world.parts.sheets.load().catch(() => {}); // which who opens one is told
    await keepPage(document.documentElement.lang, () => this.#busy());
  }

  /** What a stay needs. It is loaded while people type. */
  async #loadParts() {
    const { room, engine, worklet } = this.#world.parts;
    room.load().then((modules) => this.#loaded(modules), () => {});
    return Promise.all([room.load(), engine.load(), worklet.load()]);
  }

  /** @param {typeof import('./room.js')} modules @returns {import('./room-list.js').RoomList} */
  #loaded(modules) {
    if (this.#rooms) return this.#rooms;
    this.#modules = modules;
    const { prefs, devices } = this.#world;
    this.#sound = new modules.PageSound(devices(modules, this.#context), prefs, this.#bars);
    this.#door?.setMicCheck(this.#sound.atDoor());
    this.#sign = new modules.TabSign();
    this.#phone = new modules.Phone(this.#host = this.#makeHost(this.#sound, this.#sign));
    void this.#callsChanged();
    return (this.#rooms = new modules.RoomList(prefs));
  }

  /**
   * What rooms and calls need of the page.
   * @param {import('./page-sound.js').PageSound} sound @param {import('./tab-sign.js').TabSign} sign
   * @returns {import('./phone.js').PhoneHost}
   */
  #makeHost(sound, sign) {
    return {
      world: this.#world, root: this.#root, bars: this.#bars, sound, sign,
      relay: () => this.#relay, current: () => this.#call, show: (screen) => this.#show('ended', screen),
      take: (call) => {
        this.#giveUp();
        this.#clear();
        sound.inCall(this.#call = call);
        call.open(this.#root);
      },
      back: (room) => void (room && this.#wish ? this.#join(this.#wish) : this.open(this.#address)),
      tell: (state, model) => this.#tell(state, model), settings: (closed) => this.#settings(closed),
      sheet: (open) => this.#openSheet(open), people: () => void this.#recent?.refresh(),
    };
  }

  /** @param {import('./tab-sign.js').Sign} sign @param {string} room @param {number} [hands] */
  #showSign(sign, room, hands) {
    if (this.#sign) this.#sign.show(sign, room, hands);
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
    if (room !== '' || wish.fresh || wish.secret !== '' || !hasKey) return this.#join(wish);
    wish.microphone?.stop();
    this.#world.prefs.set('name', wish.name);
    this.#toDoor(wish.room);
  }

  /** Lets sound begin, also before there is what uses it. */
  async #wake() {
    if (this.#sound) await this.#sound.devices.wake();
    else await (this.#context ??= newAudioContext()).resume();
  }

  /** Goes in. It begins in the click, so that the browser lets sound begin. @param {Wish} wish */
  #join(wish) {
    const { prefs, parts } = this.#world;
    this.#giveUp();
    let over = false;
    this.#giveUp = () => {
      if (!over) wish.microphone?.stop();
      over = true;
    };
    this.#wake().catch(() => {}); // who plays or records says why not
    hurry();
    const mine = this.#wish = { ...wish, microphone: null };
    prefs.set('name', wish.name);
    prefs.set('muted', wish.muted);
    if (roomPath(wish.room) !== location.pathname) history.pushState(null, '', roomPath(wish.room));
    this.#room = wish.room;
    this.#showSign('here', wish.room);
    this.#tell('joining');
    setTimeout(() => over || this.#bars.show('sheet', { text: say('bar.joining'), fixed: true }), patience);
    within(loadTime, Promise.all([this.#loadParts(), this.#keepInvite(mine)]))
      .then(([[room, engine]]) => {
        if (over) return;
        parts.engine.forget();
        this.#enter(room, engine, wish.microphone);
        over = true;
      })
      .catch((error) => {
        if (over) return;
        this.#giveUp();
        const code = error instanceof OldPageError ? 'old' : 'loading';
        this.#showEnded({ code, text: messageOf(error) });
      });
  }

  /** Keeps the invite that one goes in with; that of a new room is made. @param {Wish} wish */
  async #keepInvite(wish) {
    const { prefs, secrets } = this.#world;
    if (wish.fresh) wish.secret = await secrets.generate();
    wish.fresh = false;
    if (wish.secret && !wish.replaces) void prefs.setSecret(wish.room, wish.secret);
  }

  /**
   * @param {typeof import('./room.js')} modules
   * @param {import('./stay.js').StayOptions['engine']} engine @param {Wish['microphone']} microphone
   */
  #enter(modules, engine, microphone) {
    const rooms = this.#loaded(modules);
    const { Call, enterHistory } = modules;
    this.#clear();
    const wish = /** @type {Wish} */ (this.#wish);
    enterHistory(wish.room);
    const call = this.#call = new Call({
      .../** @type {import('./phone.js').PhoneHost} */ (this.#host), rooms, wish, microphone, engine,
      join: (other) => this.#join(other),
      phone: /** @type {import('./phone.js').Phone} */ (this.#phone),
      ended: (error) => this.#showEnded(error),
    });
    this.#sound?.inCall(call);
    call.start();
  }

  /** This browser cannot join: no door opens any more. */
  end() {
    this.#giveUp();
    this.#call?.stay.leave();
    this.#clear();
    this.open = async () => {};
  }

  /** @param {import('../call/engine.js').CallError | null} error */
  #showEnded(error) {
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
    this.#show('ended', screen);
  }

  /** Shows a screen in the place of what there is. @param {string} state @param {HTMLElement} screen */
  #show(state, screen) {
    this.#clear();
    this.#tell(state);
    this.#root.append(screen);
    screen.querySelector('h1')?.focus();
  }

  /** Takes away what is shown. */
  #clear() {
    this.#asked++; // what was asked for and is still loading does not open here
    this.#bars.hide('sheet');
    this.#modules?.closeSheets();
    this.#sound?.rest();
    this.#door?.close();
    this.#call?.close();
    this.#door = this.#call = null;
    this.#root.replaceChildren();
    setTimeout(() => this.#phone?.shown()); // when what comes in its place is there
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

  /**
   * Opens a sheet, when the sheets are there: the last one that was asked for.
   * @param {(sheets: typeof import('./sheets.js')) => unknown} open @param {Promise<unknown>} [needed] by it
   */
  async #openSheet(open, needed) {
    const asked = ++this.#asked;
    const bars = this.#bars;
    hurry();
    const late = setTimeout(() => asked === this.#asked
      && bars.show('sheet', { text: say('bar.sheet'), fixed: true }), patience);
    try {
      const [sheets] = await within(loadTime, Promise.all([this.#world.parts.sheets.load(), needed]));
      if (asked === this.#asked) open(sheets);
      if (asked === this.#asked) bars.hide('sheet');
    } catch (error) {
      if (asked === this.#asked) bars.error(error, 'sheet');
    }
    clearTimeout(late);
  }

  /** @param {() => void} closed */
  #settings(closed) {
    const { prefs } = this.#world;
    const identity = this.#world.identity();
    void this.#openSheet(async ({ openSettings }) => {
      if (!this.#sound) return;
      openSettings({
        prefs, identity: await identity, sound: this.#sound, closed,
        inCall: this.#call !== null, phone: this.#phone,
        version: this.#relay.version ?? '', page: this.#relay.page ?? '',
        themeChanged: () => this.theme(),
        languageChanged: () => void this.#languageChanged(),
      });
    }, identity);
  }

  /** Says everything again, in another language, when its words are here. */
  async #languageChanged() {
    const { prefs, speak } = this.#world;
    const bars = this.#bars;
    this.#modules?.closeSheets();
    const late = setTimeout(() => bars.show('sheet', { text: say('bar.sheet'), fixed: true }), patience);
    try {
      await speak(prefs.get('language'));
      bars.hide('sheet');
    } catch (error) {
      return bars.error(error, 'sheet');
    } finally {
      clearTimeout(late);
    }
    const [address, door] = [this.#address, this.#door];
    this.#phone?.speakAgain();
    if (this.#call) this.#call.speakAgain();
    else if (!door || door.gone) return; // what comes next says it in that language
    else await this.open({ ...address, secret: door.secret || address.secret, contact: '' }, door.name);
    this.#settings(() => {});
  }

  /** Another tab set something: who is muted there is so when they join here. */
  settingsChanged() {
    const { prefs } = this.#world;
    this.#door?.setTalk(prefs.get('mode'), prefs.get('muted'));
    this.#phone?.settingsChanged();
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
    this.#bars.hide('offline');
    this.#call?.setOffline(offline);
  }
}
