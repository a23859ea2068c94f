/**
 * The service worker's entry: see keeper.js. It takes the place of the one before when the page says so,
 * which it does between calls (page/keep.js), or when no tab is open.
 */

import { files, languages, version } from './kept-files.js';
import { Keeper } from './keeper.js';

/**
 * What is used of ServiceWorkerGlobalScope (Service Workers, section 4.1), which the types of pages lack.
 * @typedef {{request: Request, data: unknown, waitUntil: (done: Promise<unknown>) => void,
 *   respondWith: (answer: Promise<Response>) => void,
 *   addRoutes?: (route: object) => Promise<void>}} WorkerEvent
 * @typedef {object} Scope
 * @property {{scope: string}} registration
 * @property {{claim: () => Promise<void>, matchAll: (options: object) => Promise<{url: string}[]>}} clients
 * @property {() => Promise<void>} skipWaiting
 * @property {(type: string, listener: (event: WorkerEvent) => void) => void} addEventListener
 */

const scope = /** @type {Scope} */ (/** @type {unknown} */ (self));
const home = new URL(scope.registration.scope);
const language = new URL(location.href).searchParams.get('lang') ?? '';

const keeper = new Keeper({ version, files, languages }, {
  home, language, caches,
  fetch: (asked, options) =>
    fetch(typeof asked === 'string' ? asked : /** @type {Request} */ (asked), options),
  pause: (ms) => new Promise((resolve) => { setTimeout(resolve, ms); }),
  open: async () =>
    (await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })).map(({ url }) => url),
});

// What a page says when it is closed must not wait until this has begun to run: by then the page is gone, and
// Chromium drops it.
const straight = { condition: { requestMethod: 'POST' }, source: 'network' };
scope.addEventListener('install', (event) =>
  event.waitUntil(Promise.all([keeper.install(), event.addRoutes?.(straight).catch(() => {})])));
scope.addEventListener('activate', (event) =>
  event.waitUntil(keeper.activate().then(() => scope.clients.claim())));
scope.addEventListener('message', ({ data }) => data === 'take over' && void scope.skipWaiting());
scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const answer = keeper.answer(request);
  if (answer) event.respondWith(answer);
  else if (request.url === new URL('connect.json', home).href) { // from the relay, always
    const response = fetch(request);
    event.respondWith(response);
    event.waitUntil(response.then((response) => keeper.learn(response), () => {}));
  }
});
