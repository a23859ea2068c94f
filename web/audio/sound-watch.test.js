// What the page knows of sound that does not run: each cause, within 3 s, and not when the page was asleep.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SoundWatch } from './sound-watch.js';

/** A page with a sound card, in virtual time. What `broken` says does not move. */
class Page {
  now = 0;
  #due = Infinity;
  #callback = () => {};
  #flow = { time: 0, captured: 0, sounding: 0, asked: 0 };
  broken = {};
  microphone = true;
  loudspeaker = true;
  /** @type {[number, import('./sound-watch.js').Sound][]} */ told = [];
  watch = new SoundWatch({
    now: () => this.now,
    setTimeout: (callback, ms) => {
      this.#callback = callback;
      return (this.#due = this.now + ms);
    },
    clearTimeout: () => (this.#due = Infinity),
  }, () => this.flows(), (sound) => this.told.push([this.now, sound]));

  flows() {
    const { paused, muted, worker, sink } = this.broken;
    return {
      paused: Boolean(paused),
      time: this.#flow.time,
      capture: this.microphone
        ? { count: this.#flow.captured, sounding: this.#flow.sounding, muted: Boolean(muted) } : null,
      playback: this.loudspeaker
        ? { count: this.#flow.asked, starved: Boolean(worker), astray: Boolean(sink) } : null,
    };
  }

  run(ms) {
    for (const end = this.now + ms; this.now < end; this.now += 100) {
      const { paused, clock, player, capture, silent } = this.broken;
      if (!paused && !clock) {
        this.#flow.time += 0.1;
        if (!player) this.#flow.asked++;
        if (!capture) this.#flow.captured++;
        if (!capture && !silent) this.#flow.sounding++;
      }
      if (this.now >= this.#due) this.#callback();
    }
  }
}

test('each cause is told within 3 s, and that it is over within 1 s', () => {
  const wanted = {
    paused: [false, false], clock: [false, false], player: [false, true], worker: [false, true],
    capture: [true, false], muted: [true, false], sink: [true, true],
  };
  for (const [cause, [playing, capturing]] of Object.entries(wanted)) {
    const page = new Page();
    page.watch.start();
    page.run(10_000);
    assert.deepEqual(page.told, [], 'all is well');
    page.broken = { [cause]: true };
    page.run(20_000);
    assert.equal(page.told.length, 1, `${cause}: ${JSON.stringify(page.told)}`);
    assert.deepEqual(page.told[0][1], { playing, capturing, cause });
    assert.ok(page.told[0][0] <= 13_000, `${cause} was told at ${page.told[0][0]}`);
    page.broken = {};
    page.run(20_000);
    assert.equal(page.told.length, 2);
    assert.deepEqual(page.told[1][1], { playing: true, capturing: true, cause: '' });
    assert.ok(page.told[1][0] <= 31_000, `the end of ${cause} was told at ${page.told[1][0]}`);
  }
});

test('a sound card that never moves is told of, too', () => {
  const page = new Page();
  page.broken = { clock: true };
  page.watch.start();
  page.run(3000);
  assert.deepEqual(page.told.map(([, { cause }]) => cause), ['clock']);
});

test('a microphone that gives nothing but zeros is told of at once, one that was heard before later', () => {
  const page = new Page();
  page.broken = { silent: true };
  page.watch.start();
  page.run(3000);
  assert.deepEqual(page.told.map(([, sound]) => sound), [{ playing: true, capturing: false, cause: 'silent' }]);
  page.broken = {};
  page.run(1000);
  assert.equal(page.watch.sound.cause, '');
  page.broken = { silent: true };
  page.run(5000);
  assert.equal(page.watch.sound.cause, '', 'a pause');
  page.run(3000);
  assert.equal(page.watch.sound.cause, 'silent');
});

test('who has no microphone is not told that it gives nothing', () => {
  const page = new Page();
  page.microphone = false;
  page.watch.start();
  page.run(10_000);
  assert.deepEqual(page.told, []);
  page.broken = { clock: true };
  page.run(10_000);
  assert.deepEqual(page.told[0][1], { playing: false, capturing: true, cause: 'clock' });
});

test('at the door there is no loudspeaker, and without a microphone there is nothing to tell', () => {
  const page = new Page();
  page.loudspeaker = false;
  page.broken = { clock: true };
  page.watch.start();
  page.run(10_000);
  assert.deepEqual(page.told.map(([, sound]) => sound), [{ playing: true, capturing: false, cause: 'clock' }]);
  page.microphone = false;
  page.run(10_000);
  assert.equal(page.watch.sound.cause, '');
  assert.equal(page.told.length, 2);
});

test('a page that was asleep says nothing, nor one that stutters', () => {
  const page = new Page();
  page.watch.start();
  page.run(5000);
  page.now += 600_000; // nothing was seen to move meanwhile
  page.run(5000);
  for (let i = 0; i < 20; i++) {
    page.broken = { capture: true, player: true };
    page.run(1300);
    page.broken = {};
    page.run(300);
  }
  assert.deepEqual(page.told, []);
});

test('it is over with the stay, and begins anew', () => {
  const page = new Page();
  page.broken = { capture: true };
  page.watch.start();
  page.run(5000);
  page.watch.stop();
  assert.equal(page.watch.sound.capturing, true);
  page.run(5000);
  assert.equal(page.told.length, 2);
  page.watch.start();
  page.watch.start();
  page.run(5000);
  assert.equal(page.told.length, 3);
});
