/**
 * What can be wrong with a key, and why a frame does not open. Callers tell them apart by class or by `code`.
 */

import {CodedError} from '../wire/bytes.js';

/**
 * A key's number is not above that of the last one of its talker: it is old, replayed or repeated. Ignore it.
 */
export class KnownKey extends CodedError {
  constructor() {
    super('known_key', 'e2ee: key is old or known, ignore it');
  }
}

/** A key is not what its talker sent us, or its talker breaks the rules: warn of it. */
export class BadKey extends CodedError {
  /** @param {string} reason */
  constructor(reason) {
    super('bad_key', `e2ee: key is not valid, warn of its talker: ${reason}`);
  }
}

/** Too many keys wait to be looked at: this one was dropped, and has to come again. */
export class BusyKey extends CodedError {
  constructor() {
    super('busy', 'e2ee: too many keys wait to be checked, let this one come again');
  }
}

/** The key of a frame has not come: hold the frame. */
export class NoKey extends CodedError {
  constructor() {
    super('no_key', 'e2ee: the key of the frame has not come, hold it');
  }
}

/**
 * A frame is older than what we may hear of its talker: its CTR is below the key's first one, or its ratchet
 * step is before those that are held, which comes back only with a new header. Drop it.
 */
export class Early extends CodedError {
  constructor() {
    super('early', 'e2ee: frame is of before our key, drop it');
  }
}
