/** Both processors of the audio thread, in one file. */

import './capture.worklet.js';
import './playback.worklet.js';
