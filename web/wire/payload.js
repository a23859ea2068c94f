/**
 * What is inside a media frame's ciphertext (docs/protocol.md, sections 7.2 and 7.5).
 *
 *     audio:   timestamp (2, units of 2.5 ms) || Opus packet
 *     silence: timestamp (2) || 0xff 0x00 || hand (1 bit) 0 (3) microphone (4) || zeros
 *     view (stream 255): 1 || member digest (32), and now and then || hand (1)
 */

import { FormatError, Writer } from './bytes.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */

/** Milliseconds in a unit of a payload's timestamp. */
export const PAYLOAD_UNIT = 2.5;
/**
 * The number of the stream on which a member says, encrypted as its media is, what it sees. It is not heard.
 */
export const VIEW_STREAM = 255;

const ESCAPE = 0xff; // no mono Opus packet begins so: its TOC byte would say stereo
const SILENCE = 0;
const VIEW_MEMBERS = 1;
const HAND_DOWN = 1;
const HAND_UP = 2;

/**
 * How the microphone of a talker is that is silent. By number on the wire; 0: it does not say.
 * @typedef {'' | 'open' | 'muted' | 'released' | 'none'} MicState released: the button to talk is up
 */
/** @type {readonly MicState[]} others are of later versions */
const MIC_STATES = Object.freeze(['', 'open', 'muted', 'released', 'none']);
const MIC_MASK = 0x0f;
const HAND_BIT = 0x80;

/**
 * A mono Opus packet, which never begins with 0xff, with its timestamp (16 bits, wraps).
 * @param {number} timestamp @param {Bytes} codec
 */
export function appendPayload(timestamp, codec) {
  return new Writer().uint16(timestamp).bytes(codec).done();
}

/**
 * A silence payload, padded to the length of the stream's Opus packets (size). One of less than 3 bytes says
 * neither how the microphone is nor whether the hand is up.
 * @param {number} timestamp @param {number} size @param {MicState} [mic] @param {boolean} [hand]
 */
export function appendSilence(timestamp, size, mic = '', hand = false) {
  const rest = new Uint8Array(Math.max(size - 2, 0));
  if (rest.length > 0) rest[0] = MIC_STATES.indexOf(mic) | (hand ? HAND_BIT : 0);
  return new Writer().uint16(timestamp).bytes([ESCAPE, SILENCE]).bytes(rest).done();
}

/**
 * Reads a decrypted payload. An unknown kind is a FormatError of code 'unknown': ignore it.
 * @param {Bytes} plain
 * @returns {{timestamp: number, silence: true, mic: MicState, hand: boolean | null} | {timestamp: number,
 *   silence: false, codec: Bytes}} hand: null if it does not say; codec has at least its TOC byte, and
 *   aliases the input
 */
export function parsePayload(plain) {
  if (plain.length < 3) throw new FormatError('payload', 'truncated');
  const timestamp = (plain[0] << 8) | plain[1];
  if (plain[2] !== ESCAPE) return { timestamp, silence: false, codec: plain.subarray(2) };
  if (plain.length < 4) throw new FormatError('payload', 'truncated');
  if (plain[3] !== SILENCE) throw new FormatError('payload', 'unknown');
  const told = plain[4] ?? 0;
  const hand = told === 0 ? null : (told & HAND_BIT) !== 0;
  return { timestamp, silence: true, mic: MIC_STATES[told & MIC_MASK] ?? '', hand };
}

/**
 * The plaintext of a frame of the view stream.
 * @param {Bytes} members the member digest, 32 bytes
 * @param {boolean | null} [hand] null: it says nothing of it
 */
export function appendView(members, hand = null) {
  const said = hand === null ? [] : [hand ? HAND_UP : HAND_DOWN];
  return new Writer().uint8(VIEW_MEMBERS).bytes(members).bytes(said).done();
}

/**
 * Reads it. An unknown kind is a FormatError of code 'unknown': ignore it. What follows is of later versions.
 * @param {Bytes} plain
 * @returns {{members: Bytes, hand: boolean | null}} the member digest, which aliases the input
 */
export function parseView(plain) {
  if (plain.length === 0) throw new FormatError('view', 'truncated');
  if (plain[0] !== VIEW_MEMBERS) throw new FormatError('view', 'unknown');
  if (plain.length < 33) throw new FormatError('view', 'truncated');
  const hand = plain[33] === HAND_UP ? true : plain[33] === HAND_DOWN ? false : null;
  return { members: plain.subarray(1, 33), hand };
}
