/** The screen of a stay that ended, and whether a browser can join (if not: support-screen.js). */

import { h, makeButton } from './dom.js';
import { icon } from './icons.js';
import { has, say } from '../words/say.js';

/** @typedef {import('../words/say.js').Key} Key */

const maxDetails = 600; // characters

/**
 * @param {{code: string, text: string} | null} error null if the user left
 * @param {{again: () => void, door: () => void}} actions
 */
export function endedScreen(error, { again, door }) {
  const known = error === null || has(`ended.${error.code}.title`);
  const key = error === null ? 'left' : known ? error.code : 'other';
  const title = say(/** @type {Key} */ (`ended.${key}.title`));
  const values = { option: '--web-origin' };
  const what = error === null ? '' : say(/** @type {Key} */ (`ended.${key}.what`), values);
  return h('main', { class: 'screen', 'data-ended': error?.code ?? 'left' },
    icon(error ? 'warning' : 'check'),
    h('h1', { tabIndex: -1 }, title),
    what !== '' && h('p', {}, what),
    error && error.text !== '' && details(known, error.text),
    h('div', { class: 'buttons' },
      error?.code !== 'relay_key' && makeButton('primary large', again, say('ended.again')),
      makeButton('large', door, say('ended.door'))));
}

/**
 * What the program says, for who has to mend it.
 * @param {boolean} known whether the page has words of its own
 * @param {string} text
 */
function details(known, text) {
  const said = h('p', { class: 'hint', dir: 'ltr', lang: 'en' }, text.slice(0, maxDetails));
  return known ? h('details', {}, h('summary', { class: 'hint' }, say('ended.details')), said) : said;
}

// What a browser must have to join, and what this one lacks.

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
