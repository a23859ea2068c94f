/** The sheet of one person: who they are for sure, how loud they are here; the sheet of the safety number. */

import { copyButton } from './copy.js';
import { fill, h, keepFocus, makeButton, setText, smallPrint } from './dom.js';
import { fingerprintBlock, numberBlock } from './fingerprint.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { nameOf } from './member-rows.js';
import { Sheet } from './sheet.js';
import { ago, percent, say } from '../words/say.js';

/** @typedef {import('./stay.js').Stay} Stay */
/** @typedef {import('../call/engine.js').Member} Member */

const loudest = 200; // per cent

/** @param {Stay} stay @param {string} id @param {() => void} closed */
export function openPerson(stay, id, closed) {
  const member = stay.model.members.get(id);
  if (!member) return;
  const sheet = new Sheet(nameOf(member), { name: 'person', closed });
  const known = h('p', { class: 'known' });
  const trusted = h('p', { class: 'hint', role: 'status' });
  const trust = h('div', { class: 'stack tight' });
  sheet.body.append(
    h('div', { class: 'person-head' }, identicon(member.fingerprint),
      h('div', {}, known, fingerprintBlock(member.fingerprint))),
    smallPrint(member.self ? say('safety.yours') : say('person.compareHint')), trust, trusted);
  if (!member.self) sheet.body.append(volumeField(stay, id));
  sheet.body.append(makeButton('', () => openSafety(stay, closed), icon('lock'), say('person.compare')));
  sheet.update = () => {
    const now = stay.model.members.get(id);
    if (!now) return; // left while one looks: what was shown stays
    showKnown(known, now);
    const changed = now.known === 'changed' && !now.self;
    if (changed === (trust.childElementCount > 0)) return;
    if (!changed) setText(trusted, say('person.trusted'));
    keepFocus(trust,
      () => fill(trust, changed && makeButton('danger', () => stay.trust(id), say('person.trust'))),
      () => sheet.heading);
  };
  sheet.update();
}

/** @param {HTMLElement} element @param {Member} member */
function showKnown(element, member) {
  const kind = member.self ? 'self' : member.outside ? 'outside' : member.known;
  const since = kind === 'same' && member.firstSeen ? ago(member.firstSeen, Date.now()) : '';
  element.dataset.known = kind;
  const plain = kind === 'outside' ? 'person.isOutside' : /** @type {const} */ (`person.${kind}`);
  const text = since ? say('person.sameSince', { ago: since }) : say(plain);
  if (element.textContent === text) return;
  const icons = /** @type {const} */ ({
    same: 'check', changed: 'warning', outside: 'outside', new: 'info', self: 'info',
  });
  fill(element, icon(icons[kind]), h('span', {}, text));
}

/** @param {Stay} stay @param {string} id */
function volumeField(stay, id) {
  const value = h('output', { for: 'volume' });
  const show = () => setText(value, percent(input.valueAsNumber / 100));
  const oninput = () => {
    stay.setVolume(id, input.valueAsNumber / 100);
    show();
  };
  const value100 = String(Math.round(stay.volumeOf(id) * 100));
  const range = { min: '0', max: String(loudest), step: '5', value: value100 };
  const input = h('input', { type: 'range', id: 'volume', ...range, oninput });
  show();
  return h('div', { class: 'field' },
    h('div', { class: 'between' }, h('label', { for: 'volume' }, say('person.volume')), value), input);
}

/** All people, and the safety number that covers them. @param {Stay} stay @param {() => void} closed */
export function openSafety(stay, closed) {
  const sheet = new Sheet(say('safety.title'), { name: 'safety', closed });
  const number = h('div', {});
  const covers = h('p', { class: 'hint' });
  const list = h('ul', { class: 'fingerprints', role: 'list' });
  const copy = copyButton(say('safety.copy'), () => stay.model.safety);
  const title = h('h3', {}, say('room.people'));
  sheet.body.append(number, covers, h('p', {}, say('safety.explain')), copy, title, list);
  let shown = '';
  sheet.update = () => {
    const { safety, order, members } = stay.model;
    const inside = order.flatMap((id) => members.get(id) ?? []).filter(({ outside }) => !outside);
    const key = JSON.stringify([safety, inside]);
    if (key === shown) return; // or a selection would be lost
    shown = key;
    const pending = () => h('p', { class: 'note', role: 'status' }, say('safety.pending'));
    fill(number, safety ? numberBlock(safety) : pending());
    copy.hidden = safety === '';
    const people = new Set(inside.map(({ fingerprint }) => fingerprint)).size;
    setText(covers, safety ? say('safety.covers', { n: people }) : '');
    fill(list, ...inside.map((member) => h('li', {}, identicon(member.fingerprint), h('div', {},
      h('span', { class: 'name' }, member.self
        ? say('person.youNamed', { name: nameOf(member) }) : h('bdi', {}, nameOf(member))),
      fingerprintBlock(member.fingerprint)))));
  };
  sheet.update();
}
