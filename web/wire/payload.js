/**
 * What is inside a media frame's ciphertext (docs/protocol.md, sections 7.2 and 7.5).
 *
 *     audio:   timestamp (2, units of 2.5 ms) || Opus packet
 *     silence: timestamp (2) || 0xff 0x00 || microphone (1) || zeros
 *     view (stream 255): 1 || member digest (32)
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

/**
 * How the microphone of a talker is that is silent. By number on the wire; 0: it does not say.
 * @typedef {'' | 'open' | 'muted' | 'released' | 'none'} MicState released: the button to talk is up
 */
/** @type {readonly MicState[]} */
const MIC_STATES = Object.freeze(['', 'open', 'muted', 'released', 'none']);

/**
 * A mono Opus packet, which never begins with 0xff, with its timestamp (16 bits, wraps).
 * @param {number} timestamp @param {Bytes} codec
 */
export function appendPayload(timestamp, codec) {
  return new Writer().uint16(timestamp).bytes(codec).done();
}

/**
 * A silence payload, padded to the length of the stream's Opus packets (size). One of less than 3 bytes does
 * not say how the microphone is.
 * @param {number} timestamp @param {number} size @param {MicState} [mic]
 */
export function appendSilence(timestamp, size, mic = '') {
  const rest = new Uint8Array(Math.max(size - 2, 0));
  if (rest.length > 0) rest[0] = MIC_STATES.indexOf(mic);
  return new Writer().uint16(timestamp).bytes([ESCAPE, SILENCE]).bytes(rest).done();
}

/**
 * Reads a decrypted payload. An unknown kind is a FormatError of code 'unknown': ignore it.
 * @param {Bytes} plain
 * @returns {{timestamp: number, silence: true, mic: MicState} | {timestamp: number, silence: false, codec:
 *   Bytes}} codec has at least its TOC byte, and aliases the input
 */
export function parsePayload(plain) {
  if (plain.length < 3) throw new FormatError('payload', 'truncated');
  const timestamp = (plain[0] << 8) | plain[1];
  if (plain[2] !== ESCAPE) return { timestamp, silence: false, codec: plain.subarray(2) };
  if (plain.length < 4) throw new FormatError('payload', 'truncated');
  if (plain[3] !== SILENCE) throw new FormatError('payload', 'unknown');
  return { timestamp, silence: true, mic: MIC_STATES[plain[4]] ?? '' };
}

/** The plaintext of a frame of the view stream. @param {Bytes} members the member digest, 32 bytes */
export function appendView(members) {
  return new Writer().uint8(VIEW_MEMBERS).bytes(members).done();
}

/**
 * Reads it: the member digest, which aliases the input. An unknown kind is a FormatError of code 'unknown':
 * ignore it. What follows the digest is of later versions.
 * @param {Bytes} plain @returns {Bytes}
 */
export function parseView(plain) {
  if (plain.length === 0) throw new FormatError('view', 'truncated');
  if (plain[0] !== VIEW_MEMBERS) throw new FormatError('view', 'unknown');
  if (plain.length < 33) throw new FormatError('view', 'truncated');
  return plain.subarray(1, 33);
}
