/**
 * What can be wrong with a key, and why a frame does not open. Callers tell them apart by class or by `code`.
 */

/**
 * A key's number is not above that of the last one of its talker: it is old, replayed or repeated. Ignore it.
 */
export class KnownKey extends Error {
  code = 'known_key';

  constructor() {
    super('e2ee: key is old or known, ignore it');
    this.name = 'KnownKey';
  }
}

/** A key is not what its talker sent us, or its talker breaks the rules: warn of it. */
export class BadKey extends Error {
  code = 'bad_key';

  /** @param {string} reason */
  constructor(reason) {
    super(`e2ee: key is not valid, warn of its talker: ${reason}`);
    this.name = 'BadKey';
  }
}

/** Too many keys wait to be looked at: this one was dropped, and has to come again. */
export class BusyKey extends Error {
  code = 'busy';

  constructor() {
    super('e2ee: too many keys wait to be checked, let this one come again');
    this.name = 'BusyKey';
  }
}

/** The key of a frame has not come: hold the frame. */
export class NoKey extends Error {
  code = 'no_key';

  constructor() {
    super('e2ee: the key of the frame has not come, hold it');
    this.name = 'NoKey';
  }
}

/**
 * A frame is older than what we may hear of its talker: its CTR is below the key's first one, or its ratchet
 * step is before those that are held, which comes back only with a new header. Drop it.
 */
export class Early extends Error {
  code = 'early';

  constructor() {
    super('e2ee: frame is of before our key, drop it');
    this.name = 'Early';
  }
}
