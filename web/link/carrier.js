/**
 * What a carrier is: one connection to a relay, by WebTransport or WebSocket, that carries control messages
 * in order and packets as they come (docs/protocol.md, section 8). They know no sessions and no frames.
 */

import { CodedError, messageOf } from '../wire/bytes.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./clock.js').Clock} Clock */

/**
 * @typedef {object} Control
 * @property {(text: string) => void} send one message, JSON
 * @property {(text: string) => void} onmessage to be set; called for each message that comes
 */

/**
 * start is to be called once control.onmessage and onpacket are set: nothing is handed on before it.
 * @typedef {object} Carrier
 * @property {'webtransport' | 'websocket'} kind
 * @property {Control} control
 * @property {(packet: Bytes, media: boolean) => void} sendPacket never blocks and never throws
 * @property {(packet: Bytes) => void} onpacket to be set; called for each packet that comes
 * @property {() => void} start
 * @property {Promise<string>} closed resolves with why, for people; never rejects
 * @property {() => void} close
 * @property {Bytes} binding what the relay is known by here: section 8, `Hello`
 * @property {() => number} queued ms that the oldest packet has waited to be sent
 * @property {() => number} dropped packets that were not sent because they waited too long
 */

/**
 * Where a relay is to be reached, of connect.json.
 * @typedef {object} Place
 * @property {string} relay identity key, 64 hexadecimal digits
 * @property {{url: string, hashes: Bytes[]} | null} webtransport
 * @property {string | null} websocket its URL
 * @property {string} page address of the relay's own page, '' if it is not told
 * @property {string | null} leave where the relay is asked to end a stay, a URL
 */

/** Of 'relay_key', 64 hexadecimal digits each. @typedef {{known: string, shown: string}} RelayKeys */

/** Why something of link/ failed. `code` is for programs, the message for people. */
export class LinkError extends CodedError {
  /**
   * @param {string} code 'connect', 'protocol', 'signature', 'relay_key', 'closed', 'refused' ..., or a code
   *   of the relay
   * @param {string} message
   * @param {{cause?: unknown, final?: boolean, status?: number, keys?: RelayKeys}} [options] final: trying
   *   again does not mend it; status: of the HTTP answer, if there was one
   */
  constructor(code, message, options = {}) {
    super(code, message, { cause: options.cause });
    this.final = options.final ?? false;
    this.status = options.status ?? 0;
    this.keys = options.keys;
  }
}

/** Makes whatever was thrown a LinkError. @param {unknown} error @param {string} [code] if it is none */
export function asLinkError(error, code = 'program') {
  return error instanceof LinkError ? error : new LinkError(code, messageOf(error), { cause: error });
}
