/** The invite: the link, as text and as QR code, and who can read what is in it. */

import { copyButton } from './copy.js';
import { h, smallPrint } from './dom.js';
import { inviteLink } from './address.js';
import { linkBlock, pageForOthers, shownField } from './link-block.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

/**
 * @param {{room: string, secret: string, page: string}} where page: the relay's own, for where this page is
 *   one that nobody else can open
 * @param {() => void} closed
 */
export function openInvite({ room, secret, page }, closed) {
  const sheet = new Sheet(say('invite.title'), { name: 'invite', closed });
  const from = pageForOthers(page);
  if (from === null) sheet.body.append(...withoutLink(room, secret));
  else {
    sheet.body.append(h('p', {}, say(secret ? 'invite.secretExplain' : 'invite.publicExplain')),
      ...linkBlock(inviteLink(room, secret, from)));
  }
  if (secret) sheet.body.append(smallPrint(say('invite.caution')));
}

/** No address that others can open is known. @param {string} room @param {string} secret */
function withoutLink(room, secret) {
  const parts = [h('p', {}, say(secret ? 'invite.localSecret' : 'invite.local')),
    shownField('room', say('invite.room'), room)];
  if (!secret) return parts;
  const copy = copyButton(say('invite.copyKey'), () => secret);
  return [...parts, shownField('key', say('invite.key'), secret), copy];
}
