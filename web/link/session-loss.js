/** The share of the newest packets that got lost. It is pure. */

const PACKETS = 50; // about so many of them count,
const SECONDS = 4; // and those of about so long

export class RecentLoss {
  /** How many packets the share is measured of. */
  measured = 0;

  #lost = 0;
  #at = -Infinity;

  /** From 0 to 1. */
  get share() {
    return this.measured > 0 ? this.#lost / this.measured : 0;
  }

  /** Forgets all. */
  reset() {
    this.measured = this.#lost = 0;
  }

  /**
   * Notes what became of packets.
   * @param {number} expected how many were sent @param {number} lost of them @param {number} now ms
   */
  add(expected, lost, now) {
    const age = this.#at === -Infinity ? 0 : (now - this.#at) / 1000;
    const kept = Math.exp(-expected / PACKETS - Math.max(0, age) / SECONDS);
    this.measured = this.measured * kept + expected;
    this.#lost = this.#lost * kept + Math.min(Math.max(lost, 0), expected);
    this.#at = now;
  }
}
