/**
 * What the page knows of a stay in a room: the engine's messages in, what the views show out. Pure: no DOM,
 * no clock of its own, so that every state is tested and every scene of the screenshots is made from messages
 * alone.
 *
 *     Engine message ──> RoomModel.apply ──> members, order, talking, warnings ... ──> views
 *     user's choice ───> RoomModel's mode, muted, held, mic
 */

import { SOUND_RUNS } from '../audio/sound-watch.js';
import { foldName } from '../names/fold.js';
import { PathLevel, heardOf, isAudible } from './hearing.js';
import { loudness } from './level-bar.js';
import { Talked } from './talked.js';
import { WarningList } from './warning-list.js';

/** @typedef {import('../call/engine.js').EngineMessage} EngineMessage */
/** @typedef {import('../call/engine.js').Member} Member */
/** @typedef {import('../call/engine.js').QualityMessage} Quality */
/** @typedef {import('../call/engine.js').AwayMessage} Away */

/**
 * How the microphone is.
 * @typedef {'none' | 'asking' | 'on' | 'denied' | 'missing' | 'busy' | 'gone' | 'failed'} Mic
 */

/** @typedef {import('./warning-list.js').Warning} Warning */

/**
 * Which parts of the page a message changes.
 * @typedef {'state' | 'members' | 'levels' | 'control' | 'quality' | 'safety' | 'warnings' | 'error' |
 *   'sound'} Part
 */

// ms that somebody counts as talking after the last sound, so that rows do not flicker.
const holdTalking = 400;
const calm = 1500; // ms that nobody else talks for before a talker moves to the top
const loud = -40; // dBFS: speech into a muted microphone

const HANDS_TOLD = 3500; // ms after we came within which we are told of all hands that were up

export class RoomModel {
  /** @type {import('../call/engine.js').CallState} */ state = 'joining';
  /** @type {import('../call/engine.js').CallError | null} */ error = null;
  /** @type {Map<string, Member>} by id, in no order; empty until the engine has told */ members = new Map();
  /** @type {string[]} ids as they are shown: oneself, then the others, then who is outside */ order = [];
  /** @type {string[]} ids of whose hand is up, oneself included, as they went up */ raised = [];
  /** @type {Set<string>} ids of whose hand was up when we came, in which order is not known */
  #early = new Set();
  /** @type {number | null} when we were in the room first, as `now` of apply */ #inAt = null;
  /** @type {Map<string, number>} 0 to 1, of who talks */ levels = new Map();
  /** @type {Quality | null} */ quality = null;
  #up = new PathLevel();
  #down = new PathLevel();
  /** How the connection is made again; null: there is one. @type {Away | null} */ away = null;
  /** @type {string} '' while there is none */ safety = '';
  #talked = new Talked();
  #now = 0; // of the last levels, ms
  #warnings = new WarningList((id) => this.members.get(id));
  /** @type {string} what broke, '' if nothing did */ broken = '';
  /** Whether sound runs on this device: it goes out, and comes in. */ sound = SOUND_RUNS;
  #devices = SOUND_RUNS; // what they say of it
  #codec = { encoding: true, decoding: true };
  me = 0; // our own level, 0 to 1
  loudMe = false;
  held = false; // the talk button is down
  muted = false; // when hands-free
  hand = false; // ours is up
  /** @type {'' | 'us' | 'them'} who holds the call, which a room never is */ onHold = '';
  muteRefused = false; // the user wanted that in radio mode, a moment ago
  offline = false;
  private;
  /**
   * Whether we came without the key of a private room: all who are here have one, and we have none. Nobody
   * hears us, and we hear nobody.
   */
  lacksKey = false;
  /** @type {'open' | 'radio'} */ mode;
  /** @type {Mic} */ mic = 'none';
  /** @type {Map<string, number>} when each talker was last heard, ms */ #heard = new Map();
  /** @type {string} who talked last, to be moved to the top when the others are quiet */ #rising = '';
  #sending = false; // what the engine said last; it goes on saying so while the connection is away
  #othersAt = 0; // when somebody but the rising one was last heard, ms
  #arrivals = 0;
  /** @type {Map<string, number>} by id, larger is nearer to the top */ #rank = new Map();
  /** @type {Map<string, string>} folded by name as it was sent, of who is there */ #folded = new Map();
  /** @type {Map<string, number>} how many wear a folded name */ #wearers = new Map();

  /** @param {string} room @param {{private: boolean, mode?: 'open' | 'radio'}} how */
  constructor(room, how) {
    this.room = room;
    this.private = how.private;
    this.mode = how.mode ?? 'open';
  }

  /**
   * Takes a message of the engine. Unknown ones change nothing.
   * @param {EngineMessage} message @param {number} now ms, monotonic
   * @returns {Part[]} what must be shown again
   */
  apply(message, now) {
    switch (message.type) {
      case 'state':
        return this.#setState(message, now);
      case 'members':
        return this.#setMembers(message.list, now);
      case 'levels':
        return this.#setLevels(message, now);
      case 'transmitting':
        this.#sending = message.on;
        return ['control'];
      case 'quality':
        return this.#setQuality(message, now);
      case 'away':
        this.away = message;
        return ['quality', 'control'];
      case 'codec':
        this.#codec = message;
        return this.#setSound();
      case 'safety':
        this.safety = message.number ?? '';
        return ['safety'];
      case 'warning':
        return this.#warn(message.code, message.member ?? '', message.text);
      case 'failed':
        this.broken = message.text;
        return ['error'];
      default:
        return [];
    }
  }

  /**
   * What the devices say of sound.
   * @param {import('../audio/sound-watch.js').Sound} sound @returns {Part[]} what must be shown again
   */
  setSound(sound) {
    this.#devices = sound;
    return this.#setSound();
  }

  /** @param {'' | 'us' | 'them'} who holds the call @returns {Part[]} what must be shown again */
  setHold(who) {
    if (who === this.onHold) return [];
    this.onHold = who;
    return ['control', 'quality', 'levels'];
  }

  /** @returns {Part[]} */
  #setSound() {
    const { playing, capturing, cause } = this.#devices;
    const { encoding, decoding } = this.#codec;
    this.sound = {
      playing: playing && decoding,
      capturing: capturing && encoding,
      cause: cause || (decoding ? encoding ? '' : 'encoder' : 'decoder'),
    };
    return ['sound', 'control', 'quality', 'levels'];
  }

  /** @param {import('../call/engine.js').StateMessage} message @param {number} now @returns {Part[]} */
  #setState({ state, error }, now) {
    this.state = state;
    if (state === 'joined') this.#inAt ??= now;
    if (state === 'joined') this.away = null;
    if (state !== 'joined') {
      this.#up.reset(); // what was measured says nothing of the next connection
      this.#down.reset();
    }
    if (state === 'joined') this.#warnings.drop('relay'); // it is back
    if (state === 'ended') this.error = error ?? null;
    if (state !== 'joined') {
      this.levels.clear();
      this.#heard.clear();
    }
    return ['state', 'control', 'quality', 'levels', 'warnings'];
  }

  /** @param {Quality} quality @param {number} now @returns {Part[]} */
  #setQuality(quality, now) {
    this.quality = quality;
    if (this.state !== 'joined') return ['quality'];
    const { up = 'measuring', down = 'measuring', lossUp, lossDown, rtt } = quality;
    const { measuredUp = Infinity, measuredDown = Infinity } = quality;
    const before = heardOf(this);
    this.#up.update(up, lossUp || 0, measuredUp, rtt || 0, now);
    this.#down.update(down, lossDown || 0, measuredDown, rtt || 0, now);
    return before === heardOf(this) ? ['quality'] : ['quality', 'control', 'levels'];
  }

  /** @param {Member[]} list @param {number} now @returns {Part[]} */
  #setMembers(list, now) {
    this.members = new Map(list.map((member) => [member.id, member]));
    for (const id of this.#rank.keys()) if (!this.members.has(id)) this.#rank.delete(id);
    // New ones go below.
    for (const { id } of list) if (!this.#rank.has(id)) this.#rank.set(id, -(++this.#arrivals));
    this.#countNames();
    this.raised = list.filter(({ hand }) => hand !== undefined)
      .sort((a, b) => (a.hand ?? 0) - (b.hand ?? 0)).map(({ id }) => id);
    this.#noteEarly(list, now);
    const others = list.filter(({ self }) => !self);
    this.lacksKey = !this.private && others.length > 0 && others.every(({ outside }) => outside);
    this.#warnings.membersChanged();
    for (const member of list) if (member.known === 'changed') this.#warnings.add('name', member.id, '');
    this.#sort();
    return ['members', 'warnings', 'control', 'safety', 'quality'];
  }

  /** Orders the rows: oneself, raised hands, who else is inside by rank, who is outside. */
  #sort() {
    const { raised } = this;
    const place = new Map(raised.map((id, i) => [id, i - raised.length]));
    const key = (/** @type {Member} */ m) => (m.self ? -Infinity : m.outside ? 1 : place.get(m.id) ?? 0);
    const rank = (/** @type {Member} */ m) => this.#rank.get(m.id) ?? 0;
    this.order = [...this.members.values()]
      .map((m) => ({ id: m.id, key: key(m), rank: rank(m) }))
      .sort((a, b) => (a.key === b.key ? b.rank - a.rank : a.key < b.key ? -1 : 1))
      .map(({ id }) => id);
  }

  /** @param {Member[]} list @param {number} now */
  #noteEarly(list, now) {
    const coming = this.#inAt === null || now - this.#inAt < HANDS_TOLD;
    for (const { id, hand, self } of list) {
      if (hand === undefined) this.#early.delete(id);
      else if (coming && !self) this.#early.add(id);
    }
    for (const id of this.#early) if (!this.members.has(id)) this.#early.delete(id);
  }

  /**
   * Whose turn it is: 1 is the first. 0: the only hand, or one that was up when we came.
   * @param {string} id
   */
  turnOf(id) {
    return this.raised.length > 1 && !this.#early.has(id) ? this.raised.indexOf(id) + 1 : 0;
  }

  /** How many others have their hand up. */
  get hands() {
    return this.raised.filter((id) => !this.members.get(id)?.self).length;
  }

  /** @param {import('../call/engine.js').LevelsMessage} message @param {number} now @returns {Part[]} */
  #setLevels({ me, talkers }, now) {
    const before = this.talkers().join();
    this.#now = now;
    for (const [id, dbfs] of Object.entries(talkers)) {
      const member = this.members.get(id);
      if (!member) continue;
      if (!member.self) this.#talked.heard(member, now);
      this.levels.set(id, loudness(dbfs));
      this.#heard.set(id, now);
    }
    for (const [id, at] of this.#heard) {
      if (id in talkers) continue;
      this.levels.set(id, 0);
      if (now - at < holdTalking) continue;
      this.levels.delete(id);
      this.#heard.delete(id);
    }
    this.me = loudness(me);
    const wasLoud = this.loudMe;
    this.loudMe = this.muted && (me > loud || (wasLoud && me > loud - 10));
    const moved = this.#rise(now);
    const changed = before !== this.talkers().join() || wasLoud !== this.loudMe;
    return [
      ...(moved ? /** @type {Part[]} */ (['members']) : []),
      ...(changed ? /** @type {Part[]} */ (['control']) : []), 'levels',
    ];
  }

  /**
   * Moves the one who talks to the top once the others are quiet.
   * @param {number} now @returns {boolean} whether rows moved
   */
  #rise(now) {
    const talkers = this.talkers();
    if (talkers.length !== 1 || talkers[0] !== this.#rising) {
      if (talkers.length > 0) this.#othersAt = now;
      this.#rising = talkers.length === 1 ? talkers[0] : '';
      return false;
    }
    const stays = (/** @type {string} */ id) => this.members.get(id)?.self || this.raised.includes(id);
    const first = this.order.find((id) => !stays(id));
    if (now - this.#othersAt < calm || first === this.#rising || stays(this.#rising)) return false;
    if (this.members.get(this.#rising)?.outside) return false;
    this.#rank.set(this.#rising, 1 + Math.max(0, ...this.#rank.values()));
    this.#sort();
    return true;
  }

  /** Whether somebody talked a moment ago. @param {string} id */
  justTalked(id) {
    return this.#talked.isMarked(id, this.#now);
  }

  /** Others who talked in the last minutes and do not now, the latest first. */
  talkedLast() {
    return this.#talked.list(this.talkers(), this.#now);
  }

  /** How the way to the relay is. */
  get up() {
    return this.#up.level;
  }

  /** How the way from the relay is. */
  get down() {
    return this.#down.level;
  }

  /** Whether the microphone takes up speech that is sent, for whoever is there. */
  get sending() {
    return this.#sending;
  }

  /** Whether what is said is on its way to somebody who can hear it. */
  get transmitting() {
    return this.#sending && isAudible(heardOf(this));
  }

  /** @returns {string[]} ids of the others who talk now, who began first */
  talkers() {
    return [...this.#heard.keys()].filter((id) => !this.members.get(id)?.self);
  }

  /** @returns {Member | undefined} */
  self() {
    return this.members.get(this.order[0] ?? '');
  }

  /** How many others are inside. @returns {number} */
  others() {
    let count = 0;
    for (const member of this.members.values()) if (!member.self && !member.outside) count++;
    return count;
  }

  /** Counts who wears which name, once for each list: rows only look it up. */
  #countNames() {
    const folded = new Map();
    this.#wearers.clear();
    for (const { name } of this.members.values()) {
      const fold = folded.get(name) ?? this.#folded.get(name) ?? foldName(name);
      folded.set(name, fold);
      this.#wearers.set(fold, (this.#wearers.get(fold) ?? 0) + 1);
    }
    this.#folded = folded;
  }

  /**
   * Whether a name is worn by another member, too: then views show more of the key. Names are the same that
   * are the same folded, so that a sign which prints nothing does not hide a twin.
   * @param {Member} member @returns {boolean}
   */
  ambiguous(member) {
    return this.wearers(member) > 1;
  }

  /** How many wear the name of a member, with them. @param {Member} member @returns {number} */
  wearers(member) {
    const fold = this.#folded.get(member.name) ?? '';
    return fold === '' ? 1 : this.#wearers.get(fold) ?? 1;
  }

  /** @returns {readonly Warning[]} oldest first */
  get warnings() {
    const { list } = this.#warnings;
    return this.lacksKey ? list.filter(({ code }) => code !== 'outside') : list; // it is said of all

  }

  /** @param {string} code @param {string} member @param {string} text @returns {Part[]} */
  #warn(code, member, text) {
    if (code === 'program') {
      this.broken = text;
      return ['error'];
    }
    return this.#warnings.add(code, member, text) ? ['warnings'] : [];
  }

  /** The user has seen a warning. @param {Warning} warning */
  acknowledge(warning) {
    this.#warnings.acknowledge(warning);
  }
}
