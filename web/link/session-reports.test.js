import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appendReport, parseReport } from '../wire/report.js';
import { random } from './lab.test.js';
import { ReceiveStats } from './session-reports-out.js';
import { MAX_SAMPLE, SENT_RING, SendStats, SentTimes } from './session-reports-in.js';

const OVERHEAD = 46;

/** Notes counters in the order given, 20 ms apart. */
function receiveAll(r, counters) {
  counters.forEach((c, i) => r.packet(c, 100, i * 20));
}

/** The counters from first to below end, but for those in without. */
function upTo(first, end, without = []) {
  const skip = new Set(without);
  return Array.from({ length: end - first }, (_, i) => first + i).filter((c) => !skip.has(c));
}

test('loss is counted in bursts', () => {
  for (const [lost, bursts] of [
    [[], [0, 0, 0, 0, 0, 0]],
    [[0], [1, 0, 0, 0, 0, 0]],
    [[10], [1, 0, 0, 0, 0, 0]],
    [[10, 12], [2, 0, 0, 0, 0, 0]],
    [[10, 11], [0, 1, 0, 0, 0, 0]],
    [upTo(10, 17, [13]), [0, 0, 2, 0, 0, 0]],
    [upTo(10, 24, [15]), [0, 0, 0, 2, 0, 0]],
    [upTo(10, 36, [19]), [0, 0, 0, 0, 2, 0]],
    [upTo(10, 27), [0, 0, 0, 0, 0, 1]],
    [upTo(10, 310), [0, 0, 0, 0, 0, 1]],
  ]) {
    const r = new ReceiveStats(OVERHEAD);
    receiveAll(r, upTo(0, 500, lost));
    assert.deepEqual([r.received, r.lost, r.bursts], [500 - lost.length, lost.length, bursts]);
  }
});

test('reordering is not loss', () => {
  const r = new ReceiveStats(OVERHEAD);
  const next = random(2);
  // Nobody is overtaken by more packets.
  const place = upTo(0, 2000).map((c) => [c, c + Math.floor(next() * 64)]);
  receiveAll(r, place.sort((a, b) => a[1] - b[1] || a[0] - b[0]).map(([c]) => c));
  assert.deepEqual([r.lost, r.received], [0, 2000]);
});

test('a long outage', () => {
  const r = new ReceiveStats(OVERHEAD);
  receiveAll(r, [...upTo(0, 100), ...upTo(55_100, 55_300)]);
  assert.deepEqual([r.lost, r.received, r.bursts], [55_000, 300, [0, 0, 0, 0, 0, 1]]);
  const p = r.report(10_000);
  assert.deepEqual([p.highest, p.received, p.lost], [55_299, 300, 55_000]);
});

test('samples go back in counter and time', () => {
  const r = new ReceiveStats(OVERHEAD);
  // 6 is late: no sample.
  for (const [counter, at] of [[5, 0], [7, 40], [6, 41], [9, 80]]) r.packet(counter, 100, at);
  const p = r.report(100);
  assert.deepEqual([p.highest, p.age], [9, 20]);
  assert.deepEqual(p.samples, [{ counterBack: 2, arrivalBack: 40 }, { counterBack: 2, arrivalBack: 40 }]);
  assert.deepEqual(parseReport(appendReport(p)), p);
});

test('reports come when they are wanted', () => {
  const r = new ReceiveStats(OVERHEAD);
  r.eliciting = true;
  assert.equal(r.due(0, 0), false, 'before the first packet');
  r.packet(0, 100, 0);
  assert.equal(r.due(0, 0), true);
  r.report(0);
  r.packet(1, 100, 10_000);
  assert.equal(r.due(10_000, 0), false, 'nothing came that wants one');
  r.eliciting = true;
  assert.equal(r.due(10_000, 0), true);
});

test('loss that begins is reported soon', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const r = new ReceiveStats(OVERHEAD);
    const next = random(seed);
    let took = 0;
    for (let i = 0; took <= 0; i++) {
      if (i < 60 || next() >= 0.4) { // the last report before was at 1 s
        r.packet(i, 120, i * 20);
        r.eliciting = true;
      }
      if (!r.due(i * 20, 0)) continue;
      r.report(i * 20);
      took = i * 20 - 1200;
    }
    assert.ok(took <= 520, `seed ${seed}: after ${took} ms`);
  }
});

test('reports are more frequent with loss, within their share', () => {
  for (const [loss, size, least, most] of [
    [0, 120, 20, 22], [0.05, 120, 20, 30], [0.3, 120, 45, 67], [0.6, 120, 20, 38], [0.3, 1200, 55, 67],
  ]) {
    const r = new ReceiveStats(OVERHEAD);
    const next = random(2);
    let reports = 0;
    for (let i = 0; i < 1000; i++) {
      if (next() >= loss) {
        r.packet(i, size, i * 20);
        r.eliciting = true;
      }
      if (r.due(i * 20, 0)) {
        r.report(i * 20);
        reports++;
      }
    }
    assert.ok(reports >= least && reports <= most, `loss ${loss}, ${size} bytes: ${reports} reports in 20 s`);
  }
});

/** Says that counters 0 to n-1 were sent, 20 ms apart. */
function sentAll(n, start = 1000) {
  const sent = new SentTimes();
  for (let c = 0; c < n; c++) sent.put(c, start + c * 20);
  return sent;
}

const report = (fields) => ({ lost: 0, bursts: [0, 0, 0, 0, 0, 0], age: 0, samples: [], ...fields });

test('a report tells round trip and jitter', () => {
  for (const start of [1000, 400 * 24 * 3_600_000]) {
    const s = new SendStats();
    const p = report({ highest: 99, received: 100, age: 50, samples: [
      { counterBack: 1, arrivalBack: 36 }, // 16 ms more than 20
      { counterBack: 3, arrivalBack: 60 },
    ] });
    assert.equal(s.report(p, 100, sentAll(100, start), start + 99 * 20 + 350), true);
    assert.deepEqual([s.rtt, s.jitter, s.recent.share], [300, 15 / 16, 0]); // 16 ms / 16, then decayed once
  }
});

test('loss that is reported', () => {
  const s = new SendStats();
  const sent = new SentTimes();
  for (let i = 1; i <= 20; i++) { // 20 reports of 50 packets each, 30 lost
    const p = report({
      highest: i * 50 - 1, received: 20 * i, lost: (i * 5000) % 65536,
      bursts: [(i * 50) % 256, 0, 0, 0, 0, 0],
    });
    s.report(p, i * 50, sent, i * 1000);
  }
  assert.ok(Math.abs(s.recent.share - 0.6) < 0.01, `${s.recent.share}`);
  // Through their wrapping, but for the first report.
  assert.deepEqual([s.residual, s.bursts[0]], [19 * 5000, 19 * 50]);
});

test('hostile reports are not believed', () => {
  for (const p of [
    { highest: 100, received: 90 }, { highest: Number.MAX_SAFE_INTEGER, received: 90 },
    { highest: 99, received: 101 }, { highest: 98, received: 90 }, { highest: 99, received: 89 },
  ]) {
    const s = new SendStats();
    const sent = sentAll(100);
    assert.equal(s.report(report({ highest: 99, received: 90 }), 100, sent, 4000), true);
    const before = { ...s };
    assert.equal(s.report(report(p), 100, sent, 5000), false, JSON.stringify(p));
    assert.deepEqual({ ...s }, before);
  }
  const s = new SendStats();
  const far = { counterBack: 2 ** 50, arrivalBack: 2 ** 40 };
  const samples = [{ counterBack: 1, arrivalBack: 2 ** 40 }, far, far];
  s.report(report({ highest: 99, received: 100, age: 2 ** 40, samples }), 100, sentAll(100), 4000);
  assert.equal(s.rtt, 0);
  assert.ok(s.jitter <= MAX_SAMPLE);
});

test('no progress without arrivals', () => {
  const s = new SendStats();
  const sent = new SentTimes();
  assert.equal(s.report(report({ highest: 9, received: 10 }), 100, sent, 1000), true);
  assert.equal(s.report(report({ highest: 9, received: 10 }), 100, sent, 2000), false);
  assert.equal(s.report(report({ highest: 10, received: 11 }), 100, sent, 3000), true);
});

test('sending times are forgotten when they are overwritten', () => {
  const sent = sentAll(1000);
  assert.equal(sent.at(1000 - SENT_RING - 1), null);
  assert.equal(sent.at(1000 - SENT_RING), 1000 + (1000 - SENT_RING) * 20);
  assert.equal(sent.at(1000), null);
});
