// The tables of docs/page-states.md, in virtual time: a client of link/ over networks that lose packets, die
// and come back, and what the page's model makes of what it tells.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { Lab, random } from '../link/lab.test.js';
import { hearOf, hearText, heardOf, heardText, isOne } from './hearing.js';
import { RoomModel } from './room-model.js';
import { talkButtonState } from './talk-button-state.js';
import '../words/english.test.js';

/** The tables: for each line of the page a list of {network, after (ms), cells: by situation the answers}. */
async function tables() {
  const text = await readFile(new URL('../../docs/page-states.md', import.meta.url), 'utf8');
  return text.split('\n## ').slice(1).map((part) => {
    const [head, , ...rows] = part.split('\n').filter((l) => l.startsWith('|'))
      .map((l) => l.slice(1, -1).split('|').map((cell) => cell.trim()));
    return rows.map(([network, after, ...cells]) => ({
      network, after: 1000 * parseFloat(after),
      cells: new Map(cells.map((cell, i) => [head[i + 2], cell.split('; ')])),
    }));
  });
}

const member = (id, more = {}) =>
  ({ id, name: id, fingerprint: id, outside: false, known: 'same', self: id === 'me', ...more });

/** How each column comes about: whether it talks, and what is so in the room. */
const situations = {
  alone: { talks: false, others: [] },
  others: { talks: true, others: [member('a')] },
  outside: { talks: true, others: [member('a', { outside: true })] },
  muted: { talks: false, others: [member('a')], muted: true },
  radio: { talks: false, others: [member('a')], mode: 'radio' },
  held: { talks: true, others: [member('a')], mode: 'radio', held: true },
};

/** A page in a situation, over networks in virtual time. */
class Page {
  ctr = 0;
  #told = 0; // of the lab
  #lost = null;
  #said = 0;
  #verdict = '';

  static async open(situation, seed) {
    const page = new Page();
    const how = situations[situation];
    const lab = await Lab.make();
    for (const path of Object.values(lab.paths)) path.random = random(seed++);
    const model = new RoomModel('tea', { private: true, mode: how.mode ?? 'open' });
    Object.assign(page, { situation, how, lab, model });
    Object.assign(model, { mic: 'on', muted: how.muted ?? false, held: how.held ?? false });
    model.apply({ type: 'members', list: [member('me'), ...how.others] }, 0);
    model.apply({ type: 'transmitting', on: how.talks }, 0);
    await lab.joined(300);
    await page.run(5000 + 70 * seed);
    return page;
  }

  /** Lets ms pass, in which all talk who do. */
  async run(ms) {
    const { lab } = this;
    for (let at = 0; at < ms; at += 20) {
      if (this.how.others.length > 0) {
        lab.relay.only?.session.sendMedia(0x0a0b0c0d0e0f0000n, this.ctr, new Uint8Array(60).fill(1));
      }
      if (this.how.talks) lab.client.sendMedia(0x0102030405060000n, this.ctr, new Uint8Array(60).fill(1));
      this.ctr++;
      await lab.clock.run(20);
      if (this.ctr % 5 === 0) this.#tell();
    }
  }

  /** What call/ tells the page, ten times a second. */
  #tell() {
    const { lab, model } = this;
    const now = lab.clock.now();
    for (const what of lab.told.slice(this.#told)) {
      this.#lost = what.startsWith('detached') ? { told: false } : null;
      if (!this.#lost) model.apply({ type: 'state', state: 'joined' }, now);
    }
    this.#told = lab.told.length;
    const quality = lab.client.quality();
    const passes = quality.path !== null && ['alive', 'faint'].includes(quality.up);
    if (this.#lost && this.#lost.told === passes) {
      this.#lost.told = !passes;
      model.apply({ type: 'state', state: passes ? 'joined' : 'reconnecting' }, now);
    }
    const { path, up, down, lossUp, lossDown } = quality;
    const verdict = `${path} ${up} ${down} ${lossUp >= 0.04} ${lossDown >= 0.04}`;
    if (quality.path === null || (verdict === this.#verdict && now - this.#said < 500)) return;
    this.#verdict = verdict;
    this.#said = now;
    model.apply({ type: 'quality', ...quality }, now);
  }

  /** What the three lines say. */
  get lines() {
    const [heard, hear] = [heardOf(this.model), hearOf(this.model)];
    const { label } = talkButtonState(this.model, []);
    return [heardText(heard), isOne(heard, hear) ? 'nothing' : hearText(hear), label];
  }
}

/** What happens to the network; each begins where all is well. */
const networks = {
  good: () => {},
  '30 % lost': ({ lab }) => { lab.paths.webtransport.loss = 0.3; },
  '60 % lost': ({ lab }) => { lab.paths.webtransport.loss = 0.6; },
  'dead for 2 s': ({ lab }) => die(lab, true),
  'dead for 2 s: back': ({ lab }) => die(lab, false),
  'UDP blocked': ({ lab }) => {
    lab.paths.webtransport.dead = true;
    lab.blocked.add('webtransport');
  },
  'relay restarted: gone': ({ lab }) => {
    lab.failing.add('webtransport').add('websocket');
    lab.relay.restart();
  },
  'relay restarted: back': ({ lab }) => lab.failing.clear(),
  'dead for 60 s': ({ lab }) => die(lab, true),
  'dead for 60 s: back': ({ lab }) => die(lab, false),
};

function die(lab, dead) {
  for (const path of Object.values(lab.paths)) path.dead = dead;
  for (const kind of Object.keys(lab.paths)) dead ? lab.blocked.add(kind) : lab.blocked.delete(kind);
}

// ms, until it is back
const lasts = { 'dead for 2 s': 2000, 'relay restarted: gone': 2000, 'dead for 60 s': 60_000 };

const [heard, hear, control] = await tables();
assert.ok(heard.length >= 18 && hear.length === heard.length && control.length === heard.length);

for (const situation of Object.keys(situations)) {
  test(`what the lines say, by the network: ${situation}`, async () => {
    for (let seed = 1; seed <= 3; seed++) {
      let page = await Page.open(situation, seed);
      let at = 0;
      let network = '';
      for (const [i, { network: name, after }] of heard.entries()) {
        if (name !== network) {
          if (name.endsWith(': back')) await page.run(lasts[network] - at);
          else page = await Page.open(situation, seed);
          networks[name](page);
          at = 0;
          network = name;
        }
        await page.run(after - at);
        at = after;
        const want = [heard, hear, control].map((table) => table[i].cells.get(situation));
        page.lines.forEach((said, line) => assert.ok(
          want[line].includes(said),
          `${name}, after ${after} ms, line ${line + 1}, seed ${seed}: "${said}", not "${want[line]}"`,
        ));
      }
    }
  });
}
