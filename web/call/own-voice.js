/**
 * What this client says in one stay: what the microphone takes up, how that is, and whether the hand is up.
 *
 *     microphone --------------------> Publication --> Keys's Sealer --> send
 *     none, but a hand: silence --'
 *
 * One Publication is there from when a microphone comes, or a hand goes up, until neither is there.
 */

import { Publication } from './publish.js';

/** @typedef {import('./engine.js').Mode} Mode */
/** @typedef {{publication: Publication, sealer: import('../e2ee/sealer.js').Sealer}} Published */

const SUITE = 2; // AES_128_CTR_HMAC_SHA256_64
const MAX_PUBLISHED = 255; // stream numbers; the last one is that of views
const SILENCE_EVERY = 200; // ms
const SILENCE = new Float32Array(48 * SILENCE_EVERY);

/**
 * @typedef {object} VoiceHooks
 * @property {() => import('./keys.js').Keys | null} keys null until the relay's key is known
 * @property {import('./publish.js').MakeEncoder} encoder
 * @property {() => {process(frame: Float32Array): boolean, readonly onset: number}} [vad] absent: Vad
 * @property {import('../link/clock.js').Clock} clock
 * @property {(kid: bigint, ctr: number, ciphertext: import('../wire/bytes.js').Bytes) => void} send
 * @property {(on: boolean) => void} transmitting
 * @property {(on: boolean) => void} encoding
 * @property {(error: unknown) => void} failed
 * @property {() => void} told there is something else to say of the hand
 */

export class OwnVoice {
  /** Packets that were sent. */ sent = 0;
  /** When the last of them was, ms. */ sentAt = -Infinity;
  /** When our hand went up, ms; null: it is down. @type {number | null} */ raisedAt = null;

  #hooks;
  /** @type {Published | null} */ #published = null;
  #streamsUsed = 0;
  /** @type {Promise<void>} publications begin and end one after the other */ #turn = Promise.resolve();
  #microphone = false; // there is one
  /** @type {any} the timer of the silence in its place, null if none is due */ #silence = null;
  #opened = false; // what is said has listeners
  #over = false; // nothing begins any more
  /** @type {{mode: Mode, pressed: boolean, muted: boolean}} */
  #how = { mode: 'open', pressed: false, muted: false };

  /** @param {VoiceHooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** Whether keys are armed. */
  get publishing() {
    return this.#published !== null;
  }

  /** What there is to say of the hand, null: nothing. */
  get hand() {
    return this.#published?.publication.hand ?? null;
  }

  /** Others have our key: what is said has listeners. */
  open() {
    this.#opened = true;
    this.#talk();
  }

  /**
   * Takes the microphone's blocks from now on.
   * @param {{mode: Mode, muted: boolean}} how @returns {Promise<void>}
   */
  publish({ mode, muted }) {
    this.#how = { mode, muted, pressed: false };
    this.#microphone = true;
    return this.#inTurn(async () => this.#publish());
  }

  #publish() {
    this.#talk();
    const { keys, encoder, vad, clock, transmitting, encoding, failed } = this.#hooks;
    const wanted = this.#microphone || this.raisedAt !== null;
    const own = keys();
    if (!wanted || this.#published || !own || this.#over) return;
    if (this.#streamsUsed === MAX_PUBLISHED) throw new Error('too many microphones in one stay: join again');
    const sealer = own.arm(SUITE, this.#streamsUsed++);
    const publication = new Publication({ gated: this.#how.mode === 'open' }, {
      encoder, sealer, clock, transmitting, encoding, failed,
      vad: vad?.(),
      send: (kid, ctr, ciphertext) => {
        this.sent++;
        this.sentAt = clock.now();
        this.#hooks.send(kid, ctr, ciphertext);
      },
    });
    this.#published = { publication, sealer };
    this.#talk();
  }

  /** The microphone is gone. @returns {Promise<void>} */
  unpublish() {
    this.#microphone = false;
    return this.#inTurn(async () => {
      this.#talk();
      if (!this.#published || (this.raisedAt !== null && !this.#over)) return;
      const { publication, sealer } = this.#published;
      this.#published = null;
      await publication.close({ gone: !this.#over });
      this.#hooks.keys()?.disarm(sealer);
    });
  }

  /** @param {() => Promise<void>} task @returns {Promise<void>} */
  #inTurn(task) {
    this.#turn = this.#turn.then(task).catch((error) => this.#hooks.failed(error));
    return this.#turn;
  }

  /** Takes 10 ms of the microphone. @param {Float32Array} block is copied */
  captured(block) {
    this.#published?.publication.write(block);
  }

  /** @param {Partial<{mode: Mode, pressed: boolean, muted: boolean}>} how */
  set(how) {
    Object.assign(this.#how, how);
    this.#talk();
  }

  /** Raises the hand, or lowers it. @param {boolean} on */
  setHand(on) {
    if (on === (this.raisedAt !== null)) return;
    this.raisedAt = on ? this.#hooks.clock.now() : null;
    void this.#inTurn(async () => this.#publish());
  }

  /** Tells the publication how it is now. */
  #talk() {
    if (!this.#published) return;
    const { publication } = this.#published;
    const { mode, pressed, muted } = this.#how;
    publication.setGated(mode === 'open'); // who holds the button means it
    const on = this.#opened && this.#microphone && (mode === 'open' ? !muted : pressed);
    const closed = mode === 'open' ? 'muted' : 'released';
    publication.setTalking(on, on ? 'open' : this.#microphone ? closed : 'none');
    const hand = this.#opened && this.raisedAt !== null;
    if (hand !== (publication.hand ?? false)) {
      publication.setHand(hand);
      this.#hooks.told();
    }
    if (!this.#microphone && this.#silence === null) this.#beSilent();
  }

  /** Has silence in the place of a microphone, for as long as there is a hand to tell of. */
  #beSilent() {
    this.#silence = this.#hooks.clock.setTimeout(() => {
      this.#silence = null;
      if (this.#microphone || !this.#published || this.#over) return;
      const { publication } = this.#published;
      publication.write(SILENCE);
      if (this.raisedAt !== null || publication.hand !== null) this.#beSilent();
      else void this.unpublish();
    }, SILENCE_EVERY);
  }

  /** Says what is left to say, and no more. @returns {Promise<void>} */
  end() {
    this.#over = true;
    return this.unpublish();
  }

  /** Ends it at once: the stay is over. */
  stop() {
    this.#over = true;
    this.#hooks.clock.clearTimeout(this.#silence);
    this.#published?.publication.stop();
    this.#published = null;
  }
}
