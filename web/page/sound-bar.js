/** The bar that says why sound does not run, and what to do. */

import { say } from '../words/say.js';

/** @typedef {import('../audio/sound-watch.js').SoundCause} SoundCause */

/** What the user can begin anew. @type {ReadonlySet<SoundCause>} */
const startable = new Set(/** @type {const} */ (['paused', 'clock', 'player', 'capture']));

/**
 * @param {import('./bars.js').Bars} bars @param {import('./devices.js').Devices} devices
 * @param {'' | SoundCause} cause '' if all is well
 * @param {() => unknown} again begins to use the devices anew
 */
export function showSound(bars, devices, cause, again) {
  if (cause === '') return bars.hide('sound');
  const act = async () => {
    if (cause === 'paused' && await devices.wake()) return;
    devices.renew();
    void devices.wake();
    await again();
  };
  const label = say(cause === 'paused' ? 'sound.resume' : 'sound.again');
  bars.show('sound', {
    text: say(`sound.${cause}`), fixed: cause !== 'sink', act: () => void act(),
    action: startable.has(cause) ? label : '',
  });
}
