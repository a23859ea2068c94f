/** The texts of a room, which the first paint does without. As words.js has the others. */

import { count } from './words.js';

export const room = {
  leave: 'Leave',
  leaveName: (/** @type {string} */ room) => `Leave ${room}`,
  invite: 'Invite',
  settings: 'Settings',
  people: 'People',
  peopleCount: (/** @type {number} */ n) => count(n, 'person', 'people'),
  private: 'Private',
  open: 'Open room',
  code: (/** @type {string} */ number) => `Private - code ${number.slice(0, 4)} ${number.slice(4, 5)}…`,
  openCode: (/** @type {string} */ number) => `Open room - code ${number.slice(0, 4)} ${number.slice(4, 5)}…`,
  codeName: 'Compare the safety number',
  alone: 'Nobody else is here yet. Send the invite.',
  waiting: 'Looking who is there…',
  outsideGroup: 'Outside',
  outsideNote: 'They do not have the invite, or another one. They do not hear you, and you do not hear them.',
  outsideNoteOpen:
    'They talk with an invite that you do not have. You do not hear them, and they do not hear you.',
  mode: 'How to talk',
  modes: { open: 'Open', radio: 'Radio' },
  modeHints: { open: 'The microphone stays on', radio: 'Hold the button to talk' },
  more: (/** @type {number} */ n) => `and ${n} more`,
};

/** The big control. Its first line is what it does now, its second what to do. */
export const control = {
  hold: 'Hold to talk',
  holdHint: 'Nobody hears you until then',
  holdKey: 'or hold the space bar',
  transmitting: 'Transmitting',
  release: 'Let go to stop',
  again: 'Press again to stop',
  starting: 'Wait…',
  talks: (/** @type {string[]} */ names) => names.length === 1
    ? `${names[0]} is talking` : `${names[0]} and ${count(names.length - 1, 'other', 'others')} are talking`,
  on: 'Microphone is on',
  muteHint: 'Tap to mute',
  onHint: 'Microphone on - tap to mute',
  muted: 'Muted - tap to talk',
  mutedTalks: (/** @type {string[]} */ names) => `${control.talks(names)}. Nobody hears you`,
  mutedHint: 'Nobody hears you',
  mutedLoud: 'You are talking, but nobody hears you',
  reconnecting: 'Reconnecting…',
  reconnectingHint: 'Nothing is sent meanwhile',
  joining: 'Joining…',
  joiningHint: 'Nothing is sent yet',
  none: 'No microphone',
  noneHint: 'Tap to try again',
  asking: 'May the browser use the microphone?',
  askingHint: 'Choose Allow in its question',
};

export const person = {
  you: 'You',
  noName: 'No name',
  talking: 'Talking',
  muted: 'Muted',
  outside: 'Outside',
  changed: 'Key CHANGED',
  relay: (/** @type {string} */ relay) => `on ${relay}`,
  open: (/** @type {string} */ name) => `About ${name}`,
  known: {
    same: 'Same as last time',
    new: 'New: this device has not met them before',
    changed: 'CHANGED: this name came with another key before',
    self: 'This is you',
    outside: 'Outside: does not have this room\'s invite',
  },
  compareHint: 'Is it really them? Ask for their fingerprint over another channel, such as a telephone call, '
    + 'and compare all of it.',
  compare: 'Compare the safety number',
  volume: 'Volume for you',
  volumeValue: (/** @type {number} */ percent) => `${percent} %`,
  trust: 'It is them: remember this key',
  trusted: 'Remembered. You are not warned of this key again.',
};

export const connection = {
  title: 'Connection',
  good: 'Good',
  weak: (/** @type {number} */ percent) => `Weak - ${percent} % of packets lost, repaired`,
  late: (/** @type {string} */ seconds) => `Slow - ${seconds} s there and back`,
  bad: (/** @type {number} */ percent) => `Very weak - ${percent} % lost, speech may break`,
  stopped: 'Nothing arrives - waiting for the network',
  dropped: (/** @type {number} */ why) =>
    'The relay drops part of what you say: '
      + (why === 3 ? 'too many talk at once' : why < 3 ? 'this device sends too much' : 'ask who runs it'),
  slowWay: 'Using the slow way (web socket)',
  reconnecting: 'Reconnecting…',
  joining: 'Joining…',
  offline: 'No network on this device',
  measuring: 'Connected',
  numbers: 'Show numbers',
  lossUp: 'Lost on the way out',
  lossDown: 'Lost on the way in',
  rtt: 'To the relay and back',
  jitter: 'Unsteadiness',
  delay: 'Kept here until it is heard',
  up: 'Sending',
  down: 'Receiving',
  path: 'Path',
  paths: { webtransport: 'WebTransport (fast)', websocket: 'WebSocket (slow)' },
  codec: 'Codec',
  since: 'Connected',
  percent: (/** @type {number} */ share) =>
    `${share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`,
  ms: (/** @type {number} */ ms) => `${Math.round(ms)} ms`,
  kbit: (/** @type {number} */ bits) => `${(bits / 1000).toFixed(bits < 9950 ? 1 : 0)} kbit/s`,
  slowExplain:
    'This network does not let the fast way through. Speech may arrive later when packets are lost.',
  lossExplain: 'Lost packets are repaired as far as possible. What is said may arrive with small gaps.',
};

export const warnings = {
  changedTitle: (/** @type {string} */ name) => `${name} comes with another key`,
  changedText: (/** @type {string} */ name) =>
    `${name} may have a new device, or somebody else uses the name. `
    + 'Say nothing secret until you have asked them over another channel.',
  trust: 'It is them',
  look: 'Compare',
  keep: 'Not sure: keep the mark',
  understood: 'Understood',
  several: (/** @type {number} */ n) => `${n} people`,
  /** By code of the engine; `name` is who it is about, '' where it is the room; `n` is how many. */
  texts: /** @type {Record<string, (name: string, n: number) => string>} */ ({
    names: () =>
      'Names of people cannot be remembered on this device. You are not warned when a key changes.',
    name: (name) =>
      `Another key than before: ${name || 'somebody'}. Say nothing secret until you have compared.`,
    members: (name, n) =>
      `${name || 'Somebody'} ${n > 1 ? 'see' : 'sees'} other people in this room than you do. `
      + 'Compare the safety number before you go on.',
    key: (name) =>
      `A key of ${name || 'somebody'} is not right. You do not hear them. Ask them to join again.`,
    no_key: (name, n) =>
      `${name || 'Somebody'} ${n > 1 ? 'are' : 'is'} talking, but cannot be decrypted yet. `
        + 'If it stays so, join again.',
    unknown_member: (name, n) =>
      `${name || 'Somebody'} whom the relay does not show ${n > 1 ? 'try' : 'tries'} to talk. `
      + 'Compare the safety number.',
    outside: (name) =>
      `${name || 'Somebody'} is outside: without this room's invite. You do not hear each other.`,
    relay: () => 'The relay shuts down. You are moved or disconnected soon.',
    crowd: () => 'More than 64 people talk at once: not all of them are heard.',
    sound: (name) => `What ${name || 'somebody'} sends cannot be played here.`,
  }),
  somebody: 'Somebody',
  unknown: (/** @type {string} */ code) =>
    `The room warns of something that this page does not know (${code}). Reload it.`,
};

/** For screen readers: said politely, never more often than every few seconds. */
export const announce = {
  talking: (/** @type {string[]} */ names) => control.talks(names),
  came: (/** @type {string[]} */ names) =>
    names.length > 3 ? `${names.length} people came in` : `${names.join(', ')} came in`,
  went: (/** @type {string[]} */ names) =>
    names.length > 3 ? `${names.length} people left` : `${names.join(', ')} left`,
  joined: 'You are in the room',
  reconnecting: 'The connection is lost. Reconnecting',
  back: 'The connection is back',
};

export const time = {
  now: 'just now',
  minutes: (/** @type {number} */ n) => count(n, 'minute', 'minutes') + ' ago',
  hours: (/** @type {number} */ n) => count(n, 'hour', 'hours') + ' ago',
  days: (/** @type {number} */ n) => count(n, 'day', 'days') + ' ago',
};

/** A time in the past, in words. @param {number} then @param {number} now both ms since 1970 */
export function ago(then, now) {
  const minutes = Math.floor((now - then) / 60000);
  if (minutes < 1) return time.now;
  if (minutes < 60) return time.minutes(minutes);
  return minutes < 48 * 60 ? time.hours(Math.floor(minutes / 60)) : time.days(Math.floor(minutes / 1440));
}
