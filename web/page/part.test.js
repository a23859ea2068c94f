// What comes after the door is fetched again and again; nothing here takes real time.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { fetchFile, hurry, OldPageError, Part, within } from './part.js';

/** Lets promises settle. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** @param {() => Promise<void>} run with a clock that stands still */
async function clocked(run) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const target = new EventTarget();
  const { addEventListener, removeEventListener, fetch } = globalThis;
  Object.assign(globalThis, {
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  });
  try {
    await run(target);
  } finally {
    Object.assign(globalThis, { addEventListener, removeEventListener, fetch });
    mock.timers.reset();
  }
}

test('a part is tried again after pauses that grow, until it is there, once for all who wait', () => clocked(async () => {
  let attempts = 0;
  const part = new Part(async () => {
    if (++attempts < 9) throw new Error('no network');
    return 'there';
  });
  const loads = [part.load(), part.load()];
  await settle();
  assert.equal(attempts, 1, 'two that ask at once make one attempt');
  for (const pause of [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]) {
    const before = attempts;
    mock.timers.tick(pause - 1);
    await settle();
    assert.equal(attempts, before);
    mock.timers.tick(1);
    await settle();
    assert.equal(attempts, before + 1);
  }
  assert.deepEqual(await Promise.all([...loads, part.load()]), ['there', 'there', 'there']);
  assert.equal(attempts, 9);
  part.forget();
  assert.equal(await part.load(), 'there');
  assert.equal(attempts, 10, 'what was used up is loaded anew');
}));

test('a pause is cut short when somebody asks, and when the network is back', () => clocked(async (target) => {
  let attempts = 0;
  const part = new Part(async () => {
    if (++attempts < 5) throw new Error('no network');
    return 'there';
  });
  const loaded = new Part(() => part.load()).load(); // one that waits for another
  for (const act of [() => part.load(), hurry, () => target.dispatchEvent(new Event('online'))]) {
    await settle();
    const before = attempts;
    void act();
    await settle();
    assert.equal(attempts, before + 1);
  }
  void part.load();
  assert.equal(await loaded, 'there');
}));

test('a page from before an update is said to be that, and not tried again by itself', () => clocked(async () => {
  let attempts = 0;
  const part = new Part(async () => {
    attempts++;
    throw new OldPageError('old', 'gone');
  });
  await assert.rejects(part.load(), OldPageError);
  mock.timers.tick(60_000);
  await settle();
  assert.equal(attempts, 1);
  await assert.rejects(part.load(), OldPageError);
  assert.equal(attempts, 2);
}));

test('a file is read to its end; one that does not come, stops coming or is not there is an error', () => clocked(async () => {
  /** @type {ReadableStreamDefaultController} */ let stream;
  const answer = (status = 200) => {
    globalThis.fetch = async (_, { signal }) => {
      const body = new ReadableStream({ start: (controller) => (stream = controller) });
      signal.addEventListener('abort', () => stream.error(signal.reason));
      return new Response(body, { status });
    };
  };
  answer();
  const whole = fetchFile('room.js');
  for (let i = 0; i < 5; i++) {
    await settle();
    mock.timers.tick(19_000); // slow is not broken
    stream.enqueue(new Uint8Array(10));
  }
  await settle();
  stream.close();
  await whole;
  answer();
  const stuck = fetchFile('room.js');
  await settle();
  mock.timers.tick(20_000);
  await assert.rejects(stuck, { name: 'AbortError' });
  answer(404);
  await assert.rejects(fetchFile('room.js'), OldPageError);
  answer(502);
  await assert.rejects(fetchFile('room.js'), /status 502/);
}));

test('who waits for a part is told when it takes too long', () => clocked(async () => {
  const waits = within(1000, new Promise(() => {}));
  mock.timers.tick(1000);
  await assert.rejects(waits, { code: 'loading' });
}));
