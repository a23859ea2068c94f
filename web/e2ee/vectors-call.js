/** Runs the vectors of testdata/vectors/call.json, as vectors.js does those of the other files. */

import {Identity} from '../identity/identity.js';
import {concat, fromHex, toHex, Writer} from '../wire/bytes.js';
import {callIdOf, callRoom} from '../wire/call-id.js';
import {PathKey} from '../wire/call-path.js';
import {signConsent, verifyConsent} from '../wire/signal.js';
import {CallChannel, callKeyOf, callKeys} from './call-channel.js';
import * as hpke from './hpke.js';
import {offerInfo, offerPlaintext} from './offer.js';
import {Secret} from './secret.js';
import {StayKey} from './stay-key.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./vectors.js').Check} Check */
/** @typedef {import('./vectors.js').Vector} Vector */

/** @type {Record<string, (check: Check, v: Vector) => Promise<void>>} */
export const callSections = {
  call: calls,
  offer: offers,
  bad_offer: badOffers,
  call_message: messages,
  bad_call_message: badMessages,
  consent: consents,
};

/** @param {Check} check @param {Vector} v */
async function calls(check, v) {
  const id = await callIdOf(fromHex(v.caller), fromHex(v.called), fromHex(v.nonce));
  check.bytes('call_id', id, v.call_id);
  check.that('room', callRoom(id) === v.room);
}

/** @param {Check} check @param {Vector} v */
async function offers(check, v) {
  const pair = await pairFrom(fromHex(v.stay_private));
  const stay = new StayKey(pair);
  check.bytes('stay_key', stay.publicKey, v.stay_key);
  const path = await PathKey.of(fromHex(v.path_seed));
  check.bytes('path_key', path.publicKey, v.path_key);
  check.that('path_id', path.id === v.path_id);
  check.bytes('info', offerInfo(path.publicKey), v.info);
  const secret = await Secret.fromBytes(fromHex(v.secret));
  const made = {nonce: fromHex(v.nonce), seed: fromHex(v.path_seed), secret, entry: fromHex(v.entry)};
  const plaintext = offerPlaintext(made, 1000 * Number(v.time));
  check.bytes('plaintext', plaintext, v.plaintext);
  const ephemeral = await pairFrom(fromHex(v.ephemeral));
  const context = await hpke.setupSender(ephemeral, stay.publicKey, fromHex(v.info), true);
  check.bytes('offer', concat(ephemeral.publicKey, await context.seal(plaintext)), v.offer);
  await sameKeys(check, (await callKeys(context)).caller, v.caller_keys);
  await sameKeys(check, (await callKeys(context)).called, v.called_keys);
  const opened = await stay.openOffer(fromHex(v.path_key), fromHex(v.self), fromHex(v.offer), 1000 * v.time);
  check.bytes('opened call_id', opened.call, v.call_id);
  check.bytes('opened entry', opened.entry, v.entry);
  check.that('opened path', opened.path.id === v.path_id);
  opened.secret.revealTo((bytes) => check.bytes('opened secret', bytes, v.secret));
}

/**
 * Makes a pair of a given X25519 private key: PKCS #8 (RFC 8410) is the form that WebCrypto takes. The public
 * half is what it gives with the base point 9.
 * @param {Bytes} secret 32 bytes @returns {Promise<hpke.Pair>}
 */
export async function pairFrom(secret) {
  const pkcs8 = concat(fromHex('302e020100300506032b656e04220420'), secret);
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, {name: 'X25519'}, false, ['deriveBits']);
  const base = new Uint8Array(32);
  base[0] = 9;
  const point = await crypto.subtle.importKey('raw', base, {name: 'X25519'}, false, []);
  const algorithm = {name: 'X25519', public: point};
  return {privateKey, publicKey: new Uint8Array(await crypto.subtle.deriveBits(algorithm, privateKey, 256))};
}

/** @param {Check} check @param {import('./call-channel.js').CallKey} key @param {string} want key || iv */
async function sameKeys(check, key, want) {
  const other = await callKeyOf(fromHex(want));
  const [path, text] = ['00'.repeat(16), Uint8Array.of(1)];
  const [a, b] = await Promise.all([key, other].map((k) => new CallChannel(path, k, k).seal(text)));
  check.bytes('keys of a direction', a, toHex(b));
}

/** @param {Check} check @param {Vector} v */
async function badOffers(check, v) {
  const stay = new StayKey(await pairFrom(fromHex(v.stay_private)));
  const opening = () =>
    stay.openOffer(fromHex(v.path_key), fromHex(v.self), fromHex(v.offer), 1000 * Number(v.now));
  await check.refuses(v.why, opening);
}

/** @param {Check} check @param {Vector} v */
async function messages(check, v) {
  const key = await callKeyOf(fromHex(v.keys));
  const channel = new CallChannel(v.path_id, key, key);
  const {plaintext, counter} = await channel.open(fromHex(v.body));
  check.that('counter', String(counter) === v.counter);
  check.bytes('plaintext', plaintext, v.plaintext);
  check.bytes('counter in the body', new Writer().varint(counter).done(), v.body.slice(0, v.body.length
    - v.plaintext.length - 32));
  if (counter > 64) return;
  for (let i = 0; i < counter; i++) await channel.seal(plaintext);
  check.bytes('body', await channel.seal(plaintext), v.body);
}

/** @param {Check} check @param {Vector} v */
async function badMessages(check, v) {
  const key = await callKeyOf(fromHex(v.keys));
  await check.refuses(v.why, () => new CallChannel(v.path_id, key, key).open(fromHex(v.body)));
}

/** @param {Check} check @param {Vector} v */
async function consents(check, v) {
  const third = await Identity.fromSeed(fromHex(v.seed));
  check.bytes('third', third.publicKey, v.third);
  const [asker, person, call] = [fromHex(v.asker), fromHex(v.person), fromHex(v.call_id)];
  const consent = await signConsent(third, BigInt(v.expiry), asker, person, call);
  check.bytes('signature', consent.signature, v.signature);
  check.that('it verifies', await verifyConsent(consent, third.publicKey, asker, person, call));
}
