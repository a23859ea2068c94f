/** The list of members, as roster_test.go has it in Go. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Secret } from '../e2ee/secret.js';
import { Identity, fingerprintOf } from '../identity/identity.js';
import { build, replacedBy } from '../wire/entry.js';
import { toHex } from '../wire/bytes.js';
import { random } from './lab.test.js';
import { Recent, Roster } from './roster.js';

const EPOCH = 1_000_000;
const RELAY = new Uint8Array(32).fill(7);
const at = (seconds) => EPOCH + 1000 * seconds;

let identity;
let all; // entries and ids of a crew
before(async () => {
  ({ identity } = await Identity.generate());
  all = await crew(12);
});

async function entryOf({ room = 'r', relay = RELAY, secret = null, name = '', by = identity, ...stay } = {}) {
  return build({
    room, name, identity: by, homeRelay: relay, joinKey: new Uint8Array(32).fill(9), secret,
    staySecret: crypto.getRandomValues(new Uint8Array(32)),
    ...stay,
  });
}

/** Entries of n stays of one identity, of which each replaces the one before. */
async function successors(n) {
  const made = [];
  let replaces = null;
  for (let i = 0; i < n; i++) {
    const staySecret = new Uint8Array(32).fill(i + 1);
    const { entry, hash, id } = await entryOf({ staySecret, replaces });
    made.push({ entry, id: toHex(id), proof: { hash, secret: staySecret } });
    replaces = { hash, secret: staySecret };
  }
  return made;
}

function permutations(list) {
  if (list.length < 2) return [list];
  return list.flatMap((one, i) => permutations(list.toSpliced(i, 1)).map((rest) => [one, ...rest]));
}

async function crew(n) {
  const made = await Promise.all(Array.from({ length: n }, (_, i) => entryOf({ name: `member ${i}` })));
  return { entries: made.map(({ entry }) => entry), ids: made.map(({ id }) => toHex(id)) };
}

const newRoster = (self = 'none', secret = null) => new Roster({ room: 'r', relay: RELAY, self, secret });

/** Follows the news: nobody joins twice, nobody leaves who was not there. */
class Checker {
  present = new Set();

  see(news) {
    for (const { joined, left } of news) {
      if (joined) assert.ok(!this.present.has(joined.id) && this.present.add(joined.id), 'joined twice');
      if (left) assert.ok(this.present.delete(left.id), 'left without having been there');
    }
  }

  want(roster, what, ids) {
    assert.deepEqual(roster.members().map(({ id }) => id).sort(), [...ids].sort(), what);
    assert.equal(this.present.size, roster.size, `${what}: news and list`);
  }
}

test('fetching', async () => {
  const { entries, ids } = all;
  const roster = newRoster();
  const c = new Checker();
  assert.ok(roster.begin() && !roster.begin(), 'one fetch at a time');
  c.see(await roster.page(entries.slice(0, 2)));
  const joined = await roster.joined(entries.slice(2, 3), EPOCH);
  c.see(joined.news);
  assert.equal(joined.doubt, false);
  let end = roster.finish(true, EPOCH);
  c.see(end.news);
  assert.ok(end.again, 'the second fetch is forgotten');
  c.want(roster, 'fetched', ids.slice(0, 3));

  roster.begin();
  c.see(await roster.page(entries.slice(1, 2))); // 0 is not there any more
  c.see(roster.leave(ids.slice(2, 3), EPOCH).news);
  c.see(await roster.page(entries.slice(2, 4))); // the page is older than 2's leave
  end = roster.finish(true, EPOCH);
  c.see(end.news);
  assert.equal(end.again, false);
  c.want(roster, 'fetched again', [ids[1], ids[3]]);

  roster.begin();
  c.see(await roster.page(entries.slice(4, 5)));
  c.see(roster.finish(false, EPOCH).news);
  c.want(roster, 'a fetch that failed removes nobody', [ids[1], ids[3], ids[4]]);
});

test('oneself is not among the others, nor who is of another room, nor what is not genuine', async () => {
  const { entries, ids } = all;
  const forged = entries[1].slice();
  forged[forged.length - 1] ^= 1;
  const others = [await entryOf({ room: 'q' })];
  const roster = newRoster(ids[0]);
  const { news } = await roster.joined(
    [entries[0], forged, ...others.map(({ entry }) => entry), new Uint8Array(3), entries[2]], EPOCH,
  );
  assert.deepEqual(news.map(({ joined }) => joined.id), [ids[2]]);
});

test('members of other relays are shown with the label of theirs, or with its id', async () => {
  const roster = newRoster();
  const relay = new Uint8Array(32).fill(8);
  const made = await Promise.all([entryOf({ relay }), entryOf()]);
  await roster.joined(made.map(({ entry }) => entry), EPOCH);
  const shown = () => roster.members().map((m) => roster.relayOf(m));
  const id = (await fingerprintOf(relay)).slice(0, 19);
  assert.deepEqual(shown(), [id, undefined]);
  roster.name(new Map([[id, 'Oslo']]));
  assert.deepEqual(shown(), ['Oslo', undefined]);
  for (let i = 0; i < 3000; i++) roster.name(new Map([[`0000:0000:0000:${i}`, 'x']]));
  assert.deepEqual(shown(), ['Oslo', undefined]);
});

test('outside is who has no proof, or one and we have no secret', async () => {
  const [secret, another] = await Promise.all([Secret.generate(), Secret.generate()]);
  const made = await Promise.all([entryOf(), entryOf({ secret }), entryOf({ secret: another })]);
  for (const [ours, wanted] of [[null, [false, true, true]], [secret, [true, false, true]]]) {
    const roster = newRoster('none', ours);
    await roster.joined(made.map(({ entry }) => entry), EPOCH);
    assert.deepEqual(made.map(({ id }) => roster.member(toHex(id)).outside), wanted);
    assert.equal(roster.inside().length, 1);
  }
});

test('doubt', async () => {
  const { entries: [entry], ids: [id] } = all;
  const roster = newRoster();
  const c = new Checker();
  const step = (what, { news, doubt }, want) => {
    c.see(news);
    assert.equal(doubt, want, what);
  };
  step('a leave before the join', roster.leave([id], at(0)), false);
  step('the join after the leave', await roster.joined([entry], at(1)), true);
  c.want(roster, 'in doubt', []);
  roster.begin();
  c.see(await roster.page([entry]));
  roster.finish(true, EPOCH);
  c.want(roster, 'the list says that it is there', [id]);
  step('a second join', await roster.joined([entry], at(20)), false);
  step('a leave after two joins', roster.leave([id], at(21)), true);
  step('a join long after', await roster.joined([entry], at(32)), false);
  step('and a leave', roster.leave([id], at(33)), false);
  c.want(roster, 'in the end', []);
});

test('what is read while others read the same', async () => {
  const { entries: [entry], ids: [id] } = all;
  const roster = newRoster();
  const c = new Checker();
  roster.begin();
  const results = await Promise.all([
    roster.page([entry]), roster.joined([entry], EPOCH), roster.joined([entry], EPOCH),
  ]);
  c.see(results[0]);
  c.see(results[1].news);
  c.see(results[2].news);
  c.want(roster, 'once', [id]);

  const late = newRoster();
  late.begin();
  const page = late.page([entry]); // its signature is being checked
  late.leave([id], EPOCH);
  assert.deepEqual(await page, []);
  assert.equal(late.size, 0);
});

test('what is remembered is bounded', () => {
  const recent = new Recent();
  for (let i = 0; i < 3 * 4096; i++) recent.add(`a${i}`, EPOCH);
  assert.ok(recent.size <= 4096);
  for (let i = 0; i < 4096; i++) recent.add(`b${i}`, at(10));
  assert.ok(recent.size <= 4096 && !recent.has('a1', at(10)) && recent.has('b4095', at(10)));
  assert.ok(!recent.has('b4095', at(20)));
});

/** A relay whose members come, go and come back, and its urgent messages under way. */
class Sim {
  now = EPOCH;
  truth = new Set();
  news = [];
  pages = null; // members still to be listed; null: no fetch
  page = null; // a page under way, as it was when the relay made it
  pageAt = 0;
  roster = newRoster();
  checker = new Checker();

  constructor(seed) {
    this.random = random(seed);
  }

  int(n) {
    return Math.floor(n * this.random());
  }

  async run(steps) {
    for (let i = 0; i < steps; i++) {
      if (this.int(4) === 0) this.change(this.int(all.ids.length));
      if (this.int(100) === 0) this.fetch();
      await this.step();
    }
    while (this.news.length > 0 || this.pages) await this.step();
  }

  /** A member comes or goes; the news take up to 3 s. */
  change(i) {
    const joined = !this.truth.delete(i);
    if (joined) this.truth.add(i);
    this.news.push({ i, joined, at: this.now + this.int(3000) });
  }

  fetch() {
    if (this.roster.begin()) this.pages = all.ids.map((_, i) => i);
  }

  async step() {
    this.now += 100;
    const due = this.news.filter((n) => n.at <= this.now);
    this.news = this.news.filter((n) => n.at > this.now);
    for (const { i, joined } of due) {
      const { news, doubt } = joined
        ? await this.roster.joined([all.entries[i]], this.now)
        : this.roster.leave([all.ids[i]], this.now);
      this.checker.see(news);
      if (doubt) this.fetch();
    }
    if (this.pages && this.now >= this.pageAt) await this.stepPages();
  }

  /** A page of 5 members is made, or the one under way delivered. */
  async stepPages() {
    if (!this.page) {
      this.page = this.pages.splice(0, 5).filter((i) => this.truth.has(i));
      this.pageAt = this.now + this.int(1000);
      return;
    }
    const { page } = this;
    this.page = null;
    this.checker.see(await this.roster.page(page.map((i) => all.entries[i])));
    if (this.pages.length > 0) return;
    this.pages = null;
    const { news, again } = this.roster.finish(true, this.now);
    this.checker.see(news);
    if (again) this.fetch();
  }
}

test('news in any order, and lists: in the end client and relay agree', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const sim = new Sim(seed);
    await sim.run(400);
    sim.checker.want(sim.roster, `seed ${seed}`, [...sim.truth].map((i) => all.ids[i]));
  }
});

test('who replaces an old stay is never shown beside it, in whatever order the news come', async () => {
  const [old, fresh] = await successors(2);
  for (const order of permutations(['old joined', 'new joined', 'old left', 'list'])) {
    const roster = newRoster();
    const c = new Checker();
    let now = EPOCH;
    let knownToLeave = false;
    for (const what of order) {
      now += 100;
      /** @type {any} */ let result = { news: [], doubt: false };
      if (what === 'old joined') {
        result = await roster.joined([old.entry], now);
        if (knownToLeave) result.doubt = false; // then it is not known that it was replaced
      }
      if (what === 'new joined') result = await roster.joined([fresh.entry], now);
      if (what === 'old left') {
        result = roster.leave([old.id], now);
        knownToLeave = true;
      }
      if (what === 'list') { // from just before the first left
        roster.begin();
        const news = await roster.page([old.entry, fresh.entry]);
        result = { news: [...news, ...roster.finish(true, now).news], doubt: false };
      }
      c.see(result.news);
      assert.ok(!result.doubt, `${order}: doubt at ${what}`);
      assert.ok(c.present.size <= 1, `${order}: both are shown at ${what}`);
    }
    c.want(roster, 'at the end', [fresh.id]);
  }
});

test('our own stay before this one is not shown', async () => {
  const [old, own, next] = await successors(3);
  const before = await replacedBy(identity.publicKey, old.proof);
  const roster = new Roster({ room: 'r', relay: RELAY, self: own.id, before, secret: null });
  const c = new Checker();
  roster.begin();
  c.see(await roster.page([old.entry, own.entry]));
  c.see(roster.finish(true, EPOCH).news);
  c.see((await roster.joined([old.entry], EPOCH)).news);
  c.want(roster, 'nobody else', []);
  c.see((await roster.joined([next.entry], EPOCH)).news);
  c.want(roster, 'who replaces us', [next.id]);
});

test('without the secret, and by somebody else, nobody is replaced', async () => {
  const [old] = await successors(1);
  const { identity: thief } = await Identity.generate();
  const wrong = { ...old.proof, secret: new Uint8Array(32).fill(99) };
  const made = [await entryOf({ replaces: wrong }), await entryOf({ by: thief, replaces: old.proof })];
  const roster = newRoster();
  const c = new Checker();
  for (const entry of [made[0].entry, old.entry, made[1].entry]) {
    c.see((await roster.joined([entry], EPOCH)).news);
  }
  c.want(roster, 'all', [old.id, ...made.map(({ id }) => toHex(id))]);
});
