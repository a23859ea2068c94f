/**
 * Which key the relay of this page had: trust on first use, as KnownRelays of package identity in Go. A key
 * that is another one is refused until the user has accepted just that one.
 *
 *     "relay:" address -> identity key, 64 hexadecimal digits
 *
 * The address is that of connect.json. A page of localhost may be `wzp page`, for one relay today and for
 * another one tomorrow: there it is that of the relay's own page, where it is told.
 */

import { LinkError } from '../link/carrier.js';
import { isLocal } from '../link/relay-page.js';

/** @typedef {import('../identity/known-names.js').Storage} Storage */
/** @typedef {import('../link/carrier.js').Place} Place */

export class RelayPin {
  #storage;
  #connectUrl;
  #accepted;
  /** @type {{address: string, relay: string} | null} what is to be kept */ #checked = null;

  /**
   * @param {Storage} storage @param {string} connectUrl of the relay's connect.json
   * @param {string} [accepted] the other key that the user takes for right
   */
  constructor(storage, connectUrl, accepted = '') {
    this.#storage = storage;
    this.#connectUrl = connectUrl;
    this.#accepted = accepted;
  }

  /** Refuses another key than the kept one. @param {Pick<Place, 'relay' | 'page'>} place */
  async check({ relay, page }) {
    const local = isLocal(new URL(this.#connectUrl).hostname);
    const address = 'relay:' + (local && page ? page : this.#connectUrl);
    const known = await this.#storage.get(address);
    if (typeof known === 'string' && known !== relay && relay !== this.#accepted) {
      throw new LinkError('relay_key', 'the relay has another key than it had', {
        final: true, keys: { known, shown: relay },
      });
    }
    this.#checked = known === relay ? null : { address, relay };
  }

  /** Keeps the key that was checked, when the relay has proved that it is its own. */
  async keep() {
    if (this.#checked) await this.#storage.set(this.#checked.address, this.#checked.relay);
  }
}
