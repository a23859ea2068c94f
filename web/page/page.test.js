// The page's parts that need no browser: addresses, QR codes, the model, what the control says, and that the
// first paint stays small.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';

import { FakeDevices, FakeEngine } from './fake-engine.test.js';
import { Stay } from './stay.js';
import { KnownDevices } from './device-list.js';
import { canTalk } from './talk-key.js';
import { draw } from './identicon.js';
import { loudness } from './level-bar.js';
import {
  excess, inviteLink, isMadeName, newRoomName, personName, readAddress, roomKey, roomName, roomPath,
} from './address.js';
import { readInvite } from './paste-invite.js';
import { Prefs } from './prefs.js';
import { RoomList } from './room-list.js';
import { missing } from './support-screen.js';
import { drawings } from './tab-sign.js';
import '../words/english.test.js';
import { faultText } from './door.js';
import { memberFault, normalize, roomFault } from '../names/names.js';

test('an invite is read as it was made', () => {
  for (const room of ['tea', 'two words', '茶', 'one/two', '50%', 'a?b#c', '🙂']) {
    for (const home of [
      new URL('https://wzp.example/'), new URL('https://wzp.example:8443/voice/'),
      new URL('http://localhost/a%20b/c/'),
    ]) {
      const url = new URL(inviteLink(room, 'wzp-AB_c-1', home));
      assert.deepEqual(readAddress(url, home), { room, fault: null, secret: 'wzp-AB_c-1', contact: '' });
      assert.deepEqual(readAddress(new URL(roomPath(room, home), home), home), {
        room, fault: null, secret: '', contact: '',
      });
      assert.equal(url.search, '');
      assert.equal(new URL('.', url).href, home.href, 'what is relative to a room is relative to the page');
    }
  }
});

test('a mangled address leads to a door, not to an error', () => {
  const home = new URL('https://wzp.example/');
  for (const path of ['/', '/%ff', '/%', '/a/b', '//']) {
    assert.equal(readAddress({ pathname: path, hash: '#nothing' }, home).room, '', path);
    assert.equal(
      readAddress({ pathname: path, hash: '#nothing' }, home).fault,
      path === '/' || path === '//' ? null : 'address', path,
    );
  }
  assert.equal(readAddress({ pathname: '/elsewhere', hash: '' }, new URL('voice/', home)).room, '');
  assert.deepEqual(readAddress({ pathname: '/tea/', hash: '' }, home), {
    room: 'tea', fault: null, secret: '', contact: '',
  });
  assert.deepEqual(readAddress({ pathname: '/', hash: '#c=AQ_-' }, home), {
    room: '', fault: null, secret: '', contact: 'AQ_-',
  });
  assert.deepEqual(readAddress({ pathname: '/tea', hash: '#k=wzp-1&c=AQ' }, home), {
    room: 'tea', fault: null, secret: 'wzp-1', contact: 'AQ',
  });
});

test('what an address names that no room can be called is known before anybody joins', () => {
  const home = new URL('https://wzp.example/voice/');
  for (const [name, fault] of [
    ['_x', 'underscore'], ['x'.repeat(80), 'long'], ['%00', 'control'], ['a%1bb', 'control'],
    ['style.css', 'reserved'], ['%20', 'empty'], ['cafe%CC%81', null],
  ]) {
    assert.equal(readAddress({ pathname: home.pathname + name, hash: '' }, home).fault, fault, name);
  }
  assert.equal(readAddress({ pathname: '/voice/cafe%CC%81', hash: '' }, home).room, 'caf\u00e9');
});

test('names are made of what people type as docs/protocol.md, section 5.2, says', async () => {
  const examples = JSON.parse(
    await readFile(new URL('../../internal/names/testdata/names.json', import.meta.url), 'utf8'),
  );
  let checked = 0;
  for (const { kind, typed, name, fault } of examples) {
    const wrong = { room: roomFault, member: memberFault }[kind];
    if (!wrong) continue; // patterns and hosts are for relays
    assert.equal(normalize(typed), name, JSON.stringify(typed));
    assert.equal(wrong(name) ?? '', fault, JSON.stringify(typed));
    checked++;
  }
  assert.ok(checked > 30);
  assert.equal(roomFault('e\u0301'), 'nfc');
  assert.equal(roomFault('a\ud800'), 'utf8');
});

test('what is wrong with a name is said exactly', () => {
  assert.match(faultText('long', 'x'.repeat(80)), /16 letters too long/);
  assert.match(faultText('long', '茶'.repeat(22)), /1 letter too long\./);
  assert.equal(excess('👩‍👩‍👧‍👦'.repeat(3)), 1, 'a family is one letter');
  assert.equal(excess('tea'), 0);
  assert.match(faultText('control', 'a\u0007b'), /U\+0007/);
  const faults = ['empty', 'underscore', 'reserved', 'address', 'long', 'control', 'utf8'].map((fault) =>
    faultText(fault, 'a\u0001'),
  );
  assert.equal(new Set(faults).size, faults.length);
});

test('pages under different paths of a host keep their rooms apart', () => {
  const keys = ['/', '/voice/', '/other/'].map((path) =>
    roomKey('tea', new URL(path, 'https://wzp.example')),
  );
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[0], 'tea');
});

test('names that the protocol or an address cannot hold are told apart', () => {
  assert.deepEqual(roomName('  tea '), { room: 'tea', fault: null });
  assert.equal(roomName('e\u0301').room, '\u00e9');
  for (const [name, fault] of [
    ['', 'empty'], [' ', 'empty'], ['x'.repeat(65), 'long'], ['茶'.repeat(22), 'long'], ['a\nb', 'control'],
    ['_x', 'underscore'], ['..', 'reserved'], ['style.css', 'reserved'], ['ws', 'reserved'],
    ['\ud800', 'utf8'],
  ]) {
    assert.equal(roomName(name).fault, fault, name);
  }
  assert.equal(roomName('v1.0').fault, null);
  assert.equal(personName('_ana').fault, null);
  assert.equal(personName('').fault, 'nobody');
});

test('made room names are rooms, and differ', () => {
  const names = new Set(Array.from({ length: 200 }, newRoomName));
  assert.equal(names.size, 200);
  for (const name of names) {
    assert.match(name, /^[a-z]{4}-[a-z]{4}-[a-z]{4}$/);
    assert.ok(isMadeName(name) && !isMadeName(name + '-') && !isMadeName(name + '-tavo'));
    assert.equal(roomName(name).fault, null);
  }
});

test('a picture of a fingerprint is mirrored, stays in its box and differs by fingerprint', () => {
  const a = draw('9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c');
  const b = draw('7f92:a8cf:0814:393c:3bfb:4d48:cc2e:80f8');
  assert.notDeepEqual(a, b);
  for (const path of a.cells) {
    const cells = [...path.matchAll(/M(\d) (\d)h1v1h-1z/g)].map(([, x, y]) => `${x} ${y}`);
    for (const cell of cells) {
      const [x, y] = cell.split(' ').map(Number);
      assert.ok(x < 5 && y < 5);
      assert.ok(cells.includes(`${4 - x} ${y}`));
    }
  }
  assert.ok(draw('').cells.every((path) => !path.includes('NaN')));
});

test('a headset that is plugged in is known with both of its parts; what has no name tells nothing', () => {
  const device = (id, group = id) => ({ id, label: id === '' ? '' : `the ${id}`, group });
  const lists = (microphones, loudspeakers) => ({ microphones, loudspeakers });
  const known = new KnownDevices();
  const [mic, out] = [device('mic'), device('out')];
  assert.equal(known.update(lists([device('')], [device('')])), null);
  assert.equal(known.update(lists([mic], [out])), null, 'the first that are known are not new');
  const [input, output] = [device('in', 'headset'), device('ear', 'headset')];
  assert.deepEqual(known.update(lists([device('default'), input, mic], [out, device('tv'), output])),
    { label: 'the in', microphone: 'in', loudspeaker: 'ear' });
  assert.equal(known.update(lists([mic], [out])), null, 'pulled out again');
  assert.deepEqual(known.update(lists([mic], [out, output])), { label: 'the ear', microphone: '', loudspeaker: 'ear' });
});

test('a key that means something else cannot be held to talk, whatever the keyboard has on it', () => {
  for (const [code, key, can] of [
    ['KeyV', 'v', true], ['F8', 'F8', true], ['Numpad0', '0', true], ['Backquote', '`', true], ['KeyV', 'м', true],
    ['KeyM', 'm', false], ['Semicolon', 'm', false], ['KeyM', 'ь', false], ['Slash', '?', false],
    ['Tab', 'Tab', false], ['Enter', 'Enter', false], ['Escape', 'Escape', false], ['F5', 'F5', false],
    ['ControlLeft', 'Control', false], ['ArrowUp', 'ArrowUp', false], ['NumpadEnter', 'Enter', false],
    ['F21', 'F21', true], ['', 'Process', false],
  ]) {
    assert.equal(canTalk({ code, key }), can, `${code} ${key}`);
  }
});

test('levels are shares', () => {
  assert.deepEqual([-100, -60, -6, 0, NaN, -Infinity].map(loudness), [0, 0, 1, 1, 0, 0]);
});

test('settings are at hand, of the right kind, and kept; invites by room', async () => {
  const kept = new Map([['name', 'Ana'], ['noise', 'yes'], ['theme', 'dark']]);
  const shelf = { get: async (key) => kept.get(key), set: async (key, value) => kept.set(key, value) };
  const prefs = await Prefs.load(shelf, assert.fail);
  assert.equal(prefs.get('name'), 'Ana');
  assert.equal(prefs.get('noise'), true);
  prefs.set('mode', 'radio');
  prefs.setSecret('tea', 'wzp-x');
  assert.equal(kept.get('mode'), 'radio');
  assert.equal(await prefs.secret('tea'), 'wzp-x');
  assert.equal(await prefs.secret('coffee'), '');
  prefs.setSecret('tea', '');
  assert.equal(await prefs.secret('tea'), '');
});

test('a stay begins as it was left: muted from the first moment, and as the user changes it meanwhile', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const begin = async (muted, act = () => {}) => {
    const engine = new FakeEngine();
    const stay = new Stay({
      connectUrl: '', room: 'tea', name: 'Ana', secret: '', mode: 'open', muted, engine, microphone: null,
      devices: new FakeDevices('on'), ready: async () => {}, sounds: () => false, changed() {}, people() {},
    });
    const started = stay.start();
    act(stay);
    await started;
    engine.say({ type: 'state', state: 'joined' });
    stay.leave();
    return engine.asked.filter(([what]) => ['join', 'mute'].includes(what))
      .map(([what, how]) => (what === 'join' ? how.muted : how));
  };
  assert.deepEqual(await begin(true), [true], 'nothing unmutes it, not for a moment');
  assert.deepEqual(await begin(false), [false]);
  assert.deepEqual((await begin(false, (stay) => stay.mute(true))).at(-1), true);
});

test('rooms are remembered, the newest first, so many at most; forgetting them has a way back', async () => {
  const kept = new Map([['rooms:' + roomKey(''), [{ room: 7 }, null, { room: 'old', at: 1, private: false }]]]);
  const shelf = {
    get: async (key) => structuredClone(kept.get(key)),
    set: async (key, value) => void (value === undefined ? kept.delete(key) : kept.set(key, value)),
  };
  const prefs = await Prefs.load(shelf, assert.fail);
  const list = new RoomList(prefs);
  for (let i = 0; i < 50; i++) list.note({ room: 'room ' + i, at: 10 + i, private: false });
  prefs.setSecret('tea', 'wzp-x');
  list.note({ room: 'tea', at: 100, private: true });
  list.note({ room: 'room 49', at: 101, private: false });
  const names = async () => (await prefs.rooms()).map(({ room }) => room);
  await list.forget([]); // when all is written
  const before = await names();
  assert.deepEqual(before.slice(0, 3), ['room 49', 'tea', 'room 48']);
  assert.equal(before.length, 30);
  const restore = await list.forget(['tea']);
  assert.ok(!(await names()).includes('tea'));
  assert.equal(await prefs.secret('tea'), '');
  await restore();
  assert.deepEqual(await names(), before);
  assert.equal(await prefs.secret('tea'), 'wzp-x');
  await list.forget(before);
  assert.deepEqual([...kept], [], 'nothing is left');
});

test('a tab follows what another one sets', async () => {
  const shelf = { get: async () => undefined, set: async () => {} };
  const [a, b] = [await Prefs.load(shelf, assert.fail), await Prefs.load(shelf, assert.fail)];
  const [one, two] = [{ postMessage: (data) => two.onmessage({ data }) }, { postMessage() {} }];
  let changes = 0;
  a.follow(one, () => {});
  b.follow(two, () => changes++);
  a.set('muted', true);
  assert.equal(b.get('muted'), true);
  two.onmessage({ data: ['muted', 'yes'] });
  two.onmessage({ data: ['constructor', 1] });
  assert.equal(changes, 1);
  assert.equal(b.get('muted'), true);
});

test('what is pasted for an invite is a link or its key, of this room', () => {
  const link = inviteLink('two words', 'wzp-x', new URL('https://a.example/voice/'));
  assert.deepEqual(readInvite(` ${link}\n`, 'two words'), { secret: 'wzp-x', other: '' });
  assert.deepEqual(readInvite(link, 'tea'), { secret: 'wzp-x', other: 'two words' });
  assert.deepEqual(readInvite('wzp-x', 'tea'), { secret: 'wzp-x', other: '' });
  assert.deepEqual(readInvite('#k=wzp-x', 'tea'), { secret: 'wzp-x', other: '' });
  for (const bad of ['', 'https://a.example/tea', 'https://a.example/tea#', 'https://a.example/%ff#k=wzp-x']) {
    assert.equal(readInvite(bad, 'tea').secret, '', bad);
  }
});

test('a browser without secure page, codecs or curves is told what is missing, and nothing else', async () => {
  assert.deepEqual(
    await missing({ isSecureContext: false, WebSocket: 1, Worker: 1, MessageChannel: 1, indexedDB: 1 }),
    ['secure'],
  );
  const scope = {
    isSecureContext: true, WebSocket: 1, Worker: 1, MessageChannel: 1, indexedDB: 1, AudioWorkletNode: 1,
    navigator: { mediaDevices: { getUserMedia() {} } }, crypto,
  };
  assert.deepEqual(await missing(scope), ['codecs']);
  const codec = { isConfigSupported: async () => ({ supported: true }) };
  const complete = { ...scope, AudioEncoder: codec, AudioDecoder: codec };
  assert.deepEqual(await missing(complete), []);
  const weak = {
    subtle: {
      generateKey: async () => {
        throw new Error('unknown');
      },
    },
  };
  assert.deepEqual(await missing({ ...complete, crypto: weak }), ['crypto']);
});

test('all addresses of the page are relative, so that a proxy can put it under a path', async () => {
  const html = await readFile(new URL('../index.html', import.meta.url), 'utf8');
  for (const [, address] of html.matchAll(/(?:href|src)="([^"]*)"/g)) assert.match(address, /^[a-z]/);
  const manifest = JSON.parse(await readFile(new URL('../manifest.webmanifest', import.meta.url), 'utf8'));
  const at = (/** @type {string} */ address) =>
    new URL(address, 'https://wzp.example/voice/manifest.webmanifest').pathname;
  assert.deepEqual([manifest.start_url, manifest.scope, manifest.icons[0].src].map(at), [
    '/voice/', '/voice/', '/voice/icon.svg',
  ]);
  for (const name of await readdir(new URL('..', import.meta.url), { recursive: true })) {
    if (!/\.(js|css)$/.test(name) || name.includes('.test.')) continue;
    const text = await readFile(new URL('../' + name, import.meta.url), 'utf8');
    assert.doesNotMatch(text, /(?:fetch|Worker|import|addModule|URL|url)\(\s*['"`]?\//, name);
    assert.doesNotMatch(text, /location\.origin/, name);
  }
});

test('the icon of the tab is the page\'s', async () => {
  const svg = await readFile(new URL('../icon.svg', import.meta.url), 'utf8');
  assert.equal(svg.replace(/^<svg[^>]*>|<\/svg>|\n/g, ''), drawings.here);
});

test('nothing in the page needs an exception to its content security policy', async () => {
  const html = await readFile(new URL('../index.html', import.meta.url), 'utf8');
  assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=/);
});
