/**
 * The carrier by WebTransport (docs/protocol.md, section 8): datagrams for packets, the bidirectional stream
 * that the relay opens for control messages.
 *
 *     sendPacket ──> PacketQueue ──(few at a time)──> datagram writer ──> relay
 *     relay ──> datagram reader ──> onpacket
 *     relay ──> stream ──> Deframer ──> control.onmessage
 */

import { messageOf } from '../wire/bytes.js';
import { Deframer, frame } from '../wire/control.js';
import { LinkError } from './carrier.js';
import { realClock } from './clock.js';
import { PacketQueue } from './queue.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Carrier} Carrier */
/** @typedef {import('./carrier.js').Place} Place */
/** @typedef {import('./clock.js').Clock} Clock */

const MEDIA_AGE = 200; // ms that media may wait, in our queue or the browser's
const IN_FLIGHT = 4; // datagrams that the browser may hold: what waits there cannot be chosen from any more
const INCOMING = 64; // datagrams that wait for us; the browser's default, 1, stalls
const CONTROL_FLIGHT = 64; // control messages that may wait to be written; more is a relay that does not read

/** Tells whether the browser has WebTransport. */
export function hasWebTransport() {
  return typeof globalThis.WebTransport === 'function';
}

/**
 * Connects, showing one hash of the relay's certificate: of several, the browser does not tell which it met.
 * @param {Place} place @param {AbortSignal} signal ends the attempt; once it has succeeded it does nothing
 * @param {{hash?: number, clock?: Clock}} [options] hash: which of the place's hashes
 * @returns {Promise<Carrier>}
 */
export async function openWebTransport(place, signal, options = {}) {
  const { webtransport } = place;
  const hash = webtransport?.hashes[options.hash ?? 0];
  if (!webtransport || !hash) throw new LinkError('connect', 'the relay does not offer WebTransport');
  if (signal.aborted) throw new LinkError('connect', 'the attempt was given up');
  const transport = new WebTransport(webtransport.url, /** @type {any} */ ({
    serverCertificateHashes: [{ algorithm: 'sha-256', value: hash }],
    requireUnreliable: true,
    congestionControl: 'low-latency',
  }));
  const closed = transport.closed.then((info) => info.reason || 'the relay closed the connection', messageOf);
  const giveUp = () => shut(transport);
  signal.addEventListener('abort', giveUp);
  try {
    await transport.ready;
    const stream = await firstStream(transport);
    return new WebTransportCarrier(transport, stream, closed, hash, options.clock ?? realClock);
  } catch (error) {
    shut(transport);
    throw new LinkError('connect', `WebTransport: ${messageOf(error)}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Returns the stream that the relay opens. @param {WebTransport} transport */
async function firstStream(transport) {
  const streams = transport.incomingBidirectionalStreams.getReader();
  try {
    const { value, done } = await streams.read();
    if (done) throw new Error('the relay opened no stream');
    return value;
  } finally {
    streams.releaseLock();
  }
}

/** @param {WebTransport} transport */
function shut(transport) {
  try {
    transport.close();
  } catch {
    // It is not open yet, or not any more: both is what was wanted.
  }
}

/** @implements {Carrier} */
class WebTransportCarrier {
  /** @type {'webtransport'} */ kind = 'webtransport';
  control = {
    send: (/** @type {string} */ text) => this.#sendControl(text),
    onmessage: (/** @type {string} */ _text) => {},
  };
  /** @type {(packet: Bytes) => void} */ onpacket = () => {};
  /** @type {Promise<string>} */ closed;
  /** @type {Bytes} */ binding;

  #transport;
  #clock;
  #queue = new PacketQueue(MEDIA_AGE);
  #inFlight = 0;
  #controlFlight = 0;
  #over = false;
  #datagrams;
  #stream;
  #incoming;

  /**
   * @param {WebTransport} transport @param {WebTransportBidirectionalStream} stream
   * @param {Promise<string>} closed @param {Bytes} hash @param {Clock} clock
   */
  constructor(transport, stream, closed, hash, clock) {
    this.#transport = transport;
    this.#clock = clock;
    this.binding = hash;
    const { datagrams } = transport;
    datagrams.outgoingMaxAge = MEDIA_AGE;
    datagrams.outgoingHighWaterMark = IN_FLIGHT;
    datagrams.incomingHighWaterMark = INCOMING;
    this.#datagrams = datagrams.writable.getWriter();
    this.#stream = stream.writable.getWriter();
    this.#incoming = { packets: datagrams.readable, control: stream.readable };
    this.closed = closed.finally(() => {
      this.#over = true;
      this.#queue.clear();
    });
    this.#datagrams.closed.catch(() => this.close());
    this.#stream.closed.catch(() => this.close());
  }

  start() {
    this.#read(this.#incoming.packets, (packet) => this.onpacket(packet));
    const deframer = new Deframer();
    this.#read(this.#incoming.control, (chunk) => {
      for (const text of deframer.feed(chunk)) this.control.onmessage(text);
    });
  }

  /**
   * Hands on what comes until it ends; then, and when it cannot be read, the connection is of no use.
   * @param {ReadableStream<Bytes>} readable @param {(chunk: Bytes) => void} take
   */
  async #read(readable, take) {
    try {
      const reader = readable.getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) take(next.value);
    } catch {
      // The relay broke off, or sent what no relay sends: closing tells the owner.
    }
    this.close();
  }

  /** @param {Bytes} packet @param {boolean} media */
  sendPacket(packet, media) {
    if (this.#over) return;
    this.#queue.push(packet, media, this.#clock.now());
    this.#flush();
  }

  #flush() {
    while (this.#inFlight < IN_FLIGHT) {
      const packet = this.#queue.shift(this.#clock.now());
      if (!packet) return;
      this.#inFlight++;
      this.#datagrams.write(packet).then(
        () => this.#landed(),
        () => this.#landed(), // too large for the path, or closed: it is lost like any other
      );
    }
  }

  #landed() {
    this.#inFlight--;
    if (!this.#over) this.#flush();
  }

  /** @param {string} text */
  #sendControl(text) {
    if (this.#over || this.#controlFlight >= CONTROL_FLIGHT) {
      this.close();
      return;
    }
    this.#controlFlight++;
    this.#stream.write(frame(text)).then(
      () => { this.#controlFlight--; },
      () => this.close(),
    );
  }

  queued() {
    return this.#queue.waited(this.#clock.now());
  }

  dropped() {
    return this.#queue.dropped;
  }

  close() {
    this.#over = true;
    this.#queue.clear();
    shut(this.#transport);
  }
}
