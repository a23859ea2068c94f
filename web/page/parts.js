/**
 * What comes after the door, and from where, in the order in which it is needed.
 *
 *     room, words ──┐
 *     worker ───────┼──> one can join      sheets ──> mnemonic: nobody needs them to join and to talk
 *     worklet ──────┘
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
 */

/** @returns {Parts} */
export function pageParts() {
  const [workerUrl, workletUrl] = [fileUrl('worker'), fileUrl('worklet')];
  const script = scriptPart(fileUrl('room'));
  const room = new Part(async () => {
    const [modules] = await Promise.all([script.load(), wordsFor('room')]);
    modules.applyRoomStyle();
    addIcons(modules.roomPaths);
    return modules;
  });
  return {
    room,
    engine: new Part(async () => {
      const worker = await startWorker(workerUrl).catch(async (error) => {
        await fetchFile(workerUrl); // which says it when the page is old
        throw error;
      });
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
    sheets: after(room, 'sheets', () => wordsFor('sheets')),
    mnemonic: after(room, 'mnemonic'),
  };
}

/**
 * A script that takes modules from the room's.
 * @param {Part<unknown>} room @param {string} name @param {() => Promise<void>} [words]
 */
function after(room, name, words = async () => {}) {
  const script = scriptPart(fileUrl(name));
  return new Part(async () => {
    await room.load();
    const [modules] = await Promise.all([script.load(), words()]);
    return modules;
  });
}

/** Rejects if the Worker does not load. @param {string} url @returns {Promise<Worker>} that runs */
async function startWorker(url) {
  const worker = new Worker(url, { type: 'module', name: 'wzp room' });
  const ready = new Promise((resolve, reject) => {
    worker.onmessage = () => resolve(worker);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
  return within(workerTime, /** @type {Promise<Worker>} */ (ready)).catch((error) => {
    worker.terminate();
    throw error;
  });
}
