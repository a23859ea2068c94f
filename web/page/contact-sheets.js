/**
 * The sheets of people whom one remembers: one of them; whether to remember who made a contact link; one's
 * own link.
 */

import { copyButton } from './copy.js';
import { faultText } from './door.js';
import { fill, h, keepFocus, labelled, makeButton, setAttribute, setText, smallPrint } from './dom.js';
import { fingerprintBlock } from './fingerprint.js';
import { home } from './files.js';
import { icon } from './icons.js';
import { identicon } from './identicon.js';
import { linkBlock, pageForOthers, shownField } from './link-block.js';
import { personName } from './address.js';
import { callButton } from './person-sheet.js';
import { Sheet } from './sheet.js';
import { contactLink, ContactLinkError, readContactLink } from '../identity/contact-link.js';
import { IdentityError } from '../identity/errors.js';
import { fingerprintOf } from '../identity/identity.js';
import { equal } from '../wire/bytes.js';
import { ago } from '../words/formats.js';
import { isolated, say } from '../words/say.js';

/** @typedef {import('../identity/contacts.js').Contact} Contact */
/** @typedef {import('./own-identity.js').OwnIdentity} OwnIdentity */
/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {(who: import('./phone.js').Called) => void} Call */

/**
 * Somebody who is remembered.
 * @param {Contact} contact
 * @param {{identity: OwnIdentity, closed: () => void, text?: string, call?: Call}} options text: what is said
 *   of it first; call: calls them
 */
export function openContact(contact, { identity, closed, text = '', call }) {
  const sheet = new Sheet(isolated(contact.name), { name: 'contact', closed });
  const view = new ContactView(contact, identity, sheet.heading, call);
  sheet.body.append(...view.elements);
  view.show(contact, text);
}

/** What is known of somebody, and what the user may say of them. */
class ContactView {
  elements;
  #contact;
  #identity;
  #heading;
  #call;
  #name;
  #known = h('p', { class: 'known' });
  #compare = h('div', { class: 'stack tight', 'data-part': 'compare' });
  #said = h('p', { class: 'hint', role: 'status' });
  #acts = h('div', { class: 'buttons', 'data-part': 'contact' }); // with place for what one does with them

  /**
   * @param {Contact} contact @param {OwnIdentity} identity @param {HTMLElement} heading with their name
   * @param {Call | undefined} call
   */
  constructor(contact, identity, heading, call) {
    this.#contact = contact;
    this.#call = call;
    this.#identity = identity;
    this.#heading = heading;
    this.#name = new NameField(contact.name);
    this.#name.input.addEventListener('change', () => void this.#rename());
    this.elements = [head(contact.fingerprint, this.#known), smallPrint(say('person.compareHint')),
      this.#compare, this.#name.element, this.#said, this.#acts];
  }

  /** @param {Contact} contact as it is now @param {string} text said of that @param {boolean} [forgotten] */
  show(contact, text, forgotten = false) {
    this.#contact = contact;
    const { compared } = contact;
    setText(this.#heading, isolated(contact.name));
    this.#name.element.hidden = forgotten;
    const isCompared = compared !== undefined;
    this.#known.dataset.known = isCompared ? 'compared' : 'same';
    fill(this.#known, icon(isCompared ? 'check' : 'info'), h('span', {}, isCompared
      ? say('person.compared', { ago: ago(compared, Date.now()) }) : say('contact.notCompared')));
    setText(this.#said, text);
    const compare = isCompared
      ? makeButton('quiet', () => void this.#setCompared(undefined), say('person.uncompare'))
      : makeButton('', () => void this.#setCompared(Date.now()), icon('check'), say('person.compareDone'));
    const keep = forgotten
      ? makeButton('', () => void this.#remember(), icon('keep'), say('person.remember'))
      : makeButton('quiet', () => void this.#forget(), say('person.forget'));
    keepFocus(this.#compare, () => fill(this.#compare, !forgotten && compare), () => this.#heading);
    const call = !forgotten && this.#call;
    const { fingerprint, name } = contact;
    keepFocus(this.#acts, () => fill(this.#acts, call && callButton(() => call({ fingerprint, name })), keep),
      () => this.#heading);
  }

  /** @param {number | undefined} compared when, ms since 1970 */
  async #setCompared(compared) {
    await this.#identity.contacts.setCompared(this.#contact.publicKey, compared);
    this.show({ ...this.#contact, compared }, '');
  }

  async #rename() {
    const { publicKey } = this.#contact;
    const contact = await this.#name.use((name) => this.#identity.rename(publicKey, name));
    if (contact) this.show(contact, say('contact.remembered'));
  }

  async #forget() {
    await this.#identity.contacts.remove(this.#contact.publicKey);
    this.show(this.#contact, say('contact.forgotten'), true);
  }

  async #remember() {
    const { name, publicKey } = this.#contact;
    const contact = await this.#identity.contacts.add(name, publicKey, this.#contact).catch(faultOf);
    if (typeof contact === 'string') setText(this.#said, contact);
    else this.show(contact, say('contact.remembered'));
  }
}

/** What the user calls somebody. */
class NameField {
  #hint = h('p', { class: 'hint', id: 'contact-name-hint' }, say('contact.nameHint'));
  input;
  element;

  /** @param {string} name */
  constructor(name) {
    this.input = h('input', {
      id: 'contact-name', type: 'text', value: name, dir: 'auto', autocomplete: 'off', spellcheck: false,
      'aria-describedby': this.#hint.id, oninput: () => this.#fault(''),
    });
    this.element = labelled(this.input.id, say('contact.name'), this.input, this.#hint);
  }

  /**
   * Does something with the name that is typed, and says what is wrong with it.
   * @param {(name: string) => Promise<Contact>} task @returns {Promise<Contact | null>}
   */
  async use(task) {
    const { name, fault } = personName(this.input.value);
    const contact = fault === null ? await task(name).catch(faultOf)
      : fault === 'nobody' ? say('contact.nameless') : faultText(fault, name);
    if (typeof contact !== 'string') return contact;
    this.#fault(contact);
    this.input.focus();
    return null;
  }

  /** @param {string} what is wrong, '' if nothing is */
  #fault(what) {
    setAttribute(this.input, 'aria-invalid', what !== '' || null);
    setAttribute(this.#hint, 'role', what !== '' ? 'alert' : null);
    setText(this.#hint, what || say('contact.nameHint'));
  }
}

/** @param {string} fingerprint @param {...HTMLElement} above */
function head(fingerprint, ...above) {
  return h('div', { class: 'person-head' }, identicon(fingerprint),
    h('div', {}, ...above, fingerprintBlock(fingerprint)));
}

/** What is wrong, and what to do. @param {unknown} error @returns {string} */
function faultOf(error) {
  const code = error instanceof IdentityError ? error.code : '';
  if (code === 'taken' || code === 'full') return say(`contact.${code}`);
  if (code === 'name') return say('contact.nameless');
  return say(code === 'storage' ? 'identity.notKept' : 'bar.error');
}

/**
 * Somebody opened a contact link: nobody is remembered unless they say so.
 * @param {string} text of the link
 * @param {{identity: OwnIdentity, changed: () => void, call?: Call}} options changed: others are remembered
 *   than before
 */
export async function openContactLink(text, { identity, changed, call }) {
  const closed = () => {
    const { contact, ...state } = history.state ?? {};
    if (contact) history.replaceState(state, ''); // it was asked, and is not asked again
    changed();
  };
  let link;
  try {
    link = await readContactLink(text);
  } catch (error) {
    const newer = error instanceof ContactLinkError && error.fault === 'version';
    return openNote(say(newer ? 'contact.newer' : 'contact.bad'), closed);
  }
  if (identity.publicKey && equal(link.publicKey, identity.publicKey)) {
    return openNote(say('contact.yours'), closed);
  }
  const contact = (await identity.contacts.all()).find(({ publicKey }) => equal(publicKey, link.publicKey));
  if (contact) openContact(contact, { identity, closed, text: say('contact.known'), call });
  else await openQuestion(link, identity, closed, call);
}

/** What can only be read. @param {string} text @param {() => void} closed */
function openNote(text, closed) {
  const sheet = new Sheet(say('contact.title'), { name: 'contact-link', closed });
  sheet.body.append(h('p', { class: 'note', role: 'status' }, text),
    h('div', { class: 'buttons' }, makeButton('', () => sheet.close(), say('sheet.close'))));
}

/**
 * @param {{publicKey: Bytes, name: string}} link @param {OwnIdentity} identity @param {() => void} closed
 * @param {Call} [call]
 */
async function openQuestion({ publicKey, name }, identity, closed, call) {
  const fingerprint = await fingerprintOf(publicKey);
  let answered = closed;
  const sheet = new Sheet(say('contact.ask'), { name: 'contact-link', closed: () => answered() });
  const field = new NameField(name);
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const contact = await field.use((called) => identity.remember(called, publicKey));
    if (!contact) return;
    answered = () => {}; // the next sheet goes on
    openContact(contact, { identity, closed, text: say('contact.remembered'), call });
  };
  sheet.body.append(h('form', { class: 'stack', noValidate: true, onsubmit },
    head(fingerprint), smallPrint(say('contact.askHint')), field.element,
    h('div', { class: 'buttons' },
      h('button', { type: 'submit', class: 'button primary' }, say('person.remember')),
      makeButton('quiet', () => sheet.close(), say('contact.notNow')))));
}

/**
 * One's own contact link.
 * @param {{identity: OwnIdentity, name: string, page: string}} who page: the relay's own, '' if none is known
 * @param {() => void} closed
 */
export async function openOwnLink({ identity, name, page }, closed) {
  if (!identity.publicKey) return;
  const { name: called } = personName(name);
  const part = await contactLink(identity.publicKey, called);
  const sheet = new Sheet(say('contact.own'), { name: 'own-contact', closed });
  const from = pageForOthers(page);
  sheet.body.append(h('p', {}, say('contact.ownExplain')));
  if (from === null) {
    sheet.body.append(smallPrint(say('contact.ownLocal')), shownField('contact', say('contact.part'), part),
      copyButton(say('contact.copy'), () => part, 'primary'));
  } else {
    sheet.body.append(...linkBlock((from ?? home).href + part));
  }
}
