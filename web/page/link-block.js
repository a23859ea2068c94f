/** A link that is given to others: as QR code, as text, to be copied or shared. */

import { copyButton } from './copy.js';
import { h, labelled, makeButton, svg } from './dom.js';
import { icon } from './icons.js';
import { isLocal } from '../link/relay-page.js';
import { encode } from './qr.js';
import { say } from '../words/say.js';

const quiet = 4; // modules around the code that stay light

/**
 * The page that links to others lead to: undefined is this one, null none, where nobody else can open it.
 * @param {string} page the relay's own, '' if none is known
 * @returns {URL | undefined | null}
 */
export function pageForOthers(page) {
  if (!isLocal(location.hostname)) return undefined;
  return page === '' ? null : new URL(page);
}

/** @param {string} link @returns {HTMLElement[]} */
export function linkBlock(link) {
  const share = 'share' in navigator && makeButton('', () => {
    navigator.share({ url: link }).catch(() => {}); // the user thought better of it
  }, icon('share'), say('invite.share'));
  const buttons = h('div', { class: 'buttons' }, copyButton(say('invite.copy'), () => link, 'primary'));
  if (share) buttons.append(share);
  return [
    h('div', { class: 'qr', role: 'img', 'aria-label': say('invite.qr') }, drawCode(link)),
    shownField('link', say('invite.link'), link), buttons,
  ];
}

/** What can be given to others. @param {string} name @param {string} label @param {string} value */
export function shownField(name, label, value) {
  const field = h('input', {
    type: 'text', id: 'invite-' + name, readOnly: true, value, dir: 'ltr', onfocus: () => field.select(),
  });
  return labelled(field.id, label, field);
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
