/**
 * Whether the relay is reached from here, and by which way: connections are opened and closed again before
 * anything is said in them, so that nobody sees who tries.
 */

import { fromHex } from '../wire/bytes.js';
import { within } from './part.js';

const mostTime = 6000; // ms that a way may take to open

/**
 * `fast` is WebTransport, `slow` the WebSocket; `blocked`: neither opens; `none`: there is no answer at all.
 * @typedef {{way: 'fast' | 'slow' | 'blocked' | 'none', delay: number}} Reached `delay`: there and back, ms
 */

/** @param {string} url of connect.json @returns {Promise<Reached>} */
export async function testConnection(url) {
  const options = /** @type {RequestInit} */ ({ cache: 'no-store', credentials: 'same-origin' });
  const fetched = () => within(mostTime, fetch(url, options).then((response) => response.json()));
  try {
    await fetched(); // the second one has a connection, and takes one way there and back
    const began = performance.now();
    const { webtransport, websocket } = await fetched();
    const delay = performance.now() - began;
    if (webtransport && await opens(() => openTransport(webtransport, url))) return { way: 'fast', delay };
    return { way: websocket && await opens(() => openSocket(websocket, url)) ? 'slow' : 'blocked', delay };
  } catch {
    return { way: 'none', delay: 0 };
  }
}

/** @param {() => Promise<unknown>} open @returns {Promise<boolean>} */
const opens = (open) => within(mostTime, open()).then(() => true, () => false);

/** @param {{hashes: string[], url?: string, path?: string, port?: number}} place @param {string} base */
async function openTransport({ hashes, url, path = '', port }, base) {
  const address = new URL(url ?? path, base);
  if (url === undefined) Object.assign(address, { protocol: 'https:', port: String(port) });
  const transport = new WebTransport(address.href, {
    serverCertificateHashes: hashes.map((hash) => (
      { algorithm: 'sha-256', value: fromHex(hash, 32, 'hash') })),
  });
  transport.closed.catch(() => {}); // that it does not open is said by ready
  setTimeout(() => transport.close(), mostTime);
  await transport.ready;
  transport.close();
}

/** @param {string} place a path, or a url @param {string} base */
async function openSocket(place, base) {
  const address = new URL(place, base);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address.href, 'wzp');
  await new Promise((done, failed) => Object.assign(socket, { onopen: done, onerror: failed }));
  socket.close();
}
