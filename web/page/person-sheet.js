/** The sheet of one person: who they are for sure, how loud they are here; the sheet of the safety number. */

import { copyButton } from './copy.js';
import { fill, h, keepFocus, makeButton, setAttribute, setText, smallPrint } from './dom.js';
import { fingerprintBlock, numberBlock } from './fingerprint.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { nameOf, talkerNames } from './member-rows.js';
import { Sheet } from './sheet.js';
import { TalkButton } from './talk-button.js';
import { volumeField } from './volume-field.js';
import { ago } from '../words/formats.js';
import { isolated, say } from '../words/say.js';
import { foldName } from '../names/fold.js';

/** @typedef {import('./stay.js').Stay} Stay */
/** @typedef {import('../call/engine.js').Member} Member */

/**
 * @param {Stay} stay @param {string} id
 * @param {{closed: () => void, call?: (who: import('./phone.js').Called) => void}} options call: calls who is
 *   remembered, which leaves the room
 */
export function openPerson(stay, id, { closed, call }) {
  const member = stay.model.members.get(id);
  if (!member) return;
  const sheet = new Sheet(isolated(nameOf(member)), { name: 'person', closed });
  const known = h('p', { class: 'known' });
  const alike = h('p', { class: 'note', role: 'status' });
  const said = h('p', { class: 'hint', role: 'status' });
  const act = h('div', { class: 'stack tight', 'data-part': 'compare' });
  const remembered = member.self ? null : remembering(stay, id, () => sheet.heading, call);
  sheet.body.append(
    h('div', { class: 'person-head' }, identicon(member.fingerprint),
      h('div', {}, known, fingerprintBlock(member.fingerprint))),
    alike, smallPrint(member.self ? say('safety.yours') : say('person.compareHint')), act, said);
  const loud = member.self ? null : loudness(stay, id);
  if (loud) sheet.body.append(loud.element);
  if (remembered) sheet.body.append(remembered.element);
  sheet.body.append(makeButton('', () => openSafety(stay, closed), icon('lock'), say('person.compare')));
  let shown = '';
  sheet.update = () => {
    const now = stay.model.members.get(id);
    if (!now) return; // left while one looks: what was shown stays
    showKnown(known, now);
    loud?.show();
    const n = now.outside ? 1 : stay.model.wearers(now);
    alike.hidden = n < 2;
    setText(alike, n < 2 ? '' : say('person.alike', { n, name: nameOf(now) }));
    const kind = kindOf(now);
    remembered?.show(now);
    if (kind === shown) return;
    if (shown === 'changed' && kind === 'same') setText(said, say('person.trusted'));
    shown = kind;
    keepFocus(act, () => fill(act, ...actsOf(kind, stay, id)), () => sheet.heading);
  };
  dockTalkButton(sheet, stay);
}

/** What this device knows of somebody. @param {Member} member */
function kindOf({ self, outside, known, compared }) {
  if (self) return 'self';
  if (outside) return 'outside';
  return known !== 'changed' && compared !== undefined ? 'compared' : known;
}

/**
 * What the user may say of somebody's key.
 * @param {ReturnType<typeof kindOf>} kind @param {Stay} stay @param {string} id
 */
function actsOf(kind, stay, id) {
  if (kind === 'self' || kind === 'outside') return [];
  if (kind === 'compared') {
    return [makeButton('quiet', () => stay.compare(id, false), say('person.uncompare'))];
  }
  return [
    makeButton('', () => stay.compare(id, true), icon('check'), say('person.compareDone')),
    kind === 'changed' && makeButton('danger', () => stay.trust(id), say('person.trust')),
  ];
}

/**
 * Whether the user remembers somebody, which they can begin and end; who is remembered can be called.
 * @param {Stay} stay @param {string} id @param {() => HTMLElement} heading
 * @param {((who: import('./phone.js').Called) => void) | undefined} call
 */
function remembering(stay, id, heading, call) {
  const element = h('div', { class: 'stack tight', 'data-part': 'contact' });
  let shown = '';
  const show = (/** @type {Member} */ { outside, known, contact, name, fingerprint }) => {
    // Who comes with another key than before is to be compared first.
    const offered = contact !== undefined || (!outside && known !== 'changed');
    const state = JSON.stringify([offered, contact, name]);
    if (state === shown) return;
    shown = state;
    element.hidden = !offered;
    const other = foldName(contact ?? '') !== foldName(name);
    const called = nameOf({ name, fingerprint });
    keepFocus(element, () => fill(element, ...contact === undefined ? [
      makeButton('', () => stay.remember(id, called), icon('keep'), say('person.remember')),
      smallPrint(say('person.rememberHint')),
    ] : [
      call && callButton(() => call({ fingerprint, name: contact })),
      call && smallPrint(say('person.callHint')),
      makeButton('quiet', () => stay.remember(id), say('person.forget')),
      h('p', { class: 'hint', role: 'status' },
        say(other ? 'person.contactAs' : 'person.contact', { name: contact })),
    ]), heading);
  };
  return { element, show };
}

/** @param {() => void} call */
export function callButton(call) {
  const button = makeButton('', call, icon('call'), say('person.call'));
  button.dataset.call = 'call';
  return button;
}

/** @param {HTMLElement} element @param {Member} member */
function showKnown(element, member) {
  const kind = kindOf(member);
  element.dataset.known = kind;
  const plain = kind === 'outside' ? 'person.isOutside' : /** @type {const} */ (`person.${kind}`);
  const text = say(plain, { ago: ago(member.compared ?? 0, Date.now()) });
  if (element.textContent === text) return;
  const icons = /** @type {const} */ ({
    compared: 'check', same: 'info', changed: 'warning', outside: 'outside', new: 'info', self: 'info',
  });
  fill(element, icon(icons[kind]), h('span', {}, text));
}

/** How loud somebody is here, and whether at all. @param {Stay} stay @param {string} id */
function loudness(stay, id) {
  const volume = volumeField('volume', say('person.volume'), (value) => stay.setVolume(id, value));
  const silence = makeButton('small', () => stay.silence(id), icon('silent'), say('person.silence'));
  silence.id = 'silence';
  const show = () => {
    volume.show(stay.volumeOf(id));
    setAttribute(silence, 'aria-pressed', stay.volumeOf(id) === 0);
  };
  return { element: h('div', { class: 'stack tight' }, volume.element, h('div', {}, silence)), show };
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
    const focused = document.activeElement?.id ?? '';
    fill(list, ...inside.map((member) => safetyRow(stay, member)));
    if (focused.startsWith('compared-')) document.getElementById(focused)?.focus();
  };
  dockTalkButton(sheet, stay);
}

/**
 * Gives a sheet the big control, which is out of reach below it: people read aloud here what they compare.
 * @param {Sheet} sheet @param {Stay} stay
 */
function dockTalkButton(sheet, stay) {
  const control = new TalkButton(stay, { inSheet: true });
  sheet.dock(control.element, () => control.close());
  const { update } = sheet;
  sheet.update = () => {
    update?.();
    control.show(talkerNames(stay.model));
  };
  sheet.update();
}

/** One person of the safety number, and whether they were compared. @param {Stay} stay @param {Member} m */
function safetyRow(stay, m) {
  const name = m.self ? say('person.youNamed', { name: nameOf(m) }) : nameOf(m);
  const id = 'compared-' + m.id;
  const kind = kindOf(m);
  const onchange = () => stay.compare(m.id, box.checked);
  const box = h('input', { type: 'checkbox', id, checked: kind === 'compared', onchange });
  return h('li', { 'data-known': kind }, identicon(m.fingerprint), h('div', {},
    h('span', { class: 'name' }, h('bdi', {}, name)), fingerprintBlock(m.fingerprint),
    !m.self && h('label', { class: 'check', for: id }, box,
      h('span', {}, say('safety.compared', { name: nameOf(m) })))));
}
