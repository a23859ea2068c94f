/**
 * Has the browser keep the page, so that it opens without a network (keep/): registers the service worker
 * once the page is there, takes a new one between calls, and gives it up when the server has none any more.
 * And lets it install the page, by a manifest that comes late: it must not hold up the door.
 */

import { h } from './dom.js';
import { documentLanguage, home } from './files.js';

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
  const script = new URL('sw.js', home);
  try {
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
    await renew();
  } catch {
    // No network, or a browser that keeps nothing: the page goes on without.
  }
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
