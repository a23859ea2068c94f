/**
 * Runs the vectors of testdata/vectors/{sframe,hpke,e2ee,call}.json, which Go runs, too: in Node by
 * vectors.test.js, in a browser by whatever page loads the files. Every section of the files must be known
 * here, so that none is forgotten: a new one is one more entry of SECTIONS, whose function gets the section's
 * vectors and a Check.
 *
 *     load(name) --> JSON --> for each section: SECTIONS[name][section](check, vectors) --> {ran, failed}
 *
 * Nothing but vectors may live here: what they check is in the modules beside this one, in web/wire and
 * web/identity.
 */

import {Identity, signedBytes} from '../identity/identity.js';
import {concat, equal, FormatError, fromHex, MAX_NUMBER, toHex, toUtf8} from '../wire/bytes.js';
import {hashEntry, parse} from '../wire/entry.js';
import {decodeCounter} from '../wire/frame.js';
import {appendKeyHeader, appendSenderKey, parseSenderKey} from '../wire/urgent.js';
import * as hpke from './hpke.js';
import * as keys from './keys.js';
import {callSections, pairFrom} from './vectors-call.js';
import {safetyNumber} from './safety.js';
import {Secret} from './secret.js';
import {CtrHmac, deriveKeySalt, encodeHeader, FrameKey, tagLength} from './sframe.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {any} Vector of a section: bytes in hexadecimal, 64-bit integers as decimal strings */

const EMPTY = new Uint8Array(0);
const HMAC = {name: 'HMAC', hash: 'SHA-256'};

/** @type {Record<string, Record<string, (check: Check, v: Vector) => Promise<void>>>} */
const SECTIONS = {
  sframe: {header: headers, aes_ctr_hmac: aeads, sframe: frames, wire: ciphertexts},
  hpke: {hpke: setups},
  e2ee: {
    kid: kids,
    ctr: ctrs,
    secret: secrets,
    bad_secret: badSecrets,
    proof: proofs,
    ratchet: ratchets,
    members: digests,
    key_header: keyHeaders,
    bad_key_header: badKeyHeaders,
    wrap: wraps,
    bad_wrap: badWraps,
    low_order: lowOrders,
    safety_number: safetyNumbers,
  },
  call: callSections,
};

/**
 * Runs all vectors.
 * @param {(name: string) => Promise<any>} load resolves to the parsed file
 * @returns {Promise<{ran: number, failed: string[]}>} how many checks ran, and what is wrong
 */
export async function runVectors(load) {
  const check = new Check();
  for (const [name, known] of Object.entries(SECTIONS)) {
    const file = await load(name);
    for (const section of Object.keys(file)) {
      if (Array.isArray(file[section]) && !(section in known)) {
        check.failed.push(`${name}.${section}: not run here`);
      }
    }
    for (const [section, run] of Object.entries(known)) {
      await check.section(`${name}.${section}`, file[section], run);
    }
  }
  return {ran: check.ran, failed: check.failed};
}

/** Counts checks and notes which failed. */
export class Check {
  ran = 0;
  /** @type {string[]} */ failed = [];
  #where = '';

  /**
   * @param {string} where @param {Vector[]|undefined} vectors
   * @param {(check: Check, v: Vector) => Promise<void>} run
   */
  async section(where, vectors, run) {
    this.#where = where;
    const before = this.ran;
    try {
      for (const v of vectors ?? []) await run(this, v);
    } catch (error) {
      this.failed.push(`${where}: ${error}`);
      return;
    }
    if (this.ran === before) this.failed.push(`${where}: there are no vectors`);
  }

  /** @param {string} what @param {boolean} ok */
  that(what, ok) {
    this.ran++;
    if (!ok) this.failed.push(`${this.#where}, check ${this.ran}: ${what}`);
  }

  /** @param {string} what @param {Bytes} got @param {string} want hexadecimal */
  bytes(what, got, want) {
    this.that(`${what}: got ${toHex(got)}, want ${want}`, toHex(got) === want);
  }

  /** @param {string} what @param {() => unknown} act fails, or resolves to a promise that does */
  async refuses(what, act) {
    let refused = false;
    try {
      await act();
    } catch {
      refused = true;
    }
    this.that(`taken: ${what}`, refused);
  }
}

/** A CTR as callers have it: a number where it fits. @param {string} text decimal */
function ctrOf(text) {
  const ctr = BigInt(text);
  return ctr <= BigInt(MAX_NUMBER) ? Number(ctr) : ctr;
}

/** RFC 9605, appendix C.1. @param {Check} check @param {Vector} v */
async function headers(check, v) {
  check.bytes(`header of ${v.kid}, ${v.ctr}`, encodeHeader(BigInt(v.kid), ctrOf(v.ctr)), v.encoded);
}

/** RFC 9605, appendix C.2. @param {Check} check @param {Vector} v */
async function aeads(check, v) {
  check.that('key, from its parts', v.key === v.enc_key + v.auth_key);
  const aead = await CtrHmac.create(fromHex(v.key), fromHex(v.nonce), tagLength(v.cipher_suite));
  check.bytes('ct', await aead.seal([0, 0], fromHex(v.aad), fromHex(v.pt)), v.ct);
  check.bytes('pt', await aead.open([0, 0], fromHex(v.aad), fromHex(v.ct)), v.pt);
}

/** RFC 9605, appendix C.3. @param {Check} check @param {Vector} v */
async function frames(check, v) {
  const kid = BigInt(v.kid);
  const {key, salt} = await deriveKeySalt(v.cipher_suite, kid, fromHex(v.base_key));
  check.bytes('sframe_key', key, v.sframe_key);
  check.bytes('sframe_salt', salt, v.sframe_salt);

  // The additional data has metadata after the header, which frames of wzp do not have.
  const header = encodeHeader(kid, ctrOf(v.ctr));
  const aad = concat(header, fromHex(v.metadata));
  check.bytes('aad', aad, v.aad);
  const aead = await CtrHmac.create(key, salt, tagLength(v.cipher_suite));
  const wide = BigInt(v.ctr);
  /** @type {[number, number]} */ const ctr = [Number(wide >> 32n), Number(wide & 0xffffffffn)];
  check.bytes('ct', concat(header, await aead.seal(ctr, aad, fromHex(v.pt))), v.ct);
  const sealed = fromHex(v.ct).subarray(header.length);
  check.bytes('pt', await aead.open(ctr, aad, sealed), v.pt);
  await check.refuses('a frame without its metadata', () => aead.open(ctr, header, sealed));
}

/** What wzp sends: the ciphertext alone. @param {Check} check @param {Vector} v */
async function ciphertexts(check, v) {
  const key = await FrameKey.create(v.cipher_suite, BigInt(v.kid), fromHex(v.base_key));
  check.bytes('aad', encodeHeader(BigInt(v.kid), ctrOf(v.ctr)), v.aad);
  check.bytes('ct', await key.seal(ctrOf(v.ctr), fromHex(v.pt)), v.ct);
  check.bytes('pt', await key.open(ctrOf(v.ctr), fromHex(v.ct)), v.pt);
}

/** RFC 9180, appendix A.1.1. @param {Check} check @param {Vector} v */
async function setups(check, v) {
  const recipient = await pairFrom(fromHex(v.skRm));
  check.bytes('pkRm', recipient.publicKey, v.pkRm);
  const ephemeral = await pairFrom(fromHex(v.skEm));
  check.bytes('enc', ephemeral.publicKey, v.enc);
  const sender = await hpke.setupSender(ephemeral, recipient.publicKey, fromHex(v.info), true);
  const receiver = await hpke.setupRecipient(fromHex(v.enc), recipient, fromHex(v.info), true);
  for (const e of v.encryptions) { // in their order: HPKE counts them
    check.bytes('ct', await sender.seal(fromHex(e.pt), fromHex(e.aad)), e.ct);
    check.bytes('pt', await receiver.open(fromHex(e.ct), fromHex(e.aad)), e.pt);
  }
  for (const e of v.exports) {
    for (const context of [sender, receiver]) {
      const value = await context.export(fromHex(e.exporter_context), e.L);
      check.bytes('exported_value', value, e.exported_value);
    }
  }
}

/** @param {string} secret hexadecimal, 32 bytes */
async function joinKeyFrom(secret) {
  const {privateKey, publicKey} = await pairFrom(fromHex(secret));
  return new keys.JoinKey(privateKey, publicKey);
}

/** @param {string} secret hexadecimal; empty: none */
async function secretOrNone(secret) {
  return secret === '' ? null : Secret.fromBytes(fromHex(secret));
}

/** @param {Check} check @param {Vector} v */
async function kids(check, v) {
  const hash = await hashEntry(fromHex(v.entry));
  check.bytes('entry hash', hash, v.entry_hash);
  check.bytes('member', (await parse(fromHex(v.entry))).id, v.member);
  const kid = keys.makeKid(fromHex(v.member), v.stream, (v.generation << 4) | v.step);
  check.that(`kid ${kid}, want ${v.kid}`, kid === BigInt(v.kid));
}

/**
 * Counters above 2^53 do not occur in this client, so these vectors move down by a multiple of the window:
 * those at the end of 64 bits to the end of 53, where it stops in the same way, others to where nothing does.
 * @param {Check} check @param {Vector} v
 */
async function ctrs(check, v) {
  const next = BigInt(v.next);
  let down = 0n;
  if (next > 2n ** 63n) down = 2n ** 64n - 2n ** 53n;
  else if (next > MAX_NUMBER) down = ((next >> 40n) - 1n) << 40n;
  const got = BigInt(decodeCounter(v.truncated, v.bits, Number(next - down))) + down;
  check.that(
    `${v.truncated} of ${v.bits} bits at ${v.next}: got ${got}, want ${v.ctr}`, got === BigInt(v.ctr),
  );
}

/** @param {Check} check @param {Vector} v */
async function secrets(check, v) {
  const probe = toUtf8('a text that is not empty');
  const secret = await Secret.parse(v.text);
  secret.revealTo((bytes) => check.bytes('secret', bytes, v.secret));
  check.that('text', (await Secret.fromBytes(fromHex(v.secret))).text === v.text);
  // The keys cannot be taken out: what they make is compared.
  const media = await crypto.subtle.sign('HMAC', await secret.mediaKey(v.room), probe);
  check.bytes('media key', new Uint8Array(media), toHex(await hmac(v.media_key, probe)));
  check.bytes('member key', await secret.proof(v.room, probe), toHex(await hmac(v.member_key, probe)));
}

/** @param {string} key hexadecimal @param {Bytes} message */
async function hmac(key, message) {
  const imported = await crypto.subtle.importKey('raw', fromHex(key), HMAC, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, message));
}

/** @param {Check} check @param {Vector} v */
async function badSecrets(check, v) {
  await check.refuses(v.why, () => Secret.parse(v.text));
}

/** @param {Check} check @param {Vector} v */
async function proofs(check, v) {
  const entry = await parse(fromHex(v.entry));
  const secret = await secretOrNone(v.secret);
  const inside = secret === null ? !entry.proof : await secret.check(entry.room, entry.proved, entry.proof);
  check.that(`inside ${inside}, want ${v.inside}`, inside === v.inside);
  if (secret === null || v.proved === '') return;
  check.bytes('proved', entry.proved, v.proved);
  check.bytes('proof', await secret.proof(entry.room, entry.proved), v.proof);
}

/** @param {Check} check @param {Vector} v */
async function ratchets(check, v) {
  const secret = await secretOrNone(v.secret);
  for (const [i, step] of v.steps.entries()) {
    const w = fromHex(step.w);
    const kid = BigInt(step.kid);
    if (i > 0) check.bytes('ratcheted key', await keys.ratchet(fromHex(v.steps[i - 1].w)), step.w);
    check.bytes('base key', await keys.baseKey(secret, v.room, w), step.base_key);
    check.bytes('aad', encodeHeader(kid, ctrOf(step.ctr)), step.aad);
    const key = await keys.frameKey(v.cipher_suite, kid, secret, v.room, w);
    check.bytes('ct', await key.seal(ctrOf(step.ctr), fromHex(step.pt)), step.ct);
    check.bytes('pt', await key.open(ctrOf(step.ctr), fromHex(step.ct)), step.pt);
  }
}

/** @param {Check} check @param {Vector} v */
async function digests(check, v) {
  const hashes = v.entry_hashes.map((/** @type {string} */ hash) => fromHex(hash));
  check.bytes('digest', await keys.digestMembers(hashes), v.digest);
}

/** @param {Check} check @param {Vector} v */
async function keyHeaders(check, v) {
  const identity = await Identity.fromSeed(fromHex(v.seed));
  const [sender, header, signature] = [fromHex(v.sender), fromHex(v.header), fromHex(v.signature)];
  check.bytes('identity', identity.publicKey, v.identity);
  check.bytes('hash', await keys.hashKey(fromHex(v.w)), v.hash);
  check.bytes('signed', signedBytes('sender key', [sender, header]), v.signed);
  check.that('does not verify', await keys.verifyHeader(fromHex(v.identity), sender, header, signature));
  // Not compared with signature: implementations may mix chance into theirs.
  const own = await keys.signHeader(identity, sender, header);
  check.that(
    'own signature does not verify', await keys.verifyHeader(identity.publicKey, sender, header, own),
  );
  await layout(check, v, header, signature);
}

/**
 * The fields of a header.
 * @param {Check} check @param {Vector} v @param {Bytes} header @param {Bytes} signature
 */
async function layout(check, v, header, signature) {
  const firstCtr = ctrOf(v.first_ctr);
  const message = appendSenderKey({recipients: 1, key: {signed: header, signature}});
  if (typeof firstCtr === 'bigint') { // beyond what this client counts: it is refused, not rounded
    let refused = null;
    try {
      parseSenderKey(message);
    } catch (error) {
      refused = error;
    }
    check.that(
      'a first CTR of 2^53 or more is taken', refused instanceof FormatError && refused.code === 'limit',
    );
    return;
  }
  const fields = {
    suite: v.cipher_suite, number: v.number, epoch: v.epoch, firstCtr, hash: fromHex(v.hash),
    members: fromHex(v.member_digest),
  };
  check.bytes('header', appendKeyHeader(fields), v.header);
  const {key} = parseSenderKey(message);
  check.that(
    'parsed otherwise',
    key.suite === fields.suite
      && key.number === fields.number && key.epoch === fields.epoch && key.firstCtr === firstCtr
      && equal(key.hash, fields.hash) && equal(key.members, fields.members),
  );
}

/** @param {Check} check @param {Vector} v */
async function badKeyHeaders(check, v) {
  const ok = await keys.verifyHeader(
    fromHex(v.identity), fromHex(v.sender), fromHex(v.header), fromHex(v.signature),
  );
  check.that(`verifies: ${v.why}`, !ok);
}

/** @param {Check} check @param {Vector} v */
async function wraps(check, v) {
  const join = await joinKeyFrom(v.join_private);
  check.bytes('join key', join.publicKey, v.join_key);
  const ephemeral = await pairFrom(fromHex(v.ephemeral));
  const context = await hpke.setupSender(ephemeral, fromHex(v.join_key), fromHex(v.info));
  check.bytes('wrap', concat(ephemeral.publicKey, await context.seal(fromHex(v.key))), v.wrap);
  // It opens only if the same info is made of its parts.
  const key = await join.unwrap(
    fromHex(v.sender), fromHex(v.header), fromHex(v.recipient), fromHex(v.wrap),
  );
  check.bytes('key', key, v.key);
}

/** @param {Check} check @param {Vector} v */
async function badWraps(check, v) {
  const join = await joinKeyFrom(v.join_private);
  await check.refuses(v.why, () =>
    join.unwrap(fromHex(v.sender), fromHex(v.header), fromHex(v.recipient), fromHex(v.wrap)),
  );
}

/** @param {Check} check @param {Vector} v a public key */
async function lowOrders(check, v) {
  const hash = new Uint8Array(32);
  const join = await keys.JoinKey.create();
  const point = fromHex(v);
  check.that(`${v} is not known as of low order`, keys.lowOrder(point));
  await check.refuses(`${v}, wrapped to`, () => keys.wrapKey(point, hash, EMPTY, hash, keys.freshKey()));
  await check.refuses(`${v}, sealed to`, () => hpke.seal(point, EMPTY, keys.freshKey()));
  await check.refuses(`${v}, as enc`, () =>
    join.unwrap(hash, EMPTY, hash, concat(point, new Uint8Array(32))),
  );
}

/** @param {Check} check @param {Vector} v */
async function safetyNumbers(check, v) {
  const people = v.people.map((/** @type {string} */ key) => fromHex(key));
  const got = await safetyNumber(v.room, people, await secretOrNone(v.secret));
  check.that(`got ${got}, want ${v.number}`, got === v.number);
}
