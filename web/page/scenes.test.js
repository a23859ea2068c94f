/**
 * Shows the scene that the address names, `scenes.test.html?scene=NAME`, with `theme=light|dark` and
 * `lang=CODE`; says that it is there with `data-scene` on the root element. showScene(name, theme, language)
 * shows another one in its place. Not served; in Node it does nothing.
 */

import { App } from './app.js';
import { Bars } from './bars.js';
import { h } from './dom.js';
import { FakeOwnIdentity, FakeDevices, FakeEngine, FakeLine, scenes } from './fake-engine.test.js';
import { roomName } from './address.js';
import { speakLanguage, wordsFor } from './language.js';
import { Part } from './part.js';
import { pageParts } from './parts.js';
import { Prefs } from './prefs.js';
import { supportScreen } from './support-screen.js';

let goes = new AbortController(); // what is shown goes

/** @param {string} name @param {string} theme @param {string} language */
async function show(name, theme, language) {
  goes.abort();
  goes = new AbortController();
  const scene = scenes[name];
  await speakLanguage(language);
  const root = h('div', { id: 'app' });
  const bars = new Bars();
  for (const old of document.querySelectorAll('dialog, .bars')) old.remove();
  document.getElementById('app').replaceWith(root);
  document.body.prepend(bars.element);
  document.documentElement.dataset.theme = theme; // of screens without an App
  for (const type of ['error', 'unhandledrejection']) {
    window.addEventListener(type, (event) => bars.error(event.reason ?? event.error ?? event.message));
  }
  await wordsFor('room');
  if (scene.lacking) root.append(supportScreen(scene.lacking));
  else await play(scene, theme, root, bars);
  await settle(() => true);
  document.documentElement.dataset.scene = name;
}

/**
 * Opens the page, and does in it what a scene says.
 * @param {import('./fake-engine.test.js').Scene} scene @param {string} theme
 * @param {HTMLElement} root @param {Bars} bars
 */
async function play(scene, theme, root, bars) {
  Object.defineProperty(navigator, 'onLine', { value: !scene.offline, configurable: true });
  delete navigator.locks.query; // what the scene before had
  if (scene.elsewhere) {
    const held = scene.elsewhere.map(({ room }) => ({ name: `wzp call id ${room}` }));
    navigator.locks.query = async () => ({ held });
  }
  const identity = new FakeOwnIdentity(scene.hasWords ?? false, scene.people);
  const engine = new FakeEngine();
  const line = new FakeLine();
  const devices = new FakeDevices(scene.mic ?? 'none');
  const page = scene.page ?? 'https://voice.example.org/';
  const prefs = await prefsOf({ name: 'Ana', theme, ...scene.prefs });
  const app = new App({
    prefs,
    identity: async () => identity,
    devices: () => devices, parts: partsWith(engine),
    secrets: { generate: async () => 'wzp-', valid: async (text) => text.length > 40 },
    line: () => line, relay: async () => ({ version: 'wzp 0.1', page }), speak: async () => {},
  }, root, bars);
  goes.signal.addEventListener('abort', () => {
    prefs.set('takeCalls', false);
    app.settingsChanged();
    for (const one of [engine, ...line.calls.values()]) one.say({ type: 'state', state: 'ended' });
  });
  await app.open({
    ...(scene.room ? roomName(scene.room) : { room: '', fault: null }), secret: scene.secret ?? '',
    contact: scene.contact ?? '',
  });
  if (scene.offline) window.dispatchEvent(new Event('offline'));
  if (scene.messages) await enter(scene, engine, devices);
  if (scene.offline) window.dispatchEvent(new Event('offline'));
  for (const selector of scene.click ?? []) await click(selector);
  if (scene.back) {
    history.back();
    await settle(() => document.querySelector('dialog'));
  }
  if (scene.key) {
    document.body.dispatchEvent(
      new KeyboardEvent('keydown', { key: scene.key, code: 'Key' + scene.key.toUpperCase(), bubbles: true }),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, scene.wait ?? 0));
  engine.say(...scene.later ?? []);
  for (const said of scene.line ?? []) await tellOf(line, said);
  if (scene.look) document.querySelector(scene.look).scrollIntoView();
}

/** Has the line say something, or a call on it, or clicks. @param {FakeLine} line */
async function tellOf(line, said) {
  if (typeof said === 'string') return click(said);
  const joined = (id) => line.calls.get(id)?.asked.some(([what]) => what === 'join');
  if (Array.isArray(said)) {
    const [id, ...messages] = said;
    await settle(() => joined(id));
    line.calls.get(id).say(...messages);
  } else {
    await settle(() => line.asked.some(([what]) => what === 'open'));
    line.say(said);
  }
  await settle(() => true);
}

/** The parts of the page, with a fake for the engine. */
function partsWith(engine) {
  return { ...pageParts(), engine: new Part(async () => engine), worklet: new Part(async () => '') };
}

/** @param {object} values @returns {Promise<Prefs>} */
function prefsOf(values) {
  const shelf = { get: async (key) => values[key], set: async (key, value) => (values[key] = value) };
  return Prefs.load(shelf, console.error);
}

/** Joins, and lets the engine speak. */
async function enter(scene, engine, devices) {
  await click('button[type=submit]');
  await settle(() => document.querySelector('.room'));
  engine.say(...scene.messages);
  if (scene.sound) {
    devices.onsound({ playing: scene.sound === 'silent', capturing: false, cause: scene.sound });
  }
  if (!scene.hold) return;
  const talk = document.querySelector('.talk');
  talk.dispatchEvent(
    new PointerEvent('pointerdown', { pointerId: 1, button: 0, isPrimary: true, bubbles: true }),
  );
  engine.say({ type: 'transmitting', on: true }, { type: 'levels', me: -16, talkers: {} });
}

/** @param {string} selector */
async function click(selector) {
  const found = () =>
    [...document.querySelectorAll(`dialog ${selector}`)][0] ?? document.querySelector(selector);
  await settle(found);
  found().click();
  await settle(() => true);
}

/** Waits until something is there, and shown. @param {() => unknown} there */
async function settle(there) {
  const end = Date.now() + 10_000;
  while (!there() && Date.now() < end) await frame();
  await frame();
}

const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

if (typeof document !== 'undefined') {
  const add = window.addEventListener.bind(window);
  window.addEventListener = (type, listener, options) => {
    const signals = [goes.signal, ...options?.signal ? [options.signal] : []];
    add(type, listener, { ...options, signal: AbortSignal.any(signals) });
  };
  const wanted = new URLSearchParams(location.search);
  const of = (key, fallback) => wanted.get(key) ?? fallback;
  Object.assign(globalThis, { showScene: show });
  await show(of('scene', 'door'), of('theme', 'system'), of('lang', 'en'));
}
