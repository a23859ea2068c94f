/** The invite: the link, as text and as QR code, and who can read what is in it. */

import { copyButton } from './copy.js';
import { h, labelled, makeButton, smallPrint, svg } from './dom.js';
import { icon } from './icons.js';
import { inviteLink } from './address.js';
import { isLocal } from '../link/relay-page.js';
import { encode } from './qr.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

const quiet = 4; // modules around the code that stay light

/**
 * @param {{room: string, secret: string, page: string}} where page: the relay's own, for where this page is
 *   one that nobody else can open
 * @param {() => void} closed
 */
export function openInvite({ room, secret, page }, closed) {
  const sheet = new Sheet(say('invite.title'), { name: 'invite', closed });
  const from = isLocal(location.hostname) ? page && new URL(page) : undefined;
  if (from === '') sheet.body.append(...withoutLink(room, secret));
  else sheet.body.append(...withLink(inviteLink(room, secret, from), secret));
  if (secret) sheet.body.append(smallPrint(say('invite.caution')));
}

/** What can be given to others. @param {string} name @param {string} label @param {string} value */
function shownField(name, label, value) {
  const field = h('input', {
    type: 'text', id: 'invite-' + name, readOnly: true, value, dir: 'ltr', onfocus: () => field.select(),
  });
  return labelled(field.id, label, field);
}

/** @param {string} link @param {string} secret */
function withLink(link, secret) {
  const share = 'share' in navigator && makeButton('', () => {
    navigator.share({ url: link }).catch(() => {}); // the user thought better of it
  }, icon('share'), say('invite.share'));
  const buttons = h('div', { class: 'buttons' }, copyButton(say('invite.copy'), () => link, 'primary'));
  if (share) buttons.append(share);
  return [
    h('p', {}, say(secret ? 'invite.secretExplain' : 'invite.publicExplain')),
    h('div', { class: 'qr', role: 'img', 'aria-label': say('invite.qr') }, drawCode(link)),
    shownField('link', say('invite.link'), link), buttons,
  ];
}

/** No address that others can open is known. @param {string} room @param {string} secret */
function withoutLink(room, secret) {
  const parts = [h('p', {}, say(secret ? 'invite.localSecret' : 'invite.local')),
    shownField('room', say('invite.room'), room)];
  if (!secret) return parts;
  const copy = copyButton(say('invite.copyKey'), () => secret);
  return [...parts, shownField('key', say('invite.key'), secret), copy];
}

/** @param {string} text @returns {SVGSVGElement} dark on light in either theme, as readers want it */
function drawCode(text) {
  const modules = encode(text);
  const side = modules.length + 2 * quiet;
  let dark = '';
  modules.forEach((row, y) => row.forEach((set, x) => {
    if (set) dark += `M${x + quiet} ${y + quiet}h1v1h-1z`;
  }));
  return svg(`0 0 ${side} ${side}`, [
    { d: `M0 0h${side}v${side}H0z`, fill: '#fff' },
    { d: dark, fill: '#000', 'shape-rendering': 'crispEdges' },
  ]);
}
