/** The invite: the link, as text and as QR code, and who can read what is in it. */

import { copyButton } from './copy.js';
import { h, labelled, smallPrint, svg } from './dom.js';
import { icon } from './icons.js';
import { inviteLink } from './address.js';
import { encode } from './qr.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

const quiet = 4; // modules around the code that stay light

/** @param {{room: string, secret: string}} where @param {() => void} closed */
export function openInvite({ room, secret }, closed) {
  const link = inviteLink(room, secret);
  const sheet = new Sheet(say('invite.title'), { name: 'invite', closed });
  const field = h('input', {
    type: 'text', id: 'invite-link', readOnly: true, value: link, dir: 'ltr', onfocus: () => field.select(),
  });
  const share = 'share' in navigator && h('button', { type: 'button', class: 'button', onclick: () => {
    navigator.share({ url: link }).catch(() => {}); // the user thought better of it
  } }, icon('share'), say('invite.share'));
  sheet.body.append(
    h('p', {}, secret ? say('invite.secretExplain') : say('invite.publicExplain')),
    h('div', { class: 'qr', role: 'img', 'aria-label': say('invite.qr') }, drawCode(link)),
    labelled('invite-link', say('invite.link'), field),
    h('div', { class: 'buttons' }, copyButton(say('invite.copy'), () => link, 'primary'), share));
  if (secret) sheet.body.append(smallPrint(say('invite.caution')));
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
