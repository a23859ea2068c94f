/**
 * The relay has another key than it had: both fingerprints, what it may mean, and the one way to go on, which
 * nobody takes by habit. The big button leads back.
 */

import { fill, h, labelled, makeButton } from './dom.js';
import { fingerprintBlock } from './fingerprint.js';
import { icon } from './icons.js';
import { fingerprintOf } from '../identity/identity.js';
import { fromHex } from '../wire/bytes.js';
import { say } from '../words/say.js';

const typed = 4; // characters of the new fingerprint

/**
 * @param {import('../link/carrier.js').RelayKeys} keys
 * @param {{door: () => void, accept: () => void}} actions
 */
export function relayKeyScreen({ known, shown }, { door, accept }) {
  let wanted = '';
  const input = h('input', {
    type: 'text', id: 'relay-key', dir: 'ltr', maxLength: typed, autocomplete: 'off', autocapitalize: 'off',
    spellcheck: false, oninput: () => (button.disabled = !right()),
  });
  const right = () => wanted !== '' && input.value.trim().toLowerCase() === wanted;
  const button = h('button', { type: 'submit', class: 'button danger', disabled: true },
    say('relayKey.accept'));
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (right()) accept();
  };
  const row = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ key) => {
    const place = h('dd', { 'data-key': name });
    void fingerprintOf(fromHex(key, 32)).then((fingerprint) => {
      if (name === 'shown') wanted = fingerprint.slice(0, typed);
      fill(place, fingerprintBlock(fingerprint));
    });
    return [h('dt', {}, label), place];
  };
  return h('main', { class: 'screen relay-key', 'data-ended': 'relay_key' },
    icon('warning'),
    h('h1', { tabIndex: -1 }, say('ended.relay_key.title')),
    h('p', {}, say('ended.relay_key.what')),
    h('dl', { class: 'keys' },
      ...row('known', say('relayKey.known'), known), ...row('shown', say('relayKey.shown'), shown)),
    h('div', { class: 'buttons' }, makeButton('primary large', door, say('ended.door'))),
    h('details', {}, h('summary', {}, say('relayKey.confirmed')),
      h('form', { class: 'stack', onsubmit },
        labelled('relay-key', say('relayKey.type', { n: typed }), input), button)));
}
