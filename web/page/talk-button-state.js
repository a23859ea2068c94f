/** What the big control says and does, from the model alone. Its first line is what it does now. Pure. */

import { talkersText } from './announce.js';
import { heardOf, isAudible } from './hearing.js';
import { has, say } from '../words/say.js';

/**
 * `kind` is for the looks; `live` alone means that speech is on its way to somebody who can hear it.
 *
 * @typedef {{kind: 'live' | 'idle' | 'muted' | 'off' | 'none', icon: import('./icons.js').IconName, label:
 * string,
 *   hint: string, pressed: boolean}} TalkButtonState
 */

/** @typedef {import('./hearing.js').Heard} Heard */
/** @typedef {import('../words/say.js').Key} Key */

const troubles = /** @type {const} */ (['denied', 'missing', 'busy', 'gone', 'failed', 'none']);

/**
 * @param {TalkButtonState['kind']} kind @param {TalkButtonState['icon']} icon @param {boolean} pressed
 * @param {string} label @param {string} hint @returns {TalkButtonState}
 */
const shown = (kind, icon, pressed, label, hint) => ({ kind, icon, label, hint, pressed });

/**
 * @param {import('./room-model.js').RoomModel} model @param {string[]} talkers names of the others who talk
 * @param {{locked?: boolean, keyboard?: boolean, key?: string}} [how] locked: the button was pressed without
 *   a pointer, and is pressed again to stop; keyboard: there seems to be one; key: what is written on the one
 *   that was chosen to talk, '' if it is the space bar
 * @returns {TalkButtonState}
 */
export function talkButtonState(model, talkers, how = {}) {
  const { state, mic, held } = model;
  if (mic === 'asking') return shown('none', 'mic', false, say('control.asking'), say('control.askingHint'));
  if (troubles.some((trouble) => trouble === mic)) {
    return shown('none', 'micOff', false, say('control.none'), say('control.noneHint'));
  }
  if (state === 'joining') {
    return shown('off', 'mic', held, say('control.joining'), say('control.joiningHint'));
  }
  if (state !== 'joined') {
    return shown('off', 'offline', held, say('control.reconnecting'), say('control.reconnectingHint'));
  }
  if (model.onHold === 'us') return shown('off', 'hold', false, say('control.held'), say('control.heldHint'));
  if (model.onHold === 'them') {
    return shown('off', 'hold', false, say('control.theyHold'), say('control.theyHoldHint'));
  }
  return model.mode === 'radio' ? radioState(model, talkers, how) : openState(model, talkers);
}

/** What the control says where nobody hears, or may not, what is said. @type {Partial<Record<Heard, Key>>} */
const unheard = {
  lost: 'control.unheard', outside: 'control.unheard', noKey: 'control.unheard', noSound: 'control.unheard',
  doubt: 'control.unsure',
};

/** Why nobody hears, or may not. @param {Heard} heard */
function whyNot(heard) {
  const key = `control.${heard}Hint`;
  return has(key) ? say(/** @type {Key} */ (key)) : '';
}

/**
 * @param {import('./room-model.js').RoomModel} model @param {string[]} talkers
 * @param {{locked?: boolean, keyboard?: boolean, key?: string}} how @returns {TalkButtonState}
 */
function radioState(model, talkers, { locked, keyboard, key }) {
  const { transmitting, held, muteRefused } = model;
  const heard = heardOf(model);
  const stop = say(locked ? 'control.again' : 'control.release');
  if (transmitting && held) return shown('live', 'talk', true, say('control.transmitting'), stop);
  if (held) {
    const label = unheard[heard] ?? (heard === 'alone' ? 'control.unheard' : 'control.starting');
    return shown('idle', 'mic', true, say(label), stop);
  }
  const explained = muteRefused && say('control.radioMute');
  if (talkers.length > 0) {
    const text = talkersText('control.talks', talkers);
    return shown('idle', 'listen', false, text, explained || say('control.hold'));
  }
  const keys = key ? say('control.holdOther', { key }) : say('control.holdKey');
  const hint = keyboard ? keys : say('control.holdHint');
  const why = isAudible(heard) ? hint : whyNot(heard);
  return shown('idle', 'mic', false, say('control.hold'), explained || why);
}

/** @param {import('./room-model.js').RoomModel} model @param {string[]} talkers @returns {TalkButtonState} */
function openState(model, talkers) {
  const { transmitting, muted, loudMe } = model;
  if (muted) {
    const nobody = say(loudMe ? 'control.mutedLoud' : 'control.mutedHint');
    const hint = loudMe || talkers.length === 0 ? nobody : talkersText('control.mutedTalks', talkers);
    return shown('muted', 'micOff', false, say('control.muted'), hint);
  }
  if (transmitting) return shown('live', 'talk', true, say('control.transmitting'), say('control.muteHint'));
  const heard = heardOf(model);
  if (!isAudible(heard)) {
    return shown('idle', 'mic', true, say(unheard[heard] ?? 'control.on'), whyNot(heard));
  }
  if (talkers.length > 0) {
    return shown('idle', 'listen', true, talkersText('control.talks', talkers), say('control.onHint'));
  }
  return shown('idle', 'mic', true, say('control.on'), say('control.muteHint'));
}
