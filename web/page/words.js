/**
 * The texts that the page shows, with those of words-room.js and words-sheets.js, and nowhere else. Short,
 * plain, no blame: what happened, and what to do. What depends on a number or a name is a function.
 */

/** @param {number} n @param {string} one @param {string} many */
export const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;

export const door = {
  tagline: 'Voice for bad networks',
  room: 'Room',
  roomHint: 'Anybody who knows the name of a room can enter it.',
  name: 'Your name',
  nameHint: 'The others in the room see it.',
  join: 'Join',
  private: 'Open a private room',
  privateHint: 'Makes a room and an invite. Only those who have the invite hear you.',
  privateRoom: 'Private room: you have the invite.',
  openRoom: 'Open room: anybody who knows the name can enter.',
  forget: 'Forget the invite',
  badSecret: 'The invite in this link is not complete. Ask for the link again and copy all of it.',
  badSecretKept: 'The invite in this link is not complete. You have one from before: Join uses that one.',
  enterOpen: 'Enter as an open room',
  enterOpenHint: 'Anybody who knows the name can then hear you. Those who have the invite do not.',
  otherInvite: 'This is another invite than last time. Which one do you use?',
  invites: {
    kept: ['The one from last time', 'Those you were here with can hear you.'],
    link: ['The one in this link', 'Whoever made it, and all who have it, can hear you. It is kept instead.'],
  },
  otherRoom: 'Another room',
  settings: 'Settings',
  safe:
    'Speech is encrypted on this device, for the people in the room. Whoever serves this page could '
    + 'change it: open it only from somebody you trust.',
  faults: {
    room: (/** @type {string} */ fault, /** @type {string} */ name, /** @type {number} */ over) =>
      roomFaults[fault] ?? nameFault(fault, name, over),
    name: nameFault,
  },
};

/** @type {Record<string, string>} */
const roomFaults = {
  empty: 'Type the name of the room.',
  underscore: 'Rooms whose names begin with an underscore are for relays only. Take the underscore away.',
  reserved: 'This name cannot be used in a link, where it means something else. Choose another one.',
  address: 'This address is not that of a room. Type the name of the room.',
};

/** @param {string} fault @param {string} name @param {number} over letters that are too many */
function nameFault(fault, name, over) {
  switch (fault) {
    case 'nobody':
      return 'Type your name, so that the others know who talks.';
    case 'long':
      return `This name is too long by ${count(over, 'letter', 'letters')}. Shorten it.`;
    case 'control':
      return 'This name has a character that cannot be seen '
        + `(${code(name.match(/\p{Cc}/u)?.[0])}). Type it again.`;
    default:
      return 'This name has half of a character in it. Type it again.';
  }
}

/** @param {string} [character] @returns {string} as Unicode numbers it */
function code(character = '') {
  return 'U+' + (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

/** States of the microphone: at the door, in the settings, and in the call. */
export const mic = {
  label: 'Microphone',
  check: 'Check the microphone',
  test: 'Test',
  level: 'Level of your microphone',
  asking: 'The browser asks whether it may use the microphone. Choose Allow.',
  on: 'Say something: the bar moves when you are heard.',
  denied:
    'The browser does not let this page use the microphone. Allow it in the address bar, beside the address, '
    + 'then try again.',
  missing: 'No microphone was found. Connect one, then try again.',
  busy: 'The microphone is used by another program. Close it there, then try again.',
  gone: 'The microphone was unplugged. Connect it again, then try again.',
  failed: 'The microphone does not start. Try again, or choose another one in the settings.',
  retry: 'Try again',
  listen: 'You can join without it and listen.',
  silent: 'You hear the others. They do not hear you.',
};

/** How a call ended, by code: title, then what to do. */
export const ended = {
  details: 'Details',
  again: 'Join again',
  door: 'To the door',
  left: ['You left the room', ''],
  other: ['The call ended', 'Something went wrong. Join again.'],
  codes: /** @type {Record<string, [string, string]>} */ ({
    room_full: ['The room is full', 'Try again when somebody has left.'],
    too_many_rooms: ['The relay has too many rooms', 'Try again later, or use another relay.'],
    too_many_sessions: ['The relay is full', 'Try again later, or use another relay.'],
    rate: ['Too many attempts', 'Wait a minute, then join again.'],
    shutting_down: ['The relay shuts down', 'Join again in a minute.'],
    replaced: [
      'You continue elsewhere', "Another connection took this one's place. Join again to talk here.",
    ],
    tab: ['You continue in another tab', 'The call is there now. Join again to talk here.'],
    signature: [
      'A proof of identity does not fit',
      'The address may lead to another relay, or to one that does not know the address for its own. '
        + 'Check it, then join again, or tell who runs the relay.',
    ],
    protocol: ['The relay is another version', 'Reload the page, so that both speak the same version.'],
    entry: ['The relay refused you', 'Join again.'],
    name: ['The relay refuses the name', 'Choose another name, with fewer or simpler letters.'],
    room_name: ['The relay refuses the room', 'Choose another name for the room.'],
    denied: ['You may not enter this room', 'Ask who runs the relay.'],
    relay_key: ['This is not the relay you know', 'Its key is another one. Do not join before you know why.'],
    connect: ['The relay does not answer', 'Check the network, then join again.'],
    timeout: ['The relay does not answer', 'Check the network, then join again.'],
    no_server: [
      'The relay does not answer',
      'Check the network, then join again. If the browser warns of a certificate when you reload '
        + 'this page, tell who runs the relay.',
    ],
    server: [
      'The relay is not there',
      'Its web server answers, but the relay behind it does not. Join again in a minute, '
        + 'or tell who runs it.',
    ],
    misdirected: [
      'The relay does not know this address',
      'Use the address that you were given. Who runs the relay can allow this one with --web-origin.',
    ],
    no_relay: [
      'Something else answers for the relay',
      'If this network wants you to sign in, do that on another page, then join again. '
        + 'If not, tell who runs the relay.',
    ],
    origin: [
      'The relay does not take this page',
      'Who runs the relay must name the address of this page with --web-origin.',
    ],
    busy: ['The relay is full', 'Too many people are joining. Join again in a minute.'],
    no_upgrade: [
      'The connection is not let through',
      'The fast way (UDP) does not get through from here, and the web server before the relay does not '
        + 'pass the slow one (WebSocket). Try another network, and tell who runs the relay.',
    ],
    blocked: [
      'The connection is not let through',
      'Neither way to the relay gets through from here. Try another network, or tell who runs the relay.',
    ],
    udp: [
      'The connection is not let through',
      'This relay is reached by UDP only, which does not get through from here. Try another network.',
    ],
    stalled: [
      'Joining took too long',
      'The relay answers, but the network is too slow or loses too much. Join again, '
        + 'best by another network.',
    ],
    loading: [
      'The page did not load whole',
      'Check the network, then join again. If that does not help, reload the page.',
    ],
    closed: ['The connection ended', 'Join again.'],
    join: ['You could not join', 'Join again. If that does not help, reload the page.'],
    unsupported: [
      'The relay takes no browsers', 'It offers no way that this browser knows. Ask who runs it.',
    ],
    identity: [
      'There is no identity', 'The browser did not keep it. Leave private browsing, then join again.',
    ],
    storage: ['The browser keeps nothing', 'Free some space, or leave private browsing, then join again.'],
    offline: ['No network', 'Join again when this device has a network.'],
  }),
};

/** Browser too old, or the page opened in a way that browsers do not allow. */
export const support = {
  title: 'This browser cannot join',
  what: 'It lacks:',
  use: 'Use a current Chrome or Edge (133 or later), Firefox (130 or later) on a computer, or Safari 26.',
  secure:
    'This page was opened without encryption, and browsers then allow no microphone. Open it with https://.',
  missing: {
    secure: 'a secure page (https)',
    carrier: 'WebTransport or WebSocket (to reach the relay)',
    codecs: 'WebCodecs with Opus (to encode speech)',
    worklet: 'AudioWorklet (to play and record)',
    crypto: 'X25519 and Ed25519 (to encrypt and sign)',
    storage: 'IndexedDB (to keep who you are)',
    worker: 'module workers',
    capture: 'access to microphones',
  },
};

/** What every sheet has. */
export const sheet = { close: 'Close' };

export const bar = {
  error: (/** @type {string} */ what) => `Something broke: ${what}`,
  reload: 'Reload',
  dismiss: 'Dismiss',
  offline: 'This device has no network. The room goes on when it is back.',
  offlineDoor: 'This device has no network. You can join when it is back.',
  paused: 'The browser has paused the sound.',
  resume: 'Go on',
  otherTab: 'You are in this room in another tab. Joining here ends it there.',
  devicesFailed: 'This device cannot be used. The one before is kept.',
};
