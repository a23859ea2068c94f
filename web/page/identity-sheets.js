/** The sheets of one's own identity: the 24 words, giving other words, and the sealed copy. */

import { fill, h, labelled, makeButton, setText, smallPrint } from './dom.js';
import { icon } from './icons.js';
import { Sheet } from './sheet.js';
import { identity as words } from './words-sheets.js';

/** @typedef {import('./own-identity.js').OwnIdentity} OwnIdentity */

const shortest = 12; // characters of a passphrase

/** @param {OwnIdentity} identity @param {() => void} closed */
export async function openWords(identity, closed) {
  const list = await identity.words();
  if (list.length === 0) return;
  const sheet = new Sheet(words.wordsTitle, { name: 'words', closed });
  sheet.body.append(h('p', {}, words.wordsExplain),
    h('ol', { class: 'mnemonic', dir: 'ltr', translate: false }, ...list.map((word) => h('li', {}, word))),
    makeButton('primary', () => sheet.close(), words.wordsDone));
}

/** Text that a form says in answer: what is wrong, or that it is done. */
function answer() {
  const element = h('p', { class: 'trouble', role: 'alert', hidden: true });
  return {
    element,
    wrong: (/** @type {unknown} */ error) => {
      element.hidden = false;
      const text = error instanceof Error ? sentence(error.message) : String(error);
      fill(element, icon('warning'), h('span', {}, text));
    },
    clear: () => (element.hidden = true),
  };
}

/** @param {string} text */
function done(text) {
  return h('p', { class: 'known', role: 'status', 'data-known': 'same' }, icon('check'), h('span', {}, text));
}

/** Errors begin small; on the page they are sentences. @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith('.') ? '' : '.');
}

/** @param {OwnIdentity} identity @param {boolean} inCall @param {() => void} closed */
export function openImport(identity, inCall, closed) {
  const sheet = new Sheet(words.importTitle, { name: 'import', closed });
  const said = answer();
  const input = h('textarea', {
    id: 'import-words', rows: 5, dir: 'ltr', autocomplete: 'off', autocapitalize: 'off', spellcheck: false,
    oninput: said.clear,
  });
  const form = h('form', { class: 'stack', onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await identity.import(input.value);
    } catch (error) {
      said.wrong(error);
      input.focus();
      return;
    }
    input.value = '';
    fill(sheet.body, done(words.importDone), inCall && smallPrint(words.importInCall));
  } },
  h('p', { class: 'note danger' }, words.importWarning),
  identity.fingerprint !== '' && smallPrint(words.importReplace),
  labelled('import-words', words.importLabel, input), said.element,
  h('button', { type: 'submit', class: 'button primary' }, words.importDo));
  sheet.body.append(form);
}

/** @param {string} id @param {string} label @param {AutoFill} autocomplete */
function passwordField(id, label, autocomplete) {
  const input = h('input', { type: 'password', id, autocomplete, dir: 'auto' });
  return { input, field: labelled(id, label, input) };
}

/** Keeps a sealed copy. @param {OwnIdentity} identity @param {() => void} closed */
export function sealWords(identity, closed) {
  const sheet = new Sheet(words.sealTitle, { name: 'seal', closed });
  const said = answer();
  const first = passwordField('passphrase', words.passphrase, 'new-password');
  const second = passwordField('passphrase-again', words.passphraseAgain, 'new-password');
  const submit = h('button', { type: 'submit', class: 'button primary' }, words.sealDo);
  const seal = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const passphrase = first.input.value;
    if (passphrase.length < shortest) return said.wrong(words.passphraseShort);
    if (passphrase !== second.input.value) return said.wrong(words.passphraseDiffers);
    setBusy(submit, true, words.sealing);
    try {
      await identity.seal(passphrase);
      fill(sheet.body, done(words.sealed));
    } catch (error) {
      said.wrong(error);
      setBusy(submit, false, words.sealDo);
    }
  };
  sheet.body.append(h('form', { class: 'stack', onsubmit: seal },
    h('p', {}, words.sealExplain), first.field, second.field, said.element, submit));
}

/** Opens the sealed copy, and shows the words. @param {OwnIdentity} identity @param {() => void} closed */
export function openSealed(identity, closed) {
  const sheet = new Sheet(words.openTitle, { name: 'sealed', closed });
  const said = answer();
  const { input, field } = passwordField('passphrase', words.passphrase, 'current-password');
  const submit = h('button', { type: 'submit', class: 'button primary' }, words.openDo);
  const open = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(submit, true, words.opening);
    try {
      await identity.openSealed(input.value);
      await openWords(identity, closed);
    } catch (error) {
      const other = error instanceof Error && Reflect.get(error, 'code') !== 'passphrase';
      said.wrong(other ? error : words.openFailed);
      setBusy(submit, false, words.openDo);
    }
  };
  sheet.body.append(h('form', { class: 'stack', onsubmit: open }, field, said.element, submit));
}

/** @param {HTMLButtonElement} button @param {boolean} busy @param {string} label */
function setBusy(button, busy, label) {
  button.disabled = busy;
  setText(button, label);
}
