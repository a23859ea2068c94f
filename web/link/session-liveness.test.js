import assert from 'node:assert/strict';
import { test } from 'node:test';

import { random } from './lab.test.js';
import { BREAK_AFTER, Liveness, parsePing, pingData } from './session-liveness.js';
import { LOOK_EVERY } from './session-signs.js';

/** A client and a relay that answers pings and reports once a second, over a path; time goes by in looks. */
class Life {
  live = new Liveness();
  now = 1000;
  pings = [];
  #under = []; // what is under way: {at, what, sent}
  #reported = 0;

  constructor({ delay = 20, loss = 0, talks = true, seed = 1, jitter = 0, others = false } = {}) {
    Object.assign(this, { delay, loss, talks, jitter, others, dead: false, believed: 1 - (1 - loss) ** 2 });
    this.random = random(seed);
    this.live.moved(this.now);
    this.#ping();
  }

  get path() {
    const { delay, talks, now, believed, jitter } = this;
    return { rtt: 2 * delay + jitter, spread: jitter / 3, loss: believed, mediaAt: talks ? now : -Infinity };
  }

  /** @param {'ping' | 'answer' | 'report' | 'media'} what @param {number} sent when what it answers was */
  #send(what, sent = this.now) {
    if (this.dead || this.random() < this.loss) return;
    this.#under.push({ at: this.now + this.delay + this.random() * this.jitter, what, sent });
  }

  #ping() {
    this.pings.push(this.now);
    this.live.pinged(this.now);
    this.#send('ping');
  }

  /** Lets ms pass; look is called after each look. Returns whether it was told of silence. */
  run(ms, look = () => {}) {
    let silent = false;
    for (const end = this.now + ms; this.now < end; ) {
      this.now += LOOK_EVERY;
      this.#arrive();
      if (this.talks && this.now - this.#reported >= 1000) {
        this.#reported = this.now;
        this.#send('report', this.now - this.delay);
      }
      if (this.others && this.now % 20 === 0) this.#send('media');
      if (this.live.pingAt(this.path, this.now) <= this.now) this.#ping();
      silent = this.live.check(this.now, this.path) || silent;
      look();
    }
    return silent;
  }

  #arrive() {
    const here = this.#under.filter(({ at }) => at <= this.now);
    this.#under = this.#under.filter(({ at }) => at > this.now);
    for (const { what, sent } of here) {
      if (what === 'ping') {
        this.#send('answer', sent);
      } else {
        this.live.heard(this.now);
        if (what !== 'media') this.live.progress(this.now, sent);
      }
    }
  }

  /** Returns after how many ms the verdict is one of these, within limit. */
  until(verdicts, limit = 20_000) {
    const from = this.now;
    while (!verdicts.includes(this.live.up)) {
      this.run(LOOK_EVERY);
      assert.ok(this.now - from <= limit, `it is ${this.live.up} after ${limit} ms, not ${verdicts}`);
    }
    return this.now - from;
  }
}

test('nothing is said of a path before it was measured', () => {
  const life = new Life();
  assert.equal(life.live.up, 'measuring');
  assert.ok(life.until(['alive']) <= 1200);
  life.live.moved(life.now);
  assert.deepEqual([life.live.up, life.live.down], ['measuring', 'measuring']);
  const never = new Life();
  never.dead = true;
  assert.ok(never.until(['doubt']) < 4000, 'a path that never worked');
});

/** The greatest of the times until a verdict after the path died, over 100 moments. */
function slowest(how, verdicts) {
  let most = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const life = new Life({ ...how, seed });
    life.run(10_000 + 20 * seed);
    while (life.live.up !== 'alive') life.run(100);
    life.dead = true;
    most = Math.max(most, life.until(verdicts));
  }
  return most;
}

test('the end of a path is in doubt, and certain, as soon as loss and delay allow', (t) => {
  for (const [how, doubt, lost] of [
    [{}, 620, 980], // ms after which it is in doubt, and known, at the latest
    [{ talks: false }, 620, 980],
    [{ talks: false, others: true }, 500, 980],
    [{ delay: 50 }, 760, 1100],
    [{ delay: 150 }, 1060, 1600],
    [{ delay: 400 }, 1780, 2700],
    [{ loss: 0.05 }, 660, 980],
    [{ loss: 0.3 }, 760, 1020],
    [{ loss: 0.6 }, 1540, 1780],
    [{ loss: 0.6, talks: false }, 2040, 2280],
    [{ loss: 0.3, delay: 150 }, 1240, 1740],
    [{ loss: 0.6, delay: 150 }, 1940, 2380],
    [{ loss: 0.6, delay: 400 }, 2700, 3380],
  ]) {
    const times = [slowest(how, ['doubt', 'lost']), slowest(how, ['lost'])];
    t.diagnostic(`${JSON.stringify(how)}: doubt ${times[0]} ms, lost ${times[1]} ms`);
    assert.ok(times[0] <= doubt && times[1] <= lost, `${JSON.stringify(how)}: ${times} ms`);
  }
});

test('loss and delay are no doubt', (t) => {
  for (const [how, most] of [ // most: shares of the time in doubt, and lost
    [{}, [0, 0]], [{ loss: 0.1 }, [0, 0]], [{ loss: 0.3, delay: 100 }, [0.001, 0]],
    [{ loss: 0.6 }, [0.003, 0.0005]], [{ loss: 0.6, delay: 400 }, [0.003, 0.0005]],
    [{ loss: 0.6, delay: 400, jitter: 200 }, [0.003, 0.0005]], [{ delay: 800, jitter: 300 }, [0, 0]],
    [{ loss: 0.6, talks: false }, [0.003, 0.0005]],
  ]) {
    const life = new Life(how);
    const count = { all: 0, doubt: 0, lost: 0, alive: 0, measuring: 0 };
    life.run(20_000);
    let stopped = false;
    let began = 0; // of doubt, that loss alone made
    let before = 'alive';
    life.run(600_000, () => {
      count.all++;
      began += life.live.up === 'doubt' && before !== 'doubt' ? 1 : 0;
      before = life.live.up;
      count[life.live.up]++;
      stopped ||= life.live.stopped;
    });
    const shares = [count.doubt / count.all, count.lost / count.all];
    const [doubt, lost] = shares;
    t.diagnostic(`${JSON.stringify(how)}: in doubt ${doubt}, lost ${lost} of the time; ${began} times`);
    assert.ok(shares[0] <= most[0] && shares[1] <= most[1], `${JSON.stringify(how)}: ${shares}`);
    assert.equal(stopped, false, 'the breaker');
    assert.ok(began <= 10, `${JSON.stringify(how)}: ${began} times in ten minutes`);
  }
});

test('loss that begins is seldom taken for the end', () => {
  let lost = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const life = new Life({ seed });
    life.run(5000 + 20 * seed);
    life.loss = 0.6; // and is not known yet
    life.run(3000, () => { lost += life.live.up === 'lost' ? 1 : 0; });
  }
  assert.ok(lost < 300 * 3000 / LOOK_EVERY * 0.002, `${lost} looks`);
});

test('it is known at once when somebody looks again', () => {
  const life = new Life({ talks: false });
  life.live.watched = false;
  life.run(10_000);
  life.dead = true;
  life.run(500);
  life.live.watched = true;
  assert.ok(life.until(['doubt']) <= 300);
  assert.ok(life.until(['lost']) <= 400);
});

test('speech that stops is asked after', () => {
  const life = new Life({ talks: false, others: true });
  life.run(5000);
  life.dead = true;
  const from = life.now;
  while (life.pings.at(-1) < from) life.run(LOOK_EVERY);
  assert.ok(life.now - from <= 200, `after ${life.now - from} ms`);
});

test('it lives again with the first sign', () => {
  const life = new Life();
  life.run(5000);
  life.dead = true;
  assert.equal(life.run(10_000), true, 'the silence was not told');
  assert.deepEqual([life.live.up, life.live.down, life.live.stopped], ['lost', 'lost', true]);
  life.dead = false;
  assert.ok(life.until(['alive']) <= 400);
  assert.equal(life.live.stopped, false);
});

test('only the way out is dead', () => {
  const life = new Life();
  life.run(5000);
  life.dead = true;
  life.run(2000, () => life.live.heard(life.now));
  assert.deepEqual([life.live.up, life.live.down], ['lost', 'alive']);
});

test('what came while the program stood still is handled before anything is judged', () => {
  const life = new Life();
  life.run(5000);
  life.run(560); // a ping may be open
  life.now += 3000;
  life.live.check(life.now, life.path);
  life.live.check(life.now + 1, life.path);
  assert.equal(life.live.up, 'alive');
});

test('pings: how many, and what that costs', (t) => {
  /** Pings a second. */
  const rate = (how, change = () => {}) => {
    const life = new Life(how);
    life.run(10_000);
    life.pings = [];
    life.run(60_000, () => change(life));
    return life.pings.length / 60;
  };
  for (const [how, most] of [
    [{}, 2.1], [{ talks: false }, 3], [{ talks: false, others: true }, 0.5], [{ others: true }, 1.1],
    [{ delay: 400 }, 3], [{ loss: 0.05 }, 3], [{ loss: 0.3 }, 8], [{ loss: 0.6 }, 13],
    [{ loss: 0.6, talks: false }, 12], [{ loss: 0.6, delay: 150 }, 18], [{ loss: 0.6, delay: 400 }, 21],
  ]) {
    const pings = rate(how);
    t.diagnostic(`${JSON.stringify(how)}: ${pings.toFixed(1)} a second`);
    assert.ok(pings <= most, `${JSON.stringify(how)}: ${pings} pings a second`);
  }
  const unwatched = (life) => { life.live.watched = false; };
  assert.ok(rate({ talks: false }, unwatched) <= 0.5, 'nobody looks');
  assert.ok(rate({}, unwatched) > 1.5, 'nobody looks, but we talk');
  const life = new Life();
  life.run(10_000);
  life.dead = true;
  life.pings = [];
  life.run(20_000);
  const from = life.now - 20_000;
  const between = (a, b) => life.pings.filter((at) => at - from >= a && at - from < b).length;
  assert.ok(between(0, BREAK_AFTER) <= 160 && between(1000, BREAK_AFTER) >= 50, 'before the breaker opens');
  assert.ok(between(7000, 10_000) <= 16 && between(12_000, 20_000) <= 9, 'after it');
});

test('what a ping holds comes back', () => {
  for (const at of [0.001, 12_345.678, 1e12]) {
    for (let kind = 0; kind < 4; kind++) {
      const got = parsePing(pingData(at, kind));
      assert.equal(got.kind, kind);
      assert.ok(Math.abs(got.at - at) < 0.001);
    }
  }
});
