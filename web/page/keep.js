/**
 * Has the browser keep the page, so that it opens without a network (keep/): registers the service worker
 * once the page is there, takes a new one between calls, and gives it up when the server has none any more.
 * And lets it install the page, by a manifest that comes late: it must not hold up the door.
 */

import { h } from './dom.js';
import { documentLanguage, home } from './files.js';

const pauses = [5000, 20_000, 60_000, 300_000, 900_000]; // ms after so many failures

/**
 * Keeps the page, or renews what is kept.
 * @param {string} language in which the door is to open
 * @param {() => Promise<boolean>} busy whether a tab has a call
 */
export async function keepPage(language, busy) {
  if (documentLanguage === '') return; // not built
  if (!document.querySelector('link[rel=manifest]')) { // with the page's own connection
    const href = new URL('manifest.webmanifest', home).href;
    document.head.append(h('link', { rel: 'manifest', crossOrigin: 'use-credentials', href }));
  }
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  for (const pause of pauses) {
    try {
      return await keep(serviceWorker, language, busy);
    } catch {
      // No network, or a browser that keeps nothing: the page goes on without.
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * Rejects when nothing is kept, or not what the server has now.
 * @param {ServiceWorkerContainer} serviceWorker @param {string} language @param {() => Promise<boolean>} busy
 */
async function keep(serviceWorker, language, busy) {
  const script = new URL('sw.js', home);
  const old = await serviceWorker.getRegistration(home.href);
  if (old && (await isGone(script))) return giveUp(old);
  script.searchParams.set('lang', language);
  const registration = await serviceWorker.register(script, { scope: home.href, updateViaCache: 'none' });
  const renew = async () => {
    if (registration.waiting && !(await busy())) registration.waiting?.postMessage('take over');
  };
  registration.onupdatefound = () => {
    const { installing } = registration;
    if (installing) installing.onstatechange = () => void renew();
  };
  if (registration.installing) await installed(registration.installing);
  await renew();
}

/** @param {ServiceWorker} worker */
function installed(worker) {
  return new Promise((resolve, reject) => {
    worker.addEventListener('statechange', () => {
      if (worker.state === 'redundant') reject(new Error('it could not fetch the page'));
      else resolve(undefined);
    });
  });
}

/**
 * Whether the server says that there is no service worker: it does not keep pages any more.
 * @param {URL} script
 */
async function isGone(script) {
  const { status } = await fetch(script, { method: 'HEAD', cache: 'no-store' });
  return status === 404 || status === 410;
}

/** @param {ServiceWorkerRegistration} registration */
async function giveUp(registration) {
  await registration.unregister();
  const kept = (await caches.keys()).filter((name) => name.startsWith(`wzp page ${home.pathname} `));
  await Promise.all(kept.map((name) => caches.delete(name)));
}
