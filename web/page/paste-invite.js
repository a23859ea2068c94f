/** A field for an invite that came without its key: the whole link, or the key alone. */

import { h, labelled, makeButton, setAttribute, setText } from './dom.js';
import { normalize } from '../names/names.js';
import { say } from '../words/say.js';

export class PasteInvite {
  element;
  #room;
  #valid;
  #use;
  #fault = h('p', { class: 'hint', id: 'paste-hint', role: 'status' });
  #input;

  /**
   * @param {string} room which it must be of
   * @param {{valid: (secret: string) => Promise<boolean>, use: (secret: string) => void}} options use: is
   *   called with a secret that can be one
   */
  constructor(room, { valid, use }) {
    this.#room = room;
    this.#valid = valid;
    this.#use = use;
    this.#input = h('input', {
      type: 'text', id: 'paste-invite', dir: 'ltr', autocomplete: 'off', autocapitalize: 'off',
      spellcheck: false, 'aria-describedby': 'paste-hint', oninput: () => void this.#read(false),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== 'Enter') return;
        event.preventDefault(); // it is in the door's form
        void this.#read(true);
      },
    });
    this.element = h('div', { class: 'stack tight paste', 'data-part': 'paste' },
      labelled('paste-invite', say('paste.label'), this.#input, this.#fault),
      makeButton('', () => void this.#read(true), say('paste.use')));
  }

  /**
   * Takes what is in the field, if it is an invite of this room.
   * @param {boolean} asked the user says that it is all: what is wrong is said
   */
  async #read(asked) {
    const { secret, other } = readInvite(this.#input.value, this.#room);
    const whole = secret !== '' && await this.#valid(secret).catch(() => false);
    const wrong = other !== '' ? say('paste.other', { room: other }) : whole ? '' : say('paste.fault');
    if (wrong === '') return this.#use(secret);
    const shown = asked || (whole && other !== '') ? wrong : '';
    setAttribute(this.#input, 'aria-invalid', shown !== '' || null);
    setText(this.#fault, shown);
  }
}

/**
 * What somebody pasted for an invite of a room: a link, or its key alone.
 * @param {string} typed @param {string} room
 * @returns {{secret: string, other: string}} other: the room that it is of, if that is another one
 */
export function readInvite(typed, room) {
  const text = typed.trim();
  const [before = '', hash] = text.split('#', 2);
  if (hash === undefined) return { secret: text.includes('/') ? '' : text, other: '' };
  const secret = new URLSearchParams(hash).get('k') ?? '';
  const part = before.replace(/[?].*/, '').replace(/\/$/, '').split('/').at(-1) ?? '';
  try {
    const named = normalize(decodeURIComponent(part));
    return { secret, other: before.includes('/') && named !== room ? named : '' };
  } catch {
    return { secret: '', other: '' };
  }
}
