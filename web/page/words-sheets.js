/** The texts of the sheets, which the first paint does without. As words.js has the others. */

import { count } from './words.js';

export const safety = {
  title: 'Safety number',
  explain: 'Read it aloud to each other, best over another channel. If all have the same, '
    + 'the relay shows you all the same people. Then look whether these are the people you expect.',
  pending: 'It is made when the people have been the same for a moment.',
  covers: (/** @type {number} */ n) => `It covers ${count(n, 'person', 'people')}.`,
  copy: 'Copy the number',
  yours: 'This is your fingerprint. Others see it beside your name.',
};

export const invite = {
  title: 'Invite',
  secretExplain:
    'The part after # is the key to this room. It is not sent to the relay: only who gets this link can '
    + 'read it, and whoever has it can enter and listen.',
  openExplain: 'Anybody who has this link, or knows the name of the room, can enter and listen.',
  link: 'Link',
  copy: 'Copy the link',
  copied: 'Copied',
  copyFailed: 'The browser does not copy. Mark the link and copy it yourself.',
  share: 'Share',
  qr: 'QR code of the link',
  caution: "Send it by a way that the relay's operator does not read.",
};

export const settings = {
  title: 'Settings',
  sound: 'Sound',
  microphone: 'Microphone',
  loudspeaker: 'Loudspeaker',
  standard: 'Chosen by the device',
  device: (/** @type {number} */ n) => `Device ${n}`,
  testSound: 'Play a sound',
  echo: 'Test for echo',
  echoTesting: 'Listening…',
  echoNone: 'No echo: the microphone does not hear the loudspeaker.',
  echoHeard: 'The microphone hears the loudspeaker. From now on it is played in a way that removes the echo. '
    + 'If the others still hear themselves, use headphones.',
  noise: 'Noise suppression',
  noiseHint: 'Off is better for music.',
  sounds: 'Sounds',
  soundsHint: 'When somebody comes or goes, and when the connection is lost.',
  look: 'Look',
  theme: 'Theme',
  themes: { system: 'As the device', light: 'Light', dark: 'Dark' },
  identity: 'Identity',
  identityHint: 'Others know you by this fingerprint. It is made on this device and stays in this browser.',
  words: 'Show the 24 words',
  wordsOnce: 'Write down the 24 words now, or you cannot be the same person on another device.',
  wordsGone: 'The 24 words were shown when the identity was made. They cannot be shown again.',
  import: 'Use an identity that you have',
  seal: 'Keep a sealed copy',
  openSealed: 'Open the sealed copy',
  about: 'About',
  version: 'Version',
  keys: 'Keys',
};

export const identity = {
  none: 'It is made when you first join.',
  wordsTitle: 'Your 24 words',
  wordsExplain:
    'Write them on paper, in this order. Whoever has them can pretend to be you. They are shown only until '
    + 'this page is closed.',
  wordsDone: 'I have written them down',
  importTitle: 'Use an identity that you have',
  importWarning:
    'From then on this page, and whoever serves it, can use that identity. Do it only where you '
    + 'trust who serves the page.',
  importLabel: 'The 24 words, in order',
  importReplace: 'The identity that this browser has now is given up.',
  importDo: 'Use this identity',
  importDone: 'From the next join on you are this person.',
  importInCall: 'It counts from the next time you join.',
  sealTitle: 'Sealed copy',
  sealExplain:
    'Keeps the words in this browser, encrypted with a passphrase, so that you can see them again. '
    + 'Whoever gets this device can try passphrases: use at least four random words.',
  passphrase: 'Passphrase',
  passphraseAgain: 'Passphrase again',
  passphraseShort: 'Use at least 12 characters.',
  passphraseDiffers: 'The two are not the same.',
  sealDo: 'Keep the copy',
  sealing: 'Sealing…',
  sealed: 'The sealed copy is kept in this browser.',
  openTitle: 'Open the sealed copy',
  openDo: 'Open',
  opening: 'Opening…',
  openFailed: 'This is not the passphrase.',
};

export const keys = {
  title: 'Keys',
  list: /** @type {[string, string][]} */ ([
    ['Space', 'Hold to talk; in open mode: mute or unmute'],
    ['M', 'Mute or unmute'],
    ['R', 'Open or radio'],
    ['I', 'Invite'],
    ['P', 'People and safety number'],
    ['Esc', 'Close what is open'],
    ['?', 'This list'],
  ]),
};
