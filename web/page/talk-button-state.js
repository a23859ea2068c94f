/** What the big control says and does, from the model alone. Its first line is what it does now. Pure. */

import { control as words } from './words-room.js';

/**
 * `kind` is for the looks; `live` alone means that speech is on its way.
 *
 * @typedef {{kind: 'live' | 'idle' | 'muted' | 'off' | 'none', icon: import('./icons.js').IconName, label:
 * string,
 *   hint: string, pressed: boolean}} TalkButtonState
 */

const troubles = /** @type {const} */ (['denied', 'missing', 'busy', 'gone', 'failed', 'none']);

/**
 * @param {import('./room-model.js').RoomModel} model @param {string[]} talkers names of the others who talk
 * @param {{locked?: boolean, keyboard?: boolean}} [how] locked: the button was pressed without a pointer, and
 *   is pressed again to stop; keyboard: there seems to be one
 * @returns {TalkButtonState}
 */
export function talkButtonState(model, talkers, how = {}) {
  const { state, mic, held } = model;
  if (mic === 'asking') {
    return { kind: 'none', icon: 'mic', label: words.asking, hint: words.askingHint, pressed: false };
  }
  if (troubles.some((trouble) => trouble === mic)) {
    return { kind: 'none', icon: 'micOff', label: words.none, hint: words.noneHint, pressed: false };
  }
  if (state === 'joining') {
    return { kind: 'off', icon: 'mic', label: words.joining, hint: words.joiningHint, pressed: held };
  }
  if (state !== 'joined') {
    return {
      kind: 'off', icon: 'offline', label: words.reconnecting, hint: words.reconnectingHint, pressed: held,
    };
  }
  return model.mode === 'radio' ? radioState(model, talkers, how) : openState(model, talkers);
}

/**
 * @param {import('./room-model.js').RoomModel} model @param {string[]} talkers
 * @param {{locked?: boolean, keyboard?: boolean}} how @returns {TalkButtonState}
 */
function radioState({ transmitting, held }, talkers, { locked, keyboard }) {
  const stop = locked ? words.again : words.release;
  if (transmitting && held) {
    return { kind: 'live', icon: 'talk', label: words.transmitting, hint: stop, pressed: true };
  }
  if (held) return { kind: 'idle', icon: 'mic', label: words.starting, hint: stop, pressed: true };
  if (talkers.length > 0) {
    return { kind: 'idle', icon: 'listen', label: words.talks(talkers), hint: words.hold, pressed: false };
  }
  return {
    kind: 'idle', icon: 'mic', label: words.hold, hint: keyboard ? words.holdKey : words.holdHint,
    pressed: false,
  };
}

/** @param {import('./room-model.js').RoomModel} model @param {string[]} talkers @returns {TalkButtonState} */
function openState({ transmitting, muted, loudMe }, talkers) {
  if (muted) {
    const hint = loudMe ? words.mutedLoud : talkers.length > 0 ? words.mutedTalks(talkers) : words.mutedHint;
    return { kind: 'muted', icon: 'micOff', label: words.muted, hint, pressed: false };
  }
  if (transmitting) {
    return { kind: 'live', icon: 'talk', label: words.transmitting, hint: words.muteHint, pressed: true };
  }
  if (talkers.length > 0) {
    return { kind: 'idle', icon: 'listen', label: words.talks(talkers), hint: words.onHint, pressed: true };
  }
  return { kind: 'idle', icon: 'mic', label: words.on, hint: words.muteHint, pressed: true };
}
