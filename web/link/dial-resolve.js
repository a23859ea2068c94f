/**
 * connect.json: where a relay's browsers attach (docs/protocol.md, section 8). Whoever hands it out is not
 * trusted with more than that: hashes of certificates must be signed by the relay.
 */

import { FormatError, equal, fromHex, fromUtf8, messageOf, toHex } from '../wire/bytes.js';
import { verifyWebCertificates } from '../wire/hello.js';
import { LinkError } from './carrier.js';
import { deadline } from './clock.js';
import { pageOf } from './relay-page.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Place} Place */
/** @typedef {import('./clock.js').Clock} Clock */

const FETCH_TIME = 5000; // ms
const MAX_SIZE = 16_384; // bytes
const MAX_HASHES = 8;
const MAX_URL = 2048; // characters
const PART = 'connect.json';

/**
 * Fetches where a relay is to be reached.
 * @param {string} url of its connect.json
 * @param {{clock: Clock, signal?: AbortSignal, relayKey?: Bytes | null, fetch?: typeof globalThis.fetch}}
 *   options relayKey: the key that the relay must have, where it is known
 * @returns {Promise<Place>}
 */
export async function fetchPlace(url, { clock, signal, relayKey = null, fetch: get = globalThis.fetch }) {
  const limit = deadline(clock, FETCH_TIME, signal);
  try {
    const response = await get(url, { cache: 'no-store', credentials: 'same-origin', signal: limit.signal });
    if (response.status === 409) { // who serves the page for the relay keeps its key, and says what is wrong
      throw new LinkError('relay_key', await bodyOf(response), { final: true });
    }
    if (!response.ok) {
      throw new LinkError('connect', `the relay's ${PART} cannot be fetched: status ${response.status}`, {
        status: response.status,
      });
    }
    return await parsePlace(await bodyOf(response), url, relayKey);
  } catch (error) {
    if (error instanceof LinkError) throw error;
    const bad = error instanceof FormatError;
    const why = bad ? messageOf(error) : `the relay's ${PART} cannot be fetched: ${messageOf(error)}`;
    throw new LinkError(bad ? 'protocol' : 'connect', why, { cause: error });
  } finally {
    limit.finish();
  }
}

/** Reads a body of bounded size. @param {Response} response @returns {Promise<string>} */
async function bodyOf(response) {
  const reader = response.body?.getReader();
  if (!reader) throw new FormatError(PART, 'truncated');
  const body = new Uint8Array(MAX_SIZE);
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    if (length + next.value.length > MAX_SIZE) {
      reader.cancel().catch(() => {}); // the rest is of no interest
      throw new FormatError(PART, 'limit', `at most ${MAX_SIZE} bytes`);
    }
    body.set(next.value, length);
    length += next.value.length;
  }
  return fromUtf8(body.slice(0, length), PART);
}

/**
 * Reads a connect.json.
 * @param {string} text @param {string} url where it came from
 * @param {Bytes | null} relayKey the key that the relay must have; null: any
 * @returns {Promise<Place>}
 */
export async function parsePlace(text, url, relayKey) {
  const json = object(parse(text), PART);
  const key = fromHex(json.relay, 32, `${PART}: relay`);
  if (relayKey && !equal(relayKey, key)) {
    throw new LinkError('relay_key', 'the relay has another key than it had', { final: true });
  }
  const place = {
    relay: toHex(key),
    webtransport: json.webtransport === undefined ? null : await webTransportOf(json.webtransport, url, key),
    websocket: json.websocket === undefined ? null : webSocketOf(json.websocket, url),
    page: pageOf(json.page),
    leave: json.leave === undefined ? null : leaveOf(json.leave, url),
  };
  if (!place.webtransport && !place.websocket) {
    throw new FormatError(PART, 'invalid', 'it names neither webtransport nor websocket');
  }
  return place;
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new FormatError(PART, 'invalid', 'it is no JSON');
  }
}

/** @param {unknown} v @param {string} what @returns {Record<string, any>} */
function object(v, what) {
  if (typeof v !== 'object' || v === null || Array.isArray(v)) {
    throw new FormatError(what, 'invalid', 'is an object');
  }
  return v;
}

/** @param {unknown} v @param {string} base @param {Bytes} key */
async function webTransportOf(v, base, key) {
  const what = `${PART}: webtransport`;
  const json = object(v, what);
  if (!Array.isArray(json.hashes) || json.hashes.length === 0 || json.hashes.length > MAX_HASHES) {
    throw new FormatError(what, 'invalid', `1 to ${MAX_HASHES} hashes`);
  }
  const hashes = json.hashes.map((h) => fromHex(h, 32, what));
  if (!(await verifyWebCertificates(key, hashes, fromHex(json.signature, 64, what)))) {
    throw new LinkError('signature', 'the certificates in connect.json are not signed by the relay', {
      final: true,
    });
  }
  let url;
  if (json.url !== undefined) {
    url = urlOf(json.url, base, what);
  } else {
    url = urlOf(json.path, base, what);
    if (
      !Number.isInteger(json.port) || json.port < 1 || json.port > 65_535
      || url.origin !== new URL(base).origin
    ) {
      throw new FormatError(what, 'invalid', 'a port and a path');
    }
    url.protocol = 'https:';
    url.port = String(json.port);
  }
  if (url.protocol !== 'https:') throw new FormatError(what, 'invalid', 'its url begins with https:');
  return { url: url.href, hashes };
}

/** @param {unknown} v @param {string} base */
function webSocketOf(v, base) {
  const what = `${PART}: websocket`;
  const url = urlOf(v, base, what);
  if (url.protocol === 'http:' || url.protocol === 'https:') {
    url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw new FormatError(what, 'invalid', 'it is a path, or a url that begins with wss:');
  }
  return url.href;
}

/** @param {unknown} v @param {string} base */
function leaveOf(v, base) {
  const what = `${PART}: leave`;
  const url = urlOf(v, base, what);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FormatError(what, 'invalid', 'it is a path, or a url that begins with https:');
  }
  return url.href;
}

/** @param {unknown} v @param {string} base @param {string} what */
function urlOf(v, base, what) {
  if (typeof v !== 'string' || v === '' || v.length > MAX_URL) {
    throw new FormatError(what, 'invalid', 'a url or a path');
  }
  let url;
  try {
    url = new URL(v, base);
  } catch {
    throw new FormatError(what, 'invalid', 'a url or a path');
  }
  url.hash = ''; // carriers refuse fragments
  return url;
}
