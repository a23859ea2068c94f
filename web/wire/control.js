/**
 * Messages of the control stream (docs/protocol.md, sections 5 and 8): JSON tagged by name, with its length
 * before it on a stream. What a message means, and who may send it, is elsewhere; signatures are in hello.js.
 *
 *     stream ── Deframer ──> text ── decode ──> {name: 'Welcome', relay: 'wzp/1.0', ...}
 *     encode('Join', {room, entry}) ──> text ── frame ──> stream
 *
 * One table of fields serves both directions, and both check the same rules.
 */

import { FormatError, concat, fromBase64, fromHex, fromUtf8, toBase64, toHex, toUtf8 } from './bytes.js';
import { JsonNumber, parseJson } from './json.js';
import { MAX_NAME, checkRoomName, checkText } from '../names/names.js';
import { REACH_SIZE } from './reach.js';
import { MAX_ENTRY, MEMBER_ID_SIZE, memberId } from './urgent.js';

/** @typedef {import('./bytes.js').Bytes} Bytes */
/** @typedef {import('./json.js').JsonValue} JsonValue */

/** The length limit of a control message's JSON in bytes. */
export const MAX_MESSAGE = 65536;
export const PROTOCOL_VERSION = 1;
export const MAX_FEATURES = 32;
export const MAX_FEATURE = 32; // bytes of each
export const MAX_PAGE = 112; // entries
const MAX_REASON = 256;
const MAX_UNKNOWN = 64; // bytes that are kept of an unknown name
const PART = 'control message';

/**
 * How one type of field is read from JSON and written: read gets what parseJson returned, write the field in
 * JavaScript's form and returns JSON. Both refuse what breaks the rules. what names the field in errors.
 * @typedef {{read: (v: JsonValue, what: string) => any, write: (v: any, what: string) => string}} Type
 */

/** @typedef {{json: string, js: string, type: Type, optional?: boolean}} Field */

/** A string with a rule. @param {(what: string, text: string) => void} check @returns {Type} */
function string(check) {
  const read = (/** @type {unknown} */ v, /** @type {string} */ what) => {
    if (typeof v !== 'string') throw new FormatError(what, 'invalid', 'is a string');
    check(what, v);
    return v;
  };
  return { read, write: (v, what) => JSON.stringify(read(v, what)) };
}

/** @param {number} limit bytes */
const text = (limit) => string((what, v) => checkText(what, v, limit));

const room = string((what, v) => checkRoomName(v, what));

const code = string((what, v) => {
  if (!/^[a-z_]{1,32}$/.test(v)) {
    throw new FormatError(what, 'invalid', '1 to 32 lower-case letters and underscores');
  }
});

/** Bytes, as hexadecimal digits. @param {number} size @returns {Type} */
function hex(size) {
  return {
    read: (v, what) => fromHex(v, size, what),
    write(v, what) {
      if (!(v instanceof Uint8Array) || v.length !== size) {
        throw new FormatError(what, 'invalid', `${size} bytes`);
      }
      return `"${toHex(v)}"`;
    },
  };
}

/** A member id: bytes when read; bytes or hexadecimal digits when written. @type {Type} */
const member = {
  read: (v, what) => fromHex(v, MEMBER_ID_SIZE, what),
  write: (v) => `"${toHex(memberId(v))}"`,
};

/**
 * An integer, which is written without fraction or exponent.
 * @param {number} low @param {number} high @returns {Type}
 */
function integer(low, high) {
  const check = (/** @type {number} */ n, /** @type {string} */ what) => {
    if (!(Number.isInteger(n) && n >= low && n <= high)) {
      throw new FormatError(what, 'invalid', `is an integer from ${low} to ${high}`);
    }
    return n;
  };
  return {
    read: (v, what) => check(v instanceof JsonNumber && /^\d+$/.test(v.text) ? Number(v.text) : NaN, what),
    write: (v, what) => String(check(v, what)),
  };
}

/** A member entry, in base64; only its length is checked. @type {Type} */
const entry = {
  read(v, what) {
    if (typeof v !== 'string') throw new FormatError(what, 'invalid', 'is a string');
    if (v.length > Math.ceil(MAX_ENTRY / 3) * 4) {
      throw new FormatError(what, 'limit', 'an entry has at most 420 bytes');
    }
    return checkEntry(fromBase64(v, what), what);
  },
  write: (v, what) => `"${toBase64(checkEntry(v, what))}"`,
};

/** @param {Bytes} b @param {string} what */
function checkEntry(b, what) {
  if (b.length === 0) throw new FormatError(what, 'invalid', 'an entry is not empty');
  if (b.length > MAX_ENTRY) throw new FormatError(what, 'limit', 'an entry has at most 420 bytes');
  return b;
}

/** A reach record in base64, or '', which is no bytes; only its length is checked. @type {Type} */
const record = {
  read(v, what) {
    if (typeof v !== 'string') throw new FormatError(what, 'invalid', 'is a string');
    const size = Math.ceil(REACH_SIZE / 3) * 4;
    return checkRecord(v.length > size ? new Uint8Array(1) : fromBase64(v, what), what);
  },
  write: (v, what) => `"${toBase64(checkRecord(v, what))}"`,
};

/** @param {Bytes} b @param {string} what */
function checkRecord(b, what) {
  if (b.length !== 0 && b.length !== REACH_SIZE) {
    throw new FormatError(what, 'invalid', 'a record has 178 bytes, or there is none');
  }
  return b;
}

/** An array of at most limit elements. @param {Type} type @param {number} limit @returns {Type} */
function list(type, limit) {
  const check = (/** @type {unknown} */ v, /** @type {string} */ what) => {
    if (!Array.isArray(v)) throw new FormatError(what, 'invalid', 'is an array of strings');
    if (v.length > limit) throw new FormatError(what, 'limit', `at most ${limit} elements`);
    return v;
  };
  return {
    read: (v, what) => check(v, what).map((e) => type.read(e, what)),
    write: (v, what) => `[${check(v, what).map((e) => type.write(e, what)).join(',')}]`,
  };
}

const connectionId = integer(1, 2 ** 24 - 1);
const features = list(text(MAX_FEATURE), MAX_FEATURES);

/** @param {string} json @param {Type} type @param {boolean} [optional] @returns {Field} */
function field(json, type, optional = false) {
  return { json, js: json.replace(/_./g, (s) => s[1].toUpperCase()), type, optional };
}

/** The fields of each message, in the order in which they are written. @type {Map<string, Field[]>} */
const messages = new Map([
  [
    'Hello',
    [
      field('protocol', integer(PROTOCOL_VERSION, PROTOCOL_VERSION)), field('identity', hex(32)),
      field('name', text(MAX_NAME)), field('client', text(MAX_NAME)), field('session', hex(16)),
      field('connection_id', connectionId), field('features', features), field('signature', hex(64)),
    ],
  ],
  [
    'Welcome',
    [
      field('connection_id', connectionId), field('reset_token', hex(16)), field('incarnation', hex(8)),
      field('relay', text(MAX_NAME)), field('features', features), field('signature', hex(64), true),
    ],
  ],
  ['Join', [field('room', room), field('entry', entry)]],
  ['Joined', [field('room', room), field('member', member), field('members', integer(1, 2 ** 32 - 1))]],
  ['Available', [field('record', record)]],
  ['Line', []],
  ['Members', [field('after', member, true)]],
  ['MemberPage', [field('entries', list(entry, MAX_PAGE)), field('next', member, true)]],
  ['Leave', []],
  ['Goodbye', [field('code', code), field('reason', text(MAX_REASON))]],
  ['Refused', [field('code', code), field('reason', text(MAX_REASON))]],
  ['Greeting', [field('relay', hex(32)), field('challenge', hex(32))]],
]);

/**
 * The JSON of a message. Fields have the names of docs/protocol.md in camel case; bytes are Uint8Array.
 * Fields that may be absent are left out or undefined. A FormatError if a field breaks its rules, or the
 * whole.
 * @param {string} name as 'Join' @param {Record<string, any>} [fields]
 * @returns {string} {"Join":{"room":"x",...}}, or "Leave" if no field is there
 */
export function encode(name, fields = {}) {
  const known = messages.get(name);
  if (!known) throw new FormatError(PART, 'unknown', 'cannot be sent');
  const written = known
    .filter((f) => !(f.optional && fields[f.js] === undefined))
    .map((f) => `"${f.json}":${f.type.write(fields[f.js], `${name}.${f.json}`)}`);
  const text = written.length > 0 ? `{"${name}":{${written.join(',')}}}` : `"${name}"`;
  if (toUtf8(text).length > MAX_MESSAGE) throw tooLong();
  return text;
}

function tooLong() {
  return new FormatError(PART, 'limit', 'at most 65536 bytes');
}

/**
 * Reads the JSON of a message. One of an unknown name is no error but {name, unknown: true}: skip it. The
 * field `name` of a Hello, which clients never get, is called `memberName` here; all others are called as
 * encode has them.
 * @param {string} text @returns {{name: string} & Record<string, any>}
 */
export function decode(text) {
  if (text.length > MAX_MESSAGE || toUtf8(text).length > MAX_MESSAGE) throw tooLong();
  const [name, body] = splitTag(parseJson(text));
  const known = messages.get(name);
  if (!known) return { name: name.slice(0, MAX_UNKNOWN), unknown: true };
  if (!(body instanceof Map)) throw new FormatError(name, 'invalid', 'its fields are an object');
  /** @type {{name: string} & Record<string, any>} */ const message = { name };
  for (const f of known) {
    const what = `${name}.${f.json}`;
    const value = body.get(f.json);
    if (value !== undefined) message[f.js === 'name' ? 'memberName' : f.js] = f.type.read(value, what);
    else if (!f.optional) throw new FormatError(what, 'truncated', 'is missing');
  }
  return message;
}

/**
 * Takes a message apart: {"Name": body}, or "Name", which is short for {"Name": {}}.
 * @param {JsonValue} value @returns {[string, JsonValue]}
 */
function splitTag(value) {
  if (typeof value === 'string') return [value, new Map()];
  if (value instanceof Map && value.size === 1) {
    for (const tagged of value) return tagged;
  }
  throw new FormatError(PART, 'invalid', 'is a name, or an object of one field');
}

/** A message as it travels on a stream: length (4) || JSON. @param {string} text @returns {Bytes} */
export function frame(text) {
  const body = toUtf8(text);
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, body.length);
  return concat(head, body);
}

/** Cuts a stream into messages. It holds one message at most, and no more memory than came. */
export class Deframer {
  /** @type {Bytes} */ #head = new Uint8Array(0);
  /** @type {Bytes[]} */ #body = [];
  #missing = 0; // bytes of the body

  /**
   * Takes what came next on the stream, and gives out the messages that are complete by it. After a
   * FormatError the stream is of no use. What is fed is not kept.
   * @param {Bytes} chunk
   * @returns {Generator<string, void>} to be read to its end, or the rest of the chunk is lost
   */
  *feed(chunk) {
    for (let rest = chunk; rest.length > 0; ) {
      const part = rest.slice(0, this.#head.length < 4 ? 4 - this.#head.length : this.#missing);
      rest = rest.subarray(part.length);
      if (this.#head.length < 4) {
        this.#head = concat(this.#head, part);
        if (this.#head.length === 4) this.#missing = bodyLength(this.#head);
        continue;
      }
      this.#body.push(part);
      this.#missing -= part.length;
      if (this.#missing > 0) continue;
      const message = concat(...this.#body);
      this.#head = new Uint8Array(0);
      this.#body = [];
      yield fromUtf8(message, PART);
    }
  }
}

/** @param {Bytes} head */
function bodyLength(head) {
  const length = new DataView(head.buffer).getUint32(0);
  if (length === 0) throw new FormatError(PART, 'invalid', 'is empty');
  if (length > MAX_MESSAGE) throw tooLong();
  return length;
}
