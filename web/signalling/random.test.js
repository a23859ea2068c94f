// As internal/signalling/random_test.go, with fewer seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../wire/bytes.js';
import { END } from '../wire/call.js';
import { STATE, hangUp } from './call.js';
import { answerCall } from './called.js';
import { dial } from './caller.js';
import { PATH } from './path.js';
import { acceptTransfer, consent, transfer } from './transfer.js';
import { hold, mute } from './up.js';
import { SECOND, World } from './world.test.js';

/** What cannot be done now is not done. */
const tried = (act) => act.then(() => true, (error) => {
  if (error.name !== 'SignallingError') throw error;
  return false;
});

/** One of the first n things that may happen to somebody. */
async function something(w, p, n) {
  const below = (m) => Math.floor(w.random() * m);
  const { line: l } = p;
  const { now } = w;
  const q = w.people[below(w.people.length)];
  const id = l.calls.length > 0 ? l.calls[below(l.calls.length)].id : 0;
  const dials = () => tried(dial(l, { fingerprint: q.id.fingerprint }, now));
  const things = [
    [4, dials], [4, () => tried(answerCall(l, id, now))], [2, () => tried(hangUp(l, id, now))],
    [2, () => tried(hold(l, id, true, now))], [1, () => tried(hold(l, id, false, now))],
    [1, () => tried(mute(l, id, below(2) === 0, now))],
    [1, () => l.calls.length > 1 && tried(transfer(l, l.calls[0].id, l.calls[1].id, now))],
    [1, async () => (await tried(hold(l, id, true, now))) && dials()],
    [2, async () => {
      for (const c of [...l.calls]) {
        const person = c.question?.person ?? new Uint8Array(32);
        await tried(consent(l, c.id, person, below(4) > 0, now));
        await tried(acceptTransfer(l, c.id, person, below(4) > 0, now));
        await tried(answerCall(l, c.id, now));
      }
    }],
    [1, () => { for (const r of w.routes.values()) r.cut ||= below(4) === 0; }],
    [1, async () => {
      for (const [path, { caller, called, generation }] of [...w.routes]) {
        if (p === caller || p === called) await l.endCame({ path, generation, reason: END.failed }, now);
      }
    }],
    [1, () => {
      p.session++; // and what was on its way is lost
      p.offline = false;
      return l.sessionFresh(p.relay, now);
    }],
    [1, () => {
      p.offline = true;
      w.at(below(20) * SECOND, () => (p.offline ? p.fresh() : undefined));
      return l.sessionLost(now);
    }],
    [1, () => l.doNotDisturb(below(2) === 0)],
    [1, () => { p.away = !p.away; }],
  ].flatMap(([times, act]) => new Array(times).fill(act));
  await p.do(() => things[below(n)]());
}

/** Fails if something is now that never may be. */
function check(w) {
  for (const { name, line } of w.people) {
    const { calls, closing, media, paths } = line;
    assert.ok(calls.every(({ state }) => state > 0 && state < STATE.over), name);
    const withMedia = calls.filter((c) => c.state === STATE.open && media && media === c.chosen);
    if (media) assert.equal(withMedia.length, 1, `${name}: media of several calls`);
    assert.ok(calls.length <= 8 && closing.length <= 64, name);
    const live = calls.flatMap((c) => c.paths.filter(({ state }) => state < PATH.closing));
    assert.equal(paths.size, closing.length + live.length, `${name}: a path is of nothing`);
  }
}

test('whatever people with several devices do, and becomes of their relays, nothing is left of it', async () => {
  for (let seed = 0; seed < 8; seed++) {
    const w = await World.make(1000 + seed, 'ann', 'bob', 'cem', 'dan');
    Object.assign(w, { jitter: seed * 35, loss: (seed % 3) / 5 });
    const second = await w.add('bob');
    for (const p of w.people) {
      second.known.add(p.id.fingerprint);
      p.talks = seed % 2 === 0;
    }
    for (let i = 0; i < 100; i++) {
      const p = w.people[Math.floor(w.random() * w.people.length)];
      await something(w, p, seed % 4 < 2 ? 18 : 24); // half of the worlds are calm
      await w.run(Math.floor(w.random() * 1500));
      check(w);
    }
    for (const p of w.people) {
      if (p.offline) await p.fresh();
      p.away = false;
    }
    await w.run(120 * SECOND);
    const ends = w.people.flatMap((p) => p.line.calls.map((c) => toHex(c.callId)));
    for (const call of ends) {
      assert.equal(ends.filter((other) => other === call).length, 2, `seed ${seed}${w.log()}`);
    }
    for (const p of w.people) {
      for (const { id } of [...p.line.calls]) await p.do((line, now) => tried(hangUp(line, id, now)));
    }
    await w.run(120 * SECOND);
    await w.quiet();
    for (const p of w.people) {
      const begun = new Set([...p.all('incoming'), ...p.all('up')].map((e) => e.call));
      for (const id of begun) assert.notEqual(p.ended(id), '', `seed ${seed}: ${p.name}'s call ${id} goes on`);
    }
  }
});
