/** The key that the relay of a page had. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pageOf } from '../link/relay-page.js';
import { memory } from './lab.test.js';
import { RelayPin } from './relay-pin.js';

const [one, two, three] = ['1', '2', '3'].map((digit) => digit.repeat(64));
const at = (relay, page = '') => ({ relay, page });
const url = 'https://voice.example.org/connect.json';

test('another key than the kept one is refused until just that one is accepted, by every stay', async () => {
  const storage = memory();
  const first = new RelayPin(storage, url);
  await first.check(at(one));
  await new RelayPin(storage, url).check(at(two)); // nothing is kept before it was proved
  await first.keep();
  for (let i = 0; i < 3; i++) {
    await assert.rejects(new RelayPin(storage, url).check(at(two)), {
      code: 'relay_key', final: true, keys: { known: one, shown: two },
    });
  }
  const pin = new RelayPin(storage, url, two);
  await assert.rejects(pin.check(at(three)), { keys: { known: one, shown: three } });
  const accepted = new RelayPin(storage, url, two);
  await accepted.check(at(two));
  await assert.rejects(new RelayPin(storage, url).check(at(two)), { code: 'relay_key' }, 'not proved yet');
  await accepted.keep();
  await new RelayPin(storage, url).check(at(two));
  await assert.rejects(new RelayPin(storage, url).check(at(one)), { code: 'relay_key' });
  await assert.rejects(new RelayPin(storage, url).check(at(one, 'https://elsewhere.example/')), {
    code: 'relay_key',
  }, 'where the page is the relay\'s, it does not choose what it is known by');
});

test('a page of this machine may be for one relay today and another one tomorrow', async () => {
  const storage = memory();
  const local = 'http://localhost:8081/connect.json';
  for (const [relay, page] of [[one, 'https://a.example/'], [two, 'https://b.example/'], [three, '']]) {
    const pin = new RelayPin(storage, local);
    await pin.check(at(relay, page));
    await pin.keep();
  }
  await assert.rejects(new RelayPin(storage, local).check(at(two, 'https://a.example/')), {
    code: 'relay_key',
  });
});

test('the address of a relay\'s page is one that others can open, or none', () => {
  assert.equal(pageOf('https://voice.example.org/'), 'https://voice.example.org/');
  assert.equal(pageOf('https://example.org/voice/'), 'https://example.org/voice/');
  for (const bad of [
    undefined, 7, '', 'voice.example.org', 'javascript:alert(1)//', 'https://x.example/?a=/', 'http://localhost/',
    'https://u:p@x.example/', 'http://127.0.0.1:8080/', 'http://[::1]:8080/', 'https://x.example/#/',
    'https://x.example/' + 'a'.repeat(3000) + '/',
  ]) {
    assert.equal(pageOf(bad), '', String(bad));
  }
});
