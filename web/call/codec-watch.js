/**
 * Whether the browser's codec does what it is for: frames that were given to the encoder come back as
 * packets, packets that came are decoded. It tells when that changes.
 *
 *     Publication: encoding ----------.
 *     statistics, once a second ------+--> CodecWatch --> {encoding, decoding}
 */

const FRAMES = 25; // in a second that nothing was decoded of: one that is broken is no broken decoder
const SECONDS = 2; // of them

export class CodecWatch {
  #tell;
  #encoding = true;
  #decoding = true;
  #last = { played: 0, undecodable: 0 };
  #bad = 0; // seconds

  /** @param {(codec: {encoding: boolean, decoding: boolean}) => void} tell is told of changes */
  constructor(tell) {
    this.#tell = tell;
  }

  /** @param {boolean} on whether the encoder answers */
  encoding(on) {
    if (on === this.#encoding) return;
    this.#encoding = on;
    this.#say();
  }

  /**
   * Takes the counters of all streams, once a second, and returns them.
   * @param {Record<string, number>} stats
   */
  stats(stats) {
    const { played = 0, undecodable = 0 } = stats;
    const failed = undecodable - this.#last.undecodable;
    const decoded = played - this.#last.played;
    this.#last = { played, undecodable };
    if (decoded > 0) this.#bad = 0;
    else if (failed >= FRAMES) this.#bad++;
    if ((this.#bad < SECONDS) !== this.#decoding) {
      this.#decoding = !this.#decoding;
      this.#say();
    }
    return stats;
  }

  #say() {
    this.#tell({ encoding: this.#encoding, decoding: this.#decoding });
  }
}
