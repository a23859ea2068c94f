/** Whether a browser can join; and the screen of one that cannot: what it lacks, and what to do. */

import { h } from './dom.js';
import { icon } from './icons.js';
import { say } from '../words/say.js';

/** @param {Feature[]} lacking */
export function supportScreen(lacking) {
  const insecure = lacking.includes('secure');
  return h('main', { class: 'screen', 'data-ended': 'support' },
    icon('warning'),
    h('h1', {}, say('support.title')),
    h('p', {}, say('support.what')),
    h('ul', {}, ...lacking.map((feature) => h('li', {}, say(`support.${feature}`)))),
    h('p', {}, insecure ? say('support.open', { scheme: 'https://' }) : say('support.use')));
}

/**
 * @typedef {'secure' | 'carrier' | 'codecs' | 'worklet' | 'crypto' | 'storage' | 'worker' | 'capture'}
 *   Feature
 */

/**
 * What is missing. The checks are attempts where names do not tell: browsers know X25519 by name before they
 * do it.
 * @param {any} [scope] the global object, another one in tests
 * @returns {Promise<Feature[]>} empty: this browser can join
 */
export async function missing(scope = globalThis) {
  /** @type {Feature[]} */ const out = [];
  const lack = (/** @type {Feature} */ feature, /** @type {boolean} */ there) => {
    if (!there) out.push(feature);
  };
  lack('secure', scope.isSecureContext === true);
  lack('carrier', 'WebTransport' in scope || 'WebSocket' in scope);
  lack('worker', 'Worker' in scope && 'MessageChannel' in scope);
  lack('storage', 'indexedDB' in scope);
  if (!scope.isSecureContext) return out; // browsers hide the rest then, and it would be a wrong accusation
  lack('worklet', 'AudioWorkletNode' in scope);
  lack('capture', Boolean(scope.navigator?.mediaDevices?.getUserMedia));
  lack('codecs', await hasOpus(scope));
  lack('crypto', await hasCurves(scope));
  return out;
}

const opus = { codec: 'opus', sampleRate: 48000, numberOfChannels: 1 };

/** @param {any} scope @returns {Promise<boolean>} */
async function hasOpus({ AudioEncoder, AudioDecoder }) {
  try {
    const [encoder, decoder] = await Promise.all([
      AudioEncoder.isConfigSupported({ ...opus, bitrate: 24000 }),
      AudioDecoder.isConfigSupported(opus),
    ]);
    return Boolean(encoder.supported && decoder.supported);
  } catch {
    return false;
  }
}

/** @param {any} scope @returns {Promise<boolean>} */
async function hasCurves({ crypto }) {
  try {
    await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits']);
    await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
    return true;
  } catch {
    return false;
  }
}
