/** The sheets of one's own identity: the 24 words, giving other words, and the sealed copy. */

import { fill, h, keepFocus, labelled, makeButton, setText, smallPrint } from './dom.js';
import { icon } from './icons.js';
import { Sheet } from './sheet.js';
import { IdentityError, WordsError } from '../identity/errors.js';
import { say } from '../words/say.js';

/** @typedef {import('./own-identity.js').OwnIdentity} OwnIdentity */

const shortest = 12; // characters of a passphrase

/** @param {OwnIdentity} identity @param {() => void} closed */
export async function openWords(identity, closed) {
  const sheet = new Sheet(say('identity.wordsTitle'), { name: 'words', closed });
  const explained = h('p', {}, say('identity.wordsExplain'));
  fill(sheet.body, explained, h('p', { class: 'hint', role: 'status' }, say('bar.sheet')));
  try {
    const list = await identity.words(); // they may come late: only who still looks sees them
    fill(sheet.body, explained,
      h('ol', { class: 'mnemonic', dir: 'ltr', translate: false }, ...list.map((word) => h('li', {}, word))),
      makeButton('primary', () => sheet.close(), say('identity.wordsDone')));
  } catch (error) {
    const said = answer();
    said.wrong(trouble(error));
    fill(sheet.body, said.element);
  }
}

/** Text that a form says in answer: what is wrong, or that it is done. */
function answer() {
  const element = h('p', { class: 'trouble', role: 'alert', hidden: true });
  return {
    element,
    /** @param {string} text */
    wrong: (text) => {
      element.hidden = false;
      fill(element, icon('warning'), h('span', {}, text));
    },
    clear: () => (element.hidden = true),
  };
}

/** @param {string} text */
function done(text) {
  return h('p', { class: 'known', role: 'status' }, icon('check'), h('span', {}, text));
}

/** What went wrong with an identity, and what to do. @param {unknown} error @returns {string} */
function trouble(error) {
  if (error instanceof WordsError) return say(`identity.${error.fault}`, { n: error.n });
  if (!(error instanceof IdentityError)) return say('bar.error');
  return say(error.code === 'passphrase' ? 'identity.wrongPassphrase' : 'identity.notKept');
}

/** @param {OwnIdentity} identity @param {boolean} inCall @param {() => void} closed */
export function openImport(identity, inCall, closed) {
  const sheet = new Sheet(say('identity.importTitle'), { name: 'import', closed });
  const said = answer();
  const input = h('textarea', {
    id: 'import-words', rows: 5, dir: 'ltr', autocomplete: 'off', autocapitalize: 'off', spellcheck: false,
    oninput: said.clear,
  });
  const submit = h('button', { type: 'submit', class: 'button primary' }, say('identity.importDo'));
  const form = h('form', { class: 'stack', onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(submit, true, say('identity.importing')); // the list of words may have to come first
    try {
      await identity.import(input.value);
    } catch (error) {
      said.wrong(trouble(error));
      setBusy(submit, false, say('identity.importDo'));
      input.focus();
      return;
    }
    input.value = '';
    const inThisCall = inCall && smallPrint(say('identity.importInCall'));
    keepFocus(sheet.body, () => fill(sheet.body, done(say('identity.importDone')), inThisCall),
      () => sheet.heading);
  } },
  h('p', { class: 'note danger' }, say('identity.importWarning')),
  identity.fingerprint !== '' && smallPrint(say('identity.importReplace')),
  labelled('import-words', say('identity.importLabel'), input), said.element, submit);
  sheet.body.append(form);
}

/** @param {string} id @param {string} label @param {AutoFill} autocomplete */
function passwordField(id, label, autocomplete) {
  const input = h('input', { type: 'password', id, autocomplete, dir: 'auto' });
  return { input, field: labelled(id, label, input) };
}

/** Keeps a sealed copy. @param {OwnIdentity} identity @param {() => void} closed */
export function sealWords(identity, closed) {
  const sheet = new Sheet(say('identity.sealTitle'), { name: 'seal', closed });
  const said = answer();
  const first = passwordField('passphrase', say('identity.passphrase'), 'new-password');
  const second = passwordField('passphrase-again', say('identity.passphraseAgain'), 'new-password');
  const submit = h('button', { type: 'submit', class: 'button primary' }, say('identity.sealDo'));
  const seal = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const passphrase = first.input.value;
    if (passphrase.length < shortest) return said.wrong(say('identity.passphraseShort', { n: shortest }));
    if (passphrase !== second.input.value) return said.wrong(say('identity.passphraseDiffers'));
    setBusy(submit, true, say('identity.sealing'));
    try {
      await identity.seal(passphrase);
      keepFocus(sheet.body, () => fill(sheet.body, done(say('identity.sealed'))), () => sheet.heading);
    } catch (error) {
      said.wrong(trouble(error));
      setBusy(submit, false, say('identity.sealDo'));
    }
  };
  sheet.body.append(h('form', { class: 'stack', onsubmit: seal },
    h('p', {}, say('identity.sealExplain')), first.field, second.field, said.element, submit));
}

/** Opens the sealed copy, and shows the words. @param {OwnIdentity} identity @param {() => void} closed */
export function openSealed(identity, closed) {
  const sheet = new Sheet(say('identity.unsealTitle'), { name: 'sealed', closed });
  const said = answer();
  const { input, field } = passwordField('passphrase', say('identity.passphrase'), 'current-password');
  const submit = h('button', { type: 'submit', class: 'button primary' }, say('identity.unsealDo'));
  const open = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(submit, true, say('identity.unsealing'));
    try {
      await identity.openSealed(input.value);
      await openWords(identity, closed);
    } catch (error) {
      said.wrong(trouble(error));
      setBusy(submit, false, say('identity.unsealDo'));
    }
  };
  sheet.body.append(h('form', { class: 'stack', onsubmit: open }, field, said.element, submit));
}

/** @param {HTMLButtonElement} button @param {boolean} busy @param {string} label */
function setBusy(button, busy, label) {
  button.disabled = busy;
  setText(button, label);
}
