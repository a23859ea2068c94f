/**
 * JSON as control messages use it (docs/protocol.md, section 5): only what every parser reads alike is
 * accepted. JSON.parse alone would take the last of two equal names and could not tell 1 from 1.0.
 *
 *     text ── depth, JSON.parse (grammar) ──> tokens ──> Map, array, string, JsonNumber, true, false, null
 */

import { FormatError, fromUtf8, toUtf8 } from './bytes.js';

/** How deep arrays and objects may lie in each other; known messages need 3. */
const MAX_DEPTH = 16;
const PART = 'control message';

/** A number as it was written. */
export class JsonNumber {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @typedef {string|boolean|null|JsonNumber|JsonValue[]|Map<string, any>} JsonValue */

/**
 * Reads one JSON value. Objects become Maps: names that mean something to JavaScript mean nothing here.
 * @param {string} text @returns {JsonValue}
 */
export function parseJson(text) {
  const tokens = text.match(/"(?:[^"\\]|\\[^])*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  for (const token of tokens) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    if (depth > MAX_DEPTH) throw new FormatError(PART, 'limit', 'is nested too deeply');
  }
  try {
    JSON.parse(text);
  } catch {
    throw new FormatError(PART, 'invalid', 'is not one JSON value');
  }
  return readValue(tokens.values());
}

/**
 * The value at the next token. The grammar was checked before.
 * @param {ArrayIterator<string>} tokens @param {string} [token] @returns {JsonValue}
 */
function readValue(tokens, token = next(tokens)) {
  switch (token[0]) {
    case '{': return readObject(tokens);
    case '[': return readArray(tokens);
    case '"': return readString(token);
    case 't': return true;
    case 'f': return false;
    case 'n': return null;
    default: return new JsonNumber(token);
  }
}

/** @param {ArrayIterator<string>} tokens */
function next(tokens) {
  return /** @type {string} */ (tokens.next().value);
}

/** Half a surrogate pair becomes U+FFFD, as in Go. @param {string} token */
function readString(token) {
  return fromUtf8(toUtf8(JSON.parse(token)));
}

/** @param {ArrayIterator<string>} tokens */
function readArray(tokens) {
  /** @type {JsonValue[]} */ const values = [];
  for (let token = next(tokens); token !== ']'; token = next(tokens)) {
    if (token !== ',') values.push(readValue(tokens, token));
  }
  return values;
}

/** @param {ArrayIterator<string>} tokens */
function readObject(tokens) {
  /** @type {Map<string, any>} */ const fields = new Map();
  for (let token = next(tokens); token !== '}'; token = next(tokens)) {
    if (token === ',') continue;
    const name = readString(token);
    next(tokens); // the colon
    if (fields.has(name)) throw new FormatError(PART, 'invalid', 'has a name twice in an object');
    fields.set(name, readValue(tokens));
  }
  return fields;
}
