/**
 * The people in the room as rows: who, with which face, talking or not, and what one must know about them.
 * Rows are kept by member, so that levels touch nothing but a ring.
 */

import { fill, h, makeButton, setAttribute, setText } from './dom.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { foldName } from '../names/fold.js';
import { percent } from '../words/formats.js';
import { isolated, number, say } from '../words/say.js';

/** @typedef {import('../call/engine.js').Member} Member */
/** @typedef {import('./room-model.js').RoomModel} RoomModel */
/** @typedef {import('../wire/payload.js').MicState} MicState */

const skeletons = 3;
const maxRows = 200; // more are only counted: a relay may tell of thousands

/** Signs that turn the direction of a text: in a name they would reorder the sentence around it. */
const directions = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * What somebody is called here; by their key if their name shows nothing.
 * @param {Pick<Member, 'name' | 'fingerprint'>} member @returns {string}
 */
export function nameOf({ name, fingerprint }) {
  if (foldName(name) !== '') return name.replace(directions, '').trim();
  return fingerprint.slice(0, 9) || say('person.noName');
}

/** The others who talk now, who began first. @param {RoomModel} model @returns {string[]} */
export function talkerNames(model) {
  return model.talkers().flatMap((id) => model.members.get(id) ?? []).map(nameOf);
}

/**
 * Who gets a row: at most maxRows, and whoever talks is among them.
 * @param {RoomModel} model @returns {Member[]} in the order of the model
 */
function shownOf({ order, members, levels }) {
  if (order.length <= maxRows) return order.flatMap((id) => members.get(id) ?? []);
  const chosen = new Set([order[0], ...levels.keys()].slice(0, maxRows));
  for (const id of order) {
    if (chosen.size >= maxRows) break;
    chosen.add(id);
  }
  return order.flatMap((id) => (chosen.has(id) && members.get(id)) || []);
}

/**
 * What is said under a name, and how serious it is.
 * @param {Member} member @param {RoomModel} model @param {number} volume
 */
function noteOf(member, model, volume) {
  const notes = [];
  let kind = '';
  if (member.known === 'changed' && !member.self) {
    notes.push(say('person.keyChanged'));
    kind = 'danger';
  } else if (member.compared !== undefined && !member.outside) {
    notes.push(say('person.comparedNote'));
    kind = 'good';
  }
  if (member.outside) notes.push(say('person.outside'));
  if (member.self) notes.push(say('person.you'));
  if (member.relay) notes.push(say('person.relay', { relay: member.relay }));
  if (model.ambiguous(member)) {
    const begin = isolated(member.fingerprint.slice(0, 9));
    notes.push(say('person.alikeNote', { n: model.wearers(member) }), begin);
  }
  if (volume !== 1) notes.push(volume === 0 ? say('person.silenced') : percent(volume));
  return { text: notes.join('\u00a0· '), kind };
}

/** One row. */
class Row {
  #face = h('span', { class: 'face' });
  #name = h('bdi');
  #compared = h('span', { class: 'compared' }, icon('check'));
  #note = h('span', { class: 'person-note' });
  #place = h('span', { 'aria-hidden': 'true' });
  #raised = h('span', { class: 'unseen' });
  #hand = h('span', { class: 'sign hand', hidden: true }, icon('hand'), this.#place, this.#raised);
  #sign = h('span', { class: 'sign' });
  #state = h('span', { class: 'unseen' }); // what the sign says, for screen readers
  #signed = '';
  #level = '';
  #fingerprint = '';
  element;

  /** @param {string} id @param {(id: string) => void} open */
  constructor(id, open) {
    const opens = { 'aria-haspopup': 'dialog', onclick: () => open(id) };
    const name = h('span', { class: 'name' }, this.#name, this.#compared);
    const button = h('button', { type: 'button', class: 'person-button', ...opens }, this.#face,
      h('span', { class: 'who' }, name, this.#note), this.#hand, this.#sign,
      this.#state);
    this.element = h('li', { class: 'person', 'data-member': id, 'data-talking': false }, button);
  }

  /** @param {Member} member @param {RoomModel} model @param {number} volume */
  show(member, model, volume) {
    if (this.#fingerprint !== member.fingerprint) fill(this.#face, identicon(member.fingerprint));
    this.#fingerprint = member.fingerprint;
    const { text, kind } = noteOf(member, model, volume);
    setText(this.#name, nameOf(member));
    this.#compared.hidden = kind !== 'good';
    setText(this.#note, text);
    this.#showHand(model.raised.indexOf(member.id) + 1, model.turnOf(member.id));
    setAttribute(this.#note, 'data-kind', kind || null);
    setAttribute(this.element, 'data-known', member.known);
    setAttribute(this.element, 'data-outside', member.outside);
    setAttribute(this.element, 'data-self', member.self);
  }

  /**
   * @param {number} up which hand it is here, 0: it is down
   * @param {number} n whose turn it is, 0: that is not to be said
   */
  #showHand(up, n) {
    this.#hand.hidden = up === 0;
    setAttribute(this.element, 'data-hand', up);
    setText(this.#place, n > 0 ? number(n) : '');
    setText(this.#raised, n > 0 ? say('person.handPlace', { n }) : up > 0 ? say('person.hand') : '');
  }

  /**
   * @param {Member} member
   * @param {{talking: boolean, level: number, talked: boolean, mic: MicState}} now
   *   `talked`: a moment ago
   */
  level(member, { talking, level, talked, mic }) {
    const muted = mic === 'muted' || mic === 'none';
    setAttribute(this.element, 'data-talking', talking);
    const loud = talking ? level.toFixed(2) : '0';
    if (loud !== this.#level) this.#face.style.setProperty('--level', loud);
    this.#level = loud;
    setAttribute(this.element, 'data-talked', talked && !talking);
    const sign = muted ? 'micOff' : member.outside ? 'outside' : talking || talked ? 'talk' : '';
    if (sign !== this.#signed) fill(this.#sign, sign !== '' && icon(sign));
    this.#signed = sign;
    const heard = talking ? say('person.talking') : talked ? say('person.talked') : '';
    const silent = muted && say(mic === 'none' ? 'person.noMic' : 'person.muted');
    setText(this.#state, silent || heard);
  }
}

/** The list. */
export class MemberRows {
  #list = h('ul', { class: 'people', role: 'list' });
  #outsideTitle = h('h3', {}, say('room.outside'));
  #outsideNote = h('p', { class: 'hint' });
  #outsideList = h('ul', { class: 'people', role: 'list' });
  #outside = h('section', { class: 'outside' }, this.#outsideTitle, this.#outsideNote, this.#outsideList);
  #aloneText = h('p');
  #alone = h('div', { class: 'alone' }, this.#aloneText);
  #more = h('p', { class: 'hint', 'data-note': 'more' });
  element = h('div', { class: 'people-area' }, this.#list, this.#alone, this.#outside, this.#more);
  /** @type {Map<string, Row>} */ #rows = new Map();
  #open;
  #volume;

  /** @param {{open: (id: string) => void, volume: (id: string) => number, invite: () => void}} options */
  constructor({ open, volume, invite }) {
    this.#open = open;
    this.#volume = volume;
    this.#alone.append(makeButton('primary', invite, icon('invite'), say('room.invite')));
  }

  /** Who is there, in which order. @param {RoomModel} model */
  show(model) {
    const waiting = model.members.size === 0;
    setAttribute(this.#list, 'aria-busy', waiting);
    this.#alone.hidden = waiting || model.others() > 0 || model.lacksKey;
    setText(this.#aloneText, say(model.members.size > 1 ? 'room.aloneInside' : 'room.alone'));
    if (waiting) return this.#skeleton();
    for (const old of this.#list.querySelectorAll('.skeleton')) old.remove();
    this.#arrange(model);
    this.#outsideNote.hidden = model.lacksKey; // it is said of the room
    setText(this.#outsideNote, model.private ? say('room.outsideNote') : say('room.outsideNotePublic'));
    this.#setLevels(model);
  }

  /** Makes the rows, and takes away those that are none any more. @param {RoomModel} model */
  #arrange(model) {
    const shown = shownOf(model);
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    /** @type {HTMLElement[]} */ const inside = [];
    /** @type {HTMLElement[]} */ const outside = [];
    for (const member of shown) (member.outside ? outside : inside).push(this.#row(member, model).element);
    arrange(this.#list, inside);
    arrange(this.#outsideList, outside);
    this.#outside.hidden = outside.length === 0;
    const more = model.members.size - shown.length;
    this.#more.hidden = more === 0;
    setText(this.#more, more === 0 ? '' : say('room.more', { n: more }));
  }

  /** @param {Member} member @param {RoomModel} model @returns {Row} */
  #row(member, model) {
    let row = this.#rows.get(member.id);
    if (!row) this.#rows.set(member.id, (row = new Row(member.id, this.#open)));
    row.show(member, model, this.#volume(member.id));
    return row;
  }

  #skeleton() {
    this.#outside.hidden = this.#more.hidden = true;
    if (this.#list.childElementCount > 0) return;
    fill(this.#list, h('li', { class: 'unseen' }, say('room.waiting')));
    for (let i = 0; i < skeletons; i++) {
      this.#list.append(h('li', { class: 'person skeleton', 'aria-hidden': 'true' },
        h('span', { class: 'person-button' }, h('span', { class: 'face' }), h('span', { class: 'who' }))));
    }
    this.#list.firstElementChild?.classList.add('skeleton');
  }

  /** Who talks, and how loud. @param {RoomModel} model */
  levels(model) {
    if (this.#rows.size > 0 && [...model.levels.keys()].some((id) => !this.#rows.has(id))) {
      this.#arrange(model);
    }
    this.#setLevels(model);
  }

  /** @param {RoomModel} model */
  #setLevels(model) {
    for (const [id, row] of this.#rows) {
      const member = model.members.get(id);
      if (!member) continue;
      const talking = member.self ? model.transmitting : model.levels.has(id);
      const own = model.mic !== 'on' && model.mic !== 'asking' ? 'none' : model.muted ? 'muted' : 'open';
      const mic = member.self ? (model.mode === 'open' ? own : 'released') : member.microphone ?? '';
      const level = member.self ? model.me : model.levels.get(id) ?? 0;
      row.level(member, { talking, level, talked: model.justTalked(id), mic });
    }
  }
}

/**
 * Puts the rows into this order, moving only those that are elsewhere. Focus stays where it is, also when it
 * is in a row that moves.
 * @param {Element} list @param {Element[]} rows
 */
function arrange(list, rows) {
  const focused = document.activeElement;
  let at = list.firstElementChild;
  for (const row of rows) {
    if (row === at) at = at.nextElementSibling;
    else list.insertBefore(row, at);
  }
  if (focused instanceof HTMLElement && focused.isConnected && focused !== document.activeElement) {
    focused.focus({ preventScroll: true });
  }
}
