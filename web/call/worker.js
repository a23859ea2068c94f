/**
 * The entry of the Worker in which a stay in a room lives, so that it goes on when the tab is in the
 * background: takes the messages of engine.js, gives them to a Room, and connects it with the worklets'
 * ports, the codec and the store.
 *
 *     page -- engine.js messages --> commands --> Room -- tell --> page
 *     capture worklet -- {pcm} --> captured --> Room.captured    {back} when done: capturing makes no garbage
 *     playback worklet -- {need} --> play --> Room.play --> {pcm}
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
import { Stays } from './stays.js';

/** @typedef {import('./engine.js').EngineMessage} EngineMessage */
/** @typedef {import('./engine.js').Mode} Mode */
/** @typedef {import('./engine.js').Ports} Ports */

const BLOCK = 480; // samples, 10 ms
const MAX_BLOCKS = 16; // that the loudspeaker may ask for at once

/** @type {Room | null} */ let room = null;
/** @type {MessagePort | null} */ let capture = null;
/** @type {MessagePort | null} */ let playback = null;
let left = false; // the user does not want to join any more
/** @type {Promise<void>} */ let last = Promise.resolve();

let watched = true; // somebody looks at the page

/** How to publish with the next microphone. @type {{mode: Mode, muted: boolean}} */
const how = { mode: 'open', muted: false };

/** @param {EngineMessage} message */
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
  listen(ports); // until we are in, what is said is thrown away, and what is heard is silence
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
  if (capture) await room.publish(how);
}

/** @param {Ports} ports */
async function devices(ports) {
  listen(ports);
  if (ports.capture) await room?.publish(how);
  else if (ports.capture === null) await room?.unpublish();
}

/** Takes ports in the place of those before; absent ones stay as they were. @param {Ports} ports */
function listen(ports) {
  if (ports.playback !== undefined) {
    release(playback);
    playback = ports.playback;
    if (playback) playback.onmessage = ({ data }) => play(data);
  }
  if (ports.capture !== undefined) {
    release(capture);
    capture = ports.capture;
    if (capture) {
      capture.onmessage = ({ data, target }) => captured(/** @type {MessagePort} */ (target), data);
    }
  }
}

/** @param {MessagePort | null} port */
function release(port) {
  if (!port) return;
  port.onmessage = null;
  port.close();
}

/** @param {MessagePort} port @param {{pcm?: unknown}} block */
function captured(port, { pcm }) {
  if (!(pcm instanceof Float32Array)) return;
  room?.captured(pcm);
  port.postMessage({ back: pcm.buffer }, [pcm.buffer]);
}

/** Answers the loudspeaker, which asks for blocks by its own clock. @param {{need?: number}} asked */
function play({ need = 0 }) {
  for (let i = 0; i < Math.min(need, MAX_BLOCKS); i++) {
    const pcm = new Float32Array(BLOCK);
    room?.play(pcm);
    playback?.postMessage({ pcm }, [pcm.buffer]);
  }
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
};

function leave() {
  left = true;
  if (room) void room.leave();
  else tell({ type: 'state', state: 'ended' });
}

self.onmessage = ({ data }) => commands[data.type]?.(data);

self.addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  failed(event.reason);
});

tell({ type: 'ready' });
