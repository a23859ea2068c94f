/** The settings: sound, looks, who one is, and what this is. */

import { fill, h, labelled, makeButton, setText, smallPrint } from './dom.js';
import { connectUrl } from './address.js';
import { testConnection } from './connection-test.js';
import { fingerprintBlock } from './fingerprint.js';
import { icon } from './icons.js';
import { openOwnLink } from './contact-sheets.js';
import { openImport, openSealed, openWords, sealWords } from './identity-sheets.js';
import { LevelBar } from './level-bar.js';
import { micTrouble } from './mic-check.js';
import { Sheet } from './sheet.js';
import { TalkKeyField } from './talk-key.js';
import { volumeField } from './volume-field.js';
import { openKeys } from './keys-sheet.js';
import { measure } from '../words/formats.js';
import { languages, say } from '../words/say.js';

/**
 * @typedef {object} SettingsOptions
 * @property {import('./prefs.js').Prefs} prefs
 * @property {import('./own-identity.js').OwnIdentity} identity
 * @property {import('./page-sound.js').PageSound} sound
 * @property {boolean} inCall
 * @property {import('./phone.js').Phone | null} phone
 * @property {string} version '' while it is not known
 * @property {string} page the relay's own, '' if none is known
 * @property {() => void} themeChanged
 * @property {() => void} languageChanged
 * @property {() => void} closed
 */

/** @param {SettingsOptions} options */
export function openSettings(options) {
  const { sound, closed, phone } = options;
  const sheet = new Sheet(say('settings.title'), { name: 'settings', closed: () => {
    sound.onlevel = null;
    if (phone) phone.onword = () => {};
    closed();
  } });
  const again = () => openSettings(options);
  sheet.body.append(soundPart(options));
  if (phone) sheet.body.append(callsPart(phone, options.prefs));
  sheet.body.append(lookPart(options));
  if (!options.inCall) sheet.body.append(connectionPart());
  sheet.body.append(identityPart(options, again), aboutPart(options, again));
}

/**
 * @param {string} name for styles and tests @param {string} title
 * @param {...import('./dom.js').Child} children
 */
function part(name, title, ...children) {
  return h('section', { class: 'stack part', 'data-part': name }, h('h3', {}, title), ...children);
}

/**
 * @param {string} id @param {string} label @param {[string, string][]} choices value and text
 * @param {string} value @param {(value: string) => void} choose
 */
function select(id, label, choices, value, choose) {
  const element = h('select', { id, onchange: () => choose(element.value) },
    ...choices.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
  return { element, field: labelled(id, label, element) };
}

/**
 * @param {'noise' | 'sounds' | 'takeCalls' | 'keepMissed' | 'doNotDisturb'} name @param {boolean} on
 * @param {(on: boolean) => void} turn
 */
function toggle(name, on, turn) {
  const id = 'setting-' + name;
  const describedBy = { 'aria-describedby': id + '-hint', onchange: () => turn(input.checked) };
  const input = h('input', { type: 'checkbox', id, checked: on, role: 'switch', ...describedBy });
  const label = h('label', { for: id }, say(`settings.${name}`));
  const hint = h('p', { class: 'hint', id: id + '-hint' }, say(`settings.${name}Hint`));
  return h('div', { class: 'switch' }, h('div', {}, label, hint), input);
}

/** @param {SettingsOptions} options */
function soundPart({ prefs, sound }) {
  const { devices } = sound;
  /** @type {[string, string][]} */ const standard = [['', say('settings.standard')]];
  const microphone = select('setting-microphone', say('settings.microphone'), standard, '', (id) => {
    prefs.set('microphone', id);
    sound.microphoneChanged();
  });
  const loudspeaker = select('setting-loudspeaker', say('settings.loudspeaker'), standard, '', (id) => {
    prefs.set('loudspeaker', id);
    void sound.loudspeakerChanged(id);
  });
  devices.onlist = ({ microphones, loudspeakers }) => {
    fillDevices(microphone.element, microphones, prefs.get('microphone'));
    fillDevices(loudspeaker.element, loudspeakers, prefs.get('loudspeaker'));
  };
  void devices.list().then(devices.onlist);
  const volume = volumeField('setting-volume', say('settings.volume'), (value) => {
    prefs.set('volume', value);
    devices.setVolume(value);
  });
  volume.show(prefs.get('volume'));
  const bar = new LevelBar();
  const echo = echoTest(devices);
  sound.onlevel = (value) => bar.show(value);
  const noise = toggle('noise', prefs.get('noise'), (on) => {
    prefs.set('noise', on);
    sound.microphoneChanged();
  });
  const sounds = toggle('sounds', prefs.get('sounds'), (on) => prefs.set('sounds', on));
  const play = () => void devices.wake().then(() => devices.sound('back'));
  return part('sound', say('settings.sound'), microphone.field,
    h('div', { class: 'mic-line' }, icon('mic'), bar.element,
      !sound.heard && makeButton('small', () => sound.test(), say('mic.test'))),
    devices.choosesLoudspeaker && loudspeaker.field, volume.element,
    h('div', { class: 'buttons' },
      makeButton('', play, icon('listen'), say('settings.testSound')), echo.button),
    echo.said, noise, sounds,
    new TalkKeyField(prefs).element);
}

/** @param {import('./devices.js').Devices} devices */
function echoTest(devices) {
  const said = h('p', { class: 'hint', role: 'status', hidden: true });
  const answer = (/** @type {string} */ text) => {
    said.hidden = false;
    setText(said, text);
  };
  const test = async () => {
    button.disabled = true;
    answer(say('settings.echoTesting'));
    try {
      answer(say(await devices.testEcho() ? 'settings.echoHeard' : 'settings.echoNone'));
    } catch (error) {
      answer(micTrouble(devices.faultOf(error)));
    }
    button.disabled = false;
  };
  const button = makeButton('', test, icon('mic'), say('settings.echo'));
  return { button, said };
}

/**
 * Whether people may call, and how that stands.
 * @param {import('./phone.js').Phone} phone @param {import('./prefs.js').Prefs} prefs
 */
function callsPart(phone, prefs) {
  const word = h('p', { class: 'hint', role: 'status' });
  phone.onword = (text) => {
    word.hidden = text === '';
    setText(word, text);
  };
  phone.onword(phone.word);
  const keep = toggle('keepMissed', prefs.get('keepMissed'), (on) => phone.setKeepMissed(on));
  const disturb = toggle('doNotDisturb', prefs.get('doNotDisturb'), (on) => phone.setDoNotDisturb(on));
  const takes = toggle('takeCalls', prefs.get('takeCalls'), (on) => {
    keep.hidden = disturb.hidden = !on;
    phone.setTakesCalls(on);
  });
  keep.hidden = disturb.hidden = !prefs.get('takeCalls');
  return part('calls', say('settings.calls'), takes, word, keep, disturb);
}

/** What is at the door only: in a call the connection line tells it. */
function connectionPart() {
  const said = h('p', { class: 'hint', role: 'status' });
  const test = async () => {
    button.disabled = true;
    setText(said, say('settings.connectionTesting'));
    const { way, delay } = await testConnection(connectUrl);
    setText(said, say(`settings.connection.${way}`, { time: measure(Math.round(delay), 'millisecond') }));
    button.disabled = false;
    button.focus({ preventScroll: true });
  };
  const button = makeButton('', test, say('settings.connectionTest'));
  button.id = 'test-connection';
  return part('connection', say('connection.title'), h('div', { class: 'buttons' }, button), said);
}

/** @param {HTMLSelectElement} element @param {{id: string, label: string}[]} list @param {string} chosen */
function fillDevices(element, list, chosen) {
  const named = list.filter(({ id }) => id !== '' && id !== 'default');
  fill(element, h('option', { value: '' }, say('settings.standard')), ...named.map(({ id, label }, i) =>
    h('option', { value: id, selected: id === chosen }, label || say('settings.device', { n: i + 1 }))));
}

/** What a language calls itself. @param {string} code @returns {string} */
function ownName(code) {
  const name = new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code;
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
}

/** @param {SettingsOptions} options */
function lookPart({ prefs, themeChanged, languageChanged }) {
  /** @type {[string, string][]} */ const themes = [
    ['system', say('settings.system')], ['light', say('settings.light')], ['dark', say('settings.dark')],
  ];
  const chosen = select('setting-theme', say('settings.theme'), themes, prefs.get('theme'), (theme) => {
    prefs.set('theme', /** @type {'system' | 'light' | 'dark'} */ (theme));
    themeChanged();
  });
  /** @type {[string, string][]} */
  const all = [['', say('settings.languageBrowser')]];
  for (const code of languages) all.push([code, ownName(code)]);
  const now = prefs.get('language');
  const language = select('setting-language', say('settings.language'), all, now, (code) => {
    prefs.set('language', code);
    languageChanged();
  });
  return part('look', say('settings.look'), chosen.field, language.field);
}

/** @param {SettingsOptions} options @param {() => void} again opens the settings once more */
function identityPart({ identity, inCall, prefs, page }, again) {
  const button = (/** @type {string} */ label, /** @type {() => void} */ act) => makeButton('', act, label);
  const made = identity.fingerprint !== '';
  const own = button(say('contact.own'),
    () => void openOwnLink({ identity, name: prefs.get('name'), page }, again));
  own.id = 'own-contact';
  return part('identity', say('settings.identity'),
    made ? fingerprintBlock(identity.fingerprint) : h('p', { class: 'note' }, say('identity.none')),
    smallPrint(say('settings.identityHint')),
    identity.hasWords && h('p', { class: 'note' }, say('settings.wordsOnce')),
    made && !identity.hasWords && smallPrint(say('settings.wordsGone')),
    h('div', { class: 'buttons' },
      identity.hasWords && button(say('settings.words'), () => void openWords(identity, again)),
      identity.hasWords && !identity.sealed && button(say('settings.seal'), () => sealWords(identity, again)),
      identity.sealed && !identity.hasWords
        && button(say('settings.unseal'), () => openSealed(identity, again)),
      made && own,
      button(say('settings.import'), () => openImport(identity, inCall, again))));
}

/** @param {SettingsOptions} options @param {() => void} again */
function aboutPart({ version, prefs }, again) {
  return part('about', say('settings.about'),
    version !== '' && smallPrint(say('settings.version', { version })),
    makeButton('', () => openKeys(prefs.get('talkKeyLabel'), again), icon('keyboard'), say('settings.keys')));
}
