/**
 * Frames, the plaintext of a packet (docs/protocol.md, sections 4 and 8), but for reports and the messages
 * inside of urgent frames. No state, no clock: who acknowledges, orders or decrypts is elsewhere.
 *
 *     packet ── parsePacket ──> low bits of the counter (decodeCounter), rest
 *                                  rest ── frames ──> {kind: 'media', ...}, {kind: 'report', ...}, ...
 *     {alias, ctr, ...} ── appendMedia, appendUrgent, ... ──> bytes of one frame
 *
 * The first byte of a frame:
 *
 *      7   6 5  4 3 2 1 0
 *     +-+-----+-----------+
 *     |N|kind |  alias or |     N = 1: a varint follows, the length of the rest of the frame
 *     | |     |  type     |     N = 0: the frame is the last and ends with the packet
 *     +-+-----+-----------+
 */

import { FormatError, MAX_NUMBER, Reader, Writer, concat } from './bytes.js';
import { parseReport } from './report.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */
/** @typedef {import('./report.js').Report} Report */

/**
 * A media frame. kid is there only if it is long; ctr is the low 16 bits unless it is long.
 * @typedef {{alias: number, ctr: number, ciphertext: Bytes, long: boolean, kid?: bigint, layer?: number}}
 *   Media
 */

/**
 * An urgent frame; type is one of the kinds of urgent.js.
 * @typedef {{number: number, type: number, message: Bytes}} Urgent
 */

/**
 * All below base were received, and base + 1 + i for each bit i of the bitmap.
 * @typedef {{base: number, bitmap: bigint}} UrgentAck
 */

/** @typedef {{alias: number, kid: bigint}} AliasPair */

/**
 * @typedef {({kind: 'media', layer: number} & Media)
 *   | {kind: 'ping'|'pong'|'challenge'|'response', data: Bytes}
 *   | ({kind: 'report'} & Report)
 *   | ({kind: 'urgent'} & Urgent)
 *   | ({kind: 'urgentAck'} & UrgentAck)
 *   | {kind: 'aliasAck', pairs: AliasPair[]}
 *   | {kind: 'close', code: number}
 *   | {kind: 'padding'|'unknown'}} Frame
 */

// Limits of docs/protocol.md, sections 4 and 10; sizes in bytes.
export const MAX_PACKET = 1200;
export const PACKET_HEADER = 4;
export const MAX_FRAMES = 64;
export const MAX_ALIASES = 4096; // the largest alias is one less
export const MAX_CIPHERTEXT = 1100;
export const MAX_URGENT = 1024;
export const URGENT_UNDER_WAY = 256;
export const URGENT_WINDOW = 1024;

/** Why a session is over: codes of a close frame. Others may come. */
export const CLOSE = Object.freeze({
  left: 0, shuttingDown: 1, refused: 2, replaced: 3, protocolError: 4, lost: 5,
});

const MORE = 0x80;
const TYPED = 3; // the kind of all frames but media
const ALIAS_INLINE = 27; // the largest alias that the first byte can hold
const CODE_SHORT = 28; // an alias follows
const CODE_LONG = 29; // an alias, a KID and a full CTR follow

const TYPE = Object.freeze({
  padding: 0, ping: 1, pong: 2, report: 3, urgent: 4, urgentAck: 5, aliasAck: 6, challenge: 7, response: 8,
  close: 9,
});

/**
 * Splits a datagram or binary message (section 8):
 *
 *     counter (4, the low 32 bits) || frames
 *
 * @param {Bytes} packet @returns {{counter: number, frames: Bytes}} for decodeCounter; frames alias packet
 */
export function parsePacket(packet) {
  if (packet.length > MAX_PACKET) throw new FormatError('packet', 'limit', 'at most 1200 bytes');
  const r = new Reader(packet, 'packet');
  return { counter: r.uint32(), frames: r.rest() };
}

/**
 * A packet of these frames, of which only the last one may be without its length.
 * @param {number} counter @param {...Bytes} frames
 */
export function makePacket(counter, ...frames) {
  return concat(new Writer().uint32(counter).done(), ...frames);
}

/**
 * Rebuilds a counter of which only the low bits (16 or 32) travelled: the value nearest to next, which is one
 * above the highest so far, or 0. Of two that are equally near it takes the higher (RFC 9000, appendix A.3).
 * It never leaves 0 to 2^53 - 1.
 * @param {number} low @param {number} bits @param {number} next
 */
export function decodeCounter(low, bits, next) {
  const win = 2 ** bits;
  const ahead = (low - (next % win) + win) % win; // next + ahead is the candidate at or above next
  const behind = win - ahead;
  if (ahead <= win / 2) return ahead > MAX_NUMBER - next ? next - behind : next + ahead;
  return behind <= next ? next - behind : next + ahead;
}

/**
 * The frames of a packet, one after the other. Frames of unknown kind, alias code or type are {kind:
 * 'unknown'}: skip them. The first that cannot be parsed, and the 65th, is a FormatError, and there are no
 * more.
 * @param {Bytes} packet without its header; what is returned aliases it
 * @returns {Generator<Frame, void>}
 */
export function* frames(packet) {
  const r = new Reader(packet, 'frame');
  for (let n = 0; r.left > 0; n++) {
    if (n === MAX_FRAMES) throw new FormatError('packet', 'limit', 'at most 64 frames');
    const first = r.uint8();
    const body = first & MORE ? r.take(r.varint()) : r.rest();
    const kind = (first >> 5) & 3;
    yield kind === TYPED ? parseTyped(first & 0x1f, body) : parseMedia(kind, first & 0x1f, body);
  }
}

/**
 *     short: first byte, alias 0-27  || CTR low 16 bits (2)                   || ciphertext
 *            first byte, code 28     || alias (varint) || CTR low 16 bits (2) || ciphertext
 *     long:  first byte, code 29     || alias (varint) || KID (8) || CTR (varint) || ciphertext
 *
 * @param {number} layer 0 base, 1 better @param {number} code @param {Bytes} body @returns {Frame}
 */
function parseMedia(layer, code, body) {
  if (layer > 1 || code > CODE_LONG) return { kind: 'unknown' };
  const r = new Reader(body, 'media frame');
  const long = code === CODE_LONG;
  const alias = code > ALIAS_INLINE ? r.varint() : code;
  const kid = long ? r.uint64() : undefined;
  const ctr = long ? r.roundedVarint() : r.uint16();
  if (r.left === 0) throw new FormatError('media frame', 'truncated');
  checkAlias(alias, 'media frame');
  if (r.left > MAX_CIPHERTEXT) {
    throw new FormatError('media frame', 'limit', 'a ciphertext has at most 1100 bytes');
  }
  if (ctr > MAX_NUMBER) return { kind: 'unknown' }; // it must not cost what others said in the packet
  const media = { kind: /** @type {const} */ ('media'), layer, long, alias, ctr, ciphertext: r.rest() };
  return long ? { ...media, kid } : media;
}

/** @param {number} alias @param {string} what */
function checkAlias(alias, what) {
  if (alias >= MAX_ALIASES) throw new FormatError(what, 'limit', 'an alias is below 4096');
}

/** @param {number} type @param {Bytes} body @returns {Frame} */
function parseTyped(type, body) {
  switch (type) {
    case TYPE.padding: return { kind: 'padding' };
    case TYPE.ping: return { kind: 'ping', data: parseEcho(body) };
    case TYPE.pong: return { kind: 'pong', data: parseEcho(body) };
    case TYPE.report: return { kind: 'report', ...parseReport(body) };
    case TYPE.urgent: return { kind: 'urgent', ...parseUrgent(body) };
    case TYPE.urgentAck: return { kind: 'urgentAck', ...parseUrgentAck(body) };
    case TYPE.aliasAck: return { kind: 'aliasAck', pairs: parseAliasAck(body) };
    case TYPE.challenge: return { kind: 'challenge', data: parseEcho(body) };
    case TYPE.response: return { kind: 'response', data: parseEcho(body) };
    case TYPE.close: return { kind: 'close', code: parseClose(body) };
    default: return { kind: 'unknown' };
  }
}

/** @param {Bytes} body */
function parseEcho(body) {
  if (body.length !== 8) throw new FormatError('ping, pong, challenge or response', 'invalid', 'has 8 bytes');
  return body;
}

/** @param {Bytes} body */
function parseClose(body) {
  if (body.length !== 1) throw new FormatError('close frame', 'invalid', 'has 1 byte');
  return body[0];
}

/**
 * number (varint) || kind (1) || message. Of the kinds that have no message it is checked to be empty.
 * @param {Bytes} body @returns {Urgent}
 */
function parseUrgent(body) {
  const r = new Reader(body, 'urgent frame');
  const number = r.varint();
  const type = r.uint8();
  if (r.left > MAX_URGENT) throw new FormatError('urgent frame', 'limit', 'a message has at most 1024 bytes');
  if ([3, 4, 5, 11].includes(type) && r.left > 0) {
    throw new FormatError('urgent message', 'invalid', 'this kind is empty');
  }
  return { number, type, message: r.rest() };
}

/** base (varint) || bitmap (8) @param {Bytes} body @returns {UrgentAck} */
function parseUrgentAck(body) {
  const r = new Reader(body, 'urgent ack');
  const ack = { base: r.varint(), bitmap: r.uint64() };
  r.end('goes on after its bitmap');
  return ack;
}

/** Whether an urgent ack acknowledges a number. @param {UrgentAck} ack @param {number} number */
export function acknowledges(ack, number) {
  if (number <= ack.base) return number < ack.base;
  const i = number - ack.base - 1;
  return i < 64 && ((ack.bitmap >> BigInt(i)) & 1n) === 1n;
}

/** alias (varint) || KID (8), one or more @param {Bytes} body @returns {AliasPair[]} */
function parseAliasAck(body) {
  const r = new Reader(body, 'alias ack');
  const pairs = [];
  do {
    const alias = r.varint();
    const kid = r.uint64();
    checkAlias(alias, 'alias ack');
    pairs.push({ alias, kid });
  } while (r.left > 0);
  return pairs;
}

/** @param {number} kind @param {number} type @param {Bytes} body @param {boolean} last */
function frame(kind, type, body, last) {
  const w = new Writer().uint8((last ? 0 : MORE) | (kind << 5) | type);
  if (!last) w.varint(body.length);
  return w.bytes(body).done();
}

/**
 * A media frame: with its KID and full CTR if long, else with the low 16 bits of ctr. Nothing may follow a
 * frame that is the last: it saves the length.
 * @param {Media} m @param {boolean} last
 */
export function appendMedia(m, last) {
  const w = new Writer();
  const code = m.long ? CODE_LONG : m.alias > ALIAS_INLINE ? CODE_SHORT : m.alias;
  if (code > ALIAS_INLINE) w.varint(m.alias);
  if (m.long) w.uint64(m.kid ?? 0n).varint(m.ctr);
  else w.uint16(m.ctr);
  return frame((m.layer ?? 0) & 1, code, w.bytes(m.ciphertext).done(), last);
}

/** @param {'ping'|'pong'|'challenge'|'response'} kind @param {Bytes} data 8 bytes @param {boolean} last */
export function appendEcho(kind, data, last) {
  return frame(TYPED, TYPE[kind], data, last);
}

/** A report frame of what report.js writes. @param {Bytes} report @param {boolean} last */
export function appendReport(report, last) {
  return frame(TYPED, TYPE.report, report, last);
}

/** @param {Urgent} u @param {boolean} last */
export function appendUrgent(u, last) {
  return frame(TYPED, TYPE.urgent, new Writer().varint(u.number).uint8(u.type).bytes(u.message).done(), last);
}

/** @param {UrgentAck} ack @param {boolean} last */
export function appendUrgentAck(ack, last) {
  return frame(TYPED, TYPE.urgentAck, new Writer().varint(ack.base).uint64(ack.bitmap).done(), last);
}

/** @param {AliasPair[]} pairs one or more @param {boolean} last */
export function appendAliasAck(pairs, last) {
  const w = new Writer();
  for (const { alias, kid } of pairs) w.varint(alias).uint64(kid);
  return frame(TYPED, TYPE.aliasAck, w.done(), last);
}

/** A close frame; it is sent three times. @param {number} code one of CLOSE @param {boolean} last */
export function appendClose(code, last) {
  return frame(TYPED, TYPE.close, new Uint8Array([code]), last);
}
