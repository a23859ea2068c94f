// Every catalogue says all that the English one says, with the same placeholders and all forms of numbers.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';

import * as english from './en.js';
import { ago, measure, percent, when } from './formats.js';
import { choose, directionOf, languages, list, number, say, speak } from './say.js';

const catalogues = (await readdir(new URL('.', import.meta.url)))
  .filter((name) => /^[a-z]{2}\.js$/.test(name)).map((name) => name.slice(0, 2));
const stages = /** @type {const} */ (['door', 'room', 'sheets', 'calls']);
const placeholders = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const western = (text) => text.replace(/[۰-۹]/g, (digit) => String(digit.codePointAt(0) - 0x6f0));
/** The numbers in a text: versions, amounts. */
const figures = (text) => [...western(text).matchAll(/\d+/g)].map(([digits]) => digits).sort();
const forms = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry));

test('every language that can be chosen has a catalogue, and every catalogue can be chosen', () => {
  assert.deepEqual(catalogues.toSorted(), [...languages].toSorted());
});

for (const code of catalogues) {
  test(`${code} is complete: the same texts, placeholders, and a form for each kind of number`, async () => {
    const own = await import(`./${code}.js`);
    const parts = /** @type {const} */ (['plain', ...stages]);
    assert.deepEqual(Object.keys(own).toSorted(), parts.toSorted());
    const categories = new Intl.PluralRules(code).resolvedOptions().pluralCategories;
    for (const part of parts) {
      assert.deepEqual(Object.keys(own[part]), Object.keys(english[part]), 'the same keys in the same order');
      for (const [key, entry] of Object.entries(own[part])) {
        const model = english[part][key];
        assert.equal(typeof entry, typeof model, key);
        if (typeof entry === 'object') {
          assert.deepEqual(Object.keys(entry).toSorted(), categories.toSorted(), key);
        }
        const all = new Set(forms(model).flatMap(placeholders));
        for (const form of forms(entry)) {
          assert.ok(form.trim() !== '' && form === form.trim(), key);
          for (const name of placeholders(form)) assert.ok(all.has(name), `${key}: there is no {${name}}`);
          // a form of exactly one, two or none may leave the number out
          for (const name of all) assert.ok(name === 'n' || form.includes(`{${name}}`), `${key}: {${name}}`);
        }
        const other = typeof entry === 'object' ? entry.other ?? '' : entry;
        assert.ok(!all.has('n') || other.includes('{n}') || key.startsWith('announce.'), `${key}: {n}`);
        assert.deepEqual(figures(other), figures(typeof model === 'object' ? model.other : model), key);
        if (code !== 'en') assert.doesNotMatch(forms(entry).join(), /\b(the|you|and) /, `${key} is English`);
      }
    }
  });
}

test('the page says nothing that is in no catalogue, and no catalogue says what nobody uses', async () => {
  const known = { ...english.door, ...english.room, ...english.sheets, ...english.calls };
  const used = new Set();
  const folder = new URL('../page/', import.meta.url);
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.js') && !name.includes('.test.'));
  const texts = await Promise.all([
    ...sources.map((name) => readFile(new URL(name, folder), 'utf8')),
    readFile(new URL('formats.js', import.meta.url), 'utf8'),
  ]);
  for (const text of texts) {
    for (const [, key] of text.matchAll(/'([a-z]+\.[\w.]+)'/gi)) used.add(key);
    // `ended.${code}.title` stands for all that fit
    for (const [, pattern] of text.matchAll(/`([a-z]+\.[\w.]*\$\{[^`]*)`/gi)) {
      const source = pattern.replaceAll('.', '\\.').replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, '\\w*');
      for (const key of Object.keys(known)) if (new RegExp(`^${source}$`).test(key)) used.add(key);
    }
    for (const [, pattern] of text.matchAll(/`\$\{key\}(\w+)`/g)) {
      for (const key of Object.keys(known)) if (key.endsWith(pattern)) used.add(key);
    }
  }
  const unused = Object.keys(known).filter((key) => !used.has(key));
  assert.deepEqual(unused, []);
});

/**
 * The modules that one is made of, by static imports: their texts, by address.
 * @param {URL} module @param {Map<string, string>} found
 */
async function modulesOf(module, found = new Map()) {
  if (found.has(module.href)) return found;
  const text = await readFile(module, 'utf8');
  found.set(module.href, text);
  for (const [, from] of text.matchAll(/^(?:import|export)\b[^;']*?'(\.[^']+)';/gm)) {
    await modulesOf(new URL(from, module), found);
  }
  return found;
}

test('a text comes with what says it first, not after it and not long before', async () => {
  const entries = { door: 'main', room: 'room', sheets: 'sheets', calls: 'switchboard' };
  /** @type {Map<string, string>} the stage of each key */ const first = new Map();
  for (const stage of stages) {
    const modules = await modulesOf(new URL(`../page/${entries[stage]}.js`, import.meta.url));
    for (const text of modules.values()) {
      for (const [, key] of text.matchAll(/'([a-z]+\.[\w.]+)'/gi)) if (!first.has(key)) first.set(key, stage);
    }
  }
  for (const stage of stages) {
    // what is named by a pattern is not looked for
    for (const key of Object.keys(english[stage])) assert.equal(stage, first.get(key) ?? stage, key);
  }
});

test('texts take values by the rules of their language', () => {
  speak('en', {
    people: { one: '{n} person', other: '{n} people' }, talks: '{name} is talking', came: '{names} came in',
  });
  assert.equal(say('people', { n: 1 }), '1 person');
  assert.equal(say('people', { n: 12_345 }), '12,345 people');
  assert.equal(say('came', { names: ['Ana', 'Ben', 'Cleo'] }), 'Ana, Ben, and Cleo came in');
  assert.equal(say('talks', { name: 'Ana {n}' }), 'Ana {n} is talking', 'what people write is no placeholder');
  assert.equal(say('talks', { name: 'علي' }), '\u2068علي\u2069 is talking', 'another direction is isolated');
  assert.equal(list(['Ana', 'Ben']), 'Ana and Ben');
  speak('uk', { people: { one: '{n} особа', few: '{n} особи', many: '{n} осіб', other: '{n} особи' } });
  assert.deepEqual([1, 3, 5, 21].map((n) => say('people', { n })), ['1 особа', '3 особи', '5 осіб', '21 особа']);
  assert.equal(say('talks', { name: 'Ana' }), 'talks', 'a language says nothing of another one');
  speak('ar', { talks: 'يتحدث {name} الآن' });
  assert.equal(say('talks', { name: 'Ana' }), 'يتحدث \u2068Ana\u2069 الآن');
  speak('en', english.door, english.room, english.sheets);
  assert.equal(say('fault.long', { n: 1 }), 'This name is 1 letter too long. Shorten it.');
});

test('numbers and times are told in words', () => {
  speak('en', english.door, english.room, english.sheets);
  assert.equal(percent(0.123), '12%');
  assert.equal(percent(0.0123, 1), '1.2%');
  assert.equal(number(1.26, 1), '1.3');
  assert.equal(measure(28.4, 'kilobit-per-second'), '28 kb/s');
  assert.equal(measure(120, 'millisecond'), '120 ms');
  const minute = 60_000;
  assert.deepEqual([0, 1, 59, 60, 47 * 60, 72 * 60].map((n) => ago(0, n * minute)),
    ['just now', '1 minute ago', '59 minutes ago', '1 hour ago', '47 hours ago', '3 days ago']);
  const at = (...time) => new Date(2026, 10, ...time).getTime();
  const now = at(30, 21, 0);
  for (const [time, said] of /** @type {[number, RegExp][]} */ ([
    [at(30, 20, 59), /^1 minute ago$/], [at(30, 8, 5), /^8:05\sAM$/],
    [at(29, 23, 59), /^Sunday\b.* 11:59\sPM$/], [at(26, 7, 30), /^Thursday\b.* 7:30\sAM$/],
    [at(2, 7, 30), /^November 2\b.* 7:30\sAM$/],
  ])) assert.match(when(time, now), said);
  assert.equal(when(at(30, 0, 50), at(30, 1, 10)), '20 minutes ago');
  assert.equal(when(at(29, 23, 50), at(30, 0, 10)), '20 minutes ago');
  assert.equal(when(now + 60_000, now), 'just now', "the caller's clock is ahead");
  for (const code of languages) {
    speak(code);
    const day = new Intl.DateTimeFormat(code, { weekday: 'long' }).format(at(29, 12));
    assert.ok(when(at(29, 20, 0), now).includes(day), `${code}: ${when(at(29, 20, 0), now)}`);
  }
});

test('the language is the first that the browser wants and that there is', () => {
  const from = ['en', 'uk', 'fa'];
  assert.equal(choose(['de-AT', 'uk-UA', 'en'], from), 'uk');
  assert.equal(choose(['FA'], from), 'fa');
  assert.equal(choose(['tlh', 'constructor']), 'en');
  assert.equal(choose([]), 'en');
  assert.deepEqual(['en', 'ar', 'fa-AF', 'uk'].map(directionOf), ['ltr', 'rtl', 'rtl', 'ltr']);
});
