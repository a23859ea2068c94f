/** How loud sound is, in dBFS: 0 for a full-scale square wave, -3 for a sine, about -25 for speech. Pure. */

/** The level of digital silence and of everything below it, dBFS. */
export const SILENCE = -100;

const ATTACK = 0.5; // of the way to a louder level, in 10 ms
const RELEASE = 0.08; // of the way to a quieter one: rings breathe, they do not flicker
const STEP = 480; // samples that these are for

/** The root mean square of pcm, dBFS. @param {Float32Array} pcm */
export function levelOf(pcm) {
  let sum = 0;
  for (let i = 0; i < pcm.length; i++) sum += pcm[i] * pcm[i];
  return pcm.length === 0 ? SILENCE : decibels(sum / pcm.length);
}

/** @param {number} power mean square */
export function decibels(power) {
  return power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE; // NaN as well
}

/** A level that rises quickly and falls slowly, for meters and rings. */
export class Level {
  #power = 0;

  /** Takes the next sound. @param {Float32Array} pcm */
  write(pcm) {
    let sum = 0;
    for (let i = 0; i < pcm.length; i++) sum += pcm[i] * pcm[i];
    const power = pcm.length === 0 || !Number.isFinite(sum) ? 0 : sum / pcm.length;
    const share = power > this.#power ? ATTACK : RELEASE;
    this.#power += (power - this.#power) * (1 - (1 - share) ** (pcm.length / STEP));
  }

  /** The level now, dBFS. */
  get dbfs() {
    return decibels(this.#power);
  }

  /** Forgets what was heard. */
  reset() {
    this.#power = 0;
  }
}

const STALE = 300; // ms without sound, after which there is no microphone

/** The level of what was captured last. */
export class LiveLevel extends Level {
  #at = -Infinity;

  /** @param {Float32Array} pcm @param {number} now ms */
  writeAt(pcm, now) {
    this.write(pcm);
    this.#at = now;
  }

  /** In dBFS. @param {number} now */
  at(now) {
    if (now - this.#at > STALE) this.reset();
    return this.dbfs;
  }
}
