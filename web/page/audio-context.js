/** The AudioContext of the page: one, which a click lets begin. */

/** Begins to run at once, where the user just did something. */
export const newAudioContext = () => new AudioContext({ sampleRate: 48_000, latencyHint: 'interactive' });
