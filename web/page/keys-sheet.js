/** The sheet that lists the keys of the room. */

import { h } from './dom.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

/**
 * @param {string} talkKey what is written on the chosen one, '' if there is none @param {() => void} closed
 */
export function openKeys(talkKey, closed) {
  const space = say('keys.space');
  const sheet = new Sheet(say('keys.title'), { name: 'keys', closed, text: true });
  const talk = talkKey ? say('keys.talkKeys', { space, key: talkKey }) : space;
  /** @type {[string, import('../words/say.js').Key][]} */ const list = [
    [talk, 'keys.talk'], ['M', 'keys.mute'], ['H', 'keys.hand'], ['R', 'keys.mode'], ['I', 'keys.invite'],
    ['P', 'keys.people'], [say('keys.escape'), 'keys.close'], ['?', 'keys.list'],
  ];
  sheet.body.append(h('dl', { class: 'numbers' },
    ...list.map(([key, does]) => h('div', {}, h('dt', {}, h('kbd', {}, key)), h('dd', {}, say(does))))));
}
