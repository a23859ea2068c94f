/**
 * Tells who hears this member what it sees, so that a relay cannot show somebody to one of them only: a
 * digest of the members, in a stream of its own, encrypted as media is (docs/protocol.md, section 7.2).
 *
 * Who talks without a silence also says there that the hand is up.
 *
 *     members changed --500 ms--> sent --500 ms--> --500 ms--> --3 s--> --3 s--> ...   each only after media
 */

import { equal } from '../wire/bytes.js';
import { VIEW_STREAM, appendView } from '../wire/payload.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('../e2ee/sealer.js').Sealer} Sealer */

const VIEW_REST = 500; // ms that the members must not change for, before the talker says who they are,
const VIEW_AGAIN = 500; // again,
const VIEW_AGAINS = 3; // as often as that, for a frame may be lost,
const VIEW_EVERY = 3000; // and then as often as that while it talks

/**
 * @typedef {object} ViewHooks
 * @property {() => number} mediaAt when media was sent last, ms; -Infinity: never
 * @property {() => boolean} publishing whether a microphone is armed
 * @property {() => boolean | null} hand what there is to say of it, null: nothing
 * @property {(kid: bigint, ctr: number, ciphertext: Bytes) => void} sendView
 * @property {(error: unknown) => void} failed
 */

export class ViewSender {
  #talker;
  #at;
  /** @type {Sealer | null} null: nothing was ever said */ #sealer = null;
  /** @type {Bytes | null} */ #digest = null;
  /** @type {boolean | null} */ #hand = null; // as it was said last
  #since = 0;
  #said = 0;
  #last = -Infinity;

  /** @param {import('../e2ee/talker.js').Talker} talker @param {ViewHooks} at */
  constructor(talker, at) {
    this.#talker = talker;
    this.#at = at;
  }

  /** Opens the view stream with the first key. */
  open() {
    this.#sealer ??= this.#talker.stream(VIEW_STREAM);
  }

  /** Takes what we see now. @param {Bytes} digest @param {number} now */
  changed(digest, now) {
    if (this.#digest && equal(digest, this.#digest)) return;
    this.#digest = digest;
    this.#since = now;
    this.#said = 0;
  }

  #due() {
    const due = this.#last + (this.#said < VIEW_AGAINS ? VIEW_AGAIN : VIEW_EVERY);
    return Math.max(due, this.#since + VIEW_REST);
  }

  /**
   * Says what we see, if it is time to and we talk.
   * @param {number} now @returns {number} when to be called next; 0: not before something changes
   */
  send(now) {
    if (!this.#sealer || !this.#digest || !this.#at.publishing()) return 0;
    const hand = this.#at.hand();
    if (hand !== null && hand !== this.#hand) this.#said = 0;
    this.#hand = hand;
    if (now < this.#due()) return this.#due();
    // Silent: who does not talk has no secrets.
    if (now - this.#at.mediaAt() > VIEW_AGAIN) return now + VIEW_AGAIN;
    this.#last = now;
    this.#said++;
    this.#seal(this.#sealer, appendView(this.#digest, hand)).catch((error) => {
      if (!isOver(error)) this.#at.failed(error);
    });
    return this.#due();
  }

  /** @param {Sealer} sealer @param {Bytes} view */
  async #seal(sealer, view) {
    const { kid, ctr, ciphertext } = await sealer.seal(view);
    this.#at.sendView(kid, ctr, ciphertext);
  }
}

/**
 * Whether nothing was sealed because the microphone or the room is closed, of which others know.
 * @param {unknown} error
 */
export function isOver(error) {
  const { code } = /** @type {{code?: string}} */ (error ?? {});
  return code === 'closed' || code === 'disarmed';
}
