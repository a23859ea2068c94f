/**
 * What a room hears, bounded: whose frames come, which streams there are, and which of them are to be heard.
 * As hearing in internal/call.
 *
 *     key id -- bind --> Talker -- opens, for the first time --> Stream -- sounds --> live, of at most 64
 *                          '-- does not open: counted               '-- silent for 5 s: not any more
 *
 * Whoever is on the way can send frames in anybody's name, so nothing but a frame that opens, and was not
 * taken before, makes a stream, or has another one give way. What others cost is bounded: a member has one
 * Talker, whatever its frames say, and who is none has one of MAX_UNKNOWN.
 *
 * Nothing here decides what is a replay: what was taken is known to the Listener, for as long as a key of its
 * talker could come again. So all that is here may be forgotten at any time: the next frame that opens makes
 * it anew.
 */

import { soonest } from '../link/clock.js';
import { Stream, counters, sum } from './stream.js';
import { Talker } from './talker.js';

const MAX_STREAMS = 4096; // that are remembered, some KB each; those that were silent for longest give way
const MAX_OF_MEMBER = 16; // that are to be played, one a publication
// Talkers of whom the relay has not told: their frames may be faster than the news of them.
const MAX_UNKNOWN = 64;
const MAX_LIVE = 64; // that are decoded at once
const FORGET_AFTER = 30_000; // ms after which a talker who left is forgotten: later than its keys

/** @typedef {import('./held.js').Frame} Frame */
/**
 * @typedef {import('./talker.js').TalkerHooks & {
 *   decoder: import('./stream.js').MakeDecoder,
 *   crowded: (owner: string) => void,
 * }} StreamsHooks crowded: somebody is not heard, for too many sound; told once
 */
/** @typedef {{owner: string, next: number}} Bound what a key id stands for */

export class Streams {
  #hooks;
  /** @type {Map<string, Talker>} by member id */ #talkers = new Map();
  /** @type {Set<Talker>} of whom the relay had not told, the oldest first */ #unknown = new Set();
  /** @type {Map<string, Stream>} by member id and number, those that were heard first first */
  #streams = new Map();
  /** @type {Set<Stream>} that are live, the newest last */ #live = new Set();
  /** @type {Record<string, number>} counters of what is forgotten */ #past = {};
  #crowded = false;
  #closed = false;

  /** @param {StreamsHooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** How many streams and talkers there are. */
  get sizes() {
    return { streams: this.#streams.size, talkers: this.#talkers.size, live: this.#live.size };
  }

  /**
   * Takes a media frame. It never rejects.
   * @param {string} owner member id @param {Frame} frame @returns {Promise<void>} when that is done
   */
  frame(owner, frame) {
    return this.#talker(owner)?.frame(frame) ?? Promise.resolve();
  }

  /** Returns a talker, who is made if it is new. @param {string} owner */
  #talker(owner) {
    const known = this.#talkers.get(owner);
    if (known || this.#closed) return known;
    const talker = new Talker(owner, this.#hooks, {
      sound: (t, number, frame, payload) => this.#sound(t, number, frame, payload),
    });
    this.#talkers.set(owner, talker);
    if (this.#hooks.known(owner)) return talker;
    this.#know();
    const [oldest] = this.#unknown;
    if (this.#unknown.size >= MAX_UNKNOWN) this.#dropTalker(oldest);
    this.#unknown.add(talker);
    return talker;
  }

  /** Looks who of the unknown has been told of. */
  #know() {
    for (const talker of this.#unknown) {
      if (this.#hooks.known(talker.id)) this.#unknown.delete(talker);
    }
  }

  /** Forgets a talker: its next frame makes another one. @param {Talker} talker */
  #dropTalker(talker) {
    talker.held.drop();
    for (const stream of [...talker.current]) this.#retire(talker, stream);
    const { forged, undecrypted } = talker;
    this.#past = sum(this.#past, { forged, undecrypted });
    talker.dropped = true;
    this.#unknown.delete(talker);
    this.#talkers.delete(talker.id);
  }

  /**
   * Gives what a frame holds to its stream.
   * @param {Talker} talker @param {number} number @param {Frame} frame
   * @param {ReturnType<typeof import('../wire/payload.js').parsePayload>} payload
   */
  #sound(talker, number, frame, payload) {
    if (this.#closed) return;
    if (talker.told(payload, number, frame)) this.#hooks.told(talker.id);
    let stream = this.stream(talker.id, number);
    if (talker.leftAt === null) stream = this.#current(talker, number);
    if (!stream || (talker.leftAt !== null && !stream.playing)) return; // else it is the end of what was said
    const { timestamp, silence } = payload;
    const packet = {
      counter: frame.ctr, timestamp, silence, payload: payload.silence ? null : payload.codec,
    };
    stream.put(packet, frame.at, () => this.#place(stream));
    if (stream.playing) this.#live.add(stream);
  }

  /**
   * How the microphone of a member is, as far as it has said so.
   * @param {string} owner @returns {import('../wire/payload.js').MicState}
   */
  microphone(owner) {
    return this.#talkers.get(owner)?.microphone ?? '';
  }

  /** When somebody's hand went up, ms; null: it is down. @param {string} owner */
  hand(owner) {
    return this.#talkers.get(owner)?.hand ?? null;
  }

  /** A stream that is remembered. @param {string} owner @param {number} number */
  stream(owner, number) {
    return this.#streams.get(`${owner}/${number}`);
  }

  /**
   * Returns a stream of a talker who is here, which becomes one of those to be played.
   * @param {Talker} talker @param {number} number
   */
  #current(talker, number) {
    let stream = this.stream(talker.id, number);
    if (!stream) {
      if (this.#streams.size >= MAX_STREAMS) this.#forget();
      stream = new Stream(talker.id, number, this.#hooks);
      this.#streams.set(`${talker.id}/${number}`, stream);
    }
    if (stream.retiredAt !== null) {
      if (talker.current.length >= MAX_OF_MEMBER) this.#retire(talker, quietest(talker.current));
      talker.current.push(stream);
      stream.retiredAt = null;
    }
    return stream;
  }

  /**
   * Ends that a stream is to be played, until its next frame.
   * @param {Talker} talker @param {Stream} stream
   */
  #retire(talker, stream) {
    talker.current = talker.current.filter((other) => other !== stream);
    stream.retiredAt = this.#hooks.now();
  }

  /** Forgets the stream that was silent for longest, but for those that are live. */
  #forget() {
    // There are more than may be live.
    const stream = quietest([...this.#streams.values()].filter(({ playing }) => !playing));
    const talker = this.#talkers.get(stream.owner);
    if (talker) this.#retire(talker, stream);
    this.#past = counters(sum(this.#past, stream.stats()));
    this.#streams.delete(`${stream.owner}/${stream.number}`);
  }

  /**
   * Finds a place among those that are live, in this order: one is free; somebody has been silent for long; a
   * member has two more than the one whose stream it is, then the newest of those gives way. Otherwise those
   * who sound go on, and who came last is not heard. So nobody who falls silent or comes takes anything from
   * who talks, and one member with many streams takes no place that another wants.
   * @param {Stream} stream
   */
  #place(stream) {
    if (this.#live.size >= MAX_LIVE) this.#rest(this.#hooks.now());
    if (this.#live.size < MAX_LIVE) return true;
    /** @type {Map<string, number>} */ const count = new Map();
    for (const { owner } of this.#live) count.set(owner, (count.get(owner) ?? 0) + 1);
    const of = (/** @type {Stream} */ { owner }) => count.get(owner) ?? 0;
    const [first, ...others] = this.#live;
    // Of who has most.
    const newest = others.reduce((most, other) => (of(other) >= of(most) ? other : most), first);
    if (of(newest) < of(stream) + 2) {
      if (!this.#crowded) this.#hooks.crowded(stream.owner);
      this.#crowded = true;
      return false;
    }
    newest.release();
    this.#live.delete(newest);
    return true;
  }

  /** Those that may sound. @returns {Iterable<Stream>} */
  sounding() {
    return this.#live;
  }

  /** @param {string} owner whose key has come */
  playHeld(owner) {
    this.#talkers.get(owner)?.playHeld();
  }

  /**
   * Notes that a member left, or is back.
   * @param {string} owner @param {number | null} now null: it is back
   */
  left(owner, now) {
    const talker = this.#talkers.get(owner);
    if (!talker) return;
    if (now === null) {
      talker.leftAt = null;
      return;
    }
    talker.leftAt ??= now;
    talker.hand = null;
    talker.held.drop();
    for (const stream of [...talker.current]) this.#retire(talker, stream);
  }

  /**
   * What to ask and to warn for: see HeldFrames.waiting.
   * @param {number} now @returns {{ask: Set<string>, hopeless: Set<string>, next: number}} member ids
   */
  waiting(now) {
    /** @type {Set<string>} */ const ask = new Set();
    /** @type {Set<string>} */ const hopeless = new Set();
    let next = 0;
    for (const talker of this.#talkers.values()) {
      const w = talker.waiting(now);
      next = soonest(next, w.next);
      if (w.ask) ask.add(talker.id);
      if (w.hopeless) hopeless.add(talker.id);
    }
    return { ask, hopeless, next };
  }

  /** Frees what is not needed any more. To be called now and then. @param {number} now */
  prune(now) {
    this.#rest(now);
    for (const talker of [...this.#talkers.values()]) {
      if (talker.leftAt !== null && now - talker.leftAt > FORGET_AFTER) this.#dropTalker(talker);
      if (talker.lowerHand(now)) this.#hooks.told(talker.id);
    }
    this.#know();
    for (const talker of [...this.#unknown]) {
      if (talker.held.idle) this.#dropTalker(talker); // nothing of it waits
    }
  }

  /** Frees the players of those that are silent. @param {number} now */
  #rest(now) {
    for (const stream of this.#live) {
      if (stream.rest(now)) this.#live.delete(stream);
    }
  }

  /** Sums over all streams, of the past too. @returns {Record<string, number>} */
  stats() {
    let all = this.#past;
    for (const { forged, undecrypted } of this.#talkers.values()) all = sum(all, { forged, undecrypted });
    for (const stream of this.#streams.values()) all = sum(all, stream.stats());
    return all;
  }

  /** Ends all. */
  close() {
    this.#closed = true;
    for (const talker of [...this.#talkers.values()]) this.#dropTalker(talker);
    for (const stream of this.#streams.values()) stream.release();
    this.#live.clear();
  }
}

/** The one that was silent for longest. @param {Stream[]} streams */
function quietest(streams) {
  return streams.reduce((least, other) => (other.sounded < least.sounded ? other : least));
}
