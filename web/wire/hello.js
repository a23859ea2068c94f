/**
 * The signatures of the handshake with a relay (docs/protocol.md, sections 5 and 8): the client's Hello, the
 * relay's Welcome, and the certificates that a relay's page names for WebTransport.
 *
 *     challenge (of Greeting), binding (of the carrier) ── webHelloValue ──> value
 *     value ── signHello ──> fields of Hello, for encode
 *     value ── verifyWelcome ──> whether the relay proved its key
 */

import { verify } from '../identity/identity.js';
import { PROTOCOL_VERSION } from './control.js';
import { Writer, concat, toUtf8 } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */
/** @typedef {import('../identity/identity.js').Identity} Identity */

/**
 * What a Hello of a browser signs in the place of a TLS exporter value: SHA-256("wzp/1 web" || 0x00 ||
 * challenge || binding).
 * @param {Bytes} challenge of the Greeting, 32 bytes
 * @param {Bytes} binding SHA-256 of the certificate, or webSocketBinding
 * @returns {Promise<Bytes>}
 */
export async function webHelloValue(challenge, binding) {
  return new Uint8Array(
    await crypto.subtle.digest('SHA-256', concat(toUtf8('wzp/1 web\0'), challenge, binding)),
  );
}

/**
 * The binding of a WebSocket: `host:port` of its URL in lower case, the port always there.
 * @param {string} url ws, wss, http or https @returns {Bytes}
 */
export function webSocketBinding(url) {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === 'wss:' || protocol === 'https:' ? '443' : '80';
  return toUtf8(`${hostname.toLowerCase()}:${port || usual}`);
}

/**
 * Signs a Hello to the relay with that key, and returns all of its fields. The signature covers:
 *
 *     value (32), relay's key (32), session (16), connection id (3), name, client, each feature
 *
 * @param {Identity} identity
 * @param {{name: string, client: string, session: Bytes, connectionId?: number, features?: string[]}} fields
 *   connectionId is 1 if absent, as browsers have it
 * @param {Bytes} value of webHelloValue @param {Bytes} relayKey
 */
export async function signHello(
  identity, { name, client, session, connectionId = 1, features = [] }, value, relayKey,
) {
  const id = new Writer().uint32(connectionId).done().subarray(1);
  const signed = [value, relayKey, session, id, toUtf8(name), toUtf8(client), ...features.map(toUtf8)];
  const signature = await identity.sign('hello', signed);
  return {
    protocol: PROTOCOL_VERSION, identity: identity.publicKey, name, client, session, connectionId, features,
    signature,
  };
}

/**
 * Whether the relay with that key signed the Welcome of this connection.
 * @param {Bytes} relayKey the key that the client was given or kept, not the one of the Greeting alone
 * @param {Bytes} value of webHelloValue @param {Bytes} session @param {Bytes} identityKey the client's
 * @param {Bytes | undefined} signature of the Welcome; without one it is refused
 * @returns {Promise<boolean>}
 */
export async function verifyWelcome(relayKey, value, session, identityKey, signature) {
  return signature !== undefined && verify(relayKey, 'web welcome', [value, session, identityKey], signature);
}

/**
 * Whether the relay with that key says that these are the certificates of its WebTransport.
 * @param {Bytes} relayKey @param {Bytes[]} hashes SHA-256 of each certificate @param {Bytes} signature
 * @returns {Promise<boolean>}
 */
export async function verifyWebCertificates(relayKey, hashes, signature) {
  return verify(relayKey, 'web certificate', hashes, signature);
}
