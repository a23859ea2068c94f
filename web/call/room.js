/**
 * One stay in one room: what the Worker is for. It puts together the link to the relay, the keys, the streams
 * that are heard and the one that is said; each of these knows nothing of the others.
 *
 *     capture --> OwnVoice --> Keys's Sealer --> link.Client --> relay
 *     relay --> link.Client --media--> Streams --> Mix, when the loudspeaker asks
 *                    '-- urgent --> Receiver --> Roster, Keys
 *
 * What the page is told goes by the Events. Nothing here touches the DOM or a device.
 */

import { LiveLevel } from '../audio/level.js';
import { JoinKey } from '../e2ee/keys.js';
import { Client } from '../link/client.js';
import { realClock, sleep } from '../link/clock.js';
import { toHex } from '../wire/bytes.js';
import { build as buildEntry, parseCall } from '../wire/entry.js';
import { CodecWatch } from './codec-watch.js';
import { HeldBudget } from './held.js';
import { Keys } from './keys.js';
import { MemberFetcher, crowdWait } from './roster-fetch.js';
import { Receiver } from './receive.js';
import { Mix } from './play.js';
import { NameCheck } from './names.js';
import { Roster } from './roster.js';
import { Streams } from './streams.js';
import { Events } from './events.js';
import { OwnStay } from './own-stay.js';
import { OwnVoice } from './own-voice.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./engine.js').Mode} Mode */
/** @typedef {import('../link/handler.js').MediaFrame} MediaFrame */
/** What carries a room: its own session, or a call's path. @typedef {Pick<Client, keyof Client>} Link */

const PROGRAM = 'wzp web';
const RESTART_GRACE = 5000; // ms that others have to come back to a relay that was restarted
// Keys of a call are made anew after this time, ms: in a room they are when somebody leaves.
const RENEW_KEYS = 600_000;
const END_TIME = 500; // ms that the end of what is said may hold up leaving

/**
 * @typedef {object} RoomConfig
 * @property {string} connectUrl of the relay's connect.json
 * @property {string} room
 * @property {string} name what we call ourselves
 * @property {import('../e2ee/secret.js').Secret | null} secret
 * @property {import('../identity/identity.js').Identity} identity
 * @property {import('../identity/known-names.js').KnownNames} names
 * @property {import('../identity/notes.js').Notes} notes
 * @property {import('../identity/contacts.js').Contacts} contacts
 * @property {import('../link/dial.js').AttachConfig['checkRelay']} [checkRelay]
 * @property {import('./stays.js').Stays} [stays] our own in this room; absent: none are kept
 * @property {typeof globalThis.fetch} [fetch] in the place of the browser's
 * @property {number} [roundTrip] to the relay at most, ms, if something is known
 * @property {(message: import('./engine.js').EngineMessage) => void} tell
 * @property {import('./publish.js').MakeEncoder} encoder
 * @property {import('./stream.js').MakeDecoder} decoder
 * @property {() => {process(frame: Float32Array): boolean, readonly onset: number}} [vad] absent: Vad
 * @property {(config: import('../link/client.js').ClientConfig) => Link} [link] absent: a Client
 * @property {{entry: import('../wire/entry.js').BuiltEntry, joinKey: JoinKey}} [made] of a call, whose first
 *   words had our entry; absent: it is made for the relay
 * @property {() => void} [heard] a frame of somebody opened that had not come before
 * @property {import('../link/clock.js').Clock} [clock]
 */

export class Room {
  #config;
  #clock;
  #link;
  #events;
  #streams;
  #mix;
  #names;
  #meter = new LiveLevel();
  #codec = new CodecWatch((codec) => this.#events.say({ type: 'codec', ...codec }));
  #ended = new AbortController();
  /** @type {Roster | null} null until the relay's key is known; as the next three */ #roster = null;
  /** @type {Keys | null} */ #keys = null;
  /** @type {MemberFetcher | null} */ #fetcher = null;
  /** @type {Receiver | null} */ #receiver = null;
  #self = ''; // our member id
  #stay;
  #joined = false;
  /**
   * While the link attaches again: why, and whether that was told.
   * @type {{cause: string, told: boolean} | null}
   */
  #lost = null;
  /** @type {Promise<void> | null} */ #leaving = null;
  #voice;

  /** @param {RoomConfig} config */
  constructor(config) {
    this.#config = config;
    this.#clock = config.clock ?? realClock;
    const { identity, names, notes, contacts, name } = config;
    const now = () => this.#clock.now();
    const failed = (/** @type {unknown} */ error) => this.#events.failed(error);
    this.#streams = new Streams({
      now,
      failed,
      decrypt: (kid, ctr, sealed, at) =>
        /** @type {Keys} */ (this.#keys).listener.decrypt(kid, ctr, sealed, at),
      record: (kid, ctr) => this.#record(kid, ctr),
      known: (owner) => this.#roster?.member(owner)?.outside === false,
      seen: (owner, digest) => this.#keys?.seen(owner, digest),
      crowded: (owner) => this.#events.warn('crowd', owner),
      told: () => this.#events.members(),
      unseen: (owner) => this.#keys?.unseen(owner),
      wake: () => this.#keys?.wake(),
      decoder: config.decoder,
      budget: new HeldBudget(),
    });
    this.#mix = new Mix(this.#streams, now);
    this.#events = new Events(config.tell, this.#clock, {
      members: () => this.#members(),
      levels: (at) => this.#levels(at),
      quality: () => this.#link.quality(),
      away: () => this.#link.away(),
      stats: () => this.#codec.stats({
        sent: this.#voice.sent, keysDropped: this.#keys?.dropped ?? 0, ...this.#streams.stats(),
      }),
    });
    this.#names = new NameCheck({
      names, notes, contacts, identity, name, failed,
      warn: (code, m) => this.#events.warn(code, m.id),
      volume: (id, volume) => this.#mix.setGain(id, volume),
      changed: () => this.#events.members(),
    });
    this.#stay = new OwnStay({
      ...config, tell: (message) => this.#events.say(message), leaveUrl: () => this.#link.leaveUrl,
    });
    this.#voice = new OwnVoice({
      ...config, failed,
      clock: this.#clock,
      keys: () => this.#keys,
      send: (kid, ctr, ciphertext) => this.#link.sendMedia(kid, ctr, ciphertext),
      transmitting: (on) => this.#events.say({ type: 'transmitting', on }),
      encoding: (on) => this.#codec.encoding(on),
      told: () => this.#keys?.wake(),
    });
    this.#link = this.#makeLink();
  }

  #makeLink() {
    const { connectUrl, identity, name, checkRelay, link = (config) => new Client(config) } = this.#config;
    return link({
      connectUrl,
      identity,
      name,
      checkRelay,
      program: PROGRAM,
      fetch: this.#config.fetch,
      roundTrip: this.#config.roundTrip,
      clock: this.#clock,
      makeJoin: (relay) => this.#request(relay),
      handler: {
        attached: (joined, fresh) => this.#attached(joined.members, fresh),
        detached: (cause) => this.#detached(cause),
        bind: (kid) => this.#bind(kid),
        media: (frame) => this.#media(frame),
        urgent: (kind, body) => this.#receiver?.receive(kind, body) ?? true,
        ended: (error) => this.#end(error),
        failed: (error) => this.#events.failed(error),
      },
    });
  }

  // Joining, and the link.

  /**
   * Joins. Resolves when the relay has accepted; rejects with why not, which the page was told.
   * @param {AbortSignal} [signal]
   */
  async join(signal) {
    this.#events.say({ type: 'state', state: 'joining' });
    try {
      await this.#link.join(signal);
    } catch (error) {
      this.#end(this.#leaving ? null : error);
      throw error;
    }
    this.#events.start();
  }

  /** Makes the member entry for the relay whose key is proved. It is called once. @param {Bytes} relay */
  async #request(relay) {
    const { room, identity, secret, made } = this.#config;
    const { joinKey, entry: { entry, hash, id } } = made ?? (await this.#makeEntry(relay));
    this.#self = toHex(id);
    await this.#stay.begin(hash);
    const now = () => this.#clock.now();
    const failed = (/** @type {unknown} */ error) => this.#events.failed(error);
    const announce = (/** @type {import('./roster.js').News[]} */ news) => this.#announce(news);
    const before = await this.#stay.before(identity.publicKey);
    const read = made ? parseCall : undefined;
    const roster = new Roster({ room, relay, self: this.#self, before, secret, read });
    const keys = new Keys(this.#surroundings(roster, hash, joinKey));
    const fetcher = new MemberFetcher({
      roster, announce, failed,
      clock: this.#clock,
      signal: this.#ended.signal,
      request: (what, fields, signal) => this.#link.request(what, fields, signal),
      done: () => keys.membersChanged(),
    });
    const gone = (/** @type {string[]} */ ids) => ids.forEach((id) => this.#streams.left(id, now()));
    this.#receiver = new Receiver({
      roster, keys, fetcher, announce, gone, now, failed,
      renamed: () => this.#events.members(),
      dropped: (reason) => this.#events.dropped(reason),
      shutdown: () => this.#events.warn('relay'),
    });
    this.#roster = roster;
    this.#keys = keys;
    this.#fetcher = fetcher;
    if (this.#ended.signal.aborted) keys.close();
    return { room, entry };
  }

  /** @param {Bytes} relay */
  async #makeEntry(relay) {
    const { room, name, identity, secret } = this.#config;
    const joinKey = await JoinKey.create();
    const entry = await buildEntry({
      room, name, identity, homeRelay: relay, joinKey: joinKey.publicKey, secret, ...this.#stay.fields,
    });
    return { joinKey, entry };
  }

  /**
   * @param {Roster} roster @param {Bytes} self @param {JoinKey} joinKey
   * @returns {import('./keys.js').Surroundings}
   */
  #surroundings(roster, self, joinKey) {
    const { room, identity, secret } = this.#config;
    return {
      name: room, roster, identity, self, secret, joinKey,
      renew: this.#config.made ? RENEW_KEYS : 0,
      clock: this.#clock,
      sendUrgent: (kind, body, done) => this.#link.sendUrgent(kind, body, done),
      sendView: (kid, ctr, ciphertext) => this.#link.sendMedia(kid, ctr, ciphertext),
      mediaAt: () => this.#voice.sentAt,
      publishing: () => this.#voice.publishing,
      hand: () => this.#voice.hand,
      playHeld: (id) => this.#streams.playHeld(id),
      waiting: (now) => this.#streams.waiting(now),
      fetch: () => this.#fetcher?.fetch(crowdWait(roster.size)),
      warn: (code, id) => this.#events.warn(code, id),
      safety: (number) => this.#events.say({ type: 'safety', number }),
      failed: (error) => this.#events.failed(error),
    };
  }

  /**
   * @param {number} members how many there are, with us
   * @param {boolean} fresh the relay knew nothing of the session
   */
  #attached(members, fresh) {
    const { signal } = this.#ended;
    if (signal.aborted) return;
    let wait = crowdWait(members);
    if (this.#joined) wait += RESTART_GRACE;
    else this.#begin(members === 1);
    this.#lost = null;
    this.#events.say({ type: 'state', state: 'joined' });
    this.#events.members();
    if (fresh) this.#fetcher?.fetch(wait);
  }

  /** @param {string} cause */
  #detached(cause) {
    this.#lost = { cause, told: false };
    this.#tellLost();
  }

  /**
   * Tells that the connection is lost, or is there, while the link attaches again: as long as packets get
   * through it is not lost, whatever became of the control stream.
   */
  #tellLost() {
    if (!this.#lost) return;
    const { path, up } = this.#link.quality();
    const lost = path === null || (up !== 'alive' && up !== 'faint');
    if (lost === this.#lost.told) return;
    this.#lost.told = lost;
    const { cause } = this.#lost;
    this.#events.say({ type: 'state', ...(lost ? { state: 'reconnecting', cause } : { state: 'joined' }) });
  }

  /** @param {boolean} alone */
  #begin(alone) {
    this.#joined = true;
    this.#stay.joined();
    this.#keys?.start(alone);
    this.#keys?.opened.then(() => this.#voice.open());
  }

  /**
   * @param {bigint} kid
   * @returns {import('./streams.js').Bound | null} what a key id stands for; null: nobody whom we hear
   */
  #bind(kid) {
    const owner = (kid >> 16n).toString(16).padStart(12, '0');
    if (this.#ended.signal.aborted || owner === this.#self || this.#roster?.member(owner)?.outside) {
      return null;
    }
    return { owner, next: 0 };
  }

  /**
   * Notes that a frame opened.
   * @param {bigint} kid @param {number} ctr
   * @returns {ReturnType<import('../e2ee/listener.js').Listener['record']>}
   */
  #record(kid, ctr) {
    const verdict = this.#keys?.listener.record(kid, ctr) ?? 'replayed';
    if (verdict === 'new') this.#config.heard?.();
    return verdict;
  }

  /** @param {MediaFrame} frame whose bound is of bind */
  #media({ kid, ctr, ciphertext, bound }) {
    const { owner } = /** @type {import('./streams.js').Bound} */ (bound);
    if (!this.#ended.signal.aborted) {
      void this.#streams.frame(owner, { kid, ctr, ciphertext, bound, at: this.#clock.now() });
    }
  }

  /**
   * Passes news of the roster on, and lets go of what belongs to who left.
   * @param {import('./roster.js').News[]} news
   */
  #announce(news) {
    if (news.length === 0 || this.#ended.signal.aborted) return;
    for (const { joined, left } of news) {
      if (left) {
        this.#streams.left(left.id, this.#clock.now());
        this.#names.left(left.id);
      } else if (joined) {
        this.#streams.left(joined.id, null);
        this.#names.check(joined);
      }
    }
    this.#keys?.membersChanged();
    this.#events.members();
  }

  // What the user does.

  /**
   * Takes the microphone's blocks from now on. The room begins to publish with the first microphone.
   * @param {{mode: Mode, muted: boolean}} how @returns {Promise<void>}
   */
  publish({ mode, muted }) {
    return this.#voice.publish({ mode, muted });
  }

  /** Ends what publish began, when the microphone is gone. @returns {Promise<void>} */
  unpublish() {
    return this.#voice.unpublish();
  }

  /** Takes 10 ms of the microphone. @param {Float32Array} block is copied */
  captured(block) {
    this.#meter.writeAt(block, this.#clock.now());
    this.#voice.captured(block);
  }

  /** Fills pcm with what is to be heard next. @param {Float32Array} pcm 480 samples */
  play(pcm) {
    this.#mix.mix(pcm);
  }

  /** @param {boolean} on somebody looks at the page */
  setWatched(on) {
    this.#link.watched = on;
  }

  /** @param {boolean} on push-to-talk is held */
  setPressed(on) {
    this.#voice.set({ pressed: on });
  }

  /** @param {boolean} on */
  setMuted(on) {
    this.#voice.set({ muted: on });
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.#voice.set({ mode, pressed: false });
  }

  /** Raises our hand, or lowers it. @param {boolean} on */
  setHand(on) {
    this.#voice.setHand(on);
    this.#events.members();
  }

  /** @param {string} member id @param {number} gain 1 as sent, 0 not at all */
  setVolume(member, gain) {
    this.#mix.setGain(member, gain);
    const m = this.#roster?.member(member);
    if (m) this.#names.setVolume(m, gain).catch((error) => this.#events.failed(error));
  }

  /** The user says that a changed key is right. @param {string} member id */
  async trust(member) {
    const m = this.#roster?.member(member);
    if (m) await this.#names.trust(m);
  }

  /** The user compared a key, or takes that back. @param {string} member id @param {boolean} on */
  async compare(member, on) {
    const m = this.#roster?.member(member);
    if (m && !m.outside) await this.#names.compare(m, on);
  }

  /**
   * The user chose to remember somebody, or forgets them.
   * @param {string} member id @param {string} [name] for them, none: forget them
   */
  async remember(member, name) {
    const m = this.#roster?.member(member);
    if (m && !m.outside) await this.#names.remember(m, name);
  }

  // What the page is told now and then.

  /** @returns {import('./engine.js').Member[]} */
  #members() {
    const { name, identity } = this.#config;
    const others = this.#roster?.members() ?? [];
    const hand = (/** @type {number | null} */ at) => (at === null ? {} : { hand: at });
    return [
      {
        id: this.#self, name, fingerprint: identity.fingerprint, outside: false, known: 'same', self: true,
        ...hand(this.#voice.raisedAt),
      },
      ...others.map((m) => ({
        id: m.id,
        name: m.name,
        fingerprint: m.fingerprint,
        outside: m.outside,
        ...this.#names.known(m.id),
        self: false,
        relay: this.#roster?.relayOf(m),
        microphone: this.#streams.microphone(m.id),
        ...hand(this.#streams.hand(m.id)),
      })),
    ];
  }

  /** @param {number} now */
  #levels(now) {
    this.#tellLost();
    this.#streams.prune(now);
    return { me: this.#meter.at(now), talkers: this.#mix.levels() };
  }

  // The end.

  /** Whether the stay is over. */
  get over() {
    return this.#ended.signal.aborted;
  }

  /** Leaves: what was said is sent, and the relay is told. It never rejects. @returns {Promise<void>} */
  leave() {
    return (this.#leaving ??= this.#leave());
  }

  async #leave() {
    const { signal } = this.#ended;
    const sent = new AbortController();
    const done = this.#voice.end().then(() => sent.abort());
    await Promise.race([done, sleep(this.#clock, END_TIME, AbortSignal.any([signal, sent.signal]))]);
    await this.#stay.left(await this.#link.leave());
    this.#end(null);
  }

  /** @param {unknown} error why, null: the user wants it */
  #end(error) {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#voice.stop();
    this.#streams.close();
    this.#keys?.close();
    this.#events.end(error ? endOf(error) : null);
  }
}

/**
 * Why a stay ended, as the page is told. @param {unknown} error @returns {import('./engine.js').CallError}
 */
export function endOf(error) {
  const { code = 'program', message = String(error), keys } =
    /** @type {{code?: string, message?: string, keys?: import('../link/carrier.js').RelayKeys}} */ (error);
  return { code, text: message, ...(keys ? { keys } : {}) };
}
