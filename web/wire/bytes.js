/**
 * Bytes: readers and writers of binary layouts, hexadecimal, base64, UTF-8, and the error that every parser
 * of this folder throws. Nothing here knows a frame or a message, and nothing is asynchronous.
 *
 *     Uint8Array ── Reader: uint8, uint16, uint32, uint64, varint, take ──> fields, or a FormatError
 *     fields ── Writer: the same names ──> Uint8Array
 */

/** Bytes as WebCrypto takes them: not of a SharedArrayBuffer. @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * How bytes can be wrong: they end too early, exceed a limit of the protocol, are not valid, or are of a kind
 * that this version does not know (which is to be skipped).
 * @typedef {'truncated'|'limit'|'invalid'|'unknown'} FormatCode
 */

/** @type {Record<FormatCode, string>} */
const sentences = {
  truncated: 'ends too early',
  limit: 'exceeds a limit of the protocol',
  invalid: 'is not valid',
  unknown: 'is of an unknown kind',
};

/** What an error says. @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** An error with a code for programs; the message is for people. */
export class CodedError extends Error {
  /** @param {string} code @param {string} message @param {ErrorOptions} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Says which part of a packet, frame or message is wrong, and how. It never holds received bytes. */
export class FormatError extends CodedError {
  /**
   * @param {string} what as 'media frame' or 'Welcome.relay'
   * @param {FormatCode} code @param {string} [detail] what would be right
   */
  constructor(what, code, detail = '') {
    super(code, `wire: ${what}: ${sentences[code]}${detail && ': ' + detail}`);
    this.what = what;
  }
}

/** The largest integer that a parser returns: varints hold up to 2^62 - 1, JavaScript's numbers less. */
export const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/** Takes fields off the front of bytes. What is not there any more is a FormatError; nothing is copied. */
export class Reader {
  #bytes;
  #what;
  #at = 0;

  /** @param {Bytes} bytes @param {string} what what is read, for errors */
  constructor(bytes, what) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** How many bytes were taken. */
  get offset() {
    return this.#at;
  }

  /** How many bytes are left. */
  get left() {
    return this.#bytes.length - this.#at;
  }

  /** The next n bytes, which alias the input. @param {number} n @returns {Bytes} */
  take(n) {
    if (n > this.left) throw new FormatError(this.#what, 'truncated');
    this.#at += n;
    return this.#bytes.subarray(this.#at - n, this.#at);
  }

  /** All bytes that are left. */
  rest() {
    return this.take(this.left);
  }

  /** The bytes from an offset to here. @param {number} start @returns {Bytes} */
  since(start) {
    return this.#bytes.subarray(start, this.#at);
  }

  /** Refuses what goes on. @param {string} detail as 'goes on after its bitmap' */
  end(detail) {
    if (this.left > 0) throw new FormatError(this.#what, 'invalid', detail);
  }

  uint8() {
    return this.take(1)[0];
  }

  uint16() {
    const [a, b] = this.take(2);
    return (a << 8) | b;
  }

  uint32() {
    return this.uint16() * 0x10000 + this.uint16();
  }

  /** @returns {bigint} */
  uint64() {
    return (BigInt(this.uint32()) << 32n) | BigInt(this.uint32());
  }

  /**
   * A variable-length integer (RFC 9000, section 16), in any of its forms. Above 2^53 - 1 it is a
   * FormatError.
   *
   *     00xxxxxx                       6 bits
   *     01xxxxxx xxxxxxxx             14 bits
   *     10xxxxxx xxxxxxxx (4 bytes)   30 bits
   *     11xxxxxx xxxxxxxx (8 bytes)   62 bits
   *
   * @returns {number}
   */
  varint() {
    const v = this.roundedVarint();
    if (v > MAX_NUMBER) throw new FormatError(this.#what, 'limit', 'numbers are below 2^53');
    return v;
  }

  /** As varint, but what is above 2^53 - 1 is returned too, rounded, and still above it. @returns {number} */
  roundedVarint() {
    if (this.left === 0) throw new FormatError(this.#what, 'truncated');
    const bytes = this.take(1 << (this.#bytes[this.#at] >> 6));
    let v = bytes[0] & 0x3f;
    for (const b of bytes.subarray(1)) v = v * 256 + b;
    return v;
  }
}

/** Puts bytes together; every method but done returns the writer. */
export class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** How many bytes were written. */
  get length() {
    return this.#length;
  }

  /** @param {number} n */
  #room(n) {
    const at = this.#length;
    this.#length += n;
    if (this.#length > this.#bytes.length) {
      const more = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    return at;
  }

  /** The n low bytes of an integer from 0 to 2^53 - 1, big-endian. @param {number} v @param {number} n */
  #integer(v, n) {
    const at = this.#room(n);
    for (let i = n - 1; i >= 0; i--) {
      this.#bytes[at + i] = v % 256;
      v = Math.floor(v / 256);
    }
    return this;
  }

  /** @param {number} v */
  uint8(v) {
    return this.#integer(v, 1);
  }

  /** @param {number} v its low 16 bits are written */
  uint16(v) {
    return this.#integer(v, 2);
  }

  /** @param {number} v its low 32 bits are written */
  uint32(v) {
    return this.#integer(v, 4);
  }

  /** @param {bigint} v */
  uint64(v) {
    return this.#integer(Number((v >> 32n) & 0xffffffffn), 4).#integer(Number(v & 0xffffffffn), 4);
  }

  /** A varint in its shortest form. More than 2^53 - 1 is written as that. @param {number} v */
  varint(v) {
    v = Math.min(v, MAX_NUMBER);
    const n = varintLength(v);
    const at = this.#length;
    this.#integer(v, n);
    this.#bytes[at] |= Math.log2(n) << 6;
    return this;
  }

  /** @param {ArrayLike<number>} b */
  bytes(b) {
    const at = this.#room(b.length);
    this.#bytes.set(b, at);
    return this;
  }

  /** What was written. @returns {Bytes} */
  done() {
    return this.#bytes.slice(0, this.#length);
  }
}

/** How many bytes the shortest varint of v takes. @param {number} v */
export function varintLength(v) {
  if (v < 2 ** 6) return 1;
  if (v < 2 ** 14) return 2;
  return v < 2 ** 30 ? 4 : 8;
}

/** The parts, one after the other. @param {...ArrayLike<number>} parts @returns {Bytes} */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Whether both hold the same bytes. It is not constant in time: secrets are compared elsewhere.
 * @param {ArrayLike<number>} a @param {ArrayLike<number>} b
 */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Orders byte strings as Go's bytes.Compare does: below 0, 0, above 0.
 * @param {ArrayLike<number>} a @param {ArrayLike<number>} b
 */
export function compare(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

const hexOf = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal digits. @param {ArrayLike<number>} bytes */
export function toHex(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += hexOf[bytes[i]];
  return text;
}

/**
 * Reads lower-case hexadecimal digits: one form of each value, so that equal bytes are equal strings.
 * @param {unknown} text @param {number} [size] how many bytes it has to be; any number if absent
 * @param {string} [what] for errors @returns {Bytes}
 */
export function fromHex(text, size, what = 'hexadecimal') {
  const detail = `${size === undefined ? 'an even number of' : 2 * size} lower-case hexadecimal digits`;
  if (
    typeof text !== 'string' || text.length % 2 !== 0 || (size !== undefined && text.length !== 2 * size)
    || /[^0-9a-f]/.test(text)
  ) {
    throw new FormatError(what, 'invalid', detail);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Base64 with padding (RFC 4648, section 4). @param {Bytes} bytes */
export function toBase64(bytes) {
  let binary = '';
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary);
}

/**
 * Reads base64 with padding, in the one form that toBase64 writes.
 * @param {string} text @param {string} [what] for errors @returns {Bytes}
 */
export function fromBase64(text, what = 'base64') {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    throw new FormatError(what, 'invalid', 'is base64 with padding');
  }
  // Atob takes white space, no padding, bits beyond the last byte.
  if (toBase64(bytes) !== text) throw new FormatError(what, 'invalid', 'is base64 with padding');
  return bytes;
}

/** Base64url without padding (RFC 4648, section 5). @param {Bytes} bytes */
export function toBase64Url(bytes) {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Reads base64url without padding, in the one form that toBase64Url writes.
 * @param {string} text @param {string} [what] for errors @returns {Bytes}
 */
export function fromBase64Url(text, what = 'base64url') {
  if (/[^A-Za-z0-9_-]/.test(text)) throw new FormatError(what, 'invalid', 'is base64url without padding');
  const padded = text.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (text.length % 4)) % 4);
  return fromBase64(padded, what);
}

const encoder = new TextEncoder();
// Without ignoreBOM it swallows U+FEFF.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8. Half a surrogate pair becomes U+FFFD. @param {string} text @returns {Bytes} */
export function toUtf8(text) {
  return encoder.encode(text);
}

/**
 * The text, every character of it, or a FormatError where it is not UTF-8.
 * @param {Bytes} bytes @param {string} [what] for errors
 */
export function fromUtf8(bytes, what = 'text') {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FormatError(what, 'invalid', 'is not UTF-8');
  }
}
