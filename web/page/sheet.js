/**
 * Sheets: modal dialogs that come from the bottom on phones. The browser's <dialog> keeps the focus inside,
 * closes on Esc and gives the focus back. One at a time; what is in them is others' business.
 */

import { h, setAttribute } from './dom.js';
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
  #undock = () => {};

  /**
   * @param {string} title @param {{name: string, closed?: () => void, text?: boolean}} options `name` is for
   *   styles and tests; `text`: there is nothing in it that takes the focus, so that it does, to be scrolled
   */
  constructor(title, { name, closed, text = false }) {
    current?.close();
    current = this;
    this.#closed = closed;
    this.name = name;
    const id = `sheet-title-${++made}`;
    if (text) {
      this.body.tabIndex = 0;
      setAttribute(this.body, 'role', 'region');
      setAttribute(this.body, 'aria-labelledby', id);
    }
    const close = iconButton('close', say('sheet.close'), () => this.close());
    this.heading = h('h2', { id, tabIndex: -1 }, title);
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

  /**
   * Puts something below the body that stays in reach.
   * @param {HTMLElement} element @param {() => void} closed
   */
  dock(element, closed) {
    this.#dialog.append(element);
    this.#undock = closed;
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
    this.#undock();
    if (current === this) current = null;
    this.#closed?.();
  }
}

/** @returns {Sheet | null} the one that is open */
export function openSheet() {
  return current?.open ? current : null; // one that closes is told of it later
}

/** Closes what is open, when the view under it goes. */
export function closeSheets() {
  current?.close();
}
