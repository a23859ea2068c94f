/**
 * Where the frames of one member come in, of all its streams and keys.
 *
 *     frame --> Listener.decrypt --> Listener.record: once --> Stream, or what its member sees
 *                  |-- no key yet: HeldFrames, until it comes
 *                  '-- does not open: counted; it makes nothing, and has nothing give way
 *
 * Frames are decrypted at the same time, and then handled in the order in which they came: the jitter buffer
 * would take those that are done later for lost.
 */

import { FormatError } from '../wire/bytes.js';
import { VIEW_STREAM, parsePayload, parseView } from '../wire/payload.js';
import { HeldFrames } from './held.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./held.js').Frame} Frame */
/** @typedef {import('../wire/payload.js').MicState} MicState */
/** @typedef {import('./stream.js').Stream} Stream */

/**
 * After how many frames without a word of what their member sees a relay is suspected of keeping that back.
 */
const MAX_UNSEEN = 12 * 150;
/**
 * ms without a frame of a member after which its hand is down: who raises one says so every few seconds, and
 * a stay without a connection ends sooner.
 */
const HAND_LIFE = 90_000;
const VIEW_AFTER = 500; // ms
const MAX_OPENING = 256; // frames that are being decrypted: those that were held, and what comes meanwhile

/**
 * @typedef {object} TalkerHooks
 * @property {(kid: bigint, ctr: number, sealed: Bytes, now: number) => Promise<Bytes>} decrypt
 * @property {(kid: bigint, ctr: number) => 'new' | 'replayed' | 'ahead'} record of Listener
 * @property {() => number} now ms
 * @property {(owner: string, digest: Bytes) => void} seen what its member sees
 * @property {(owner: string) => void} unseen that it does not say so
 * @property {(owner: string) => void} told what is known of its microphone or hand has changed
 * @property {() => void} wake has Keys look at what is held
 * @property {(owner: string) => boolean} known whether the relay has told of a member
 * @property {import('./held.js').HeldBudget} budget
 * @property {(error: unknown) => void} failed
 */

/**
 * @typedef {object} TalkerOutlet
 * @property {(talker: Talker, number: number, frame: Frame, payload: ReturnType<typeof parsePayload>) =>
 *   void} sound
 */

export class Talker {
  /** @type {Stream[]} that are to be played */ current = [];
  /** Frames that did not decrypt. */
  forged = 0;
  /** Frames that came faster than they could be decrypted. */
  undecrypted = 0;
  /** @type {number | null} when it left, ms; null: it has not */ leftAt = null;
  /** Another one takes its frames. */
  dropped = false;

  #hooks;
  #outlet;
  #opening = 0; // frames that are being decrypted
  /** @type {Promise<void>} the last of them was handled; it does not reject */ #last = Promise.resolve();
  #unseen = 0;
  /** How its microphone is, as far as it has said so. @type {MicState} */ microphone = '';
  /** When its hand went up, ms; null: it is down. @type {number | null} */ hand = null;
  #newest = { number: -1, ctr: -1 }; // the frame that said so
  #viewCtr = -1; // likewise, of the view stream
  #toldAt = -Infinity; // when a silence payload said something of the hand, ms
  #heardAt = 0; // when a frame came that it sealed, ms

  /**
   * @param {string} id of the member @param {TalkerHooks} hooks
   * @param {TalkerOutlet} outlet takes what was decrypted
   */
  constructor(id, hooks, outlet) {
    this.id = id;
    this.#hooks = hooks;
    this.#outlet = outlet;
    this.held = new HeldFrames(hooks.budget, () => hooks.known(id));
  }

  /**
   * Takes a media frame: it is played, or held until its key comes. It never rejects.
   * @param {Frame} frame @returns {Promise<void>} when that is done
   */
  frame(frame) {
    if (this.#opening >= MAX_OPENING) {
      this.undecrypted++;
      return this.#last;
    }
    this.#opening++;
    const { decrypt, now, failed } = this.#hooks;
    const opened = decrypt(frame.kid, frame.ctr, frame.ciphertext, now()).then(
      (plain) => () => this.#opened(frame, plain),
      (error) => () => this.#unopened(frame, error),
    );
    this.#last = this.#last.then(async () => (await opened)()).catch(failed).then(() => void this.#opening--);
    return this.#last;
  }

  /** Handles a frame that was not decrypted. @param {Frame} frame @param {{code?: string}} error */
  #unopened(frame, error) {
    const { code } = error;
    if (code === 'no_key') {
      trust(frame); // a guess that the low bits of later ones are read by
      this.#hold(frame);
      return;
    }
    if (code !== 'early' && code !== 'auth') throw error;
    if (code === 'auth') this.forged++; // early: of before we were here
    if (this.held.doubt(frame.at)) this.#hooks.wake();
  }

  /** @param {Frame} frame */
  #hold(frame) {
    if (this.dropped || this.leftAt !== null) return;
    if (this.held.hold(frame, this.#hooks.now())) this.#hooks.wake();
  }

  /**
   * Handles a frame that was decrypted: it drops what came before.
   * @param {Frame} frame @param {Bytes} plain
   */
  #opened(frame, plain) {
    if (this.dropped) return;
    const verdict = this.#hooks.record(frame.kid, frame.ctr);
    if (verdict === 'ahead') {
      this.forged++; // one frame of somebody who has the key, too, must not make all later ones too old
      return;
    }
    trust(frame);
    if (verdict !== 'new') return;
    this.held.keyCame();
    const number = Number((frame.kid >> 8n) & 0xffn);
    try {
      if (number === VIEW_STREAM) this.#view(frame, plain);
      else this.#payload(number, frame, plain);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error; // of a later version
    }
  }

  /** @param {Frame} frame @param {Bytes} plain */
  #view(frame, plain) {
    const { members, hand } = parseView(plain);
    if (this.leftAt !== null) return;
    this.#unseen = 0;
    this.#hooks.seen(this.id, members);
    if (this.#handInView(hand, frame)) this.#hooks.told(this.id);
  }

  /**
   * Notes what a frame of the view stream says of the hand, which comes on its own: what a silence payload
   * has just said is newer, or the same.
   * @param {boolean | null} hand @param {Frame} frame @returns {boolean} it was something else before
   */
  #handInView(hand, { ctr, at }) {
    this.#heardAt = at;
    if (hand === null || ctr < this.#viewCtr || at - this.#toldAt < VIEW_AFTER) return false;
    this.#viewCtr = ctr;
    return this.#handIs(hand, at);
  }

  /** @param {boolean} hand @param {number} at @returns {boolean} it was something else before */
  #handIs(hand, at) {
    if (hand === (this.hand !== null)) return false;
    this.hand = hand ? at : null;
    return true;
  }

  /** @param {number} number @param {Frame} frame @param {Bytes} plain */
  #payload(number, frame, plain) {
    if (++this.#unseen === MAX_UNSEEN) this.#hooks.unseen(this.id);
    this.#outlet.sound(this, number, frame, parsePayload(plain));
  }

  /**
   * Notes how its microphone is and whether its hand is up, unless that was overtaken.
   * @param {ReturnType<typeof parsePayload>} payload @param {number} number of the stream
   * @param {Frame} frame @returns {boolean} something was else before
   */
  told(payload, number, { ctr, at }) {
    this.#heardAt = at;
    const { mic, hand } = payload.silence ? payload : { mic: /** @type {MicState} */ ('open'), hand: null };
    const { number: stream, ctr: last } = this.#newest;
    const overtaken = number < stream || (number === stream && ctr < last);
    if ((mic === '' && hand === null) || this.leftAt !== null || overtaken) return false;
    this.#newest = { number, ctr };
    const micNew = mic !== '' && mic !== this.microphone;
    if (micNew) this.microphone = mic;
    if (hand === null) return micNew;
    this.#toldAt = at;
    return this.#handIs(hand, at) || micNew;
  }

  /**
   * Lowers its hand if nothing has come of it for long: that it did so itself was lost.
   * @param {number} now @returns {boolean} whether it was up
   */
  lowerHand(now) {
    if (this.hand === null || now - this.#heardAt < HAND_LIFE) return false;
    this.hand = null;
    return true;
  }

  /** Plays what was held, for its key has come. */
  playHeld() {
    for (const frame of this.held.drain(this.#hooks.now())) void this.frame(frame);
  }

  /** See HeldFrames.waiting. @param {number} now */
  waiting(now) {
    if (this.leftAt !== null) this.held.drop();
    return this.held.waiting(now);
  }
}

/** @param {Frame} frame whose CTR is taken for true */
function trust({ bound, ctr }) {
  bound.next = Math.max(bound.next, ctr + 1);
}
