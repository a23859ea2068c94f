/** Asks whether to leave: the way back was gone in a call. */

import { h, makeButton } from './dom.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

/** @param {string} room @param {{leave: () => void, stay: () => void}} actions stay: also when closed */
export function openLeave(room, { leave, stay }) {
  const sheet = new Sheet(say('leave.title', { room }), { name: 'leave', closed: stay });
  sheet.body.append(h('p', {}, say('leave.what')), h('div', { class: 'buttons' },
    makeButton('primary', () => sheet.close(), say('leave.stay')),
    makeButton('danger', leave, say('room.leave'))));
}
