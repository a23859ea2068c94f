/** What can go wrong with identities and with what is kept of them. */

import { CodedError } from '../wire/bytes.js';

/** Why a seed or key cannot be used, or is not kept. */
export class IdentityError extends CodedError {}

/** What is wrong with words: how many there are, which one (from 1 on) is not in the list, or the sum. */
export class WordsError extends IdentityError {
  /** @param {'wordCount' | 'unknownWord' | 'checksum'} fault @param {number} n @param {string} message */
  constructor(fault, n, message) {
    super('words', message);
    this.fault = fault;
    this.n = n;
  }
}
