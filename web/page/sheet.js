/**
 * Sheets: modal dialogs that come from the bottom on phones. The browser's <dialog> keeps the focus inside,
 * closes on Esc and gives the focus back. One at a time; what is in them is others' business.
 */

import { h } from './dom.js';
import { iconButton } from './icons.js';
import { say } from '../words/say.js';

let made = 0;
/** @type {Sheet | null} */ let current = null;

/** An open sheet. */
export class Sheet {
  /** @type {(() => void) | null} called when the model changed while the sheet is open */ update = null;
  body = h('div', { class: 'sheet-body' });
  heading;
  #dialog;
  #closed;

  /**
   * @param {string} title @param {{name: string, closed?: () => void}} options `name` is for styles and tests
   */
  constructor(title, { name, closed }) {
    current?.close();
    current = this;
    this.#closed = closed;
    this.name = name;
    const id = `sheet-title-${++made}`;
    const close = iconButton('close', say('sheet.close'), () => this.close());
    this.heading = h('h2', { id, tabIndex: -1, dir: 'auto' }, title);
    this.#dialog = h('dialog', { class: 'sheet', 'data-sheet': name, 'aria-labelledby': id },
      h('header', { class: 'sheet-head' }, this.heading, close), this.body);
    this.#dialog.addEventListener('close', () => this.#gone());
    this.#dialog.addEventListener('pointerdown', (event) => {
      if (event.target === this.#dialog) this.close(); // the backdrop: what is inside covers the rest
    });
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    // Screen readers begin with the title; no button is armed by accident.
    this.heading.focus({ preventScroll: true });
  }

  get open() {
    return this.#dialog.open;
  }

  close() {
    this.#dialog.close();
    this.#gone();
  }

  #gone() {
    if (!this.#dialog.isConnected) return;
    this.#dialog.remove();
    if (current === this) current = null;
    this.#closed?.();
  }
}

/** @returns {Sheet | null} the one that is open */
export function openSheet() {
  return current;
}

/** Closes what is open, when the view under it goes. */
export function closeSheets() {
  current?.close();
}
