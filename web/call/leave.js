/**
 * How a page tells its relay that it leaves when the session may get nothing out any more: by a request that
 * the browser sends on when the page is gone.
 */

/**
 * With these fetch sends a request to leave. Its body has no type, so that no browser asks first whether it
 * may; and the mode is the one in which browsers say which page asks.
 * @param {import('../wire/bytes.js').Bytes} body @returns {RequestInit}
 */
export function leaveOptions(body) {
  return {
    method: 'POST', body, mode: 'cors', credentials: 'same-origin', cache: 'no-store', keepalive: true,
  };
}

/**
 * Sends a request to leave from a page that is being closed. Nobody waits for what comes of it.
 * @param {{url: string, body: import('../wire/bytes.js').Bytes}} request
 */
export function sendLeave({ url, body }) {
  try {
    if ('keepalive' in Request.prototype) fetch(url, leaveOptions(body)).catch(() => {});
    else navigator.sendBeacon(url, new Blob([body], { type: 'application/octet-stream' }));
  } catch {
    // The relay will find out.
  }
}
