/**
 * One direct call as the page shows it, from the click on Call or Answer to its end: a stay in a room for
 * two, the screen while it is set up, then the room's own. What there is beside it, the switchboard knows.
 *
 *     LineCall ── told ──> CallModel ──> CallingScreen, CallBars ──> over() ──> Switchboard
 *         └── Stay ── changed(parts) ──> RoomView, sound bar
 */

import { CallBars } from './call-bars.js';
import { CallModel } from './call-model.js';
import { CallingScreen } from './call-screen.js';
import { connectUrl } from './address.js';
import { h, makeButton, setAttribute } from './dom.js';
import { iconButton } from './icons.js';
import { RoomView } from './room-view.js';
import { openSheet, Sheet } from './sheet.js';
import { showSound } from './sound-bar.js';
import { Stay } from './stay.js';
import { say } from '../words/say.js';

/** @typedef {import('./line.js').Person} Person */

/**
 * @typedef {object} DirectCallOptions
 * @property {import('./phone.js').PhoneHost} host
 * @property {HTMLElement} strips
 * @property {import('./line.js').AnyLineCall} line
 * @property {Person} person
 * @property {string} from the room that was left for it, '' for none
 * @property {import('./switchboard.js').Switchboard} board
 */

/** The entry of the history that a call is in: the one before it is the way back, which is asked for. */
const inCall = { call: true };
const askedFor = 70_000; // ms that the other's end waits for the answer to a question

export class DirectCall {
  stay;
  model;
  #options;
  /** @type {CallingScreen | null} */ #calling = null;
  /** @type {RoomView | null} */ #view = null;
  /** @type {HTMLElement | null} where it is shown, null while it is not */ #root = null;
  #bars;
  #hold = iconButton('hold', say('call.hold'), () => this.hold(!this.model.us), say('call.hold'));

  /** @param {DirectCallOptions} options */
  constructor(options) {
    this.#options = options;
    const { line, person, board } = options;
    this.model = new CallModel(person, line.outgoing);
    this.#bars = this.#makeBars();
    this.stay = this.#makeStay();
    board.stateOf(person);
  }

  #makeBars() {
    const { board, line } = this.#options;
    return new CallBars({
      resume: () => this.hold(false), swap: () => board.swap(), handOver: () => board.handOver(this),
      answer: (yes) => {
        const { question } = this.model;
        if (question?.kind === 'consent') line.consent(question.key, yes);
        else if (question) line.acceptTransfer(question.key, yes);
        this.model.answered();
        this.#showBars();
      },
    });
  }

  #makeStay() {
    const { host: { world: { prefs, identity }, sound: { devices }, relay }, line } = this.#options;
    return new Stay({
      connectUrl, room: this.title, name: prefs.get('name'), secret: line.id, microphone: null,
      mode: prefs.get('mode'), muted: prefs.get('muted'), prepared: relay().prepared,
      engine: /** @type {import('./stay.js').StayOptions['engine']} */ (line), devices,
      ready: async () => (await identity()).ensure(),
      sounds: () => prefs.get('sounds'),
      talkKey: () => ({ code: prefs.get('talkKey'), label: prefs.get('talkKeyLabel') }),
      changed: (parts) => this.#changed(parts),
      people: () => {}, // the other's going is the end
      told: (message) => this.#told(message),
      resume: () => this.model.us && this.hold(false),
    });
  }

  /** What the other is called here. */
  get title() {
    return this.state.title;
  }

  get state() {
    return this.#options.board.stateOf(this.model.person);
  }

  get from() {
    return this.#options.from;
  }

  get line() {
    return this.#options.line;
  }

  /** Calls, or answers. */
  start() {
    this.stay.setOffline(!navigator.onLine);
    void this.stay.start();
  }

  /** @param {import('./line.js').CallEvent} message */
  #told(message) {
    if (message.type === 'transferred') return this.#options.board.goesOn(this, message);
    const { phase: before, question: asked } = this.model;
    if (!this.model.apply(message)) return;
    if (message.type === 'held') {
      this.stay.setHold(this.model.onHold);
      setAttribute(this.#hold, 'aria-pressed', this.model.us);
    }
    if (this.model.phase === 'ended') return; // the room's own end follows
    const { question } = this.model;
    if (question && question !== asked) {
      setTimeout(() => void (this.model.lapsed(question) && this.show()), askedFor);
    }
    if (before !== this.model.phase) this.#phaseChanged();
    else this.show();
  }

  #phaseChanged() {
    if (this.model.phase === 'talking' && this.#root) this.#enter(this.#root);
    this.show();
    this.#options.board.changed();
  }

  /** @param {import('./room-model.js').Part[]} parts */
  #changed(parts) {
    if (!this.stay) return;
    const { host, board } = this.#options;
    const { model } = this.stay;
    if (model.state === 'ended') return this.#over();
    if (parts.includes('error')) host.bars.error(model.broken);
    if (parts.includes('control')) this.#remember();
    if (!this.#root) return;
    this.#view?.changed(parts);
    if (parts.includes('control')) this.#calling?.show(this.model, this.state, this.stay);
    this.#tell();
    if (parts.includes('control')) board.changed();
    if (parts.includes('levels')) host.sound.onlevel?.(model.me);
    if (parts.includes('sound')) this.#showSound();
  }

  #tell() {
    const { phase } = this.model;
    this.#options.host.tell(phase === 'talking' ? this.stay.model.state : phase, this.stay.model);
  }

  /** So the user talks the next time. */
  #remember() {
    const { mode, muted } = this.stay.model;
    this.#options.host.world.prefs.set('mode', mode);
    this.#options.host.world.prefs.set('muted', muted);
  }

  #over() {
    const { error } = this.stay.model;
    const why = error ?? { code: 'failed', text: '' };
    // If it did not say why:
    this.model.apply({ type: 'call', phase: 'ended', reason: 'error', by: null, error: why });
    this.#options.board.over(this);
  }

  /** Shows it. @param {HTMLElement} root */
  open(root) {
    this.#root = root;
    if (this.model.phase === 'talking') {
      this.#enter(root);
    } else {
      this.#calling = new CallingScreen({ strips: this.#options.strips, hangUp: () => this.hangUp() });
      root.append(this.#calling.element);
      this.#calling.focus();
    }
    if (!isCall(history.state)) history.pushState({ ...history.state, ...inCall }, '');
    this.show();
  }

  /** The two talk: it is a room. @param {HTMLElement} root */
  #enter(root) {
    this.#calling?.element.remove();
    this.#calling = null;
    const { host: { settings, sheet }, strips, board } = this.#options;
    const other = iconButton('call', say('call.other'), () => board.openPeople(), say('call.other'));
    this.#view = new RoomView(this.stay, {
      secret: '', page: () => '', valid: async () => false, useSecret: () => {},
      leave: () => this.hangUp(), settings, sheet, strips,
      two: { beside: [other], below: this.#hold, joined: say('call.joined', { name: this.title }) },
    });
    setAttribute(this.#hold, 'aria-pressed', this.model.us);
    root.append(this.#view.element);
    this.#view.focus();
  }

  /** Shows what changed around it. */
  show() {
    if (!this.#root) return;
    this.#calling?.show(this.model, this.state, this.stay);
    this.#showBars();
    this.#tell();
  }

  #showBars() {
    const { board, strips } = this.#options;
    const waiting = board.waiting(this);
    const { question } = this.model;
    this.#bars.show({
      model: this.model, title: this.title, waiting: waiting?.title ?? '',
      waitingFace: waiting?.model.person.fingerprint ?? '',
      third: question ? board.stateOf({ ...question, name: '' }).title : '',
    });
    if (this.#bars.element.parentElement !== strips) strips.append(this.#bars.element);
  }

  /** @param {boolean} on nothing is sent nor heard */
  hold(on) {
    if (this.model.phase !== 'talking') return;
    if (!on) this.#options.board.holdOthers(this);
    this.line.hold(on);
  }

  /** Another call takes its place. */
  putAside() {
    if (this.model.phase === 'talking' && !this.model.us) this.line.hold(true);
    this.stay.giveUpSound();
  }

  /** It has microphone and loudspeaker again. */
  takeUp() {
    void this.stay.renewSound();
  }

  hangUp() {
    const reason = this.model.talked ? 'hung_up_here' : this.line.outgoing ? 'cancelled' : 'declined';
    this.model.apply({ type: 'call', phase: 'ended', reason, by: 'us' });
    this.stay.leave();
  }

  /** @param {boolean} offline */
  setOffline(offline) {
    this.stay.setOffline(offline);
    if (offline) this.#options.host.bars.show('offline', { text: say('bar.offlineCall'), fixed: true });
  }

  /** @param {import('../audio/sound-watch.js').Sound} sound */
  setSound(sound) {
    this.stay.setSound(sound);
    this.#showSound();
  }

  #showSound() {
    const { sound: { devices }, bars } = this.#options.host;
    const { sound, state } = this.stay.model;
    const loading = sound.cause === 'worker' && state !== 'joined';
    showSound(bars, devices, loading ? '' : sound.cause, () => this.stay.renewSound());
  }

  /**
   * The user goes back: what is open is closed first, then it is asked whether to hang up.
   * @returns {boolean} whether the call goes on
   */
  goBack() {
    if (isCall(history.state)) return true;
    const sheet = openSheet();
    if (sheet) sheet.close();
    if (sheet?.name !== 'leave') this.ask(() => this.hangUp());
    return true;
  }

  /** Asks whether to hang up. @param {() => void} hangUp */
  ask(hangUp) {
    const back = () => {
      if (this.model.phase !== 'ended' && !isCall(history.state)) history.pushState(inCall, '');
    };
    const sheet = new Sheet(say('call.askHangUp', { name: this.title }), { name: 'leave', closed: back });
    sheet.body.append(h('div', { class: 'buttons' },
      makeButton('primary', () => sheet.close(), say('leave.stay')),
      makeButton('danger', hangUp, say('call.hangUp'))));
  }

  /** Says everything again, in another language. */
  speakAgain() {
    const root = this.#root;
    if (!root) return;
    this.close();
    this.#hold.title = this.#hold.ariaLabel = say('call.hold');
    this.#bars.element.remove();
    this.#bars = this.#makeBars();
    this.open(root);
  }

  /** Puts the keyboard where one acts. */
  focus() {
    (this.#view ?? this.#calling)?.focus();
  }

  /** Takes away what is shown of it; the call may go on. */
  close() {
    this.#root = null;
    this.#view?.close();
    this.#calling?.element.remove();
    this.#bars.element.remove();
    this.#view = this.#calling = null;
  }
}

/** @param {unknown} state of the history */
const isCall = (state) => /** @type {{call?: boolean} | null} */ (state)?.call === true;
