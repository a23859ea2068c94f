/**
 * Our end of the way to one device: forwards, answers, alive, last words.
 *
 *     asked ── set up, or the other is heard ──> ready ── refused, ended ──> broken ── next generation ──> asked
 *       (the called's is ready from the beginning)                             └── no more tries ──> dead
 *     any ── the call is over: last word ──> closing ── the relay is told, or tells us ──> gone ── 30 s ──> forgotten
 */

import { STATE } from './call.js';
import { pathEnded } from './called.js';
import { deviceLost, pathReady } from './caller.js';
import { found, lose, pause } from './recover.js';
import { MAX_NUMBER } from '../wire/bytes.js';
import {
  CODE, END, appendEnd, appendForward, appendMedia, appendMessage, signForward, signProof,
} from '../wire/call.js';
import { appendSignal } from '../wire/signal.js';
import { CALL_END, CALL_FORWARD, CALL_MEDIA, CALL_MESSAGE } from '../wire/urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./call.js').Call} Call */
/** @typedef {import('../wire/signal.js').Signal} Signal */

export const PATH = Object.freeze({ asked: 1, ready: 2, broken: 3, dead: 4, closing: 5, gone: 6 });

// All in ms.
const FORWARD_LASTS = 45_000; // expiry of our forwards and proofs; relays take a minute
const STATE_WAIT = 3000; // for the relay's answer to a forward
const FORWARD_TRIES = 3; // of a path that is not open
const FORWARD_PAUSE = 1000; // between them, times how many there were
const ASK_AGAIN = 5000; // caller: by a path that stands the other is not heard; then twice as long
const MAX_ASK_AGAIN = 2;
const ALIVE_EVERY = 500;
const ALIVE_SELDOM = 2000; // while nothing comes from the other
const SELDOM_AFTER = 10_000;
const LINGER_OPEN = 2000; // from the last word to the end of its path
const LINGER_SILENT = 5000; // ... of one that has to be found again first
const REMEMBERED = 30_000;
const MAX_LATE = 5; // times that the last word is said again
const MAX_CLOSING = 64; // paths of calls that are over
/** What relays say once and for all. @type {readonly number[]} */
const FINAL = [CODE.tooMany, CODE.kept];

export class Path {
  generation = 0; // the highest that we know of
  stands = 0; // the caller's last one that was set up
  bound = false; // our relay knows the path, or is told: media may go

  device = ''; // the caller's
  away = false; // the caller's: the device is not there, as far as is known, and its home keeps the offer
  /** Sealed; null once it was answered. @type {Bytes | null} */ offer = null;

  state = 0;
  tries = 0; // forwards since it was ready last
  due = 0; // what there is to do in this state
  again = 0; // forwards because nothing was heard by it, though it stands
  code = 0;

  said = 0; // when something went to the other
  heard = 0; // when something of the other's came
  media = 0; // when media of the other's came

  /** The last word; null: the other had it. @type {Signal | null} */ last = null;
  late = 0; // how often it was said again

  /**
   * @param {Call} call @param {import('../wire/call-path.js').PathKey} key
   * @param {import('../e2ee/call-channel.js').CallChannel} channel
   */
  constructor(call, key, channel) {
    this.call = call;
    this.key = key;
    this.id = key.id;
    this.channel = channel;
    call.line.paths.set(this.id, this);
  }

  /** Says something to the other. @param {Signal} s @param {number} now */
  async say(s, now) {
    this.said = now;
    this.call.line.send(CALL_MESSAGE, await this.seal(s));
  }

  /** A message to the other. @param {Signal} s */
  async seal(s) {
    return appendMessage({ path: this.id, body: await this.channel.seal(appendSignal(s)) });
  }

  /** Notes that the other was heard, which nobody on the way can pretend. @param {number} now */
  async heardAt(now) {
    this.heard = now;
    if (this.state <= PATH.dead) {
      this.state = PATH.ready;
      this.tries = 0;
      this.bound = true;
    }
    if (this.call.state === STATE.open && this === this.call.chosen) await found(this.call, now);
  }

  /** Asks for the path with the next generation: the first time, or by another way. @param {number} now */
  async forward(now) {
    this.tries++;
    this.state = PATH.asked;
    this.due = now + STATE_WAIT;
    pause(this.call.silence, now);
    await this.#sendForward(now);
  }

  /** @param {number} now */
  async #sendForward(now) {
    if (this.generation >= MAX_NUMBER) return;
    const generation = ++this.generation;
    const { line, target } = this.call;
    const forward = await signForward(this.key, {
      generation, expiry: expiry(line.unix(now), FORWARD_LASTS), target, device: this.device,
      offer: this.offer ?? new Uint8Array(0),
    });
    line.send(CALL_FORWARD, appendForward(forward));
  }

  /** Makes our session a leg of the path, which waits for a forward of the caller's. @param {number} now */
  async wait(now) {
    const { line } = this.call;
    const fields = {
      generation: Math.max(this.generation, 1), expiry: expiry(line.unix(now), FORWARD_LASTS),
    };
    const relay = /** @type {Bytes} */ (line.relay);
    const proof = await signProof(this.key, fields, relay, line.config.identity.publicKey);
    line.send(CALL_MEDIA, appendMedia({ path: this.id, proof }));
  }

  /** Has the path go on over a new session. @param {number} now */
  async sessionFresh(now) {
    if (this.state === PATH.dead || this.state >= PATH.closing) return;
    if (this.call.caller) {
      this.tries = 0;
      this.bound = false;
      this.call.silence.tries = 0;
      await this.forward(now);
    } else {
      await this.wait(now);
      this.state = PATH.ready;
      await this.call.sayState(now);
    }
  }

  /**
   * Takes what a relay says of our forward.
   * @param {import('../wire/call.js').State} m @param {number} now
   */
  async stateCame({ generation, code }, now) {
    const { call } = this;
    const ours = call.caller && generation === this.generation;
    if (!ours || this.state === PATH.dead || this.state === PATH.gone) return;
    if (this.state === PATH.closing) {
      if (code !== CODE.setUp) return;
      await this.#sayLast(now);
      this.due = now + LINGER_OPEN;
    } else if (code === CODE.setUp) {
      this.state = PATH.ready;
      this.tries = 0;
      this.away = false;
      this.stands = generation;
      this.bound = true;
      this.due = now + ASK_AGAIN * 2 ** this.again;
      await pathReady(call, this, now);
    } else if (call.state !== STATE.open && !(this.state === PATH.ready && generation > this.stands)) {
      // Else the way that there was goes on; the next try is due by itself.
      this.code = code;
      await this.#broke(now);
    }
  }

  /**
   * Takes the end of the path from our relay.
   * @param {import('../wire/call.js').End} m @param {number} now
   */
  async endCame({ generation, reason }, now) {
    const { caller } = this.call;
    if (reason === END.replaced || generation < this.#least() || (caller && generation > this.generation)) {
      return; // it is of a way that is not used any more
    }
    if (this.state === PATH.closing) {
      if (this.last === null || reason === END.hungUp) this.#gone(now);
      return;
    }
    if (this.state === PATH.gone || this.state === PATH.dead) return;
    this.generation = Math.max(this.generation, generation);
    this.code = CODE.failed;
    await this.#broke(now);
  }

  /** The lowest generation whose end matters: the one that stands, while the next is under way. */
  #least() {
    return this.call.caller ? this.stands : this.generation;
  }

  /** Notes that the path does not stand, or could not be set up. @param {number} now */
  async #broke(now) {
    const { call } = this;
    this.state = PATH.broken;
    if (call.state === STATE.open && this === call.chosen) {
      await lose(call, now);
    } else if (!call.caller) {
      await this.wait(now);
      pathEnded(call, now);
    } else if (this.away || FINAL.includes(this.code) || this.tries >= FORWARD_TRIES) {
      this.state = PATH.dead;
      await deviceLost(call, now);
    } else {
      this.due = now + Math.max(this.tries, 1) * FORWARD_PAUSE;
    }
  }

  /**
   * Does what is due of a path to a device that has not answered.
   * @param {number} now @returns {Promise<number>}
   */
  async tickOffer(now) {
    if (this.state === PATH.ready && this.heard === 0 && this.again < MAX_ASK_AGAIN) {
      return this.#tickUnheard(now);
    }
    if (this.away || (this.state !== PATH.asked && this.state !== PATH.broken)) return 0;
    if (now < this.due) return this.due;
    if (this.state === PATH.asked && this.tries >= FORWARD_TRIES) {
      this.state = PATH.dead;
      await deviceLost(this.call, now);
      return 0;
    }
    await this.forward(now);
    return this.due;
  }

  /**
   * Asks for a path anew that stands, as relays say, and by which the other was never heard: one of them may
   * have dropped the offer. It does so with everybody, for strangers are not answered either.
   * @param {number} now @returns {Promise<number>}
   */
  async #tickUnheard(now) {
    if (now < this.due) return this.due;
    this.again++;
    this.due = now + ASK_AGAIN * 2 ** this.again;
    await this.#sendForward(now);
    return this.due;
  }

  /** Says that we are there, when nothing else does. @param {number} now @returns {Promise<number>} */
  async tickAlive(now) {
    const every = now - this.heard > SELDOM_AFTER ? ALIVE_SELDOM : ALIVE_EVERY;
    if (now - this.said >= every) await this.sayAlive(now);
    return this.said + every;
  }

  /**
   * Says that we are there, and by which generation of the path, of which the called cannot know: to end the
   * path it has to.
   * @param {number} now
   */
  async sayAlive(now) {
    const generation = this.call.caller && this.stands > 1 ? this.stands : 0;
    await this.say({ type: 'alive', generation }, now);
  }

  /**
   * Ends the path of a call that is over. A path is ended for relays when the other has had time to hear the
   * last word by it; if the other has said it, at once.
   * @param {Signal | null} last @param {number} now
   */
  async close(last, now) {
    const { call } = this;
    const { line } = call;
    if (this.state === PATH.closing || this.state === PATH.gone) return;
    const dead = this.state === PATH.dead;
    const lost = this.state !== PATH.ready || call.silence.since !== 0;
    this.last = last;
    this.offer = null;
    this.state = PATH.closing;
    line.closing.push(this);
    if (last === null || dead) {
      this.last = null;
      this.#tellEnd();
      this.#gone(now);
    } else if (lost && call.caller && this === call.chosen) {
      await this.forward(now); // it may be there again
      this.state = PATH.closing;
      await this.#sayLast(now);
      this.due = now + LINGER_SILENT;
    } else {
      await this.#sayLast(now);
      this.due = now + LINGER_OPEN;
    }
    if (line.closing.length > MAX_CLOSING) line.closing[0].#forget();
  }

  /** @param {number} now */
  async #sayLast(now) {
    if (this.last) await this.say(this.last, now);
  }

  /** sessionFresh for a path that is closing. @param {number} now */
  async sayLastAgain(now) {
    if (this.state !== PATH.closing) return;
    if (this.call.caller) {
      await this.forward(now);
      this.state = PATH.closing;
    } else {
      await this.wait(now);
      await this.#sayLast(now);
    }
    this.due = now + LINGER_SILENT;
  }

  /**
   * Takes what an end says to which the call is not over yet: it missed the last word.
   * @param {Signal} s @param {number} now
   */
  async heardLate(s, now) {
    if (!['hang up', 'decline', 'busy', 'cancel', 'elsewhere'].includes(s.type)) {
      await this.repeatLast(now);
    } else if (this.state === PATH.closing) { // both said it
      this.#tellEnd();
      this.#gone(now);
    }
  }

  /** Says the last word again, some times. @param {number} now */
  async repeatLast(now) {
    if (!this.last || this.late >= MAX_LATE || now - this.said < ALIVE_EVERY) return;
    this.late++;
    await this.#sayLast(now);
    this.state = PATH.closing;
    this.due = now + LINGER_OPEN;
  }

  /** Has relays forget the path. */
  #tellEnd() {
    const generation = Math.max(this.generation, 1);
    this.call.line.send(CALL_END, appendEnd({ path: this.id, generation, reason: END.hungUp }));
  }

  /**
   * Notes that relays have no such path any more. It is remembered for an end that is back late.
   * @param {number} now
   */
  #gone(now) {
    this.state = PATH.gone;
    this.due = now + REMEMBERED;
  }

  /** @param {number} now @returns {number} when to be called again */
  tickClosing(now) {
    if (now < this.due) return this.due;
    if (this.state === PATH.closing) {
      this.#tellEnd();
      this.#gone(now);
      return this.due;
    }
    this.#forget();
    return 0;
  }

  /** Forgets the path of a call that is over. */
  #forget() {
    const { line } = this.call;
    if (this.state === PATH.closing) this.#tellEnd();
    line.paths.delete(this.id);
    line.closing = line.closing.filter((other) => other !== this);
  }
}

/** Unix seconds, some ms from now. @param {number} unix ms since 1970 @param {number} ms */
export function expiry(unix, ms) {
  return BigInt(Math.max(0, Math.floor((unix + ms) / 1000)));
}
