/** The bar that offers a headset which was plugged in: it is not used unasked. */

import { say } from '../words/say.js';

/**
 * @param {import('./bars.js').Bars} bars @param {import('./prefs.js').Prefs} prefs
 * @param {import('./page-sound.js').PageSound} sound which is to use it
 * @param {import('./device-list.js').Added} added
 */
export function offerDevice(bars, prefs, sound, { label, microphone, loudspeaker }) {
  const plays = loudspeaker !== '' && sound.devices.choosesLoudspeaker;
  if (microphone === '' && !plays) return;
  bars.show('added', { text: say('bar.added', { device: label }), action: say('bar.use'), act: () => {
    bars.hide('added');
    if (plays) {
      prefs.set('loudspeaker', loudspeaker);
      void sound.loudspeakerChanged(loudspeaker);
    }
    if (microphone === '') return;
    prefs.set('microphone', microphone);
    sound.microphoneChanged();
  } });
}
