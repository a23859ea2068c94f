/**
 * Whether sound runs. It looks twice a second at what moves while sound goes in and out, and tells within 3 s
 * when something of that stands still, whatever the reason, and when it moves again. Pure but for its clock.
 *
 *     AudioContext: state, time of its clock ----.
 *     microphone: blocks captured, muted --------+--> SoundWatch --> playing, capturing, cause
 *     loudspeaker: blocks asked for, answered ---'
 *
 * A page that was asleep sees nothing move either, so of the time between two looks only a little counts.
 */

/**
 * Why sound does not run, the first in this order that is so: the browser holds it back until the user does
 * something; the clock of the sound card stands still, as without a loudspeaker; nobody asks for what is to
 * be played; the Worker does not answer; no blocks come from the microphone; the system has muted it; it
 * gives nothing but zeros, which no room is as quiet as; the codec takes frames and gives none back; sound is
 * played, but not by the loudspeaker that was chosen.
 *
 * @typedef {'paused' | 'clock' | 'player' | 'worker' | 'capture' | 'muted' | 'silent' | 'decoder' |
 *   'encoder' | 'sink'} SoundCause
 */

/**
 * Each is true unless sound should go there and does not.
 * @typedef {{playing: boolean, capturing: boolean, cause: '' | SoundCause}} Sound
 */

/**
 * What there is to see. `count` rises while blocks pass, `sounding` with those that are not all zeros; null:
 * no microphone, or nothing to be played.
 *
 * @typedef {object} Flows
 * @property {boolean} paused the browser waits for the user
 * @property {number} time of its clock
 * @property {{count: number, sounding: number, muted: boolean} | null} capture
 * @property {{count: number, starved: boolean, astray: boolean} | null} playback astray: by another
 *   loudspeaker
 */

/** @typedef {import('../link/clock.js').Clock} Clock */

const EVERY = 500; // ms
const LIMIT = 1900; // ms: with the time between looks, it is said within 3 s
const SILENT_LIMIT = 6000; // ms, of a microphone that has given sound: a headset may cut off the quiet

/** @type {Sound} */
export const SOUND_RUNS = Object.freeze({ playing: true, capturing: true, cause: '' });

/** For how long something has not moved, or has been wrong. */
class Still {
  /** @type {unknown} */ #value = undefined;
  #ms = 0;

  /**
   * @param {unknown} value that moves while all is well @param {number} passed ms @param {number} [limit] ms
   * @returns {boolean} too long
   */
  stands(value, passed, limit = LIMIT) {
    this.#ms = Object.is(value, this.#value) ? this.#ms + passed : 0;
    this.#value = value;
    return this.#ms >= limit;
  }

  /** @param {boolean} wrong @param {number} passed ms @returns {boolean} too long */
  lasts(wrong, passed) {
    this.#ms = wrong ? this.#ms + passed : 0;
    return this.#ms >= LIMIT;
  }
}

export class SoundWatch {
  sound = SOUND_RUNS;
  #clock;
  #flows;
  #tell;
  /** @type {any} */ #timer = null;
  #last = 0;
  #still = {
    paused: new Still(), clock: new Still(), player: new Still(), worker: new Still(), capture: new Still(),
    muted: new Still(), silent: new Still(),
  };

  /**
   * @param {Clock} clock @param {() => Flows} flows @param {(sound: Sound) => void} tell is told of changes
   */
  constructor(clock, flows, tell) {
    this.#clock = clock;
    this.#flows = flows;
    this.#tell = tell;
  }

  /** Begins to look, if it does not look already. It ends by itself when nothing is to pass any more. */
  start() {
    if (this.#timer !== null) return;
    this.#last = this.#clock.now();
    this.#wait();
  }

  /** Nothing is expected to run any more. */
  stop() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#say(SOUND_RUNS);
  }

  #wait() {
    this.#timer = this.#clock.setTimeout(() => {
      const now = this.#clock.now();
      const passed = Math.min(now - this.#last, 2 * EVERY);
      this.#last = now;
      this.#look(passed);
      if (this.#timer !== null) this.#wait();
    }, EVERY);
  }

  /** @param {number} passed ms since the look before */
  #look(passed) {
    const { paused: waits, time, capture, playback } = this.#flows();
    if (!capture && !playback) return this.stop();
    const still = this.#still;
    const paused = still.paused.lasts(waits, passed);
    const clock = still.clock.stands(time, passed);
    const player = still.player.stands(playback?.count ?? {}, passed);
    const worker = still.worker.lasts(playback?.starved ?? false, passed);
    const stopped = still.capture.stands(capture?.count ?? {}, passed);
    const muted = still.muted.lasts(capture?.muted ?? false, passed);
    const limit = capture?.sounding ? SILENT_LIMIT : LIMIT;
    const silent = still.silent.stands(capture?.sounding ?? {}, passed, limit);
    this.#say({
      playing: !(playback && (paused || clock || player || worker)),
      capturing: !(capture && (paused || clock || stopped || muted || silent)),
      cause: first({
        paused, clock, player, worker, capture: stopped, muted, silent, sink: playback?.astray,
      }),
    });
  }

  /** @param {Sound} sound */
  #say(sound) {
    const { playing, capturing, cause } = this.sound;
    if (sound.playing === playing && sound.capturing === capturing && sound.cause === cause) return;
    this.sound = sound;
    this.#tell(sound);
  }
}

/**
 * @param {Partial<Record<SoundCause, boolean | undefined>>} causes
 * @returns {'' | SoundCause} the first that is so
 */
function first(causes) {
  const [cause] = Object.entries(causes).find(([, is]) => is) ?? [''];
  return /** @type {'' | SoundCause} */ (cause);
}
