/** The bar that offers a headset which was plugged in: it is not used unasked. */

import { say } from '../words/say.js';

/**
 * @param {import('./bars.js').Bars} bars @param {Pick<import('./app.js').World, 'prefs' | 'devices'>} world
 * @param {import('./device-list.js').Added} added
 * @param {{microphone: () => void, loudspeaker: (id: string) => void}} changed what uses the one that was chosen
 */
export function offerDevice(bars, { prefs, devices }, { label, microphone, loudspeaker }, changed) {
  const plays = loudspeaker !== '' && devices.choosesLoudspeaker;
  if (microphone === '' && !plays) return;
  bars.show('added', { text: say('bar.added', { device: label }), action: say('bar.use'), act: () => {
    bars.hide('added');
    if (plays) {
      prefs.set('loudspeaker', loudspeaker);
      changed.loudspeaker(loudspeaker);
    }
    if (microphone === '') return;
    prefs.set('microphone', microphone);
    changed.microphone();
  } });
}
