/**
 * Keeps the page in the browser, and answers with it, so that it opens without a network. A cache has the
 * files of one build in one language; what a call needs is in it before it is used. How the relay is reached
 * is never kept, only what the page may connect to.
 *
 *     install:  files of this build ── from the browser's own cache, else from the relay ──> cache
 *     activate: caches of builds before the last two are deleted
 *     answer:   a room, or the first door ──> the network, or soon the document     a file of a build ──> file
 *               all else: the network
 *
 * No DOM and no globals: sw.js hands in what it needs.
 */

import { reserved } from '../page/reserved.js';
import { toHex } from '../wire/bytes.js';

/**
 * @typedef {object} Build what is kept
 * @property {string} version
 * @property {string[]} files
 * @property {Record<string, {words: string[], document: string, hash: string}>} languages
 */

/** @typedef {{url: string, method: string, mode: string}} NavigationRequest */

/**
 * @typedef {object} World
 * @property {URL} home where the page is, which ends in a slash
 * @property {string} language
 * @property {CacheStorage} caches
 * @property {(request: string | NavigationRequest, options?: RequestInit) => Promise<Response>} fetch
 * @property {(ms: number) => Promise<void>} pause
 * @property {() => Promise<string[]>} open addresses of the page that are open in tabs
 */

const PATIENCE = 400; // ms that the network may take for a document, before what is kept is shown
const MOST_BUILDS = 2; // pages that are open may still need files of the one before
const POLICY = 'content-security-policy';
const CONNECT = /connect-src [^;]*/;

export class Keeper {
  #build;
  #world;
  #language;
  #name;
  #prefix;

  /** @param {Build} build @param {World} world */
  constructor(build, world) {
    this.#build = build;
    this.#world = world;
    const [first = ''] = Object.keys(build.languages);
    this.#language = build.languages[world.language] ?? build.languages.en ?? build.languages[first];
    this.#prefix = `wzp page ${world.home.pathname} `;
    this.#name = `${this.#prefix}${build.version} ${world.language}`;
  }

  /**
   * Fills the cache, with one file after another: a page that is being opened needs the network more. Rejects
   * if something does not come: then what is kept stays as it is.
   */
  async install() {
    const cache = await this.#world.caches.open(this.#name);
    const { words, document } = this.#language;
    for (const path of [...this.#build.files, ...words]) {
      await cache.put(this.#url(path), await this.#fetched(this.#url(path)));
    }
    await cache.put(this.#url(document), await this.#document());
  }

  /** The door's document: a tab has it already, if that tab's is of this build and language. */
  async #document() {
    for (const url of await this.#world.open()) {
      try {
        const response = await this.#fetched(url);
        const bytes = await response.clone().arrayBuffer();
        const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
        if (toHex(hash) === this.#language.hash) return response;
      } catch {
        // Then from the relay.
      }
    }
    return this.#fetched(this.#url(this.#language.document));
  }

  /** From the browser's own cache, however old: names say what is in files. @param {string} url */
  async #fetched(url) {
    const response = await this.#world.fetch(url, { cache: 'force-cache' });
    if (!response.ok || response.redirected) throw new Error(`${url}: status ${response.status}`);
    return response;
  }

  /** Takes over: what is older than the build before is deleted. */
  async activate() {
    const names = (await this.#world.caches.keys()).filter((name) => name.startsWith(this.#prefix));
    const old = names.filter((name) => name !== this.#name).slice(0, -(MOST_BUILDS - 1));
    await Promise.all(old.map((name) => this.#world.caches.delete(name)));
  }

  /**
   * The answer to a request; null: it is none of ours, and the browser makes it.
   * @param {NavigationRequest} request @returns {Promise<Response> | null}
   */
  answer(request) {
    const { url, method, mode } = request;
    const { origin, pathname } = new URL(url);
    const { home } = this.#world;
    if (method !== 'GET' || origin !== home.origin || !pathname.startsWith(home.pathname)) return null;
    const path = pathname.slice(home.pathname.length);
    if (mode === 'navigate') {
      if (isDoor(path)) return this.#soon(request, () => this.#kept(this.#language.document, url));
      if (path === '/' || !isDoor(path.replace(/\/$/, ''))) return null;
      return this.#soon(request, async () => redirect(url));
    }
    return /-[0-9a-f]{8}\.\w+$/.test(path) ? this.#kept(path, url) : null;
  }

  /**
   * What the network says, for the host may have something else there; what is kept if that fails or takes
   * long.
   * @param {NavigationRequest} request @param {() => Promise<Response>} kept
   */
  async #soon(request, kept) {
    const { fetch, pause } = this.#world;
    const fresh = fetch(request).then((response) => (response.status >= 500 ? kept() : response), kept);
    return Promise.race([fresh, pause(PATIENCE).then(kept)]);
  }

  /** @param {string} path @param {string} url to be asked for if the path is not kept */
  async #kept(path, url) {
    const { caches, fetch } = this.#world;
    const cache = await caches.open(this.#name);
    const response = (await cache.match(this.#url(path))) ?? (await this.#before(this.#url(path)));
    if (!response) {
      const fresh = await fetch(url);
      if (fresh.ok && path !== this.#language.document) await cache.put(this.#url(path), fresh.clone());
      return fresh;
    }
    return withPolicy(response, await (await cache.match(this.#url('policy')))?.text());
  }

  /** A file of the build before. @param {string} url */
  async #before(url) {
    for (const name of await this.#world.caches.keys()) {
      if (!name.startsWith(this.#prefix)) continue;
      const response = await (await this.#world.caches.open(name)).match(url);
      if (response) return response;
    }
    return undefined;
  }

  /**
   * Notes what the page may connect to: the relay says so with each answer, and may be reached elsewhere now.
   * @param {Response} response of the relay
   */
  async learn(response) {
    const [connect] = CONNECT.exec(response.headers.get(POLICY) ?? '') ?? [];
    if (!connect || !response.ok) return;
    const cache = await this.#world.caches.open(this.#name);
    await cache.put(this.#url('policy'), new Response(connect));
  }

  /** @param {string} path */
  #url(path) {
    return new URL(path, this.#world.home).href;
  }
}

/** Whether a path leads to a door. @param {string} path from the page's home, as it was sent */
function isDoor(path) {
  if (path.includes('/')) return false;
  try {
    return !reserved.test(decodeURIComponent(path));
  } catch {
    return false;
  }
}

/** To the same address without the slash at its end, as the relay does. @param {string} url */
function redirect(url) {
  const to = new URL(url);
  to.pathname = to.pathname.slice(0, -1);
  return Response.redirect(to.href, 308);
}

/** @param {Response} response @param {string} [connect] what is allowed now */
function withPolicy(response, connect) {
  const policy = response.headers.get(POLICY);
  if (!connect || !policy) return response;
  const headers = new Headers(response.headers);
  headers.set(POLICY, policy.replace(CONNECT, connect));
  return new Response(response.body, { status: response.status, headers });
}
