/**
 * The few sounds of the page: very short, quiet, told apart by their shape, made here. Whether one is to be
 * heard (never over speech, joins and leaves only among few people) is the page's business.
 *
 *     granted     up, short         lost    down, two slow steps
 *     ended       down, short       back    up, two slow steps
 *     joined      up, soft          left    down, soft
 *     ring        up and back, soft, and again: somebody calls
 */

/** @typedef {'granted' | 'ended' | 'joined' | 'left' | 'lost' | 'back' | 'ring'} SoundName */

/**
 * One note: when it begins, ms; its pitch, Hz; its length, ms; its level, 1 is full scale.
 * @typedef {readonly [at: number, hz: number, ms: number, level: number]} Note
 */

/** @type {Readonly<Record<SoundName, readonly Note[]>>} */
export const SOUNDS = Object.freeze({
  granted: [[0, 880, 55, 0.06], [45, 1175, 70, 0.06]],
  ended: [[0, 880, 55, 0.05], [45, 659, 70, 0.05]],
  joined: [[0, 523, 110, 0.035], [80, 784, 150, 0.035]],
  left: [[0, 784, 110, 0.03], [80, 523, 150, 0.03]],
  lost: [[0, 440, 160, 0.06], [190, 330, 240, 0.06]],
  back: [[0, 440, 140, 0.05], [150, 587, 200, 0.05]],
  ring: [
    [0, 659, 240, 0.06], [170, 880, 320, 0.06], [420, 659, 300, 0.045],
    [900, 659, 240, 0.06], [1070, 880, 320, 0.06], [1320, 659, 300, 0.045],
  ],
});

const ATTACK = 8; // ms: no click

/**
 * Plays a sound.
 * @param {BaseAudioContext} context @param {SoundName} name
 * @param {AudioNode} [to] where to; absent: the loudspeaker
 * @returns {number} its length, ms; 0 when the context is not running, for it would come late
 */
export function playSound(context, name, to = context.destination) {
  const notes = SOUNDS[name];
  if (!notes || context.state !== 'running') return 0;
  let length = 0;
  for (const note of notes) {
    playNote(context, to, note);
    length = Math.max(length, note[0] + note[2]);
  }
  return length;
}

/** @param {BaseAudioContext} context @param {AudioNode} to @param {Note} note */
function playNote(context, to, [at, hz, ms, level]) {
  const start = context.currentTime + at / 1000;
  const end = start + ms / 1000;
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(level, start + ATTACK / 1000);
  gain.gain.setTargetAtTime(0, start + ATTACK / 1000, ms / 4000); // to 2 % at the end
  gain.gain.linearRampToValueAtTime(0, end + 0.02);
  const tone = new OscillatorNode(context, { type: 'sine', frequency: hz });
  tone.connect(gain).connect(to);
  tone.start(start);
  tone.stop(end + 0.03);
  tone.onended = () => gain.disconnect();
}
