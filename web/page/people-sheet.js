/** Whom to call beside the call that there is, which waits meanwhile. */

import { h, makeButton, smallPrint } from './dom.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

/**
 * @param {readonly import('../identity/contacts.js').Contact[]} contacts
 * @param {{full: boolean, call: (who: import('./phone.js').Called) => void}} options full: there are two
 *   calls
 */
export function openPeople(contacts, { full, call }) {
  const sheet = new Sheet(say('call.other'), { name: 'call-people', text: full || contacts.length === 0 });
  if (full) return sheet.body.append(h('p', {}, say('call.full')));
  if (contacts.length === 0) return sheet.body.append(h('p', {}, say('call.nobody')));
  sheet.body.append(smallPrint(say('call.otherHint')),
    h('ul', { class: 'rooms', role: 'list' }, ...contacts.map(({ fingerprint, name }) => {
      const act = () => {
        sheet.close();
        call({ fingerprint, name });
      };
      return h('li', { class: 'room-row' }, h('span', { class: 'room-open' },
        h('span', { class: 'face' }, identicon(fingerprint)),
        h('span', { class: 'name' }, h('bdi', {}, name))),
      makeButton('small', act, icon('call'), h('span', {}, say('person.call')),
        h('bdi', { class: 'unseen' }, name)));
    })));
}
