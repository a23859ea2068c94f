/**
 * What happens with calls on this page: the line, who rings, which calls there are, which of them is shown.
 * Loaded when calls are taken or somebody is called; web/call does the work, in a Worker of its own.
 *
 *     LineEngine ── incoming, missed, stranger ──> Switchboard ──> rings, news, tab
 *     Phone ── call, settings ──> Switchboard ──> DirectCall (one in front, at most one that waits)
 */

import { applyCallsStyle } from './calls-style.js';
import { CallClaim } from './call-claim.js';
import { callEndedScreen } from './call-screen.js';
import { DirectCall } from './direct-call.js';
import { Incoming } from './incoming.js';
import { LineDesk } from './line-desk.js';
import { News } from './call-news.js';
import { openPeople } from './people-sheet.js';
import { People } from './people.js';
import { say } from '../words/say.js';

/** @typedef {import('./line.js').Person} Person */
/** @typedef {import('./line.js').AnyLineCall} AnyLineCall */
/** @typedef {import('./phone.js').Called} Called */

const most = 2; // calls: one in front, one that waits

export class Switchboard {
  #host;
  #phone;
  #people;
  #desk;
  #news;
  #incoming;
  /** @type {DirectCall[]} those that go on */ #calls = [];
  /** @type {import('./app.js').ShownCall | null} in which strangers are told of */ #inRoom = null;
  /** @type {CallClaim | null} while there are some */ #claim = null;

  /** @param {import('./phone.js').PhoneHost} host @param {import('./phone.js').Phone} phone */
  constructor(host, phone) {
    applyCallsStyle();
    this.#host = host;
    this.#phone = phone;
    this.#people = new People(host.world, () => this.changed());
    this.#desk = new LineDesk(host, {
      busy: () => this.busy || this.#incoming.some, received: (message) => this.#receive(message),
      changed: () => this.#lineChanged(),
    });
    this.#news = new News(host, phone, {
      nameOf: (news) => this.stateOf(news).title, word: () => this.word,
      call: (news) => this.call({ ...news, name: this.stateOf(news).title }),
      remember: (news) => this.#remember(news),
    });
    this.#incoming = new Incoming(host, phone.strips, {
      stateOf: (person) => this.stateOf(person), compare: (person) => this.#compare(person),
      answer: ({ line, person }) => this.#begin(line, person),
      over: (entry, reason) => this.#ranOut(entry, reason),
      situation: () => this.#situation(),
    });
    window.addEventListener('pagehide', () => this.#desk.hide());
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.settingsChanged());
    window.addEventListener('online', () => this.#desk.watched());
    document.addEventListener('visibilitychange', () => {
      this.#desk.watched();
      if (!document.hidden) this.#people.refresh();
    });
    this.shown();
  }

  /** Whether a call goes on. */
  get busy() {
    return this.#calls.length > 0;
  }

  /** How the line is, in a word. */
  get word() {
    const { prefs } = this.#host.world;
    if (!prefs.get('takeCalls')) return '';
    return prefs.get('doNotDisturb') ? say('calls.line.disturb') : this.#desk.word;
  }

  /** Who somebody is for the user, as far as is known by now. @param {Person} person */
  stateOf(person) {
    return this.#people.stateOf(person);
  }

  /** What is set, here or in another tab. */
  settingsChanged() {
    void this.#desk.settingsChanged();
    this.#lineChanged();
  }

  #lineChanged() {
    this.#phone.onword(this.word);
    this.#news.show();
  }

  /** There is another screen. */
  shown() {
    this.#people.refresh();
    this.#incoming.show();
    this.changed();
    void this.#news.read();
    const shown = this.#host.current();
    if (shown !== this.#inRoom) this.#news.strip();
    this.#inRoom = shown;
  }

  /** Something of a call, or of what is known of people, has changed. */
  changed() {
    this.#desk.contactsChanged(this.#people.version);
    this.#incoming.show();
    this.#news.show();
    const front = this.#front;
    front?.show();
    const { mic, muted, mode, held, state } = front?.stay.model ?? {};
    const live = mic === 'on' && (mode === 'open' ? !muted : held === true);
    this.#claim?.show(mic === 'on' && !muted);
    if (front) this.#host.sign.show(state !== 'joined' ? 'here' : live ? 'live' : 'muted', front.title);
  }

  get #front() {
    const shown = this.#host.current();
    return shown instanceof DirectCall ? shown : null;
  }

  /** The call beside one, if there is one. @param {DirectCall} call */
  waiting(call) {
    return this.#calls.find((one) => one !== call) ?? null;
  }

  /** Calls somebody; what there is waits, and a room is left. @param {Called} who */
  async call({ fingerprint, key = '', name }) {
    if (this.#calls.length >= most) return;
    await this.#people.refresh();
    const line = await this.#desk.open();
    const person = { fingerprint, key, name };
    this.#begin(line.call({ fingerprint, key: key || this.#people.keyOf(fingerprint) }), person);
  }

  /** @param {AnyLineCall} line @param {Person} person */
  #begin(line, person) {
    const before = this.#host.current();
    const aside = before instanceof DirectCall ? before : null;
    const from = before && !aside ? before.stay.model.room : aside?.from ?? '';
    const call = new DirectCall({
      host: this.#host, strips: this.#phone.strips, line, person, from, board: this,
    });
    if (aside?.model.phase === 'talking') aside.putAside();
    this.#calls.push(call);
    this.#claimFor(call, before === null ? null : aside);
    this.#host.take(call);
    if (aside && aside.model.phase !== 'talking') this.#drop(aside);
    if (before && !aside) before.stay.leave();
    call.start();
    this.changed();
  }

  /** Ends a call without a word: another one took its place. @param {DirectCall} call */
  #drop(call) {
    this.#calls = this.#calls.filter((one) => one !== call);
    call.hangUp();
  }

  /** Claims the microphone for this tab. @param {DirectCall} call @param {DirectCall | null} aside */
  #claimFor(call, aside) {
    if (aside && this.#claim) return; // it has it
    const ofFront = (/** @type {(call: DirectCall) => void} */ act) => () => {
      if (this.#front) act(this.#front);
    };
    this.#claim?.close();
    this.#claim = new CallClaim(say('call.with', { name: call.title }), {
      both: false, taken: () => this.#taken(), mute: ofFront(({ stay }) => stay.mute()),
      leave: ofFront((front) => front.hangUp()),
    });
    this.#host.bars.ask = (then) => ofFront((front) => front.ask(() => {
      front.hangUp();
      then();
    }))();
  }

  /** Another tab has the microphone now. */
  #taken() {
    for (const call of [...this.#calls]) call.stay.leave('tab');
  }

  /** A call ended. @param {DirectCall} call */
  over(call) {
    const known = this.#calls.includes(call);
    this.#calls = this.#calls.filter((one) => one !== call);
    if (this.#calls.length === 0) {
      this.#claim?.close();
      this.#claim = null;
      this.#host.bars.ask = null;
    }
    if (!known) return;
    this.#desk.callEnded();
    const other = this.waiting(call);
    if (this.#host.current() !== call || other) {
      this.#host.bars.show('call', { text: say('call.otherEnded', { name: call.title }) });
      if (other && this.#host.current() === call) this.#bringBack(other);
      return this.changed();
    }
    if (call.model.reason === 'cancelled' && call.from === '') return this.#host.back('');
    this.#showEnded(call);
  }

  /** @param {DirectCall} call */
  #showEnded(call) {
    const { person, reason } = call.model;
    const final = reason === 'transferred' || call.model.error?.code === 'self';
    const again = () => void this.call({ ...person, name: call.title });
    const { from } = call;
    this.#host.show(callEndedScreen(call.model, call.state, {
      again: final ? null : again,
      back: from === '' ? null : { room: from, join: () => this.#host.back(from) },
      door: () => this.#host.back(''),
    }));
    this.#host.sign.show('here', '');
  }

  /** The call that waits comes to the front, still on hold. @param {DirectCall} call */
  #bringBack(call) {
    this.#host.take(call);
    call.takeUp();
  }

  /** The call in front waits, and the other goes on. */
  swap() {
    const front = this.#front;
    const other = front && this.waiting(front);
    if (!other) return;
    front.putAside();
    this.#bringBack(other);
    other.line.hold(false);
  }

  /** Holds all others: one is heard. @param {DirectCall} call */
  holdOthers(call) {
    for (const one of this.#calls) if (one !== call) one.putAside();
  }

  /** The person of this call is to go on with that of the other. @param {DirectCall} call */
  handOver(call) {
    const other = this.waiting(call);
    if (!other) return;
    call.model.apply({ type: 'transfer', state: 'asking' });
    call.line.transfer(other.line);
    call.show();
  }

  /**
   * A call of ours goes on as another one, with somebody else.
   * @param {DirectCall} call @param {Extract<import('./line.js').CallEvent, {type: 'transferred'}>} message
   */
  goesOn(call, { call: id, fingerprint }) {
    const person = { fingerprint, key: '', name: '' };
    const line = this.#desk.line?.take(id);
    if (!line) return;
    this.#calls = this.#calls.filter((one) => one !== call);
    this.#begin(line, person);
    call.stay.giveUpSound();
  }

  /** @param {import('./line.js').LineMessage} message */
  #receive(message) {
    switch (message.type) {
      case 'incoming': return void this.#rings(message);
      case 'missed': case 'stranger': {
        const { type: kind, fingerprint, key, name, at } = message;
        return void this.#news.add({ kind, fingerprint, key, name, at });
      }
      case 'clock':
        return this.#host.bars.show('clock', { text: say('calls.clock') });
      case 'failed':
        for (const call of [...this.#calls]) call.stay.leave('other');
        return this.#host.bars.error(message.text);
      default:
    }
  }

  /** @param {Extract<import('./line.js').LineMessage, {type: 'incoming'}>} message */
  async #rings({ call: id, fingerprint, key, name, answered }) {
    const line = this.#desk.line?.take(id);
    if (!line) return;
    const person = { fingerprint, key, name };
    if (answered) return this.#begin(line, person);
    this.#incoming.add({ line, person });
    await this.#people.look(person);
  }

  /** @returns {import('./incoming.js').Situation} */
  #situation() {
    const shown = this.#host.current();
    return { strip: shown !== null, room: shown && !this.#front ? shown.stay.model.room : '' };
  }

  /**
   * It does not ring any more, and was not answered here.
   * @param {import('./incoming.js').Entry} entry @param {string} reason
   */
  #ranOut({ person }, reason) {
    if (reason === 'missed' || reason === 'failed' || reason === 'no_answer' || reason === 'cancelled') {
      void this.#news.add({ kind: 'missed', ...person, at: Date.now() });
    }
  }

  /** @param {Person} person */
  #compare({ fingerprint }) {
    void this.#host.sheet(async ({ openContact }) => {
      const identity = await this.#host.world.identity();
      const contact = (await identity.contacts.all()).find((one) => one.fingerprint === fingerprint);
      const closed = () => void this.#people.refresh();
      if (contact) openContact(contact, { identity, closed });
    });
  }

  /** @param {Person} person */
  #remember(person) {
    void this.#host.sheet(async ({ openContact }) => {
      const contact = await this.#people.remember(person);
      const identity = await this.#host.world.identity();
      const closed = () => this.#host.people();
      const call = (/** @type {Called} */ who) => void this.call(who);
      openContact(contact, { identity, closed, text: say('contact.remembered'), call });
    });
  }

  /** Whom to call beside this call. */
  openPeople() {
    const talking = new Set(this.#calls.map(({ model }) => model.person.fingerprint));
    const contacts = this.#people.contacts.filter(({ fingerprint }) => !talking.has(fingerprint));
    openPeople(contacts, { full: this.#calls.length >= most, call: (who) => void this.call(who) });
  }

  /** Says everything again, in another language. */
  speakAgain() {
    this.#news.speakAgain();
    this.#incoming.speakAgain();
    this.#lineChanged();
  }
}
