/** Levels of sound as something to look at: from dBFS to a share of a bar or a ring, and the bar. */

import { h, setAttribute } from './dom.js';
import { say } from '../words/say.js';

const floor = -60; // dBFS: shown as nothing
const ceiling = -6; // dBFS: shown as full

/** @param {number} dbfs @returns {number} 0 to 1, for rings and bars */
export function loudness(dbfs) {
  return Number.isFinite(dbfs) ? Math.min(1, Math.max(0, (dbfs - floor) / (ceiling - floor))) : 0;
}

/** A bar for a level from 0 to 1. */
export class LevelBar {
  #fill = h('span', { class: 'level-fill' });
  element = h('div',
    {
      class: 'level', role: 'meter', 'aria-label': say('mic.level'), 'aria-valuemin': 0, 'aria-valuemax': 100,
      'aria-valuenow': 0,
    },
    this.#fill);

  /** @param {number} level */
  show(level) {
    this.#fill.style.setProperty('--level', level.toFixed(3));
    setAttribute(this.element, 'aria-valuenow', Math.round(level * 10) * 10);
  }
}
