/** What comes after the door, and from where: scripts, the Worker of a stay, the processors of sound. */

import { Engine } from '../call/engine.js';
import { fileUrl } from './files.js';
import { addIcons } from './icons.js';
import { allWords } from './language.js';
import { fetchFile, Part, scriptPart } from './part.js';

const workerTime = 60_000; // ms that the Worker may take, which has the largest of the files

/** @typedef {Pick<Engine, keyof Engine>} AnyEngine */

/**
 * @typedef {object} Parts
 * @property {Part<typeof import('./room.js')>} room with all words of the language
 * @property {Part<typeof import('../identity/mnemonic.js')>} mnemonic
 * @property {Part<AnyEngine>} engine used up by a stay
 * @property {Part<string>} worklet its address, when it is in the browser's cache
 */

/** @returns {Parts} */
export function pageParts() {
  const [worker, worklet] = [fileUrl('worker'), fileUrl('worklet')];
  const room = scriptPart(fileUrl('room'));
  return {
    room: new Part(async () => {
      const [modules] = await Promise.all([room.load(), allWords()]);
      modules.applyRoomStyle();
      addIcons(modules.roomPaths);
      return modules;
    }),
    mnemonic: scriptPart(fileUrl('mnemonic')),
    engine: new Part(() => Engine.start(worker, workerTime).catch(async (error) => {
      await fetchFile(worker); // which says it when the page is old
      throw error;
    })),
    worklet: new Part(async () => {
      await fetchFile(worklet);
      return worklet;
    }),
  };
}
