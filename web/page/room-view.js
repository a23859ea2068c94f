/**
 * The room: title, connection line, warnings, people, and the control below. It shows what the model says and
 * passes on what the user does; it decides nothing.
 */

import { Announcer } from './announce.js';
import { TalkButton } from './talk-button.js';
import { fill, h, makeButton, setAttribute, setText } from './dom.js';
import { icon, iconButton } from './icons.js';
import { lacksKeySection } from './lacks-key.js';
import { Keyboard } from './keyboard.js';
import { micTrouble } from './mic-check.js';
import { MemberRows, nameOf, talkerNames } from './member-rows.js';
import { gradeOf, hearOf, hearText, heardOf, heardText, isOne } from './hearing.js';
import { awayTexts } from './away.js';
import { closeSheets, openSheet } from './sheet.js';
import { Warnings } from './warnings.js';
import { say } from '../words/say.js';

/** @typedef {import('./stay.js').Stay} Stay */
/** @typedef {import('./room-model.js').Part} Part */

/** @type {ReadonlySet<Part>} */
const lineParts = new Set(['quality', 'state', 'members', 'control', 'sound']);

/**
 * What a direct call has that rooms have not. `beside`: what is in the place of the invite; `below`: of our
 * hand; `joined`: what screen readers are told.
 * @typedef {{beside: Element[], below: Element, joined: string}} Two
 */

export class RoomView {
  #stay;
  #options;
  #people;
  #control;
  #warnings;
  #keyboard;
  #announcer = new Announcer();
  #lock = h('button', { type: 'button', class: 'lock', title: say('room.codeName') });
  #line = h('button', { type: 'button', class: 'line', title: say('connection.numbers') });
  #heard = h('span', { class: 'answer' });
  #hear = h('span', { class: 'answer' });
  #away = h('p', { class: 'away' });
  #count = h('h2', {});
  #talked = h('p', { class: 'talked' });
  #mic = h('p', { class: 'trouble', role: 'alert' });
  #lacks = h('div', { class: 'warnings' });
  #state = '';
  #refused = false; // that there is nothing to mute was said
  #lockText = '';
  #watched = () => this.#stay.watched(!document.hidden);
  /** @type {Map<string, string>} names of others whose hand is up, by id */ #raised = new Map();
  #hand = false; // that our own is was said
  element;

  /**
   * @param {Stay} stay
   * @param {{secret: string, leave: () => void, settings: (closed: () => void) => void,
   *   page: () => string, valid: (secret: string) => Promise<boolean>, useSecret: (secret: string) => void,
   *   sheet: (open: (sheets: typeof import('./sheets.js')) => void) => void, strips?: Element,
   *   call?: (who: import('./phone.js').Called) => void, two?: Two}}
   *   options page: the address of the relay's own; useSecret: joins again with it; sheet: opens one of them;
   *   strips: between the connection line and people; call: calls somebody; two: it is a direct call
   */
  constructor(stay, options) {
    this.#stay = stay;
    this.#options = options;
    this.#people = new MemberRows({
      open: (id) => this.#person(id), volume: (id) => stay.volumeOf(id),
      invite: () => this.#invite(),
    });
    this.#control = new TalkButton(stay, { beside: options.two?.below });
    this.#warnings = new Warnings(stay, {
      person: (id) => this.#person(id), safety: () => this.#safety(),
      after: () => this.focus(),
    });
    this.#keyboard = new Keyboard(this.#actions(), () => stay.talkKey().code);
    this.element = h('div', { class: 'room' },
      this.#head(), options.strips, this.#lacks, this.#warnings.element,
      h('main', { class: 'room-main' }, h('div', { class: 'people-head' }, this.#count, this.#lock),
        this.#talked,
        this.#people.element, this.#mic),
      this.#control.element);
    this.#announcer.live(this.element);
    document.addEventListener('visibilitychange', this.#watched);
    this.changed(['state', 'members', 'quality', 'warnings', 'control', 'levels']);
  }

  /** @returns {import('./keyboard.js').Actions} */
  #actions() {
    const stay = this.#stay;
    return {
      talk: (down) => {
        if (stay.model.mode === 'radio') stay.press(down);
        else if (down && stay.model.mic === 'on') stay.mute();
      },
      mute: () => stay.mute(),
      hand: () => this.#options.two || stay.setHand(),
      mode: () => stay.setMode(stay.model.mode === 'open' ? 'radio' : 'open'),
      invite: () => this.#invite(),
      people: () => this.#safety(),
      keys: () => this.#sheet(({ openKeys }) => openKeys(stay.talkKey().label, () => this.#settled())),
    };
  }

  #head() {
    const { room } = this.#stay.model;
    const { leave: go, two } = this.#options;
    const leave = makeButton('small leave', go, icon(two ? 'hangUp' : 'leave'),
      h('span', {}, say(two ? 'room.hangUp' : 'room.leave')));
    if (!two) leave.ariaLabel = say('room.leaveName', { room });
    const invite = () => iconButton('invite', say('room.invite'), () => this.#invite(), say('room.invite'));
    this.#line.append(h('span', { class: 'answers' }, this.#heard, this.#hear), icon('chevron'));
    this.#lock.onclick = () => this.#safety();
    this.#line.onclick = () => this.#sheet(
      ({ openConnection }) => openConnection(this.#stay.model, () => this.#settled()));
    return h('header', { class: 'room-head' },
      h('div', { class: 'room-title' },
        h('h1', {}, h('bdi', {}, room)),
        ...two?.beside ?? [invite()],
        iconButton('settings', say('room.settings'), () => this.#settings(), say('room.settings')),
        leave),
      this.#line, this.#away);
  }

  /** Puts the keyboard where one acts: on the big control. */
  focus() {
    this.#control.focus();
  }

  /** Shows what changed. @param {Part[]} parts */
  changed(parts) {
    const { model } = this.#stay;
    if (parts.includes('state')) this.#showState();
    if (parts.includes('members')) this.#showMembers();
    if (parts.includes('levels')) this.#showLevels();
    if (parts.includes('control') || parts.includes('members')) this.#showControl();
    if (parts.some((part) => lineParts.has(part))) this.#showLine();
    if (parts.includes('members')) this.#showLock();
    if (parts.includes('warnings')) this.#warnings.show();
    if (!parts.every((part) => part === 'levels')) openSheet()?.update?.();
    setAttribute(this.element, 'data-state', model.state);
  }

  /** @param {string[]} came @param {string[]} went names */
  news(came, went) {
    this.#announcer.people(came, went);
  }

  #showState() {
    const { state } = this.#stay.model;
    if (state === this.#state) return;
    if (state === 'joined') {
      const { room } = this.#stay.model;
      const back = this.#state === 'reconnecting';
      const joined = this.#options.two?.joined ?? say('announce.joined', { room });
      this.#announcer.state(back ? say('announce.back') : joined);
    }
    if (state === 'reconnecting') this.#announcer.state(say('announce.reconnecting'));
    this.#state = state;
  }

  #showMembers() {
    const { model } = this.#stay;
    this.#people.show(model);
    this.#showHands();
    const n = model.others() + 1;
    setText(this.#count, model.members.size === 0 ? say('room.people') : say('room.peopleCount', { n }));
  }

  /** Says of others who raised a hand. */
  #showHands() {
    const { members, raised } = this.#stay.model;
    const others = raised.flatMap((id) => members.get(id) ?? []).filter(({ self }) => !self);
    const now = new Map(others.map((member) => [member.id, nameOf(member)]));
    const but = (/** @type {Map<string, string>} */ a, /** @type {Map<string, string>} */ b) =>
      [...a].flatMap(([id, name]) => (b.has(id) ? [] : name));
    this.#announcer.hands(but(now, this.#raised), but(this.#raised, now));
    this.#raised = now;
  }

  #showLevels() {
    const last = this.#stay.model.talkedLast().map(nameOf);
    setText(this.#talked, last.length === 0 ? '' : say('room.talked', { names: last }));
    this.#people.levels(this.#stay.model);
    this.#control.level();
  }

  #showControl() {
    const { model } = this.#stay;
    const names = talkerNames(model);
    this.#control.show(names);
    this.#announcer.talkers(names);
    if (model.muteRefused && !this.#refused) this.#announcer.state(say('control.radioMute'));
    this.#refused = model.muteRefused;
    if (model.hand !== this.#hand) {
      this.#announcer.state(say(model.hand ? 'announce.handUp' : 'announce.handDown'));
    }
    this.#hand = model.hand;
    const text = micTrouble(model.mic, 'Room');
    this.#mic.hidden = text === '';
    setAttribute(this.#mic, 'data-mic', model.mic);
    if (this.#mic.textContent !== text) fill(this.#mic, text && icon('micOff'), text && h('span', {}, text));
  }

  #showLine() {
    const { model } = this.#stay;
    const [heard, hear] = [heardOf(model), hearOf(model)];
    this.#answer(this.#heard, heard, heardText(heard));
    this.#answer(this.#hear, hear, hearText(hear));
    this.#hear.hidden = isOne(heard, hear);
    const away = awayTexts(model, Date.now()).join(' ');
    this.#away.hidden = away === '';
    setText(this.#away, away);
  }

  /** @param {HTMLElement} element @param {import('./hearing.js').Heard} code @param {string} text */
  #answer(element, code, text) {
    setAttribute(element, 'data-grade', gradeOf(code));
    setAttribute(element, 'data-is', code);
    if (element.textContent !== text) fill(element, h('span', { class: 'dot' }), h('span', {}, text));
  }

  #showLock() {
    const { model } = this.#stay;
    if (model.lacksKey !== this.#lacks.childElementCount > 0) {
      const { valid, useSecret: use } = this.#options;
      fill(this.#lacks, model.lacksKey && lacksKeySection(model.room, { valid, use }));
    }
    const text = say(model.private ? 'room.private' : model.lacksKey ? 'room.noKey' : 'room.public');
    if (text === this.#lockText) return;
    this.#lockText = text;
    setAttribute(this.#lock, 'data-private', model.private);
    fill(this.#lock, icon(model.private ? 'lock' : 'unlock'), h('span', {}, text));
  }

  /** After a sheet was closed: what waited under it. */
  #settled() {
    this.changed(['members', 'levels']);
  }

  #invite() {
    const { secret, page, two } = this.#options;
    if (two) return; // a call is of two
    const invite = { room: this.#stay.model.room, secret, page: page() };
    this.#sheet(({ openInvite }) => openInvite(invite, () => this.#settled()));
  }

  /** @param {string} id */
  #person(id) {
    const { call } = this.#options;
    this.#sheet(({ openPerson }) => openPerson(this.#stay, id, { closed: () => this.#settled(), call }));
  }

  #settings() {
    this.#options.settings(() => this.#settled());
  }

  #safety() {
    this.#sheet(({ openSafety }) => openSafety(this.#stay, () => this.#settled()));
  }

  /** @param {(sheets: typeof import('./sheets.js')) => void} open */
  #sheet(open) {
    this.#options.sheet(open);
  }

  close() {
    closeSheets();
    this.#keyboard.close();
    this.#control.close();
    this.#announcer.close();
    document.removeEventListener('visibilitychange', this.#watched);
    this.element.remove();
  }
}
