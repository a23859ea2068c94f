/** The address of the relay's own page, as connect.json tells it. */

const MAX_URL = 2048; // characters

/**
 * The address of the relay's own page, '' if there is none that could be given to others. It is a hint: what
 * is wrong with it is as if it were not there.
 * @param {unknown} v @returns {string}
 */
export function pageOf(v) {
  if (typeof v !== 'string' || v.length > MAX_URL || !URL.canParse(v)) return '';
  const url = new URL(v);
  const fit = /^https?:$/.test(url.protocol) && url.href === url.origin + url.pathname && v.endsWith('/');
  return fit && !isLocal(url.hostname) ? url.href : '';
}

/** Whether a host is this machine, wherever it is said. @param {string} hostname as URLs have it */
export const isLocal = (hostname) => /(^|\.)localhost$|^127\.|^\[::1\]$|^0\.0\.0\.0$/.test(hostname);
