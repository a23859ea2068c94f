/** Which sound devices there are, and which of them came after the page knew the others. Pure. */

/**
 * `group` is the same for the parts of one headset.
 * @typedef {{id: string, label: string, group?: string}} Device
 */
/** @typedef {{microphones: Device[], loudspeakers: Device[]}} DeviceLists */
/**
 * What was plugged in, by the ids of its parts.
 * @typedef {{label: string, microphone: string, loudspeaker: string}} Added
 */

/** The names that browsers give to the system's choice. */
const roles = new Set(['', 'default', 'communications']);

/** @param {Device[]} list */
const named = (list) => list.filter(({ id, label }) => !roles.has(id) && label !== '');

export class KnownDevices {
  /** @type {DeviceLists | null} */ #known = null;

  /**
   * Takes what there is now. Devices without names tell nothing: the microphone was not allowed yet.
   * @param {DeviceLists} lists @returns {Added | null} what was plugged in since the last time
   */
  update(lists) {
    const now = { microphones: named(lists.microphones), loudspeakers: named(lists.loudspeakers) };
    if (now.microphones.length + now.loudspeakers.length === 0) return null;
    const known = this.#known;
    this.#known = now;
    if (!known) return null;
    const isNew = (/** @type {Device[]} */ old) => (/** @type {Device} */ device) =>
      !old.some(({ id }) => id === device.id);
    const microphone = now.microphones.find(isNew(known.microphones));
    const others = now.loudspeakers.filter(isNew(known.loudspeakers));
    const loudspeaker = microphone ? others.find(({ group }) => group === microphone.group) : others[0];
    const label = (microphone ?? loudspeaker)?.label;
    if (label === undefined) return null;
    return { label, microphone: microphone?.id ?? '', loudspeaker: loudspeaker?.id ?? '' };
  }
}
