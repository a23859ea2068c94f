/**
 * What one member says on one stream, through all its keys: frames are decrypted, each once, and given to the jitter
 * buffer.
 *
 *     frame --> Listener.open --> ReplayWindow --> payload --> Player (web/jitter) --> read, by the mixer
 *                  '-- no key yet: HeldFrames, until the keeper has it
 *
 *     bound --first frame that decrypts--> heard --member left--> tail --a while later--> released
 *                                            ^                     |                         |
 *                                            '---- frames again: the member is back ---------'
 *
 * Frames are decrypted at the same time, and then handled in the order in which they came: the jitter buffer would take
 * those that are done later for lost.
 * @module
 */

import { ReplayWindow } from '../e2ee/replay.js';
import { Player } from '../jitter/player.js';
import { FormatError } from '../wire/bytes.js';
import { VIEW_STREAM, parsePayload, parseView } from '../wire/payload.js';
import { HeldFrames } from './held.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./held.js').Frame} Frame */

const MIN_DELAY = 15; // ms that the jitter buffer adds at least: everybody is scheduled late now and then
/** After how many frames without a word of what their member sees a relay is suspected of keeping that back. */
const MAX_UNSEEN = 12 * 150;
const MAX_JUMP = 2 ** 20; // how far ahead of the others a frame's CTR may be
const MAX_OPENING = 256; // frames that are being decrypted: those that were held, and what comes meanwhile
const TAIL = 3000; // ms for which a stream still sounds after its member has left
const RELEASE_AFTER = TAIL + 2000; // ms after which its memory is freed

const NOTHING = new Float32Array(0);

/** @typedef {{decode(packet: Uint8Array | null): void, close(): void}} StreamDecoder null has a frame concealed */

/**
 * @typedef {object} StreamHooks
 * @property {(kid: bigint, ctr: number, sealed: Bytes, now: number) => Promise<Bytes>} open
 * @property {() => number} now ms
 * @property {(owner: string, digest: Bytes) => void} seen what its member sees
 * @property {(owner: string) => void} unseen that it does not say so
 * @property {() => void} stir has the keeper look at what is held
 * @property {(options: {onpcm: (pcm: Float32Array | null) => void}) => StreamDecoder} decoder answers each call of
 *   decode once, in order
 * @property {import('./held.js').HeldBudget} budget
 * @property {(stream: Stream) => void} sounds it has a player
 * @property {(error: unknown) => void} failed
 */

/** See the module. */
export class Stream {
  /** Frames that did not decrypt. */
  forged = 0;
  /** Frames that came faster than they could be decrypted. */
  dropped = 0;
  /** Something of it decrypted: its window must not be forgotten, or a relay could play it again. */
  heard = false;
  /** It is closed, or its member has newer ones in its place. */
  over = false;
  /** @type {number | null} when its member left, ms; null: it has not */
  leftAt = null;

  #hooks;
  #replay = new ReplayWindow();
  #held;
  /** @type {Player | null} null until heard, and when released */
  #player = null;
  /** @type {StreamDecoder | null} */
  #decoder = null;
  #broken = false; // there is no decoder
  #opening = 0; // frames that are being decrypted
  /** @type {Promise<void>} the last of them was handled; it does not reject */
  #last = Promise.resolve();
  #unseen = 0;
  /** @type {Record<string, number>} the counters of players before the present one */
  #past = {};

  /**
   * @param {string} owner member id
   * @param {number} number
   * @param {StreamHooks} hooks
   */
  constructor(owner, number, hooks) {
    this.owner = owner;
    this.number = number;
    this.#hooks = hooks;
    this.#held = new HeldFrames(hooks.budget);
  }

  /** Whether the stream sounds now. */
  get active() {
    return this.#player?.active ?? false;
  }

  /** Whether it has a player, and so something to read. */
  get playing() {
    return this.#player !== null;
  }

  /**
   * Takes a media frame: it is played, or held until its key comes. It never rejects.
   * @param {Frame} frame
   * @returns {Promise<void>} when that is done
   */
  frame(frame) {
    if (this.#opening >= MAX_OPENING) {
      this.dropped++;
      return this.#last;
    }
    this.#opening++;
    const { open, now, failed } = this.#hooks;
    const opened = open(frame.kid, frame.ctr, frame.ciphertext, now()).then(
      (plain) => () => this.#opened(frame, plain),
      (error) => () => this.#unopened(frame, error),
    );
    this.#last = this.#last.then(async () => (await opened)()).catch(failed).then(() => void this.#opening--);
    return this.#last;
  }

  /**
   * Handles a frame that was not decrypted.
   * @param {Frame} frame
   * @param {{code?: string}} error
   */
  #unopened(frame, error) {
    const { code } = error;
    if (code === 'no_key') {
      trust(frame); // a guess that the low bits of later ones are read by
      this.#hold(frame);
      return;
    }
    if (code !== 'early' && code !== 'auth') throw error;
    if (code === 'auth') this.forged++; // early: of before we were here
    if (this.#held.doubt(frame.at)) this.#hooks.stir();
  }

  /** @param {Frame} frame */
  #hold(frame) {
    if (this.over || this.leftAt !== null) return;
    if (this.#held.hold(frame, this.#hooks.now())) this.#hooks.stir();
  }

  /**
   * Handles a frame that was decrypted: it drops what came before.
   * @param {Frame} frame
   * @param {Bytes} plain
   */
  #opened(frame, plain) {
    if (this.#replay.ahead(frame.ctr) > MAX_JUMP) {
      this.forged++; // one frame of somebody who has the key, too, must not make all later ones too old
      return;
    }
    trust(frame);
    if (!this.#replay.accept(frame.ctr)) return;
    this.heard = true;
    this.#held.keyCame();
    try {
      if (this.number === VIEW_STREAM) this.#view(plain);
      else this.#payload(frame, plain);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error; // of a later version
    }
  }

  /** @param {Bytes} plain */
  #view(plain) {
    const digest = parseView(plain);
    if (this.leftAt === null) this.#hooks.seen(this.owner, digest);
  }

  /** Notes that its member has just said what it sees. */
  saidView() {
    this.#unseen = 0;
  }

  /**
   * @param {Frame} frame
   * @param {Bytes} plain
   */
  #payload(frame, plain) {
    if (++this.#unseen === MAX_UNSEEN) this.#hooks.unseen(this.owner);
    const payload = parsePayload(plain);
    if (!this.#player) this.#begin();
    const { timestamp, silence } = payload;
    this.#player?.put({ counter: frame.ctr, timestamp, silence, payload: payload.silence ? null : payload.codec }, frame.at);
  }

  /** Makes the decoder with the first frame. */
  #begin() {
    if (this.over || this.leftAt !== null || this.#broken) return;
    const player = new Player({ minDelay: MIN_DELAY, decode: (packet) => decoder.decode(packet) });
    this.#broken = true; // if this throws
    const decoder = this.#hooks.decoder({ onpcm: (pcm) => player.decoded(pcm, this.#hooks.now()) });
    this.#broken = false;
    player.read(NOTHING, this.#hooks.now()); // its clock: what was held is of the past
    this.#decoder = decoder;
    this.#player = player;
    this.#hooks.sounds(this);
  }

  /** Plays what was held, for its key has come. */
  playHeld() {
    for (const frame of this.#held.take(this.#hooks.now())) void this.frame(frame);
  }

  /**
   * See HeldFrames.waiting.
   * @param {number} now
   */
  waiting(now) {
    if (this.over || this.leftAt !== null) this.#held.drop();
    return this.#held.waiting(now);
  }

  /**
   * Notes that its member left, or is back.
   * @param {number | null} now null: it is back
   */
  left(now) {
    if (now === null) {
      if (!this.over) this.leftAt = null;
    } else {
      this.leftAt ??= now;
      this.#held.drop();
    }
  }

  /**
   * Fills pcm with what is to be heard next.
   * @param {Float32Array} pcm any number of samples
   * @param {number} now
   */
  read(pcm, now) {
    if (this.#player && !this.silent(now)) this.#player.read(pcm, now);
    else pcm.fill(0);
  }

  /** @returns {Record<string, number>} the player's counters, and our own */
  stats() {
    const { forged, dropped } = this;
    return sum(this.#past, { ...this.#player?.stats(), forged, undecrypted: dropped });
  }

  /**
   * Whether nothing of it is left to be heard.
   * @param {number} now
   */
  silent(now) {
    return this.leftAt !== null && now - this.leftAt > TAIL;
  }

  /**
   * Frees what it needs to be heard, once its tail has been played.
   * @param {number} now
   * @returns {boolean} whether that is done
   */
  release(now) {
    if (this.leftAt !== null && now - this.leftAt > RELEASE_AFTER) this.#free();
    return !this.playing;
  }

  /** Ends it for good: the rest of it is played as if its member had left. @param {number} now */
  end(now) {
    this.over = true;
    this.left(now);
  }

  /** Frees everything at once. */
  close() {
    this.over = true;
    this.#held.drop();
    this.#free();
  }

  #free() {
    this.#past = counters(sum(this.#past, this.#player?.stats() ?? {}));
    this.#decoder?.close();
    this.#player = this.#decoder = null;
  }
}

/** @param {Frame} frame whose CTR is taken for true */
function trust({ bound, ctr }) {
  bound.next = Math.max(bound.next, ctr + 1);
}

/**
 * What of the statistics outlives a player: its delays do not.
 * @param {Record<string, number>} stats
 * @returns {Record<string, number>}
 */
export function counters(stats) {
  return Object.fromEntries(Object.entries(stats).filter(([name]) => !name.endsWith('Ms')));
}

/**
 * Adds up counters. Of delays, whose names end with Ms, the greater counts.
 * @param {Record<string, number>} a
 * @param {Record<string, number>} b
 * @returns {Record<string, number>}
 */
export function sum(a, b) {
  const all = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const before = all[name] ?? 0;
    all[name] = name.endsWith('Ms') ? Math.max(before, value) : before + value;
  }
  return all;
}
