/** The entry of the page: hands the real world to the App, and says what goes wrong before there is one. */

import { OwnIdentity } from './own-identity.js';
import { App, takeAddress } from './app.js';
import { Bars } from './bars.js';
import { connectUrl } from './address.js';
import { Devices } from './devices.js';
import { allWords, speakLanguage } from './language.js';
import { pageParts } from './parts.js';
import { Prefs } from './prefs.js';
import { missing, supportScreen } from './screens.js';
import { Store } from '../identity/store.js';
import { pageOf } from '../link/relay-page.js';

const address = takeAddress(); // first of all: the secret must not stay in the address bar
const root = /** @type {HTMLElement} */ (document.getElementById('app'));
const bars = new Bars();
document.body.prepend(bars.element);
window.addEventListener('error', (event) => bars.error(event.error ?? event.message));
window.addEventListener('unhandledrejection', (event) => bars.error(event.reason));

const askTime = 10_000; // ms that the relay may take to say how it is reached

const parts = pageParts();
/** @type {App | null} */ let app = null;

const secrets = { // loaded when there is one
  generate: async () => (await (await parts.room.load()).Secret.generate()).text,
  valid: async (/** @type {string} */ text) => {
    const { Secret } = await parts.room.load();
    return Secret.parse(text).then(() => true, () => false);
  },
};

/** What the relay says of itself. */
async function relay() {
  const asked = Date.now();
  const signal = AbortSignal.timeout(askTime);
  const response = await fetch(connectUrl, { cache: 'no-store', credentials: 'omit', signal });
  const text = await response.text();
  const { version, page } = JSON.parse(text);
  const prepared = { text, at: Date.now(), took: Date.now() - asked };
  return { version: String(version ?? ''), page: pageOf(page), prepared };
}

async function start() {
  const lacking = await missing();
  if (lacking.length > 0) return refuse(lacking);
  const store = await Store.open().catch(() => null);
  if (!store) return refuse(['storage']);
  const prefs = await Prefs.load(store, (error) => bars.error(error));
  prefs.follow(new BroadcastChannel('wzp settings'), () => app?.settingsChanged());
  await speakLanguage(prefs.get('language'));
  const identity = await OwnIdentity.open(store, () => parts.mnemonic.load());
  const devices = new Devices(prefs, parts);
  const world = { prefs, identity, devices, parts, secrets, relay, speak: speakLanguage, allWords };
  app = new App(world, root, bars);
  await app.open(address);
}

/** @param {import('./screens.js').Feature[]} lacking */
async function refuse(lacking) {
  await speakLanguage();
  await allWords();
  document.documentElement.dataset.state = 'ended';
  root.replaceChildren(supportScreen(lacking));
}

await start();
