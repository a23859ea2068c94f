/**
 * The clock that everything in link/ reads and sets its timers by, so that tests run in virtual time. Nothing
 * else in this folder may call performance.now() or setTimeout.
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds, never going back
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** @type {Clock} */
export const realClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

/**
 * Resolves after ms, or as soon as signal is aborted.
 * @param {Clock} clock @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>}
 */
export function sleep(clock, ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = () => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}

/**
 * An AbortController that aborts by itself after ms. finish() ends its timer.
 * @param {Clock} clock @param {number} ms @param {AbortSignal} [parent] aborts it, too
 * @returns {{signal: AbortSignal, abort: (reason?: unknown) => void, finish: () => void}}
 */
export function deadline(clock, ms, parent) {
  const controller = new AbortController();
  const follow = () => controller.abort(parent?.reason);
  if (parent?.aborted) follow();
  parent?.addEventListener('abort', follow);
  const timer = clock.setTimeout(() => controller.abort(new Error('it took too long')), ms);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    finish: () => {
      clock.clearTimeout(timer);
      parent?.removeEventListener('abort', follow);
    },
  };
}

/** The earlier of two times at which something is due; 0 is never. @param {number} a @param {number} b */
export function soonest(a, b) {
  return a === 0 || b === 0 ? a + b : Math.min(a, b);
}
