/** What a Line refuses, and what a user cannot do with it. */

import { CodedError } from '../wire/bytes.js';

/** @type {Record<string, string>} */
const sentences = {
  // Of what comes, beside the errors of e2ee and wire.
  role: 'the other end of a call said what is not its to say',
  record: "a reach record is another's, or not fresh",
  answer: "an answer is not the called's, or of another call",
  forward: "an offer's forward is not signed, expired, or for another device",
  seen: 'an offer came before',
  flood: 'too many offers come',
  consent: "a transfer without the third's consent",
  asked: 'another question before the last one is answered, or too soon',
  chosen: 'the caller confirms an answer that is not ours',
  // Of what the user wants.
  self: 'that is your own fingerprint: call somebody else',
  talking: 'there is a call already: hang up or hold it first',
  already: 'you are calling them already',
  rate: 'too many calls in a minute: wait a little',
  state: 'the call is not in a state for that',
  who: 'the key is not that of the fingerprint',
};

export class SignallingError extends CodedError {
  /** @param {string} code one of those above */
  constructor(code) {
    super(code, `signalling: ${sentences[code]}`);
  }
}
