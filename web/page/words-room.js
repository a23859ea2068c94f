/**
 * The texts about people and the connection in a room, which the first paint does without. As words.js has the others.
 *
 * @module page/words-room
 */

export const person = {
  you: 'You',
  noName: 'No name',
  talking: 'Talking',
  muted: 'Muted',
  outside: 'Outside',
  changed: 'Key CHANGED',
  relay: (/** @type {string} */ relay) => `on ${relay}`,
  open: (/** @type {string} */ name) => `About ${name}`,
  fingerprint: 'Fingerprint',
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
  dropped: (/** @type {number} */ why) => `The relay drops part of what you say: ${why === 3 ? 'too many talk at once' : why < 3 ? 'this device sends too much' : 'ask who runs it'}`,
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
  percent: (/** @type {number} */ share) => `${share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`,
  ms: (/** @type {number} */ ms) => `${Math.round(ms)} ms`,
  kbit: (/** @type {number} */ bits) => `${(bits / 1000).toFixed(bits < 9950 ? 1 : 0)} kbit/s`,
  slowExplain: 'This network does not let the fast way through. Speech may arrive later when packets are lost.',
  lossExplain: 'Lost packets are repaired as far as possible. What is said may arrive with small gaps.',
};
