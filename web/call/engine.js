/**
 * The page's side of the engine: sends the Worker what the user wants, hands out what it says. No
 * rules of the room live here (they are the Worker's), and nothing of the DOM (that is page/).
 *
 *     page/stay.js -> Engine.join, talk, mute ... -> postMessage -> worker.js
 *     page/room-model.js <- Engine.on(type, listener)  <- postMessage <- worker.js
 *
 * The identity is not passed: the page makes it in the Store, and the Worker opens the same Store. A
 * MessagePort is transferred: after join() or devices() it belongs to the Worker.
 */

/** @typedef {'open' | 'radio'} Mode */
/** @typedef {import('../link/session-signs.js').Verdict} Verdict */

/** @typedef {'joining' | 'joined' | 'reconnecting' | 'ended'} CallState */

/**
 * The ends of the audio worklets' channels that the Worker takes. Absent: as it was. null: none any more.
 * @typedef {{capture?: MessagePort | null, playback?: MessagePort | null}} Ports
 */

/**
 * Somebody in the room, oneself included. `relay` is a label, set for who is on another relay; `microphone`
 * as far as they have said; `hand`: when it went up, ms of the Worker's clock, absent while it is down;
 * `compared`: when the user compared their key, in ms since 1970; `volume`: how loud they are played here,
 * absent as 1 is; `contact`: what the user calls them, if they chose to remember them.
 *
 * @typedef {{id: string, name: string, fingerprint: string, outside: boolean, known: 'new' | 'same' |
 * 'changed',
 *   self: boolean, relay?: string, compared?: number, volume?: number, contact?: string,
 *   microphone?: import('../wire/payload.js').MicState, hand?: number}} Member
 */

/**
 * Why it ended. `keys`: those of 'relay_key', which the relay had and which it shows.
 * @typedef {{code: string, text: string, keys?: import('../link/carrier.js').RelayKeys}} CallError
 */
/** @typedef {{type: 'state', state: CallState, cause?: string, error?: CallError}} StateMessage */
/** @typedef {{type: 'members', list: Member[]}} MembersMessage */
/**
 * Levels are dBFS (-100 to 0). Only those whose speech is being played are among the talkers.
 * @typedef {{type: 'levels', me: number, talkers: Record<string, number>}} LevelsMessage
 */
/** @typedef {{type: 'transmitting', on: boolean}} TransmittingMessage */
/**
 * Losses are shares from 0 to 1, before repair, measured of so many packets; times are ms, bit rates bit/s;
 * `since` is the time of the attachment in ms since 1970. `stopped`: nothing arrives, so that no speech is
 * sent for now. `delay`: how long what comes is kept here before it is heard. `up`, `down`: whether what we
 * send arrives at the relay, and what it sends here.
 *
 * @typedef {{type: 'quality', lossUp: number, lossDown: number, measuredUp?: number, measuredDown?: number,
 *   rtt: number, jitter?: number, bitrateUp?: number, bitrateDown?: number,
 *   path: 'webtransport' | 'websocket' | null, since?: number, stopped?: boolean, up?: Verdict,
 *   down?: Verdict, delay?: number, dropped?: number}} QualityMessage
 */
/**
 * The connection is being made again: `since` when nothing came, `next` when it is tried again (both ms since
 * 1970; null: it is tried now), how often it was, and why it takes long, as far as that is known.
 *
 * @typedef {{type: 'away', since: number, next: number | null, tries: number,
 *   why: import('../link/dial-explain.js').AwayCode}} AwayMessage
 */
/**
 * We are about to join: with this the page has us leave when it is closed.
 * @typedef {{type: 'stay', leave: {url: string, body: Uint8Array<ArrayBuffer>}}} StayMessage
 */
/**
 * Whether the browser's codec works in each direction; it does until this says otherwise.
 * @typedef {{type: 'codec', encoding: boolean, decoding: boolean}} CodecMessage
 */
/** @typedef {{type: 'safety', number: string | null}} SafetyMessage */
/** @typedef {{type: 'warning', code: string, member?: string, text: string}} WarningMessage */
/**
 * The Worker runs: the first of all, which whoever starts it waits for.
 * @typedef {{type: 'ready'}} ReadyMessage
 */
/** @typedef {{type: 'stats'} & Record<string, unknown>} StatsMessage */
/**
 * The Worker itself broke: nothing more will come.
 * @typedef {{type: 'failed', text: string}} FailedMessage
 */

/**
 * @typedef {StateMessage | MembersMessage | LevelsMessage | TransmittingMessage | QualityMessage |
 * AwayMessage | StayMessage | SafetyMessage | WarningMessage | StatsMessage | ReadyMessage | CodecMessage |
 * FailedMessage} EngineMessage
 */

/**
 * @typedef {{connectUrl: string, room: string, roomKey: string, name: string, secret?: string, mode: Mode,
 *   muted?: boolean, relayKey?: string, prepared?: import('./prepared.js').Answer, ports: Ports}} JoinOptions
 *   roomKey: names what is kept of the room in this browser; relayKey: which the user accepts in the place of the
 *   kept one; prepared: what connectUrl said a while ago
 */

/** One stay in one room at a time. A new Engine for every stay keeps stays apart. */
export class Engine {
  /** @type {Worker} */ #worker;
  /** @type {((message: EngineMessage) => void) | null} */ #listener = null;
  #closed = false;

  /** @param {Worker} worker of worker.js, which has said that it runs */
  constructor(worker) {
    this.#worker = worker;
    this.#worker.onmessage = (event) => this.#deliver(event.data);
    this.#worker.onmessageerror = () => this.#fail('a message could not be read');
    this.#worker.onerror = (event) => {
      event.preventDefault?.();
      this.#fail(event.message || 'the program of the room broke');
    };
  }

  /**
   * Sets who gets what the Worker says; one listener, in the order in which it was said.
   * @param {(message: EngineMessage) => void} listener
   */
  listen(listener) {
    this.#listener = listener;
  }

  /** @param {JoinOptions} options */
  join({ mode, muted = false, ports, ...how }) {
    const message = { type: 'join', ...how, publish: { mode, muted }, ports };
    this.#post(message, transferable(ports));
  }

  /** Push-to-talk pressed or released. @param {boolean} on */
  talk(on) {
    this.#post({ type: 'talk', on });
  }

  /** @param {boolean} on */
  mute(on) {
    this.#post({ type: 'mute', on });
  }

  /** Whether somebody looks at the page. @param {boolean} on */
  watched(on) {
    this.#post({ type: 'watched', on });
  }

  /** Raises our hand, or lowers it. @param {boolean} on */
  hand(on) {
    this.#post({ type: 'hand', on });
  }

  /** @param {Mode} mode */
  mode(mode) {
    this.#post({ type: 'mode', mode });
  }

  /**
   * How loud one member is played here: 1 as sent, 0 not at all.
   * @param {string} member @param {number} gain
   */
  volume(member, gain) {
    this.#post({ type: 'volume', member, gain });
  }

  /** The user says that a changed key is right. @param {string} member */
  trust(member) {
    this.#post({ type: 'trust', member });
  }

  /** The user compared somebody's key, or takes that back. @param {string} member @param {boolean} on */
  compare(member, on) {
    this.#post({ type: 'compare', member, on });
  }

  /**
   * The user chose to remember somebody, or forgets them.
   * @param {string} member @param {string} [name] for them, none: forget them
   */
  remember(member, name) {
    this.#post({ type: 'remember', member, name });
  }

  /** Another microphone or loudspeaker, or none. @param {Ports} ports */
  devices(ports) {
    this.#post({ type: 'devices', ports }, transferable(ports));
  }

  /** Leaves the room; the Worker says "ended" when the relay was told. */
  leave() {
    this.#post({ type: 'leave' });
  }

  /** Ends the Worker at once. */
  close() {
    this.#closed = true;
    this.#worker.terminate();
  }

  /** @param {unknown} message @param {Transferable[]} [transfer] */
  #post(message, transfer = []) {
    if (!this.#closed) this.#worker.postMessage(message, transfer);
  }

  /** @param {unknown} message */
  #deliver(message) {
    if (this.#closed || typeof message !== 'object' || message === null) return;
    this.#listener?.(/** @type {EngineMessage} */ (message));
  }

  /** @param {string} text */
  #fail(text) {
    if (!this.#closed) this.#listener?.({ type: 'failed', text });
  }
}

/** @param {Ports} ports @returns {Transferable[]} */
export function transferable({ capture, playback }) {
  return [capture, playback].filter((port) => port instanceof MessagePort);
}
