/**
 * A stay in a room, as the page runs it: engine, microphone, loudspeaker, sounds and the model. No DOM.
 *
 *     room view ── press, mute, mode ──> Stay ──> Engine (Worker)
 *         ^                               |  └──> Devices (AudioContext, worklets, sounds)
 *         └──── changed(parts) ── RoomModel <── Engine's messages
 */

import { messageOf } from '../wire/bytes.js';
import { sendLeave } from '../call/leave.js';
import { roomKey } from './address.js';
import { RoomModel } from './room-model.js';

/** @typedef {import('./room-model.js').Part} Part */
/** @typedef {import('./devices.js').Devices} Devices */
/** @typedef {import('./devices.js').Microphone} Microphone */
/** @typedef {import('../call/engine.js').Engine} Engine */

/**
 * @typedef {object} StayOptions
 * @property {string} connectUrl
 * @property {string} room
 * @property {string} name
 * @property {string} secret '' for an open room
 * @property {'open' | 'radio'} mode
 * @property {boolean} muted from the first moment
 * @property {import('../call/prepared.js').Answer} [prepared] what connectUrl said a while ago
 * @property {string} [relayKey] which the user accepts in the place of the kept one
 * @property {Pick<Engine, keyof Engine>} engine
 * @property {Devices} devices
 * @property {Microphone | null} microphone one that runs already, from the door
 * @property {() => Promise<unknown>} ready resolves when the identity is in the store
 * @property {() => boolean} sounds whether the user wants them
 * @property {() => {code: string, label: string}} talkKey held to talk, besides the space bar: '' if none
 * @property {(parts: Part[]) => void} changed
 * @property {(came: string[], went: string[]) => void} people names of who came and went
 * @property {(message: any) => void} [told] gets all that the engine says, first
 * @property {() => void} [resume] goes on with a call that we hold
 */

const startTime = 20_000; // ms that devices, the identity and the Worker's modules may take before joining
const explainTime = 4000; // ms that it is said why something does nothing
const settleTime = 2000; // ms after joining: who is told of then was here before
const quietAbove = 8; // people, for whose coming and going no sound is made

export class Stay {
  #options;
  #engine;
  #devices;
  /** @type {Microphone | null} */ #microphone;
  /** @type {Set<string> | null} ids of who was there, null before the first list */ #members = null;
  /** @type {Map<string, import('../call/engine.js').Member>} as #members */ #people = new Map();
  /** @type {Map<string, number>} by member */ #volumes = new Map();
  /** @type {Map<string, number>} volumes of those who were silenced here, by member */ #before = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #refusing;
  #joinedOnce = false;
  #joinedAt = Infinity;
  #told; // how the engine was told to begin
  #over = false;
  #aside = false; // another stay has microphone and loudspeaker
  #begun = false; // the engine has said something
  /** @type {import('../call/engine.js').StayMessage['leave'] | null} what ends it at the relay */
  #leave = null;
  #asked = 0; // numbers the requests for a microphone, so that a late answer is known

  /** @param {StayOptions} options */
  constructor(options) {
    this.#options = options;
    this.#engine = options.engine;
    this.#devices = options.devices;
    this.#microphone = options.microphone;
    this.model = new RoomModel(options.room, { private: options.secret !== '', mode: options.mode });
    this.model.muted = options.muted;
    this.#told = { mode: options.mode, muted: options.muted };
    this.model.setSound(options.devices.running);
    this.#engine.listen((message) => this.#receive(message));
  }

  /** Joins, and asks for the microphone meanwhile: neither waits for the other. */
  async start() {
    const { connectUrl, room, name, secret, relayKey, prepared, ready } = this.#options;
    const microphone = this.#microphone ? this.#useMicrophone(this.#microphone) : this.askMicrophone();
    setTimeout(() => this.#begun || this.#fail('loading', ''), startTime);
    try {
      const [playback] = await Promise.all([this.#devices.playback(), ready()]);
      if (this.#over) return;
      const { mode, muted } = (this.#told = { mode: this.model.mode, muted: this.model.muted });
      this.#engine.join({
        connectUrl, room, roomKey: roomKey(room), name, secret: secret || undefined, mode, muted, relayKey,
        prepared,
        ports: { playback },
      });
    } catch (error) {
      this.#fail('page', messageOf(error));
    }
    await microphone;
  }

  /** @param {string} code @param {string} text */
  #fail(code, text) {
    this.#receive({ type: 'state', state: 'ended', error: { code, text } });
  }

  /** Asks for the microphone, or another one. What goes wrong is in the model's `mic`. */
  async askMicrophone() {
    const asked = ++this.#asked;
    const kept = this.#microphone;
    this.#setMic('asking');
    try {
      const microphone = await this.#devices.microphone();
      if (asked !== this.#asked || this.#over) return microphone.stop();
      kept?.stop();
      this.#useMicrophone(microphone);
    } catch (error) {
      if (asked !== this.#asked || this.#over) return;
      this.#setMic(kept && !kept.ended ? 'on' : this.#devices.faultOf(error));
    }
  }

  /** @param {Microphone} microphone */
  #useMicrophone(microphone) {
    this.#microphone = microphone;
    microphone.onended = () => {
      if (this.#microphone !== microphone || this.#over) return;
      this.#microphone = null;
      if (this.#joinedOnce) this.#engine.devices({ capture: null });
      this.#setMic('gone');
    };
    this.#setMic('on');
    if (this.#joinedOnce) this.#handOver(microphone);
  }

  /** @param {Microphone} microphone */
  #handOver(microphone) {
    const port = microphone.takePort();
    if (port) this.#engine.devices({ capture: port });
  }

  /** @param {import('./room-model.js').Mic} mic */
  #setMic(mic) {
    this.model.mic = mic;
    this.#options.changed(['control']);
  }

  /** @param {import('../call/engine.js').EngineMessage} message */
  #receive(message) {
    if (this.#over) return;
    this.#options.told?.(message);
    this.#begun = true;
    if (message.type === 'stay') this.#leave = message.leave;
    const { state, transmitting } = this.model;
    if (message.type === 'failed' && state === 'joining') return this.#fail('loading', message.text);
    const parts = this.model.apply(message, performance.now());
    if (message.type === 'state') this.#stateChanged(state);
    if (message.type === 'members') this.#membersChanged(message.list);
    if (message.type === 'transmitting' && this.model.mode === 'radio' && transmitting !== message.on) {
      this.#sound(message.on ? 'granted' : 'ended');
    }
    if (parts.length > 0) this.#options.changed(parts);
  }

  /** @param {import('../call/engine.js').CallState} before */
  #stateChanged(before) {
    const { state } = this.model;
    if (state === 'joined' && !this.#joinedOnce) {
      this.#joinedOnce = true;
      this.#joinedAt = Date.now();
      if (this.#microphone) this.#handOver(this.#microphone);
      if (this.model.muted !== this.#told.muted) this.#engine.mute(this.model.muted);
      if (this.model.mode !== this.#told.mode) this.#engine.mode(this.model.mode);
      if (this.model.hand) this.#engine.hand(true);
    }
    if (state === 'reconnecting' && before === 'joined') this.#sound('lost');
    if (state === 'joined' && before === 'reconnecting') this.#sound('back');
    if (state === 'ended') this.#end();
  }

  /** @param {import('../call/engine.js').Member[]} list */
  #membersChanged(list) {
    const now = new Set(list.filter(({ self }) => !self).map(({ id }) => id));
    const before = this.#members;
    this.#members = now;
    const people = new Map(list.map((member) => [member.id, member]));
    const known = this.#people;
    this.#people = people;
    const arrived = before ? [...now].filter((id) => !before.has(id)) : [];
    const gone = before ? [...before].filter((id) => !now.has(id)) : [];
    for (const id of gone) this.#volumes.delete(id) && this.#before.delete(id);
    // Who takes the place of an old stay, as by reloading the page, was not away.
    const keysOf = (/** @type {string[]} */ ids, all = people) => ids.map((id) => all.get(id)?.fingerprint);
    const arrivedKeys = keysOf(arrived);
    const goneKeys = keysOf(gone, known);
    const settled = Date.now() - this.#joinedAt > settleTime;
    const came = settled ? arrived.filter((_, i) => !goneKeys.includes(arrivedKeys[i])) : [];
    const went = gone.filter((_, i) => !arrivedKeys.includes(goneKeys[i]));
    if (came.length + went.length === 0) return;
    const namesOf = (/** @type {string[]} */ ids, all = people) => ids.map((id) => all.get(id)?.name ?? '');
    this.#options.people(namesOf(came), namesOf(went, known));
    if (now.size + 1 <= quietAbove) this.#sound(came.length > 0 ? 'joined' : 'left');
  }

  /** Plays a sound, but not over speech. @param {import('./devices.js').SoundName} name */
  #sound(name) {
    const { model } = this;
    const speech = model.talkers().length > 0 || (model.mode === 'open' && model.transmitting);
    const own = name === 'granted' || name === 'ended';
    if (this.#options.sounds() && (own || !speech)) this.#devices.sound(name);
  }

  /** The key that is held to talk, besides the space bar, and what is written on it: '' if there is none. */
  get talkKey() {
    return this.#options.talkKey;
  }

  /** @param {boolean} on somebody looks at the page */
  watched(on) {
    this.#engine.watched(on);
  }

  /** @param {boolean} on the talk button is held */
  press(on) {
    const { mode, mic, state, onHold } = this.model;
    const can = mode === 'radio' && mic === 'on' && state !== 'ended' && onHold === '';
    const held = on && can;
    if (held === this.model.held) return;
    this.model.held = held;
    this.#engine.talk(held);
    this.#options.changed(['control']);
  }

  /**
   * When hands-free. In radio mode nothing is sent until the user wants it, and that is said.
   * @param {boolean} [on]
   */
  mute(on = !this.model.muted) {
    if (this.model.mode === 'radio') return this.#refuseMute();
    this.model.muted = on;
    this.model.loudMe = false;
    this.#engine.mute(on);
    this.#options.changed(['control', 'levels']);
  }

  /** Raises our hand, or lowers it. @param {boolean} [on] */
  setHand(on = !this.model.hand) {
    this.model.hand = on;
    this.#engine.hand(on);
    this.#options.changed(['control']);
  }

  #refuseMute() {
    clearTimeout(this.#refusing);
    this.#refusing = setTimeout(() => {
      this.model.muteRefused = false;
      this.#options.changed(['control']);
    }, explainTime);
    this.model.muteRefused = true;
    this.#options.changed(['control']);
  }

  /** @param {'open' | 'radio'} mode */
  setMode(mode) {
    if (mode === this.model.mode) return;
    this.press(false);
    this.model.mode = mode;
    this.#engine.mode(mode);
    this.#options.changed(['control']);
  }

  /** @param {string} member @returns {number} 1 as sent */
  volumeOf(member) {
    return this.#volumes.get(member) ?? this.model.members.get(member)?.volume ?? 1;
  }

  /** @param {string} member @param {number} gain */
  setVolume(member, gain) {
    this.#volumes.set(member, gain);
    this.#engine.volume(member, gain);
    this.#options.changed(['members']);
  }

  /** Hears somebody no more, or again as before. @param {string} member */
  silence(member) {
    const volume = this.volumeOf(member);
    this.setVolume(member, volume === 0 ? this.#before.get(member) ?? 1 : 0);
    this.#before.set(member, volume);
  }

  /** The user says that a changed key is right. @param {string} member */
  trust(member) {
    this.#engine.trust(member);
    this.#settle(member);
  }

  /** Takes away what warned of a key that is right. @param {string} member */
  #settle(member) {
    for (const warning of [...this.model.warnings]) {
      if (warning.code === 'name' && warning.member === member) this.acknowledge(warning);
    }
  }

  /** The user compared somebody's key, or takes that back. @param {string} member @param {boolean} on */
  compare(member, on) {
    this.#engine.compare(member, on);
    if (on) this.#settle(member);
  }

  /**
   * The user chose to remember somebody, or forgets them.
   * @param {string} member @param {string} [name] for them, none: forget them
   */
  remember(member, name) {
    this.#engine.remember(member, name);
  }

  /** @param {import('./room-model.js').Warning} warning */
  acknowledge(warning) {
    this.model.acknowledge(warning);
    this.#options.changed(['warnings']);
  }

  /** Goes on with a call that we hold. */
  resume() {
    this.#options.resume?.();
  }

  /** Who holds the call, '' for nobody. @param {'' | 'us' | 'them'} who */
  setHold(who) {
    if (who !== '') this.press(false);
    this.#options.changed(this.model.setHold(who));
  }

  /** Gives up microphone and loudspeaker, for another stay. */
  giveUpSound() {
    if (this.#over || this.#aside) return;
    this.#aside = true;
    this.#asked++;
    this.#microphone?.stop();
    this.#microphone = null;
    this.#engine.devices({ capture: null, playback: null });
  }

  /** Loudspeaker and microphone begin anew. */
  async renewSound() {
    this.#aside = false;
    try {
      const playback = await this.#devices.playback();
      if (this.#over) return this.#devices.rest();
      if (this.#aside) return; // another stay has it by now
      this.#engine.devices({ playback });
    } catch {
      return; // it goes on being said that no sound runs
    }
    await this.askMicrophone();
  }

  /** @param {import('../audio/sound-watch.js').Sound} sound whether it runs on this device */
  setSound(sound) {
    if (!this.#over) this.#options.changed(this.model.setSound(sound));
  }

  /** @param {boolean} offline the device says that it has no network */
  setOffline(offline) {
    this.model.offline = offline;
    this.#options.changed(['quality', 'state']);
  }

  /** Ends the stay from this side. @param {string} [code] why, '' if the user wanted it */
  leave(code = '') {
    if (this.#over) return;
    this.#engine.leave();
    const engine = this.#engine;
    setTimeout(() => engine.close(), 2000); // the relay is told, or will find out
    this.#end(false);
    const error = code ? { code, text: '' } : undefined;
    this.model.apply({ type: 'state', state: 'ended', error }, performance.now());
    this.#options.changed(['state']);
  }

  /** The page goes away, and with it the engine: the browser sends on what ends the stay. */
  hide() {
    if (!this.#over && this.#leave) sendLeave(this.#leave);
    this.leave();
  }

  /** @param {boolean} [close] the engine as well */
  #end(close = true) {
    this.#over = true;
    this.#microphone?.stop();
    this.#microphone = null;
    if (!this.#aside) this.#devices.rest();
    if (close) this.#engine.close();
  }
}
