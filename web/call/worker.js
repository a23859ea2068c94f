/**
 * The entry of the Worker in which a stay in a room lives, so that it goes on when the tab is in the
 * background: takes the messages of engine.js, gives them to a Room, and connects it with the worklets'
 * ports, the codec and the store.
 *
 *     page -- engine.js messages --> commands --> Room -- tell --> page
 *     capture, playback worklet <-- SoundPorts --> Room.captured, Room.play
 *
 * Lines, which another Worker of this script has, are in line-worker.js, which comes when one is opened.
 *
 * Joining and changes of devices happen one after the other; what the user does meanwhile counts at once.
 */

import { messageOf } from '../wire/bytes.js';
import { Decoder } from '../audio/decoder.js';
import { Encoder } from '../audio/encoder.js';
import { Secret } from '../e2ee/secret.js';
import { Contacts } from '../identity/contacts.js';
import { KnownNames } from '../identity/known-names.js';
import { Notes } from '../identity/notes.js';
import { Store } from '../identity/store.js';
import { fetchPrepared } from './prepared.js';
import { StayStorage } from './names.js';
import { RelayPin } from './relay-pin.js';
import { Room, endOf } from './room.js';
import { SoundPorts } from './sound-ports.js';
import { Stays } from './stays.js';

/** @typedef {import('./engine.js').EngineMessage} EngineMessage */
/** @typedef {import('./engine.js').Mode} Mode */
/** @typedef {import('./engine.js').Ports} Ports */

/** @type {Room | null} */ let room = null;
let left = false; // the user does not want to join any more
/** @type {Promise<void>} */ let last = Promise.resolve();

let watched = true; // somebody looks at the page

/** How to publish with the next microphone. @type {{mode: Mode, muted: boolean}} */
const how = { mode: 'open', muted: false };

const sound = new SoundPorts({ captured: (pcm) => room?.captured(pcm), play: (pcm) => room?.play(pcm) });

/** What lines take, when one is wanted. @type {Promise<typeof import('./line-worker.js')> | null} */
let lines = null;

/** @param {EngineMessage | import('./line-engine.js').LineMessage} message */
function tell(message) {
  self.postMessage(message);
}

/** @param {unknown} error that ends the stay */
function ended(error) {
  if (left || room?.over) return; // the room has said so
  tell({ type: 'state', state: 'ended', error: endOf(error) });
}

/** @param {any} message */
async function join({ connectUrl, room: name, roomKey, name: called, secret, relayKey, prepared, ports }) {
  sound.take(ports); // until we are in, what is said is thrown away, and what is heard is silence
  const store = await Store.open();
  const identity = await store.loadIdentity();
  if (!identity) throw Object.assign(new Error('there is no identity yet'), { code: 'identity' });
  const names = await KnownNames.open(identity, new StayStorage(store));
  const notes = await Notes.open(identity, store);
  const contacts = new Contacts(store);
  const pin = new RelayPin(store, connectUrl, relayKey);
  const stays = await Stays.open(store, roomKey, identity.fingerprint);
  const shared = secret ? await Secret.parse(secret) : null;
  if (left) return;
  room = new Room({
    connectUrl, identity, names, notes, contacts, stays, tell,
    fetch: fetchPrepared(connectUrl, prepared),
    roundTrip: prepared?.took,
    checkRelay: (place) => pin.check(place),
    room: name,
    name: called,
    secret: shared,
    encoder: (options) => new Encoder(options),
    decoder: (options) => new Decoder(options),
  });
  room.setWatched(watched);
  await room.join();
  pin.keep().catch(failed);
  if (sound.capturing) await room.publish(how);
}

/** @param {Ports} ports */
async function devices(ports) {
  sound.take(ports);
  if (ports.capture) await room?.publish(how);
  else if (ports.capture === null) await room?.unpublish();
}

/** @param {() => Promise<void>} task @param {(error: unknown) => void} failed */
function inTurn(task, failed) {
  last = last.then(task).catch(failed);
}

/** @param {unknown} error that the stay survives */
function failed(error) {
  tell({ type: 'warning', code: 'program', text: messageOf(error) });
}

/** What the page may ask for, by the type of its message. @type {Record<string, (message: any) => void>} */
const commands = {
  join(message) {
    Object.assign(how, message.publish);
    inTurn(() => join(message), ended);
  },
  talk: ({ on }) => room?.setPressed(on),
  mute({ on }) {
    how.muted = on;
    room?.setMuted(on);
  },
  mode({ mode }) {
    how.mode = mode;
    room?.setMode(mode);
  },
  watched({ on }) {
    watched = on;
    room?.setWatched(on);
  },
  hand: ({ on }) => room?.setHand(on),
  volume: ({ member, gain }) => room?.setVolume(member, gain),
  trust: ({ member }) => void room?.trust(member).catch(failed),
  compare: ({ member, on }) => void room?.compare(member, on).catch(failed),
  remember: ({ member, name }) => void room?.remember(member, name).catch(failed),
  devices: ({ ports }) => inTurn(() => devices(ports), failed),
  leave,
  open_line({ script }) {
    lines ??= import(script);
    lines.catch((error) => tell({
      type: 'line', state: 'ended', available: false, error: { code: 'loading', text: messageOf(error) },
    }));
  },
};

function leave() {
  left = true;
  if (room) void room.leave();
  else tell({ type: 'state', state: 'ended' });
}

/** @param {any} message of the page */
function take(message) {
  commands[message.type]?.(message);
  lines?.then(({ lineCommands }) => lineCommands[message.type]?.(message), () => {});
}

self.onmessage = ({ data }) => take(data);

self.addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  failed(event.reason);
});

tell({ type: 'ready' });
