/**
 * What the browser and the system know of a call: that the screen stays on, that one tab has this room, that
 * there is a call to mute or to end from outside the page.
 */

import { roomKey } from './address.js';

/** @param {string} room */
const lockName = (room) => 'wzp room ' + roomKey(room);

/** From the joining to the end of one stay. */
export class CallClaim {
  #stop = new AbortController();
  /** @type {WakeLockSentinel | null} */ #wake = null;
  /** @type {() => void} */ #release = () => {};

  /** @param {string} room @param {{taken: () => void, mute: () => void, leave: () => void}} actions */
  constructor(room, { taken, mute, leave }) {
    const { signal } = this.#stop;
    document.addEventListener('visibilitychange', () => void this.#stayAwake(), { signal });
    void this.#stayAwake();
    this.#claim(room, taken);
    this.#describe(room, mute, leave);
  }

  /** @param {string} room @returns {Promise<boolean>} whether another tab of this browser is in the room */
  static async elsewhere(room) {
    try {
      const { held = [] } = await navigator.locks.query();
      return held.some(({ name }) => name === lockName(room));
    } catch {
      return false; // a browser without locks
    }
  }

  /**
   * Takes the room from another tab, and notices when one takes it from here.
   * @param {string} room @param {() => void} taken
   */
  #claim(room, taken) {
    if (!('locks' in navigator)) return;
    const held = new Promise((resolve) => (this.#release = () => resolve(undefined)));
    navigator.locks.request(lockName(room), { steal: true }, () => held).catch(() => {
      if (!this.#stop.signal.aborted) taken();
    });
  }

  /** @param {string} room @param {() => void} mute @param {() => void} leave */
  #describe(room, mute, leave) {
    if (!('mediaSession' in navigator)) return;
    navigator.mediaSession.metadata = new MediaMetadata({ title: room, artist: 'wzp' });
    const handle = (/** @type {string} */ action, /** @type {() => void} */ act) => {
      try {
        navigator.mediaSession.setActionHandler(/** @type {MediaSessionAction} */ (action), act);
      } catch {
        // This browser has no such button.
      }
    };
    handle('togglemicrophone', mute);
    handle('hangup', leave);
  }

  /** @param {boolean} live whether the microphone is open */
  show(live) {
    const session = /** @type {any} */ (navigator).mediaSession;
    session?.setMicrophoneActive?.(live)?.catch?.(() => {}); // a hint to the system, no more
  }

  async #stayAwake() {
    if (document.hidden || !('wakeLock' in navigator) || (this.#wake && !this.#wake.released)) return;
    try {
      const wake = await navigator.wakeLock.request('screen');
      if (this.#stop.signal.aborted) await wake.release();
      else this.#wake = wake;
    } catch {
      // The battery is low, or the user does not want it: the call goes on with the screen off.
    }
  }

  close() {
    this.#stop.abort();
    this.#release();
    this.#wake?.release().catch(() => {});
    if ('mediaSession' in navigator) {
      navigator.mediaSession.metadata = null;
      for (const action of ['togglemicrophone', 'hangup']) {
        try {
          navigator.mediaSession.setActionHandler(/** @type {MediaSessionAction} */ (action), null);
        } catch {
          // As above.
        }
      }
    }
  }
}
