/** The entry of the page: hands the real world to the App, and says what goes wrong before there is one. */

import { App, takeAddress } from './app.js';
import { Bars } from './bars.js';
import { connectUrl } from './address.js';
import { speakLanguage } from './language.js';
import { pageParts } from './parts.js';
import { Prefs } from './prefs.js';
import { Shelf } from '../identity/shelf.js';
import { pageOf } from '../link/relay-page.js';

const address = takeAddress(); // first of all: the secret must not stay in the address bar
const root = /** @type {HTMLElement} */ (document.getElementById('app'));
const bars = new Bars();
document.body.prepend(bars.element);
window.addEventListener('error', (event) => bars.error(event.error ?? event.message));
window.addEventListener('unhandledrejection', (event) => bars.error(event.reason));

const askTime = 10_000; // ms that the relay may take to say how it is reached
/** @type {ReturnType<typeof askRelay> | null} */ let answer = askRelay();
answer.catch(() => {}); // who uses it is told

const parts = pageParts();
/** @type {App | null} */ let app = null;

const secrets = { // loaded when there is one
  generate: async () => (await (await parts.room.load()).Secret.generate()).text,
  valid: async (/** @type {string} */ text) => {
    const { Secret } = await parts.room.load();
    return Secret.parse(text).then(() => true, () => false);
  },
};

/** What the relay says of itself. It is asked before all else, or the answer comes behind the parts. */
function relay() {
  const first = answer;
  answer = null;
  return first ?? askRelay();
}

async function askRelay() {
  const asked = Date.now();
  const signal = AbortSignal.timeout(askTime);
  const response = await fetch(connectUrl, { cache: 'no-store', credentials: 'same-origin', signal });
  const text = await response.text();
  const { version, page } = JSON.parse(text);
  const prepared = { text, at: Date.now(), took: Date.now() - asked };
  return { version: String(version ?? ''), page: pageOf(page), prepared };
}

/** @type {Promise<import('./own-identity.js').OwnIdentity> | null} */ let opened = null;

/** Who the user is; it is opened when it is asked for first. */
async function identity() {
  const { OwnIdentity, Store } = await parts.room.load();
  opened ??= Store.open().then((store) => OwnIdentity.open(store, () => parts.mnemonic.load()));
  return opened.catch((error) => {
    opened = null;
    throw error;
  });
}

async function start() {
  if (!isSecureContext) return check(); // browsers hide half of what a page needs then
  const store = await Shelf.open().catch(() => null);
  if (!store) return refuse(['storage']);
  const prefs = await Prefs.load(store, (error) => bars.error(error));
  prefs.follow(new BroadcastChannel('wzp settings'), () => app?.settingsChanged());
  await speakLanguage(prefs.get('language'));
  check().catch(() => {}); // that the parts do not come, joining says
  /** @type {import('./app.js').World['devices']} */
  const devices = ({ Devices }, context) => new Devices(prefs, parts, context);
  const world = { prefs, identity, devices, parts, secrets, relay, speak: speakLanguage };
  app = new App(world, root, bars);
  await app.open(address);
}

/** Finds out whether this browser can join. The door is there meanwhile, for it is what makes people wait. */
async function check() {
  const { missing } = await parts.room.load();
  const lacking = await missing();
  if (lacking.length > 0) await refuse(lacking);
}

/** @param {import('./support-screen.js').Feature[]} lacking */
async function refuse(lacking) {
  if (!app) await speakLanguage();
  const { supportScreen } = await parts.room.load();
  app?.end();
  document.documentElement.dataset.state = 'ended';
  root.replaceChildren(supportScreen(lacking));
}

await start();
