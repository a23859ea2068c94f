/** What this device knows of the key of who calls, or is called, in words. Pure. */

import { foldName } from '../names/fold.js';
import { nameOf } from './member-rows.js';
import { ago, month } from '../words/formats.js';
import { say } from '../words/say.js';

/** @typedef {import('../identity/contacts.js').Contact} Contact */
/** @typedef {import('./line.js').Person} Person */
/** How it is shown. @typedef {'compared' | 'same' | 'new' | 'changed'} Known */


/**
 * What is known of a person. A name that came with another key before, or that is another contact's, is
 * CHANGED whoever remembers the key.
 * @param {Person} person @param {readonly Contact[]} contacts
 * @param {import('../identity/known-names.js').Verdict} verdict of the name that they call themselves
 * @param {number} now ms since 1970
 */
export function keyState(person, contacts, verdict, now) {
  const contact = contacts.find(({ fingerprint }) => fingerprint === person.fingerprint) ?? null;
  const own = foldName(person.name);
  const others = own !== '' && contacts.some((one) => one !== contact && foldName(one.name) === own);
  const title = contact?.name ?? nameOf(person);
  const called = contact && own !== '' && own !== foldName(contact.name) ? nameOf(person) : '';
  /** @param {Known} known @param {string} text */
  const state = (known, text) => ({ title, called, known, text, contact });
  if (verdict === 'changed' || others) return state('changed', say('call.keyChanged'));
  if (contact?.compared !== undefined) {
    return state('compared', say('call.keyCompared', { ago: ago(contact.compared, now) }));
  }
  if (contact) return state('same', say('call.keySame', { month: month(contact.added, now) }));
  return verdict === 'same' ? state('same', say('call.keyKnown')) : state('new', say('call.keyNew'));
}

/** @typedef {ReturnType<typeof keyState>} KeyState */
