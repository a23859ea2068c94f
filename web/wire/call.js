/**
 * The urgent messages of the paths of calls (docs/protocol.md, section 13). Path ids and devices are
 * hexadecimal digits here, fingerprints and relay ids as people see them.
 *
 *     message ── parseForward, parseState, parseMessage, parseEnd, parseMedia ──> fields
 *     fields ── appendForward, ... ──> message
 */

import { SIGNATURE_SIZE, verify } from '../identity/identity.js';
import { FormatError, Reader, Writer, fromHex, toHex } from './bytes.js';
import { PATH_ID_SIZE, pathIdOf } from './call-path.js';
import { RELAY_ID_SIZE, colons, fromColons } from './urgent.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */
/** @typedef {import('./call-path.js').PathKey} PathKey */

export const MAX_OFFER = 850; // bytes of a sealed offer
export const MAX_CALL_MESSAGE = 900; // bytes of a body
export const MAX_HOPS = 8;
export const FINGERPRINT_SIZE = 16;
export const DEVICE_SIZE = 8;
/** The relay id between client and relay. */
export const NO_RELAY = '0000:0000:0000:0000';

/** What became of a forward. Others may come. */
export const CODE = Object.freeze({
  setUp: 0, // the path is set up
  noRoute: 1, // nobody knows the way
  notThere: 2, // the device is not available at its home, and no leg waits there
  tooMany: 3, // a limit
  loop: 4, // the forward came to a relay twice
  stale: 5, // expired, or the generation is not higher
  failed: 6, // a link on the way ended, or the next hop is silent
  kept: 7, // the device is away, and its home keeps the offer
});

/** Why a path ends; nobody proves it. Others may come. */
export const END = Object.freeze({ hungUp: 0, failed: 1, idle: 2, replaced: 3, tooMany: 4 });

/**
 * Asks for a path to one device of somebody, or moves one, with a higher generation. key: the path's; expiry:
 * Unix seconds; target: a fingerprint; source: the relay that sends this; signature: of key, not checked;
 * offer: sealed for the device alone.
 * @typedef {object} Forward
 * @property {Bytes} key
 * @property {number} generation from 1
 * @property {bigint} expiry
 * @property {string} target
 * @property {string} device
 * @property {string} source
 * @property {number} hops left, 1 to 8
 * @property {Bytes} signature
 * @property {Bytes} offer
 */

/** What is signed. @typedef {Omit<Forward, 'key' | 'source' | 'hops' | 'signature'>} ForwardFields */
/** @typedef {{path: string, generation: number, code: number}} State */
/** @typedef {{path: string, body: Bytes}} Message */
/** @typedef {{path: string, generation: number, reason: number}} End */
/** Shows that a session is of an end of the path. @typedef {object} Proof
 * @property {Bytes} key the path's
 * @property {number} generation the highest that the end knows of
 * @property {bigint} expiry
 * @property {Bytes} signature of key
 */
/** @typedef {{path: string, proof: Proof | null}} Media */

/** Of a path: from 1. @param {Reader} r @param {string} what */
export function readGeneration(r, what) {
  const generation = r.varint();
  if (generation === 0) throw new FormatError(what, 'invalid', 'the generation is 0');
  return generation;
}

/**
 *     path key, Ed25519 (32) || generation (varint) || expiry (8) || target (16) || device (8)
 *     || source relay (8) || hops left (1) || signature (64) || sealed offer, to the end (0 to 850)
 *
 * @param {Bytes} message @returns {Forward}
 */
export function parseForward(message) {
  const what = 'call forward';
  const r = new Reader(message, what);
  const head = {
    key: r.take(32), generation: readGeneration(r, what), expiry: r.uint64(),
    target: colons(r.take(FINGERPRINT_SIZE)), device: toHex(r.take(DEVICE_SIZE)),
    source: colons(r.take(RELAY_ID_SIZE)), hops: r.uint8(),
  };
  if (head.hops === 0) throw new FormatError(what, 'invalid', 'no hops are left');
  if (head.hops > MAX_HOPS) throw new FormatError(what, 'limit', 'at most 8 hops');
  const signature = r.take(SIGNATURE_SIZE);
  if (r.left > MAX_OFFER) throw new FormatError(what, 'limit', 'an offer has at most 850 bytes');
  return { ...head, signature, offer: r.rest() };
}

/** @param {Forward} f */
export function appendForward(f) {
  return new Writer()
    .bytes(f.key).varint(f.generation).uint64(f.expiry)
    .bytes(fromColons(f.target, FINGERPRINT_SIZE, 'fingerprint')).bytes(fromHex(f.device, DEVICE_SIZE))
    .bytes(fromColons(f.source, RELAY_ID_SIZE)).uint8(f.hops).bytes(f.signature).bytes(f.offer).done();
}

/**
 * A forward from a client, signed: every relay sees that an end of the path wants this.
 * @param {PathKey} path
 * @param {ForwardFields} fields
 * @returns {Promise<Forward>}
 */
export async function signForward(path, fields) {
  const signature = await path.sign('call path', await forwardSigned(fields));
  return { ...fields, key: path.publicKey, source: NO_RELAY, hops: MAX_HOPS, signature };
}

/** Whether whoever has the path's seed signed a forward. @param {Forward} f */
export async function verifyForward(f) {
  return verify(f.key, 'call path', await forwardSigned(f), f.signature);
}

/** @param {ForwardFields} f @returns {Promise<Bytes[]>} */
async function forwardSigned({ generation, expiry, target, device, offer }) {
  return [
    long(BigInt(generation)), long(expiry), fromColons(target, FINGERPRINT_SIZE, 'fingerprint'),
    fromHex(device, DEVICE_SIZE), new Uint8Array(await crypto.subtle.digest('SHA-256', offer)),
  ];
}

/** A number in 8 bytes, as signatures cover them. @param {bigint} v */
export const long = (v) => new Writer().uint64(v).done();

/**
 * Answers a forward.
 *
 *     path id (16) || generation (varint) || code (1)
 *
 * @param {Bytes} message @returns {State}
 */
export function parseState(message) {
  const { number: code, ...state } = readNumbered(message, 'call state');
  return { ...state, code };
}

/** @param {State} s */
export function appendState({ path, generation, code }) {
  return appendNumbered(path, generation, code);
}

/**
 * Ends a path. The generation is that of the path at who sends it: another one's end counts for nothing.
 *
 *     path id (16) || generation (varint) || reason (1)
 *
 * @param {Bytes} message @returns {End}
 */
export function parseEnd(message) {
  const { number: reason, ...end } = readNumbered(message, 'call end');
  return { ...end, reason };
}

/** @param {End} e */
export function appendEnd({ path, generation, reason }) {
  return appendNumbered(path, generation, reason);
}

/** @param {Bytes} message @param {string} what */
function readNumbered(message, what) {
  const r = new Reader(message, what);
  const path = toHex(r.take(PATH_ID_SIZE));
  const generation = readGeneration(r, what);
  const number = r.uint8();
  r.end('goes on after its end');
  return { path, generation, number };
}

/** @param {string} path @param {number} generation @param {number} number */
function appendNumbered(path, generation, number) {
  return new Writer().bytes(fromHex(path, PATH_ID_SIZE)).varint(generation).uint8(number).done();
}

/**
 * What one end of a path says to the other, encrypted end to end.
 *
 *     path id (16) || body, to the end (1 to 900)
 *
 * @param {Bytes} message @returns {Message}
 */
export function parseMessage(message) {
  const what = 'call message';
  const r = new Reader(message, what);
  const path = toHex(r.take(PATH_ID_SIZE));
  if (r.left === 0) throw new FormatError(what, 'invalid', 'the body is empty');
  if (r.left > MAX_CALL_MESSAGE) throw new FormatError(what, 'limit', 'a body has at most 900 bytes');
  return { path, body: r.rest() };
}

/** @param {Message} m */
export function appendMessage({ path, body }) {
  return new Writer().bytes(fromHex(path, PATH_ID_SIZE)).bytes(body).done();
}

/**
 * Says that the media frames of a client's session belong to a path from now on. With a proof it makes the
 * session a leg of a path that its relay does not know, for the relay started anew.
 *
 *     path id (16) || then nothing, or path key (32) || generation (varint) || expiry (8) || signature (64)
 *
 * @param {Bytes} message @returns {Media}
 */
export function parseMedia(message) {
  const what = 'call media';
  const r = new Reader(message, what);
  const path = toHex(r.take(PATH_ID_SIZE));
  if (r.left === 0) return { path, proof: null };
  const proof = {
    key: r.take(32), generation: readGeneration(r, what), expiry: r.uint64(),
    signature: r.take(SIGNATURE_SIZE),
  };
  r.end('goes on after its signature');
  return { path, proof };
}

/** @param {Media} m */
export function appendMedia({ path, proof }) {
  const w = new Writer().bytes(fromHex(path, PATH_ID_SIZE));
  if (proof) w.bytes(proof.key).varint(proof.generation).uint64(proof.expiry).bytes(proof.signature);
  return w.done();
}

/**
 * A proof for a session of who has the identity key session, at the relay with that key: nobody else can use
 * it, and it works at no other relay.
 * @param {PathKey} path @param {{generation: number, expiry: bigint}} fields
 * @param {Bytes} relay @param {Bytes} session @returns {Promise<Proof>}
 */
export async function signProof(path, { generation, expiry }, relay, session) {
  const signature = await path.sign('call leg', [long(BigInt(generation)), long(expiry), relay, session]);
  return { key: path.publicKey, generation, expiry, signature };
}

/**
 * Whether a proof is signed by whoever has the path's seed, for that relay and session.
 * @param {Media} m @param {Bytes} relay @param {Bytes} session
 */
export async function verifyProof({ path, proof }, relay, session) {
  if (!proof || (await pathIdOf(proof.key)) !== path) return false;
  const { key, generation, expiry, signature } = proof;
  return verify(key, 'call leg', [long(BigInt(generation)), long(expiry), relay, session], signature);
}
