/**
 * What the browser and the system know of a call: which tabs have one, that the screen stays on, that there is
 * a call to mute or to end from outside the page.
 *
 * One microphone is in one room over all tabs of a profile, unless the user says otherwise. Each call holds a
 * lock whose name says which room it is of; who joins steals those of the others, whose calls end then. They do
 * so one after the other, so that two that join at once do not end each other.
 *
 *     lock "wzp call {id} {room}" ── stolen ──> the call ends, and its tab says so
 *     channel "wzp call" ── "something changed" ──> the doors of other tabs look again
 */

import { roomKey } from './address.js';

const prefix = 'wzp call ';
const change = 'wzp call';

/** A call in another tab; `here`: of the room that was asked for. @typedef {{room: string, here: boolean}} Call */

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

  /** @param {string} room of the address, '' for none @returns {Promise<Call[]>} of other tabs */
  static async elsewhere(room) {
    const calls = (await heldLocks()).map((name) => keyOf(name));
    return calls.map((key) => ({ room: key.slice(key.indexOf('\0') + 1), here: key === roomKey(room) }));
  }

  /** Calls back when calls in other tabs may have begun or ended. @param {() => void} changed */
  static watch(changed) {
    new BroadcastChannel(change).onmessage = changed;
    document.addEventListener('visibilitychange', () => document.hidden || changed());
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

/** @returns {Promise<string[]>} names of the locks of calls; none in a browser without locks */
async function heldLocks() {
  try {
    const { held = [] } = await navigator.locks.query();
    return held.flatMap(({ name = '' }) => (name.startsWith(prefix) ? [name] : []));
  } catch {
    return [];
  }
}

/** The roomKey in a lock's name. @param {string} name */
const keyOf = (name) => name.slice(name.indexOf(' ', prefix.length) + 1);
