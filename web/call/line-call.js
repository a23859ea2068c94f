/**
 * One call of a line as the page knows it: from its first ring to its end, with its room while it is up. What
 * the ends say to each other is signalling's; what is said and heard is the Room's.
 */

import { LinkError } from '../link/carrier.js';
import { toHex } from '../wire/bytes.js';
import { CallLink } from './call-link.js';
import { Room } from './room.js';
import { SoundPorts } from './sound-ports.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./engine.js').Mode} Mode */
/** @typedef {import('./line-engine.js').CallEvent} CallEvent */
/** @typedef {import('../signalling/effects.js').Outcome} Outcome */
/** @typedef {import('./room.js').RoomConfig} RoomConfig */

/**
 * What a call needs of its line.
 * @typedef {object} CallHooks
 * @property {(event: CallEvent) => void} tell
 * @property {Omit<RoomConfig, 'room' | 'secret' | 'tell' | 'link' | 'made' | 'heard'>} room for its own
 * @property {Omit<import('./call-link.js').CallLinkHooks, 'details'>} link
 * @property {(error: unknown) => void} failed
 */

export class LineCall {
  /** When a frame of the other's opened last, ms; 0: never. */ heardAt = 0;
  /** Of both, when the machine was told last. */ noted = { heard: 0, sent: 0 };
  /** @type {CallLink | null} null: it is not up */ link = null;
  path = '';

  #at;
  #over = false;
  /** @type {Room | null} */ #room = null;
  #watched = true;
  #hand = false;
  /** @type {{mode: Mode, muted: boolean}} */ #how = { mode: 'open', muted: false };
  #sound = new SoundPorts({
    captured: (pcm) => this.#room?.captured(pcm),
    play: (pcm) => this.#room?.play(pcm),
  });

  /** @param {string} id the page's @param {boolean} outgoing @param {CallHooks} at */
  constructor(id, outgoing, at) {
    this.id = id;
    this.outgoing = outgoing;
    this.#at = at;
  }

  get over() {
    return this.#over;
  }

  get room() {
    return this.#room;
  }

  /** Whether our microphone is closed, as the other is told. */
  get muted() {
    return this.#how.mode === 'open' && this.#how.muted;
  }

  /** @param {CallEvent} event */
  tell(event) {
    if (!this.#over) this.#at.tell(event);
  }

  /** Who is called or calls. @param {Bytes} key @param {string} fingerprint @param {string} name */
  person(key, fingerprint, name) {
    this.tell({ type: 'person', key: toHex(key), fingerprint, name });
  }

  /**
   * The call is up: its room is made, and entered.
   * @param {import('../signalling/effects.js').Details} details
   */
  up(details) {
    const { other, entry, joinKey, secret, path } = details;
    this.path = path;
    this.tell({ type: 'call', phase: 'talking' });
    this.person(other.identity, other.fingerprint, other.name);
    const { clock } = this.#at.link;
    this.#room = new Room({
      ...this.#at.room, room: other.room, secret,
      made: { entry, joinKey },
      tell: (message) => this.tell(message),
      heard: () => {
        this.heardAt = clock.now();
      },
      link: (config) => (this.link = new CallLink({ ...this.#at.link, details }, config)),
    });
    this.#enter(this.#room).catch(this.#at.failed);
  }

  /** @param {Room} room */
  async #enter(room) {
    await room.join();
    room.setWatched(this.#watched);
    if (this.#sound.capturing) await room.publish(this.#how);
    if (this.#hand) room.setHand(true);
  }

  /** What follows for it alone. @param {import('../signalling/effects.js').Effect} e */
  carryOut(e) {
    const { link } = this;
    switch (e.type) {
      case 'media':
        if (link) link.talks = e.on;
        break;
      case 'keyCame': link?.keys.keyCame(e.key); break;
      case 'keyReceived': link?.keys.keyReceived(e.number); break;
      case 'keysWanted': link?.keys.keysWanted(); break;
      case 'rings': this.tell({ type: 'call', phase: 'ringing' }); break;
      case 'held': this.tell({ type: 'held', us: e.byUs, them: e.byTheirs }); break;
      case 'muted': this.tell({ type: 'their_mute', on: e.muted }); break;
      case 'silent':
        link?.silent(e.silent);
        this.tell({ type: 'path', state: e.silent ? 'lost' : 'up' });
        break;
      default:
    }
  }

  // What the user does.

  /** @param {{mode: Mode, muted: boolean}} how @param {import('./engine.js').Ports} ports */
  begin(how, ports) {
    this.#how = { ...how };
    this.#sound.take(ports);
    if (!this.#room) this.tell({ type: 'state', state: 'joining' });
    else if (this.#sound.capturing) this.#room.publish(this.#how).catch(this.#at.failed); // it did not ring
  }

  /** Other devices. @param {import('./engine.js').Ports} ports @returns {Promise<void>} */
  async devices(ports) {
    this.#sound.take(ports);
    if (ports.capture) await this.#room?.publish(this.#how);
    else if (ports.capture === null) await this.#room?.unpublish();
  }

  /** @param {boolean} on push-to-talk is held */
  setPressed(on) {
    this.#room?.setPressed(on);
  }

  /** @param {boolean} on */
  setMuted(on) {
    this.#how.muted = on;
    this.#room?.setMuted(on);
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.#how.mode = mode;
    this.#room?.setMode(mode);
  }

  /** @param {boolean} on */
  setHand(on) {
    this.#hand = on;
    this.#room?.setHand(on);
  }

  /** @param {boolean} on somebody looks at the page */
  setWatched(on) {
    this.#watched = on;
    this.#room?.setWatched(on);
  }

  // The end.

  /** Says what is left to say; then whoever asked hangs up. @returns {Promise<void>} */
  async leave() {
    await this.#room?.leave();
  }

  /** @param {Outcome | 'error'} reason @param {import('./engine.js').CallError} [error] of 'error' */
  ended(reason, error) {
    if (this.#over) return;
    const text = 'nothing came from the other side for too long';
    const by = byOf(reason, this.outgoing);
    this.tell({ type: 'call', phase: 'ended', reason, by, ...(error ? { error } : {}) });
    if (this.link) this.link.ended(reason === 'failed' ? new LinkError('call_failed', text) : null);
    else this.tell({ type: 'state', state: 'ended', ...(error ? { error } : {}) });
    this.#over = true;
    this.#sound.take({ capture: null, playback: null });
  }
}

/** Who ended a call. @param {Outcome | 'error'} reason @param {boolean} outgoing */
function byOf(reason, outgoing) {
  switch (reason) {
    case 'hung_up_here': case 'cancelled': return 'us';
    case 'hung_up': case 'busy': return 'them';
    case 'declined': return outgoing ? 'them' : 'us';
    default: return null;
  }
}
