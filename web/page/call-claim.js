/**
 * What the browser and the system know of a call: that this tab has it (calls.js), that the screen stays on,
 * that there is a call to mute or to end from outside the page.
 */

import { roomKey } from './address.js';
import { change, heldLocks, keyOf, prefix } from './calls.js';

/** From the joining to the end of one stay. */
export class CallClaim {
  #id = crypto.randomUUID();
  #stop = new AbortController();
  /** @type {WakeLockSentinel | null} */ #wake = null;
  /** @type {() => void} */ #release = () => {};

  /**
   * @param {string} room
   * @param {{both: boolean, taken: () => void, mute: () => void, leave: () => void}} options both: calls of
   *   other rooms go on in their tabs
   */
  constructor(room, { both, taken, mute, leave }) {
    const { signal } = this.#stop;
    document.addEventListener('visibilitychange', () => void this.#stayAwake(), { signal });
    void this.#stayAwake();
    if ('locks' in navigator) {
      navigator.locks.request('wzp calls', () => this.#claim(room, both, taken)).catch(() => {});
    }
    this.#describe(room, mute, leave);
  }

  /**
   * Takes the call from other tabs, and notices when one takes it from here.
   * @param {string} room @param {boolean} both @param {() => void} taken
   */
  async #claim(room, both, taken) {
    const { signal } = this.#stop;
    const say = () => channel.postMessage('');
    const channel = new BroadcastChannel(change);
    for (const name of await heldLocks()) {
      if (both && keyOf(name) !== roomKey(room)) continue;
      await navigator.locks.request(name, { steal: true }, () => {});
    }
    if (signal.aborted) return;
    await new Promise((granted) => {
      const held = new Promise((release) => (this.#release = () => release(undefined)));
      const hold = () => {
        granted(undefined);
        return held;
      };
      navigator.locks.request(`${prefix}${this.#id} ${roomKey(room)}`, hold).catch(() => {
        if (!signal.aborted) taken();
      }).then(() => {
        say();
        channel.close();
      });
    });
    say();
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
