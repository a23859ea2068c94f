/**
 * The page without a relay: an engine, devices and an identity that do as a scene says, and all scenes by
 * name. Not served; scenes.test.js shows them in a browser, and Node runs their messages through the model.
 */

import { Contacts } from '../identity/contacts.js';
import { RoomModel } from './room-model.js';

/** @typedef {import('../call/engine.js').EngineMessage} EngineMessage */
/** @typedef {import('../call/engine.js').Member} Member */
/** @typedef {import('./room-model.js').Mic} Mic */

/** Keeps what the page asked for, and says what a scene wants said. */
export class FakeEngine {
  /** @type {[string, ...unknown[]][]} */ asked = [];
  /** @type {((message: EngineMessage) => void) | null} */ #listener = null;

  listen(listener) {
    this.#listener = listener;
  }

  /** @param {...EngineMessage} messages */
  say(...messages) {
    for (const message of messages) this.#listener?.(message);
  }
}
for (const name of ['join', 'talk', 'mute', 'hand', 'mode', 'watched', 'volume', 'trust', 'compare', 'remember', 'devices',
  'leave', 'close']) {
  FakeEngine.prototype[name] = function ask(...args) {
    this.asked.push([name, ...args]);
  };
}

/** A call on a FakeLine: keeps what the page asked for, and says what a scene wants said. */
export class FakeCall extends FakeEngine {
  /** @param {string} id @param {boolean} outgoing */
  constructor(id, outgoing) {
    super();
    Object.assign(this, { id, outgoing });
  }
}
for (const name of ['hold', 'transfer', 'consent', 'acceptTransfer']) {
  FakeCall.prototype[name] = function ask(...args) {
    this.asked.push([name, ...args]);
  };
}

/** A line without a relay. */
export class FakeLine {
  /** @type {[string, ...unknown[]][]} */ asked = [];
  /** @type {Map<string, FakeCall>} */ calls = new Map();
  #listener = null;

  listen(listener) {
    this.#listener = listener;
  }

  /** @param {...import('../call/line-engine.js').LineMessage} messages */
  say(...messages) {
    for (const message of messages) this.#listener?.(message);
  }

  call(who) {
    this.asked.push(['call', who]);
    return this.#make(`o${this.calls.size + 1}`, true);
  }

  take(id) {
    return this.calls.get(id) ?? this.#make(id, false);
  }

  #make(id, outgoing) {
    const call = new FakeCall(id, outgoing);
    this.calls.set(id, call);
    return call;
  }
}
for (const name of ['open', 'setTakesCalls', 'setDoNotDisturb', 'setKeepMissed', 'contactsChanged', 'watched', 'close', 'terminate']) {
  FakeLine.prototype[name] = function ask(...args) {
    this.asked.push([name, ...args]);
  };
}

/** A microphone without sound. */
class FakeMicrophone {
  onended = () => {};
  ended = false;
  #onlevel = () => {};

  set onlevel(listener) {
    this.#onlevel = listener;
    if (listener) setTimeout(() => listener(-24), 0);
  }

  get onlevel() {
    return this.#onlevel;
  }

  takePort() {
    return null;
  }

  stop() {
    this.ended = true;
  }
}

/** Devices as a scene wants them. */
export class FakeDevices {
  onlevel = () => {};
  onsound = () => {};
  running = { playing: true, capturing: true, cause: '' };
  choosesLoudspeaker = true;
  sounds = [];
  #mic;

  /** @param {Mic} mic */
  constructor(mic) {
    this.#mic = mic;
  }

  async wake() {}
  renew() {}
  rest() {}
  async playback() {
    return new MessageChannel().port1;
  }

  async allowed() {
    return this.#mic !== 'none';
  }

  async microphone() {
    if (this.#mic === 'asking') return new Promise(() => {});
    if (this.#mic !== 'on' && this.#mic !== 'none') throw new Error('no microphone');
    return new FakeMicrophone();
  }

  faultOf() {
    return this.#mic;
  }

  async loudspeaker() {
    return true;
  }

  async list() {
    const device = (label) => ({ id: label, label });
    return {
      microphones: ['Headset', 'Built-in microphone'].map(device),
      loudspeakers: ['Headset', 'Built-in loudspeaker'].map(device),
    };
  }

  sound(name) {
    this.sounds.push(name);
  }
}

/** Ana's identity, made in this visit or before, and whom she remembers. */
export class FakeOwnIdentity {
  fingerprint = fingerprints.ana;
  publicKey = keyOf('ana');
  sealed = false;
  contacts;
  /** @param {boolean} hasWords @param {object[]} [people] */
  constructor(hasWords, people = []) {
    this.hasWords = hasWords;
    let kept = people;
    this.contacts = new Contacts({ get: async () => kept, set: async (_, value) => void (kept = value) });
  }

  remember(name, publicKey) {
    return this.contacts.add(name, publicKey);
  }

  rename(publicKey, name) {
    return this.contacts.rename(publicKey, name);
  }

  async ensure() {}
  /** @param {string} name */
  async look(name) {
    return name === 'Eve' ? 'changed' : 'same';
  }

  async words() {
    return (
      'abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve acid '
      + 'acoustic acquire across act action actor actress actual'
    ).split(' ');
  }

  async import() {
    throw new Error('the word "abandn" is not in the list; is it "abandon"?');
  }

  async seal() {
    this.sealed = true;
  }

  async openSealed() {
    throw Object.assign(new Error('the passphrase is wrong'), { code: 'passphrase' });
  }
}

export const secret = 'wzp-7RJ2b4XkQm0v9sTzYw3uHcLpNf6aGd1eKo5iBx8yVjMqZt_C';
export const safety = '48219 07735 61180 94426 30057 88213 15964 72308';
const fingerprints = {
  ana: '9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c', ben: '7f92:a8cf:0814:393c:3bfb:4d48:cc2e:80f8',
  cleo: '8470:57d7:a85a:f6fb:79de:e03e:8d5c:2634', dan: 'eb6d:ce47:7a66:fd12:3a0b:39f9:874a:e69b',
  eve: '13d2:0e47:b90a:77c1:5f3a:e6d9:4b28:c075',
};

/** The keys of which the fingerprints above are. */
const keys = {
  ana: 'd335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc',
  ben: 'd12d385331068c9e45882abba6a8c6b34115bc4331d1067616c2d3a837acfe50',
  cleo: '970164bac536365bc3701bdc4e43410bd07771da5628c971dc62cb15a7f7204d',
  dan: '21ea6370aceef4cf61a6ced389fdb16915edb1e1ff078b27a75f1d20fce9471b',
};

/** @param {string} id */
function keyOf(id) {
  return Uint8Array.from(keys[id].match(/../g), (digits) => parseInt(digits, 16));
}

/**
 * As contacts are kept.
 * @param {string} id @param {string} name @param {number} days ago @param {object} [more]
 */
const contact = (id, name, days, more = {}) => ({
  key: keys[id], name, added: Date.now() - days * 86400e3, ...more,
});

/** @param {string} id @param {string} name @param {Partial<Member>} [more] @returns {Member} */
function person(id, name, more = {}) {
  return {
    id, name, fingerprint: fingerprints[id] ?? fingerprint(id), outside: false, known: 'same', self: false,
    ...more,
  };
}

/** Some fingerprint for an id. @param {string} id */
function fingerprint(id) {
  let state = [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 16;
  return Array.from({ length: 8 }, () => next().toString(16).padStart(4, '0')).join(':');
}

const ana = person('ana', 'Ana', { self: true });
const ben = person('ben', 'Ben', { compared: Date.now() - 40 * 86400e3 });
const cleo = person('cleo', 'Cleo', { known: 'new' });
const dan = person('dan', 'Dan', { relay: 'relay two' });
const four = [ana, ben, cleo, dan];

/** @param {'joined' | 'reconnecting' | 'joining'} state @returns {EngineMessage} */
const state = (state) => ({ type: 'state', state });
/** @param {Member[]} list @returns {EngineMessage} */
const members = (...list) => ({ type: 'members', list });
/** @param {object} talkers @param {number} [me] @returns {EngineMessage} */
const levels = (talkers, me = -70) => ({ type: 'levels', me, talkers });
/** @param {object} [more] @returns {EngineMessage} */
const quality = (more = {}) => ({
  type: 'quality', lossUp: 0.004, lossDown: 0.011, rtt: 84, jitter: 6, bitrateUp: 28400, bitrateDown: 31800,
  path: 'webtransport', since: Date.now() - 12 * 60e3,
  up: 'alive', down: 'alive', ...more,
});
/** @param {string} why @param {number} seconds since the connection was lost @returns {EngineMessage} */
const away = (why, seconds) => ({
  type: 'away', since: Date.now() - 1000 * seconds, next: Date.now() + 4000, tries: 7, why,
});
/** @param {string} code @param {string} [text] @returns {EngineMessage} */
const ended = (code, text = 'text of the engine') => ({
  type: 'state', state: 'ended', error: { code, text },
});

const otherKey = /** @type {EngineMessage} */ ({
  type: 'state', state: 'ended',
  error: { code: 'relay_key', text: '', keys: { known: '17'.repeat(32), shown: '42'.repeat(32) } },
});
const number = /** @type {EngineMessage} */ ({ type: 'safety', number: safety });
const on = /** @type {EngineMessage} */ ({ type: 'transmitting', on: true });
const inside = [state('joined'), members(...four), number, quality()];
const longRoom = 'Freiwillige Feuerwehr Niederoberkirchen an der Unterschnabelach';
const long = [
  state('joined'), members(ana,
    { ...ben, name: 'Wolfeschlegelsteinhausenbergerdorff Hubert Blaine the third, Sr.', known: 'changed' },
    { ...cleo, name: 'Cleopatra Philopator of Alexandria and Tyre', relay: 'relay-of-the-fire-brigade.example.org' }),
  number, quality(), levels({ ben: -20 }),
];
const crowd = [
  ana,
  ...'Ben Cleo Dan Eve Finn Gül Hanna Ivo Jun Kofi Lea Mo Nadia Ömer Pia Qiang Rosa Sam Tove'
    .split(' ')
    .map((name) => person(name.toLowerCase(), name, { known: 'new' })),
];

/**
 * What a scene shows: `room`, `secret` and `contact` of the address, `people` who are remembered, `mic` and
 * `prefs` as they are before, `messages` of the engine after joining (none: the door), `click` selectors that
 * are clicked in turn, `key` that is pressed, `later` messages after that, and what else is so.
 *
 * @typedef {{room?: string, secret?: string, contact?: string, people?: object[], mic?: Mic, prefs?: object,
 *   messages?: EngineMessage[], click?: string[], key?: string,
 *   hold?: boolean, hasWords?: boolean, offline?: boolean, elsewhere?: {room: string, here: boolean}[],
 *   sound?: string, page?: string, back?: boolean,
 *   lacking?: string[], wait?: number, later?: EngineMessage[],
 *   look?: string, line?: (object | [string, ...object[]])[]}} Scene `look`: what is scrolled to; `line`: what the line says after all that, or a call on
 *   it, whose id is first; a text alone is clicked
 */

const rooms = 'tea,tavo-miru-pesa,coffee,a room with a very long name that goes on and on,x,y,z'.split(',')
  .map((room, i) => ({ room, at: Date.now() - i * 7e7, private: i % 2 === 1 }));
const tea = { room: 'tea', mic: /** @type {Mic} */ ('on') };
const privateTea = { ...tea, secret };

const remembered = [
  contact('ben', 'Ben', 2, { compared: Date.now() - 40 * 86400e3 }), contact('cleo', 'Cleo', 0.1),
  contact('dan', 'Wolfeschlegelsteinhausenbergerdorff Hubert Blaine the third', 9),
];
/** Of Cleo, who is called so, and of Ben, without a name. */
const links = {
  cleo:
    'AZcBZLrFNjZbw3Ab3E5DQQvQd3HaVijJcdxiyxWn9yBNQ2xlb1fuv8Y',
  ben: 'AdEtOFMxBoyeRYgqu6aoxrNBFbxDMdEGdhbC06g3rP5QNf6q6A',
};

/** Those of direct calls. @returns {Record<string, Scene>} */
function callScenes() {
  const who = (id, name) => ({ fingerprint: fingerprints[id], key: keys[id] ?? '', name });
  const up = { type: 'line', state: 'up', available: true };
  const rings = (call, id, name) => ({ type: 'incoming', call, answered: false, ...who(id, name) });
  const phase = (phase, reason, more = {}) =>
    ({ type: 'call', phase, ...reason && { reason, by: null }, ...more });
  const two = [state('joined'), members(ana, { ...ben, name: 'Ben' }), number, quality()];
  const takes = { prefs: { takeCalls: true }, people: remembered };
  const call = '[data-person^="7f92"] [data-icon=call]';
  const calling = { ...takes, mic: /** @type {Mic} */ ('on'), click: [call] };
  const talking = [['o1', phase('calling'), phase('ringing'), phase('talking'), ...two]];
  const end = (reason, more) => ({ ...calling, line: [['o1', phase('ended', reason, more), state('ended')]] });
  const room = { ...privateTea, ...takes, messages: inside };
  const missed = [
    { kind: 'missed', ...who('ben', 'Ben'), at: Date.now() - 3 * 60e3 },
    { kind: 'stranger', ...who('eve', 'Mallory'), at: Date.now() - 90 * 60e3 },
    { kind: 'missed', ...who('dan', 'Dan'), at: Date.now() - 26 * 3600e3 },
  ];
  const second = [...talking, '.room-title [data-icon=call]', '[data-sheet=call-people] .button',
    ['o1', { type: 'held', us: true, them: false }],
    ['o2', phase('talking'), state('joined'), members(ana, cleo), number, quality()]];
  return {
    'calls-reachable': { ...takes, line: [up] },
    'calls-clock': { ...takes, line: [{
      type: 'line', state: 'ended', available: false, error: { code: 'record', text: '' },
    }, { type: 'clock', at: Date.now() }] },
    'calls-disturb': { ...takes, prefs: { takeCalls: true, doNotDisturb: true }, line: [up] },
    'calls-news': { ...takes, prefs: { takeCalls: true, 'calls:': missed, 'rooms:': rooms.slice(0, 1) }, line: [up],
      click: ['[data-news=stranger] .link'], look: '.call-news' },
    'calls-kept': {
      ...takes, line: [up, { type: 'missed', ...who('ben', 'Ben'), at: Date.now() - 24.5 * 3600e3 }],
      look: '.call-news',
    },
    'calls-settings': { ...takes, click: ['[data-icon=settings]', '#setting-takeCalls-hint'], line: [up],
      look: '[data-part=calls]' },
    'calls-settings-keep': {
      ...takes, prefs: { takeCalls: true, keepMissed: true }, line: [up],
      click: ['[data-icon=settings]', '#setting-keepMissed-hint'], look: '[data-part=calls]',
    },
    'calls-settings-off': {
      click: ['[data-icon=settings]', '#setting-takeCalls-hint'], look: '[data-part=calls]',
    },
    'call-calling': { ...calling, line: [['o1', phase('calling')]] },
    'call-ringing': { ...calling, line: [['o1', phase('calling'), phase('ringing')]] },
    'call-no-mic': { ...calling, mic: 'denied', line: [['o1', phase('ringing')]] },
    'call-no-answer': end('no_answer'),
    'call-busy': end('busy'),
    'call-declined': end('declined'),
    'call-not-there': end('not_there'),
    'call-away': end('away'),
    'call-self': end('error', { error: { code: 'self', text: '' } }),
    'call-hung-up': { ...calling, line: [...talking, ['o1', phase('ended', 'hung_up'), state('ended')]] },
    'call-from-room': {
      ...room, click: ['[data-member=ben] button', '[data-call=call]'],
      messages: [state('joined'), members(ana, { ...ben, contact: 'Ben' }, cleo), number, quality()],
      line: [['o1', phase('ended', 'no_answer'), state('ended')]],
    },
    'call-person': {
      ...room, click: ['[data-member=ben] button'],
      messages: [state('joined'), members(ana, { ...ben, contact: 'Ben' }, cleo), number, quality()],
    },
    'call-incoming': { ...takes, line: [up, rings('i1', 'cleo', 'Cleo')] },
    'call-incoming-changed': { ...takes, line: [up, rings('i1', 'dan', 'Eve')] },
    'call-incoming-compared': { ...takes, line: [up, rings('i1', 'ben', 'Benny')] },
    'call-incoming-room': { ...room, line: [up, rings('i1', 'cleo', 'Cleo')] },
    'call-incoming-room-changed': { ...room, line: [up, rings('i1', 'ben', 'Eve')] },
    'call-incoming-sheet': { ...room, key: 'p', line: [up, rings('i1', 'cleo', 'Cleo')] },
    'call-incoming-tab': {
      ...takes, elsewhere: [{ room: 'coffee', here: false }], line: [up, rings('i1', 'cleo', 'Cleo')],
    },
    'call-stranger-room': { ...room, line: [up, { type: 'stranger', ...who('eve', 'Mallory'), at: Date.now() + 1e4 }] },
    'call-talking': { ...calling, line: [...talking, ['o1', levels({ ben: -20 })]] },
    'call-on-hold': { ...calling, line: [...talking, ['o1', { type: 'held', us: true, them: false }]] },
    'call-they-hold': { ...calling, line: [...talking, ['o1', { type: 'held', us: false, them: true }]] },
    'call-their-mute': {
      ...calling, line: [...talking, ['o1', members(ana, { ...ben, microphone: 'muted' })]],
    },
    'call-lost': {
      ...calling, line: [...talking, ['o1', state('reconnecting'), { type: 'path', state: 'lost' }]],
    },
    'call-missed': {
      ...calling, line: [...talking, { type: 'missed', ...who('cleo', 'Cleo'), at: Date.now() + 1e4 }],
    },
    'call-two': { ...calling, line: second },
    'call-hand-over': { ...calling, line: [...second, '[data-call=handOver]'] },
    'call-back-to-first': {
      ...calling, line: [...second, ['o2', phase('ended', 'hung_up'), state('ended')]],
    },
    'call-transferred': {
      ...calling, line: [
        ...talking, ['o1', { type: 'transferred', call: 'o9', fingerprint: fingerprints.cleo }],
        ['o9', phase('talking'), state('joined'), members(ana, cleo), number, quality()],
        ['o1', phase('ended', 'transferred'), state('ended')],
      ],
    },
    'call-consent': {
      ...calling, line: [...talking, ['o1', { type: 'consent_wanted', ...who('cleo', 'Cleo') }]],
    },
    'call-transfer-asked': {
      ...calling, line: [...talking, ['o1', { type: 'transfer_asked', ...who('dan', 'Dan') }]],
    },
    'call-people': { ...calling, line: [...talking, '.room-title [data-icon=call]'] },
  };
}

/** Every screen and state, by name. @type {Record<string, Scene>} */
export const scenes = {
  'door-first': { prefs: { name: '' } },
  door: {},
  'door-fault': { prefs: { name: '' }, click: ['button[type=submit]'] },
  'door-bad-room': { ...tea, room: '_tea' },
  'door-long-room': { ...tea, room: 'x'.repeat(80) },
  'door-room': tea,
  'door-private': privateTea,
  'door-bad-secret': { ...tea, secret: 'wzp-short' },
  'door-bad-secret-kept': { ...tea, secret: 'wzp-short', prefs: { 'secret:tea': secret } },
  'door-other-invite': { ...privateTea, prefs: { 'secret:tea': secret.replace('7RJ2', '8RJ2') } },
  'door-other-invite-chosen': {
    ...privateTea, prefs: { 'secret:tea': secret.replace('7RJ2', '8RJ2') }, click: ['input[value=link]'],
  },
  'door-mic-asking': { ...tea, mic: 'asking' },
  'door-mic-denied': { ...tea, mic: 'denied' },
  'door-mic-missing': { ...tea, mic: 'missing' },
  'door-mic-busy': { ...tea, mic: 'busy' },
  'door-offline': { ...tea, offline: true },
  'door-other-tab': { ...tea, elsewhere: [{ room: 'tea', here: true }] },
  'door-other-room-tab': { ...tea, elsewhere: [{ room: 'coffee', here: false }] },
  'door-recent': { prefs: { 'rooms:': rooms } },
  'door-people': { prefs: { 'rooms:': rooms.slice(0, 2) }, people: remembered },
  'door-people-all': { prefs: { 'rooms:': rooms }, people: remembered, click: ['[data-part=recent] .link'] },
  'door-muted': { ...tea, prefs: { muted: true } },
  'door-radio': { ...tea, prefs: { mode: 'radio' } },
  'door-lacks-key': { ...tea, room: 'tavo-miru-pesa' },
  'door-paste': { ...tea, click: ['[data-part=have]'] },
  'door-forgotten': { ...privateTea, click: ['[data-part=forget]'] },
  'too-old': { lacking: ['codecs', 'crypto'] },
  insecure: { lacking: ['secure'] },
  joining: { ...tea, messages: [state('joining')] },
  alone: { ...privateTea, messages: [state('joined'), members(ana), number, quality()] },
  room: { ...privateTea, messages: inside },
  'others-muted': {
    ...privateTea, messages: [
      state('joined'), number, quality(),
      members(ana, { ...ben, microphone: 'muted' }, { ...cleo, microphone: 'none' }, dan),
    ],
  },
  hands: {
    ...privateTea, click: ['[data-icon=hand]'], messages: [
      state('joined'), number, quality(), levels({ dan: -20 }),
      members(
        { ...ana, hand: 3 }, ben, { ...cleo, hand: 2, microphone: 'muted' }, { ...dan, hand: 1 },
      ),
    ],
  },
  'room-open': { ...tea, messages: inside },
  'room-transmitting': { ...privateTea, messages: [...inside, on, levels({}, -18)] },
  'room-talking': { ...privateTea, messages: [...inside, levels({ ben: -20 })] },
  'room-talked': {
    ...privateTea, messages: [...inside, levels({ ben: -26, cleo: -14 }), levels({ ben: -20 })], wait: 500,
    later: [levels({}), levels({ dan: -20 })],
  },
  'room-silenced': {
    ...privateTea, messages: [...inside, levels({ ben: -20 })], 
    click: ['[data-member=ben] button', '#silence', '[data-icon=close]'],
  },
  'room-two-talking': { ...privateTea, messages: [...inside, levels({ ben: -26, cleo: -14 })] },
  'room-muted': { ...privateTea, messages: inside, click: ['.talk'] },
  'room-crowd': {
    ...tea, messages: [state('joined'), members(...crowd), number, quality(), levels({ rosa: -18 })],
  },
  'room-mic-asking': { ...privateTea, mic: 'asking', messages: inside },
  'room-mic-denied': { ...privateTea, mic: 'denied', messages: inside },
  'room-mic-busy': { ...privateTea, mic: 'busy', messages: inside },
  'room-mic-gone': { ...privateTea, mic: 'gone', messages: inside },
  radio: { ...privateTea, prefs: { mode: 'radio' }, messages: inside },
  'radio-transmitting': { ...privateTea, prefs: { mode: 'radio' }, messages: inside, hold: true },
  'radio-talking': { ...privateTea, prefs: { mode: 'radio' }, messages: [...inside, levels({ cleo: -18 })] },
  reconnecting: { ...privateTea, messages: [...inside, state('reconnecting')] },
  away: { ...privateTea, messages: [...inside, state('reconnecting'), away('silent', 45)] },
  'away-restart': { ...privateTea, messages: [...inside, state('reconnecting'), away('restart', 3)] },
  'room-offline': {
    ...privateTea, offline: true, messages: [...inside, state('reconnecting'), away('silent', 45)],
  },
  unheard: {
    ...privateTea, messages: [...inside, on, quality({ up: 'lost', down: 'lost' }), levels({}, -18)],
  },
  unsure: {
    ...privateTea, messages: [...inside, on, quality({ up: 'doubt', down: 'doubt' }), levels({}, -18)],
  },
  measuring: { ...privateTea, messages: [...inside.slice(0, -1)] },
  'all-outside': {
    ...privateTea, messages: [
      state('joined'), members(ana, person('eve', 'Eve', { outside: true, known: 'new' })), number,
      quality(), on,
    ],
  },
  weak: { ...privateTea, messages: [...inside, quality({ lossDown: 0.12 })] },
  'very-weak': { ...privateTea, messages: [...inside, quality({ lossUp: 0.55 })] },
  'slow-way': { ...privateTea, messages: [...inside, quality({ path: 'websocket' })] },
  'changed-key': {
    ...privateTea,
    messages: [state('joined'), members(ana, { ...ben, known: 'changed' }, cleo), number, quality()],
  },
  outside: {
    ...privateTea,
    messages: [
      state('joined'), members(ana, ben, person('eve', 'Eve', { outside: true, known: 'new' })), number,
      quality(), { type: 'warning', code: 'outside', member: 'eve', text: '' },
    ],
  },
  'lacks-key': {
    ...tea,
    messages: [
      state('joined'), members(ana, ...[ben, cleo].map((m) => ({ ...m, outside: true }))), number, quality(),
      { type: 'warning', code: 'outside', member: 'ben', text: '' },
    ],
  },
  'room-huge': {
    ...tea,
    messages: [
      state('joined'), members(ana, ...Array.from({ length: 5000 }, (_, i) => person('p' + i, 'Guest ' + i))),
      number, quality(), levels({ p4321: -18 }),
    ],
  },
  'many-warnings': {
    ...privateTea,
    messages: [
      ...inside,
      ...['names', 'members', 'key', 'no_key', 'sound'].map(
        (code) => /** @type {EngineMessage} */ ({ type: 'warning', code, member: 'cleo', text: '' }),
      ),
      ...Array.from(
        { length: 12 },
        (_, i) =>
          /** @type {EngineMessage} */ ({
            type: 'warning', code: 'unknown_member', member: 'ghost' + i, text: '',
          }),
      ),
    ],
  },
  'other-view': {
    ...privateTea, messages: [...inside, { type: 'warning', code: 'members', member: 'cleo', text: '' }],
  },
  'same-names': {
    ...tea,
    messages: [
      state('joined'), members(ana, ben, person('eve', 'Ben', { known: 'new' }), person('x', '')), number,
      quality(),
    ],
  },
  'long-names': { ...privateTea, room: longRoom, messages: long },
  'long-names-person': { ...privateTea, room: longRoom, messages: long, click: ['[data-member=ben] button'] },
  'long-names-safety': { ...privateTea, room: longRoom, messages: long, key: 'p' },
  paused: { ...privateTea, messages: inside, sound: 'paused' },
  'sound-clock': { ...privateTea, messages: inside, sound: 'clock' },
  'sound-silent': { ...privateTea, messages: inside, sound: 'silent' },
  broken: {
    ...privateTea, messages: [...inside, { type: 'failed', text: 'the program of the room stopped' }],
  },
  'sheet-person': { ...privateTea, messages: inside, click: ['[data-member=ben] button'] },
  'sheet-person-changed': {
    ...privateTea,
    messages: [state('joined'), members(ana, { ...ben, known: 'changed' }, cleo), number, quality()],
    click: ['[data-member=ben] button'],
  },
  'sheet-person-same': { ...privateTea, messages: inside, click: ['[data-member=dan] button'] },
  'sheet-person-alike': {
    ...tea, click: ['[data-member=eve] button'],
    messages: [state('joined'), members(ana, ben, person('eve', 'Ben', { known: 'new' })), number, quality()],
  },
  'sheet-person-remembered': {
    ...tea, click: ['[data-member=ben] button'],
    messages: [state('joined'), members(ana, { ...ben, contact: 'Benjamin' }, cleo), number, quality()],
  },
  ...callScenes(),
  'sheet-contact': { people: remembered, click: ['[data-person^="8470"] button'] },
  'sheet-contact-compared': { people: remembered, click: ['[data-person^="7f92"] button'] },
  'sheet-contact-forgotten': {
    people: remembered, click: ['[data-person^="7f92"] button', '[data-part=contact] .quiet'],
  },
  'sheet-contact-link': { contact: links.cleo, click: ['#contact-name'] },
  'sheet-contact-link-room': { ...privateTea, contact: links.ben, click: ['[data-sheet] [type=submit]'] },
  'sheet-contact-link-taken': {
    contact: links.cleo, people: [contact('ben', 'CLEO', 1)], click: ['[data-sheet] [type=submit]'],
  },
  'sheet-contact-link-known': { contact: links.cleo, people: remembered, click: ['[data-part=contact]'] },
  'sheet-contact-link-bad': { contact: links.cleo.slice(0, -4), click: ['.sheet-head h2'] },
  'sheet-contact-own': { ...tea, click: ['[data-icon=settings]', '#own-contact', '#invite-link'] },
  'sheet-contact-own-local': {
    ...tea, page: '', click: ['[data-icon=settings]', '#own-contact', '#invite-contact'],
  },
  'sheet-safety': { ...privateTea, messages: inside, key: 'p' },
  'sheet-invite': { ...privateTea, messages: inside, key: 'i' },
  'sheet-invite-open': { ...tea, messages: inside, key: 'i' },
  'sheet-invite-local': { ...privateTea, messages: inside, key: 'i', page: '' },
  'sheet-leave': { ...privateTea, messages: inside, back: true },
  'sheet-connection': { ...privateTea, messages: [...inside, quality({ lossDown: 0.12 })], click: ['.line'] },
  'sheet-connection-away': {
    ...privateTea, messages: [...inside, state('reconnecting'), away('silent', 45)], click: ['.line'],
  },
  'sheet-settings': {
    ...privateTea, messages: inside, click: ['[data-icon=settings]'], hasWords: true,
    later: [levels({}, -22)],
  },
  'sheet-words': {
    ...tea, click: ['[data-icon=settings]', '[data-part=identity] .button:nth-child(1)'], hasWords: true,
  },
  'sheet-import': { ...tea, click: ['[data-icon=settings]', '[data-part=identity] .button:last-child'] },
  'sheet-seal': {
    ...tea, click: ['[data-icon=settings]', '[data-part=identity] .button:nth-child(2)'], hasWords: true,
  },
  'sheet-keys': { ...privateTea, messages: inside, key: '?' },
  'ended-left': { ...privateTea, messages: inside, click: ['.leave'] },
  'ended-full': { ...tea, messages: [ended('room_full')] },
  'ended-refused': { ...tea, messages: [ended('denied')] },
  'ended-relay-key': { ...tea, messages: [otherKey], click: ['summary'] },
  'ended-shutting-down': { ...tea, messages: [ended('shutting_down')] },
  'ended-other-tab': { ...tea, messages: [ended('tab')] },
  'ended-no-upgrade': {
    ...tea,
    messages: [
      ended(
        'no_upgrade',
        'WebTransport: Opening handshake failed.; WebSocket: it closed; '
          + "the WebSocket's address answers with status 426",
      ),
    ],
    click: ['summary'],
  },
  'ended-no-server': { ...tea, messages: [ended('no_server')] },
  'ended-origin': { ...tea, messages: [ended('origin')] },
  'ended-unknown': { ...tea, messages: [ended('something_new')] },
};

if (typeof process !== 'undefined') {
  const { test } = await import('node:test');
  const { default: assert } = await import('node:assert/strict');
  for (const [name, { messages = [] }] of Object.entries(scenes)) {
    test(`scene ${name} is one that the model takes`, () => {
      const model = new RoomModel('tea', { private: true });
      for (const message of messages) {
        assert.ok(model.apply(message, 0).length > 0 || message.type === 'warning', message.type);
      }
      assert.equal(model.order.length, model.members.size);
    });
  }
}
