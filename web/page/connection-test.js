/**
 * Whether the relay is reached from here, and by which way: connections are opened and closed again before
 * anything is said in them, so that nobody sees who tries.
 */

import { realClock } from '../link/clock.js';
import { fetchPlace } from '../link/dial-resolve.js';
import { within } from './part.js';

const mostTime = 6000; // ms that a way may take to open

/**
 * `fast` is WebTransport, `slow` the WebSocket; `blocked`: neither opens; `none`: there is no answer at all.
 * @typedef {{way: 'fast' | 'slow' | 'blocked' | 'none', delay: number}} Reached `delay`: there and back, ms
 */

/** @param {string} url of connect.json @returns {Promise<Reached>} */
export async function testConnection(url) {
  const fetched = () => fetchPlace(url, { clock: realClock });
  try {
    await fetched(); // the second one has a connection, and takes one way there and back
    const began = performance.now();
    const { webtransport, websocket } = await fetched();
    const delay = performance.now() - began;
    if (webtransport && await opens(() => openTransport(webtransport))) return { way: 'fast', delay };
    return { way: websocket && await opens(() => openSocket(websocket)) ? 'slow' : 'blocked', delay };
  } catch {
    return { way: 'none', delay: 0 };
  }
}

/** @param {() => Promise<unknown>} open @returns {Promise<boolean>} */
const opens = (open) => within(mostTime, open()).then(() => true, () => false);

/** @param {{url: string, hashes: import('../wire/bytes.js').Bytes[]}} place */
async function openTransport({ url, hashes }) {
  const transport = new WebTransport(url, {
    serverCertificateHashes: hashes.map((value) => ({ algorithm: 'sha-256', value })),
  });
  transport.closed.catch(() => {}); // that it does not open is said by ready
  setTimeout(() => transport.close(), mostTime);
  await transport.ready;
  transport.close();
}

/** @param {string} url */
async function openSocket(url) {
  const socket = new WebSocket(url, 'wzp');
  await new Promise((done, failed) => Object.assign(socket, { onopen: done, onerror: failed }));
  socket.close();
}
