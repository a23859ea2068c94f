/**
 * What comes after the door, and from where, in the order in which it is needed.
 *
 *     room, words ──┐
 *     worker ───────┼──> one can join      sheets ──> mnemonic: nobody needs them to join and to talk
 *     worklet ──────┘                                  └──> calls: who takes calls, or calls
 */

import { fileUrl } from './files.js';
import { addIcons } from './icons.js';
import { wordsFor } from './language.js';
import { fetchFile, Part, scriptPart, within } from './part.js';

const workerTime = 60_000; // ms that the Worker may take, which has the largest of the files

/** @typedef {import('../call/engine.js').Engine} Engine */
/** @typedef {Pick<Engine, keyof Engine>} AnyEngine */

/**
 * @typedef {object} Parts
 * @property {Part<typeof import('./room.js')>} room with its words
 * @property {Part<AnyEngine>} engine used up by a stay
 * @property {Part<string>} worklet its address, when it is in the browser's cache
 * @property {Part<typeof import('./sheets.js')>} sheets likewise
 * @property {Part<typeof import('../identity/mnemonic.js')>} mnemonic
 * @property {Part<typeof import('./switchboard.js')>} calls with its words
 */

/** @returns {Parts} */
export function pageParts() {
  const workletUrl = fileUrl('worklet');
  const script = scriptPart(fileUrl('room'));
  const room = new Part(async () => {
    const [modules] = await Promise.all([script.load(), wordsFor('room')]);
    modules.applyRoomStyle();
    addIcons(modules.roomPaths);
    return modules;
  });
  const sheets = after(room, 'sheets', 'sheets');
  return {
    room,
    engine: new Part(async () => {
      const worker = await startWorker();
      try {
        const { Engine } = await script.load();
        return new Engine(worker);
      } catch (error) {
        worker.terminate();
        throw error;
      }
    }),
    worklet: new Part(async () => {
      await fetchFile(workletUrl);
      return workletUrl;
    }),
    sheets,
    mnemonic: after(room, 'mnemonic'),
    calls: after(sheets, 'calls', 'calls'),
  };
}

/**
 * A script that takes modules from the room's, and maybe from another one.
 * @param {Part<unknown>} before @param {string} name @param {'sheets' | 'calls'} [words] that it needs
 */
function after(before, name, words) {
  const script = scriptPart(fileUrl(name));
  return new Part(async () => {
    await before.load();
    const [modules] = await Promise.all([script.load(), words && wordsFor(words)]);
    return modules;
  });
}

/** A Worker of a stay, or of a line, which runs. Rejects if it does not load. @returns {Promise<Worker>} */
export function startWorker() {
  const url = fileUrl('worker');
  const worker = new Worker(url, { type: 'module', name: 'wzp room' });
  const ready = new Promise((resolve, reject) => {
    worker.onmessage = () => resolve(worker);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
  return within(workerTime, /** @type {Promise<Worker>} */ (ready)).catch(async (error) => {
    worker.terminate();
    await fetchFile(url); // which says it when the page is old
    throw error;
  });
}
