/**
 * Seals the frames of one stream. Which key and CTR a frame gets is settled by web/e2ee/talker-state.js; here
 * is what a caller sees of it.
 */

/**
 * The Sealer of one stream, with whatever key its Talker has in use. Its CTR counts on through all keys, so
 * no (KID, CTR) pair seals twice, though generations wrap.
 */
export class Sealer {
  #state;
  #stream;

  /**
   * Talker.stream makes Sealers.
   * @param {import('./talker-state.js').TalkerState} state @param {import('./talker-state.js').Stream} stream
   */
  constructor(state, stream) {
    this.#state = state;
    this.#stream = stream;
  }

  /** The stream number. */
  get number() {
    return this.#stream.number;
  }

  /**
   * Encrypts plain as the stream's next frame, with the key in use at the call: CTRs go up in the order of
   * calls, and so must the results be sent, whichever is ready first. plain is copied.
   * @param {import('../wire/bytes.js').Bytes} plain
   * @returns {Promise<{kid: bigint, ctr: number, ciphertext: import('../wire/bytes.js').Bytes}>} ciphertext
   *   || tag; rejected with a SealError, then nothing was sealed
   */
  async seal(plain) {
    const {kid, ctr, frameKey} = this.#state.reserve(this.#stream); // before anything is waited for
    const copy = plain.slice();
    const key = await frameKey;
    return {kid, ctr, ciphertext: await key.seal(ctr, copy)};
  }

  /** Ends the stream. Frames that were sealed before still come. Closing again does nothing. */
  close() {
    this.#state.end(this.#stream);
  }
}
