/**
 * One attempt to attach: the handshake on a carrier, then its control messages (docs/protocol.md, sections 5,
 * 8).
 *
 *     carrier ──> Greeting ──> Hello, Join ──> Welcome (its signature is checked) ──> Joined ──> attached
 *                    |            or Available                                       or Line
 *                    '── another relay key: over         '── Refused, Goodbye, closed: over
 */

import { equal, fromHex, toHex } from '../wire/bytes.js';
import { decode, encode } from '../wire/control.js';
import { signHello, verifyWelcome, webHelloValue } from '../wire/hello.js';
import { LinkError, asLinkError } from './carrier.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Carrier} Carrier */
/** @typedef {{name: string} & Record<string, any>} Message */

/**
 * @typedef {object} Hello
 * @property {import('../identity/identity.js').Identity} identity
 * @property {string} name
 * @property {string} client program and version
 * @property {Bytes} session
 * @property {string} relay the key that the relay must have, hexadecimal
 * @property {'Joined' | 'Line'} answer to the request
 * @property {(relay: Bytes) => Promise<string>} request makes what follows the Hello: Join or Available
 */

const MAX_INBOX = 8; // messages that wait during the handshake
const MAX_EARLY = 64; // packets that came before the session took the carrier

/** What a relay says that is of interest here; what answers a request is among them. */
const KNOWN = new Set(['Greeting', 'Welcome', 'Joined', 'Line', 'MemberPage', 'Goodbye', 'Refused']);

export class Attempt {
  /** @type {Carrier} */ carrier;
  /** Resolves when the carrier has closed, with why. @type {Promise<string>} */ closed;
  /** @type {Message | null} */ welcome = null;
  /** Joined, or Line. @type {Message | null} */ joined = null;
  /** What the relay said before it closed. @type {Message | null} */ goodbye = null;
  /** To be set by the owner: the relay says goodbye. @type {() => void} */ ongoodbye = () => {};

  /** @type {Message[]} */ #inbox = [];
  #attached = false;
  /**
   * Who waits for a message: the handshake, or a request.
   * @type {((m: Message | LinkError) => void) | null}
   */
  #waiter = null;
  #unasked = 0; // answers to come that nobody waits for any more
  /** @type {LinkError | null} */ #broken = null;
  /** @type {Bytes[]} */ #early = [];
  #heard;

  /** @param {Carrier} carrier @param {() => void} [heard] called for each message of the handshake */
  constructor(carrier, heard = () => {}) {
    this.carrier = carrier;
    this.#heard = heard;
    carrier.control.onmessage = (text) => this.#receive(text);
    carrier.onpacket = (packet) => {
      if (this.#early.length < MAX_EARLY) this.#early.push(packet);
    };
    this.closed = carrier.closed.then((why) => {
      this.#break(new LinkError('closed', why));
      return this.#broken?.message ?? why;
    });
    carrier.start();
  }

  /**
   * Does the handshake.
   * @param {Hello} hello
   * @param {AbortSignal} signal closes the carrier; once the handshake is done it does nothing
   * @returns {Promise<void>}
   */
  async handshake(hello, signal) {
    const giveUp = () => {
      this.#break(new LinkError('closed', 'the attempt was given up'));
      this.carrier.close();
    };
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp);
    try {
      const value = await this.#sendFlight(hello);
      await this.#readFlight(hello, value);
      if (this.#broken) throw this.#broken;
      this.#attached = true;
    } catch (error) {
      this.carrier.close();
      throw asLinkError(error, 'protocol');
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /**
   * Reads the Greeting, and answers with Hello and the request.
   * @param {Hello} hello @returns {Promise<Bytes>} the value that both sides sign
   */
  async #sendFlight({ identity, name, client, session, relay, request }) {
    const greeting = await this.#next();
    if (greeting.name !== 'Greeting') {
      throw refusal(greeting) ?? new LinkError('protocol', 'the relay does not begin with a Greeting');
    }
    const key = fromHex(relay, 32);
    if (!equal(greeting.relay, key)) {
      throw new LinkError('relay_key', 'the relay has another key than it should have', {
        final: true, keys: { known: relay, shown: toHex(greeting.relay) },
      });
    }
    const value = await webHelloValue(greeting.challenge, this.carrier.binding);
    const asked = await request(key);
    const signed = await signHello(identity, { name, client, session }, value, key);
    if (this.#broken) throw this.#broken;
    this.carrier.control.send(encode('Hello', signed));
    this.carrier.control.send(asked);
    return value;
  }

  /** Reads Welcome, and Joined or Line. @param {Hello} hello @param {Bytes} value */
  async #readFlight({ identity, session, relay, answer }, value) {
    while (!this.joined) {
      const m = await this.#next();
      const refused = refusal(m);
      if (refused) throw refused;
      if (m.name === 'Welcome') {
        if (!(await verifyWelcome(fromHex(relay, 32), value, session, identity.publicKey, m.signature))) {
          throw new LinkError('signature', 'the relay did not prove its key', { final: true });
        }
        this.welcome = m;
      } else if (m.name === answer) {
        if (!this.welcome) throw new LinkError('protocol', 'the relay does not begin with a Welcome');
        this.joined = m;
      }
    }
  }

  /** @returns {Promise<Message>} the next message of the handshake */
  #next() {
    return new Promise((resolve, reject) => {
      const m = this.#inbox.shift();
      if (m) resolve(m);
      else if (this.#broken) reject(this.#broken);
      else this.#waiter = (m) => (m instanceof LinkError ? reject(m) : resolve(m));
    });
  }

  /** Takes what came on the control stream. @param {string} text */
  #receive(text) {
    let m;
    try {
      m = decode(text);
    } catch (error) {
      this.#break(asLinkError(error, 'protocol'));
      this.carrier.close();
      return;
    }
    if (!KNOWN.has(m.name)) return;
    if (!this.#attached) {
      this.#heard();
      this.#arrived(m);
    } else if (m.name === 'Goodbye') {
      this.goodbye = m;
      this.ongoodbye();
    } else if (this.#unasked > 0) { // answers come in the order of the requests
      this.#unasked--;
    } else if (this.#waiter) {
      this.#wake(m);
    } else if (m.name === 'Refused') { // else nobody asked
      this.goodbye = m;
    }
  }

  /** @param {Message} m */
  #arrived(m) {
    if (this.#waiter) {
      this.#wake(m);
    } else if (this.#inbox.length < MAX_INBOX) {
      this.#inbox.push(m);
    } else {
      this.#break(new LinkError('protocol', 'the relay says too much'));
      this.carrier.close();
    }
  }

  /** @param {Message | LinkError} m */
  #wake(m) {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.(m);
  }

  /** @param {LinkError} error */
  #break(error) {
    this.#broken ??= error;
    this.#wake(this.#broken);
  }

  /**
   * Sends a request and waits for its answer; null: the carrier closed, or signal. One request at a time.
   * @param {string} text @param {AbortSignal} signal @returns {Promise<Message | null>}
   */
  request(text, signal) {
    return new Promise((resolve) => {
      if (this.#broken || signal.aborted) {
        resolve(null);
        return;
      }
      const giveUp = () => {
        this.#unasked++;
        this.#wake(new LinkError('closed', 'the answer is not waited for any more'));
      };
      this.#waiter = (m) => {
        signal.removeEventListener('abort', giveUp);
        resolve(m instanceof LinkError ? null : m);
      };
      signal.addEventListener('abort', giveUp);
      this.carrier.control.send(text);
    });
  }

  /** Returns the packets that came before the session took the carrier, once. @returns {Bytes[]} */
  takeEarly() {
    const early = this.#early;
    this.#early = [];
    return early;
  }

  /** Ends the connection. */
  close() {
    this.carrier.close();
  }
}

/** Returns the error that a message is, or null. @param {Message} m @returns {LinkError | null} */
export function refusal(m) {
  if (m.name !== 'Refused' && m.name !== 'Goodbye') return null;
  return new Refused(m.code, m.reason);
}

/** The relay's refusal, or its goodbye. */
export class Refused extends LinkError {
  /** @param {string} code @param {string} reason */
  constructor(code, reason) {
    super(code, reason || `the relay refuses: ${code}`);
    this.reason = reason;
  }
}
