/**
 * The Worker's side of a line: takes the messages of line-engine.js, gives them to a Line and its calls, and
 * connects these with the worklets' ports, the codec and the store.
 *
 *     page -- open_line, call ... --> commands --> Line, LineCall -- tell --> page
 */

import { Decoder } from '../audio/decoder.js';
import { Encoder } from '../audio/encoder.js';
import { Contacts } from '../identity/contacts.js';
import { KeptStays } from '../identity/kept-stays.js';
import { KnownNames } from '../identity/known-names.js';
import { Notes } from '../identity/notes.js';
import { Store } from '../identity/store.js';
import { fromHex } from '../wire/bytes.js';
import { fetchPrepared } from './prepared.js';
import { Line } from './line.js';
import { StayStorage } from './names.js';
import { RelayPin } from './relay-pin.js';
import { endOf } from './room.js';

/** @typedef {import('./line-engine.js').LineMessage} LineMessage */
/** @typedef {import('./line-call.js').LineCall} LineCall */

/** @type {Line | null} */ let line = null;
/** @type {Contacts | null} */ let contacts = null;
/** Fingerprints of who may ring. @type {Set<string>} */ let known = new Set();
let closed = false;
/** @type {Promise<unknown>} opening, and what waits for it */ let opened = Promise.resolve();

/** @param {LineMessage} message */
function tell(message) {
  self.postMessage(message);
}

/** @param {unknown} error that the line survives */
function failed(error) {
  tell({ type: 'warning', error: endOf(error) });
}

async function readContacts() {
  known = new Set((await contacts?.all() ?? []).map(({ fingerprint }) => fingerprint));
}

/** @param {any} message */
async function open({ connectUrl, name, takesCalls, doNotDisturb, keepMissed, relayKey, prepared }) {
  const store = await Store.open();
  const identity = await store.loadIdentity();
  if (!identity) throw Object.assign(new Error('there is no identity yet'), { code: 'identity' });
  contacts = new Contacts(store);
  await readContacts();
  const pin = new RelayPin(store, connectUrl, relayKey);
  const made = await Line.create({
    connectUrl, identity, name, takesCalls, doNotDisturb, keepMissed, contacts, tell,
    stays: new KeptStays(store),
    names: await KnownNames.open(identity, new StayStorage(store)),
    notes: await Notes.open(identity, store),
    known: (fingerprint) => known.has(fingerprint),
    fetch: fetchPrepared(connectUrl, prepared),
    roundTrip: prepared?.took,
    checkRelay: (place) => pin.check(place),
    encoder: (options) => new Encoder(options),
    decoder: (options) => new Decoder(options),
  });
  if (closed) return;
  line = made;
  made.open().then(() => pin.keep()).catch(() => {}); // the page was told
}

/** @param {(line: Line) => Promise<unknown> | void} act when the line is there */
function withLine(act) {
  opened = opened.then(() => (line ? act(line) : undefined)).catch(failed);
}

/**
 * What is done with a call that is there, by name.
 * @type {Record<string, (call: LineCall, message: any) => unknown>}
 */
const ofCall = {
  talk: (call, { on }) => call.setPressed(on),
  mute(call, { on }) {
    call.setMuted(on);
    line?.setMuted(call.id, call.muted);
  },
  mode(call, { mode }) {
    call.setMode(mode);
    line?.setMuted(call.id, call.muted);
  },
  watched: (call, { on }) => call.setWatched(on),
  hand: (call, { on }) => call.setHand(on),
  volume: (call, { member, gain }) => call.room?.setVolume(member, gain),
  trust: (call, { member }) => call.room?.trust(member),
  compare: (call, { member, on }) => call.room?.compare(member, on),
  remember: (call, { member, name }) => call.room?.remember(member, name),
  devices: (call, { ports }) => call.devices(ports),
  hold: (call, { on }) => line?.hold(call.id, on),
  transfer: (call, { to }) => line?.transfer(call.id, to),
  consent: (call, { key, yes }) => line?.consent(call.id, fromHex(key, 32), yes),
  accept_transfer: (call, { key, yes }) => line?.acceptTransfer(call.id, fromHex(key, 32), yes),
  leave: (call) => line?.leave(call.id),
  answer(call, { publish, ports }) {
    call.begin(publish, ports);
    return line?.answer(call.id);
  },
};

/** @param {any} message */
function dial({ call: id, who: { fingerprint, key }, publish, ports }) {
  withLine((line) => {
    const who = { fingerprint, ...(key ? { key: fromHex(key, 32) } : {}) };
    // Not waited for: others may answer meanwhile.
    line.dial(id, who, (call) => call.begin(publish, ports)).catch(failed);
  });
}

/** @param {any} message */
async function aboutCall(message) {
  const call = line?.call(message.call);
  if (call) await ofCall[message.what]?.(call, message);
}

/** What the page may ask for, by the type of its message. @type {Record<string, (message: any) => void>} */
export const lineCommands = {
  open_line(message) {
    opened = open(message).catch((error) => {
      tell({ type: 'line', state: 'ended', available: false, error: endOf(error) });
    });
  },
  takes_calls: ({ on }) => withLine((line) => line.setTakesCalls(on)),
  keep_missed: ({ on }) => withLine((line) => line.setKeepMissed(on)),
  do_not_disturb: ({ on }) => withLine((line) => line.setDoNotDisturb(on)),
  contacts: () => withLine(readContacts),
  watch_line: ({ on }) => withLine((line) => {
    line.watched = on;
  }),
  call(message) {
    if (message.what === 'dial') dial(message);
    else withLine(() => void aboutCall(message).catch(failed)); // of a call that was dialled while it opened
  },
  close_line() {
    closed = true;
    if (line) void line.close();
    else tell({ type: 'line', state: 'ended', available: false });
  },
};
