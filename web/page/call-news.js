/**
 * Who called while nobody answered: a line each, at the door until they were looked at. In a room or a call
 * it is said at once, for strangers do not ring, and in a call nobody does. Kept in this browser, newest
 * first.
 */

import { roomKey } from './address.js';
import { fill, h, keepFocus, makeButton } from './dom.js';
import { fingerprintBlock } from './fingerprint.js';
import { icon, iconButton } from './icons.js';
import { identicon } from './identicon.js';
import { when } from '../words/formats.js';
import { say } from '../words/say.js';

/**
 * A call that was not taken. `name`: what they call themselves; `at`: ms since 1970.
 * @typedef {{kind: 'missed' | 'stranger', fingerprint: string, key: string, name: string, at: number}} Call
 */

/** @typedef {{get(key: string): Promise<any>, set(key: string, value: any): Promise<unknown>}} Shelf */

const most = 20; // that are kept
const key = 'calls:' + roomKey('');

/** The list, of which each person has one line of a kind. */
export class NewsList {
  /** @type {Call[]} the newest first */ list = [];
  #shelf;
  #changed;
  /** @type {Promise<unknown>} */ #last = Promise.resolve();

  /** @param {Shelf} shelf @param {() => void} changed */
  constructor(shelf, changed) {
    this.#shelf = shelf;
    this.#changed = changed;
  }

  /** Reads it anew: other tabs change it, too. */
  read() {
    return this.#change((list) => list);
  }

  /** @param {Call} news */
  add(news) {
    return this.#change((list) => {
      const before = list.find((one) => same(one, news));
      if (before && before.at > news.at) return list; // a call that was kept is told late
      return [news, ...list.filter((one) => one !== before)];
    });
  }

  /** It was looked at. @param {Call} news */
  remove(news) {
    return this.#change((list) => list.filter((one) => !same(one, news)));
  }

  /** @param {(list: Call[]) => Call[]} change */
  #change(change) {
    this.#last = this.#last.then(async () => {
      const kept = await this.#shelf.get(key);
      const before = Array.isArray(kept) ? kept.filter(isNews) : [];
      const list = change(before).sort((a, b) => b.at - a.at).slice(0, most);
      if (list !== before) this.list = list;
      await this.#shelf.set(key, list.length > 0 ? list : undefined);
    }).catch(() => {}).then(() => this.#changed());
    return this.#last;
  }
}

/** @param {Call} a @param {Call} b */
const same = (a, b) => a.kind === b.kind && a.fingerprint === b.fingerprint;

/** @param {unknown} entry @returns {entry is Call} */
function isNews(entry) {
  const { kind, fingerprint, key, name, at } = /** @type {Partial<Call>} */ (entry ?? {});
  return (kind === 'missed' || kind === 'stranger') && typeof fingerprint === 'string'
    && typeof key === 'string' && typeof name === 'string' && typeof at === 'number';
}

/**
 * @typedef {object} NewsActions
 * @property {(news: Call) => string} nameOf what they are called here
 * @property {(news: Call) => void} call
 * @property {(news: Call) => void} remember
 * @property {(news: Call) => void} remove
 */

/** Shows news. */
export class NewsView {
  element = h('section', { class: 'call-news', 'aria-label': say('calls.news') });
  #actions;
  /** @type {Set<string>} fingerprints of strangers who are looked at */ #open = new Set();
  #shown = '';

  /** @param {NewsActions} actions */
  constructor(actions) {
    this.#actions = actions;
  }

  /** @param {readonly Call[]} list @param {string} word about the line, '' for none */
  show(list, word) {
    const now = Date.now();
    const lines = list.map((one) => [one, this.#actions.nameOf(one), when(one.at, now)]);
    const shown = JSON.stringify([lines, word, [...this.#open]]);
    if (shown === this.#shown) return; // or screen readers would say it again
    this.#shown = shown;
    this.element.hidden = list.length === 0 && word === '';
    keepFocus(this.element, () => fill(this.element,
      list.length > 0 && h('ul', { class: 'card stack tight', role: 'list' },
        ...list.map((one) => (one.kind === 'missed' ? this.#missed(one) : this.#stranger(one, list, word)))),
      word !== '' && h('p', { class: 'hint line-word', role: 'status' }, word)));
  }

  /** @param {Call} news */
  #missed(news) {
    const { nameOf, call, remove } = this.#actions;
    const name = nameOf(news);
    const back = say('calls.callBack', { name });
    return h('li', { class: 'news-row', 'data-news': 'missed' },
      h('span', { class: 'face' }, identicon(news.fingerprint)),
      said(say('calls.missed', { name }), news),
      iconButton('call', back, () => call(news), back),
      dismiss(() => remove(news)));
  }

  /** @param {Call} news @param {readonly Call[]} list @param {string} word */
  #stranger(news, list, word) {
    const { remember, remove } = this.#actions;
    const open = this.#open.has(news.fingerprint);
    const toggle = () => {
      if (!this.#open.delete(news.fingerprint)) this.#open.add(news.fingerprint);
      this.show(list, word);
    };
    const more = h('button', { type: 'button', class: 'link', 'aria-expanded': open, onclick: toggle },
      say('calls.who'));
    return h('li', { class: 'news-row', 'data-news': 'stranger' },
      h('span', { class: 'face' }, icon('outside')),
      said(say('calls.stranger'), news),
      more, dismiss(() => remove(news)),
      open && h('div', { class: 'news-more stack tight' },
        news.name !== '' && h('p', { class: 'hint' }, say('calls.strangerName', { name: news.name })),
        fingerprintBlock(news.fingerprint), h('p', { class: 'hint' }, say('calls.strangerHint')),
        h('div', {}, makeButton('small', () => remember(news), icon('keep'), say('person.remember')))));
  }
}

/** What happened, and when. @param {string} text @param {Call} news */
function said(text, { at }) {
  return h('div', {}, h('p', {}, text), h('p', { class: 'hint' }, when(at, Date.now())));
}

/** News and where they are shown: at the door, and the newest in the room or call that one is in. */
export class News {
  #phone;
  #actions;
  #list;
  #view;
  /** @type {number} who called since is told of in the room */ #since = Infinity;
  #strip = h('div', { class: 'news-strip' });
  #told = '';

  /**
   * @param {import('./phone.js').PhoneHost} host @param {import('./phone.js').Phone} phone
   * @param {Omit<NewsActions, 'remove'> & {word: () => string}} actions word: of the line
   */
  constructor(host, phone, actions) {
    this.#phone = phone;
    this.#actions = actions;
    this.#list = new NewsList(host.world.prefs.shelf, () => this.show());
    this.#view = this.#makeView();
    phone.strips.append(this.#strip);
  }

  #makeView() {
    const remove = (/** @type {Call} */ news) => void this.#list.remove(news);
    const view = new NewsView({
      ...this.#actions, remove,
      call: (news) => {
        remove(news);
        this.#actions.call(news);
      },
      remember: (news) => {
        remove(news);
        this.#actions.remember(news);
      },
    });
    this.#phone.news.replaceChildren(view.element);
    return view;
  }

  read() {
    return this.#list.read();
  }

  /** @param {Call} news */
  add(news) {
    return this.#list.add(news);
  }

  show() {
    this.#view.show(this.#list.list, this.#actions.word());
    const lines = this.#lines();
    const told = JSON.stringify(lines);
    if (told === this.#told) return; // or screen readers would say it again
    this.#told = told;
    keepFocus(this.#strip, () => fill(this.#strip, ...lines.map(({ kind, text }) => this.#line(kind, text))));
  }

  /** What is told in the room: a quiet line for strangers, however many called, one for who called last. */
  #lines() {
    const since = this.#list.list.filter(({ at }) => at >= this.#since);
    const newest = /** @type {const} */ (['missed', 'stranger'])
      .flatMap((kind) => since.find((one) => one.kind === kind) ?? []);
    return newest.map(({ kind, ...news }) => ({
      kind, at: news.at, text: kind === 'stranger' ? say('calls.stranger')
        : say('calls.missed', { name: this.#actions.nameOf({ kind, ...news }) }),
    }));
  }

  /** @param {Call['kind']} kind @param {string} text */
  #line(kind, text) {
    return h('div', { class: 'strip', 'data-strip': kind, role: 'status' },
      icon(kind === 'stranger' ? 'outside' : 'call'), h('p', {}, text), dismiss(() => this.strip()));
  }

  /** There is another room, in which nothing was told yet. */
  strip() {
    this.#since = Date.now();
    this.show();
  }

  /** Says everything again, in another language. */
  speakAgain() {
    this.#view = this.#makeView();
    this.#told = '';
    this.show();
  }
}

/** @param {() => void} act */
const dismiss = (act) => iconButton('close', say('bar.dismiss'), act, say('bar.dismiss'));
