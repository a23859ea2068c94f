/**
 * The carrier by WebSocket (docs/protocol.md, section 8), for where UDP does not get through: binary messages
 * are packets, text messages are control messages.
 *
 *     sendPacket ──> PacketQueue ──(while the browser holds little)──> WebSocket ──> relay
 *
 * What the browser has taken cannot be dropped any more, so it is given little at a time.
 */

import { messageOf } from '../wire/bytes.js';
import { MAX_MESSAGE } from '../wire/control.js';
import { MAX_PACKET } from '../wire/frame.js';
import { webSocketBinding } from '../wire/hello.js';
import { LinkError } from './carrier.js';
import { realClock } from './clock.js';
import { PacketQueue } from './queue.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Carrier} Carrier */
/** @typedef {import('./carrier.js').Place} Place */
/** @typedef {import('./clock.js').Clock} Clock */

const SUBPROTOCOL = 'wzp';
const MEDIA_AGE = 300; // ms that media may wait
const HELD_LEAST = 1500; // bytes that the browser may always hold: one segment
const HELD_TIME = 100; // ms of what was sent lately, that it may hold, too
const RATE_OVER = 1000; // ms that `lately` means
const POLL = 10; // ms between looks while packets wait: there is no event for it
const MAX_HELD = 16; // messages that came before start: the Greeting, and what a relay may send with it
const CLOSE_TIME = 2000; // ms after which a close that is not answered is over

/**
 * Connects.
 * @param {Place} place @param {AbortSignal} signal ends the attempt; once it has succeeded it does nothing
 * @param {{clock?: Clock, WebSocket?: any}} [options] WebSocket: in the place of the browser's, for tests
 * @returns {Promise<Carrier>}
 */
export function openWebSocket(place, signal, options = {}) {
  return new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ why) => reject(new LinkError('connect', `WebSocket: ${why}`));
    if (!place.websocket || signal.aborted) {
      fail(signal.aborted ? 'the attempt was given up' : 'the relay does not offer it');
      return;
    }
    const Socket = options.WebSocket ?? WebSocket;
    /** @type {WebSocket} */ let socket;
    try {
      socket = new Socket(place.websocket, SUBPROTOCOL);
    } catch (error) {
      fail(messageOf(error));
      return;
    }
    const carrier = new WebSocketCarrier(
      socket, webSocketBinding(place.websocket), options.clock ?? realClock,
    );
    const giveUp = () => {
      carrier.close();
      fail('the attempt was given up');
    };
    const settled = () => signal.removeEventListener('abort', giveUp);
    signal.addEventListener('abort', giveUp);
    socket.addEventListener('open', () => {
      settled();
      if (socket.protocol !== SUBPROTOCOL) {
        carrier.close();
        fail('the other side is no relay');
        return;
      }
      resolve(carrier);
    });
    carrier.closed.then((why) => {
      settled();
      fail(why);
    });
  });
}

/** @implements {Carrier} */
class WebSocketCarrier {
  /** @type {'websocket'} */ kind = 'websocket';
  control = {
    send: (/** @type {string} */ text) => this.#write(text),
    onmessage: (/** @type {string} */ _text) => {},
  };
  /** @type {(packet: Bytes) => void} */ onpacket = () => {};
  /** @type {Promise<string>} */ closed;
  binding;

  #socket;
  #clock;
  #queue = new PacketQueue(MEDIA_AGE);
  /** @type {any} */ #poll = null;
  /** @type {(why: string) => void} */ #end = () => {};
  #over = false;
  /** What came before start; null: it was called. @type {(string | ArrayBuffer)[] | null} */ #held = [];
  /** What was sent in the second that began at #since, and in the one before. */
  #sent = { since: 0, now: 0, before: 0 };

  /** @param {WebSocket} socket @param {Bytes} binding @param {Clock} clock */
  constructor(socket, binding, clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.binding = binding;
    this.closed = new Promise((resolve) => { this.#end = resolve; });
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', (event) => this.#message(event.data));
    socket.addEventListener('error', () => this.close());
    socket.addEventListener('close', (event) => {
      this.close();
      this.#end(event.reason || 'the connection ended');
    });
  }

  start() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const data of held) this.#message(data);
  }

  /** @param {string | ArrayBuffer} data */
  #message(data) {
    if (this.#over) return;
    if (this.#held) {
      if (this.#held.push(data) > MAX_HELD) this.close();
    } else if (typeof data === 'string') {
      if (data.length > MAX_MESSAGE) { // a character takes at least a byte
        this.close();
        return;
      }
      this.control.onmessage(data);
    } else if (data.byteLength <= MAX_PACKET) {
      this.onpacket(new Uint8Array(data));
    }
  }

  /** @param {Bytes} packet @param {boolean} media */
  sendPacket(packet, media) {
    if (this.#over) return;
    this.#queue.push(packet, media, this.#clock.now());
    this.#flush();
  }

  /** Gives the browser what it may hold, and comes back for the rest. */
  #flush() {
    this.#clock.clearTimeout(this.#poll);
    this.#poll = null;
    while (this.#queue.size > 0) {
      if (this.#socket.bufferedAmount > this.#most()) {
        this.#poll = this.#clock.setTimeout(() => this.#flush(), POLL);
        return;
      }
      const packet = this.#queue.shift(this.#clock.now());
      if (packet) this.#write(packet);
    }
  }

  /** Returns how many bytes the browser may hold: what left in HELD_TIME lately, but one segment at least. */
  #most() {
    const now = this.#clock.now();
    const sent = this.#sent;
    if (now - sent.since >= RATE_OVER) {
      sent.before = now - sent.since < 2 * RATE_OVER ? sent.now : 0;
      sent.now = 0;
      sent.since = now;
    }
    const lately = Math.max(sent.before, sent.now) - this.#socket.bufferedAmount;
    return Math.max(HELD_LEAST, (lately * HELD_TIME) / RATE_OVER);
  }

  /** @param {string | Bytes} data */
  #write(data) {
    if (this.#over) return;
    this.#sent.now += data.length;
    try {
      this.#socket.send(data);
    } catch {
      this.close();
    }
  }

  queued() {
    return this.#queue.waited(this.#clock.now());
  }

  dropped() {
    return this.#queue.dropped;
  }

  close() {
    if (this.#over) return;
    this.#over = true;
    this.#queue.clear();
    this.#clock.clearTimeout(this.#poll);
    // A dead path answers no close.
    this.#clock.setTimeout(() => this.#end('the connection was closed'), CLOSE_TIME);
    try {
      this.#socket.close();
    } catch {
      this.#end('the connection was closed');
    }
  }
}
