/**
 * A session: counters, replay window, reports, pings, the circuit breaker, aliases and urgent messages of one
 * link to a relay (docs/protocol.md, sections 3 to 6). It outlives its carriers, knows nothing of control
 * messages, and nothing of what ciphertexts and urgent messages say.
 *
 *     carrier.onpacket ──> receive ──> handler.media, urgent
 *                             |  counters, window, reports
 *     carrier.sendPacket <── transmit <── sendMedia, sendUrgent, tick (reports, repeats, pings)
 */

import { FormatError } from '../wire/bytes.js';
import * as wire from '../wire/frame.js';
import { appendReport } from '../wire/report.js';
import { Aliases } from './session-aliases.js';
import { IDLE_TICK, Liveness, TICK_EVERY, parsePing, pingData } from './session-liveness.js';
import { LOOK_EVERY } from './session-signs.js';
import { REPORT_SLACK, ReceiveStats } from './session-reports-out.js';
import { PACKET_OVERHEAD, Sender } from './session-send.js';
import { UrgentIn, UrgentOut } from './session-urgent.js';

/** @typedef {import('../wire/bytes.js').Bytes} Bytes */
/** @typedef {import('./carrier.js').Carrier} Carrier */
/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./handler.js').SessionHandler} SessionHandler */

export class Session {
  #clock;
  #handler;
  #ended = false;
  #send = new Sender();
  #recv = new ReceiveStats(PACKET_OVERHEAD);
  #urgentOut = new UrgentOut(PACKET_OVERHEAD);
  #urgentIn = new UrgentIn();
  #live = new Liveness();
  #aliases = new Aliases(); // of the relay
  /** @type {any} */ #timer = null;
  #timerAt = Infinity;

  #asks;
  /** The carrier in use, until something came on it. @type {Carrier | null} */ #unheard = null;

  /**
   * @param {SessionHandler} handler @param {Clock} clock
   * @param {{asks?: boolean}} [how] asks: for signs of life, as clients do
   */
  constructor(handler, clock, { asks = true } = {}) {
    this.#handler = handler;
    this.#clock = clock;
    this.#asks = asks;
  }

  /** Whether the session has ended. */
  get over() {
    return this.#ended;
  }

  /**
   * Makes a welcomed carrier the one to send with, and asks for a sign of life on it. Others are still heard.
   * @param {Carrier} carrier
   */
  install(carrier) {
    if (this.#ended) return;
    const now = this.#clock.now();
    if (this.#send.install(carrier, now)) this.#urgentOut.pace.forget();
    this.#live.moved(now);
    this.#send.traffic.moved(this.#recv, this.#recv.window.next, now);
    this.#unheard = carrier;
    carrier.onpacket = (packet) => this.receive(packet, carrier);
    this.ask();
  }

  /** Notes that a carrier has closed. @param {Carrier} carrier */
  detach(carrier) {
    if (this.#send.carrier === carrier) this.#send.carrier = null;
  }

  // Receiving.

  /** Handles a packet that came on a carrier. @param {Bytes} packet @param {Carrier} carrier */
  receive(packet, carrier) {
    if (this.#ended) return;
    const now = this.#clock.now();
    try {
      const { counter: low, frames } = wire.parsePacket(packet);
      const counter = wire.decodeCounter(low, 32, this.#recv.window.next);
      if (this.#recv.window.judge(counter) !== 'new') return;
      this.#recv.packet(counter, packet.length + PACKET_OVERHEAD - wire.PACKET_HEADER, now);
      this.#heard(counter, carrier, now);
      for (const frame of wire.frames(frames)) {
        this.#frame(frame, now, counter);
        if (this.#ended) return;
      }
    } catch (error) {
      if (!(error instanceof FormatError)) this.#handler.failed(error);
    }
    this.#report(now, 0);
  }

  /** Notes that a packet came. @param {number} counter @param {Carrier} carrier @param {number} now */
  #heard(counter, carrier, now) {
    if (this.#unheard === carrier || this.#live.down === 'lost') { // of an outage no share of loss is told
      this.#send.traffic.moved(this.#recv, counter + 1, now);
      this.#unheard = null;
    }
    if (this.#send.carrier === carrier) this.#live.heard(now); // another one says nothing of the way in use
    this.#send.traffic.heard(this.#recv, now);
  }

  /**
   * Notes a sign that what we send arrives: what was sent until a time needs no answer any more.
   * @param {number} now @param {number} sent
   */
  #arrived(now, sent) {
    if (this.#live.up === 'lost') this.#send.stats.resetLoss(this.#send.packets);
    this.#live.progress(now, sent);
  }

  /** @param {wire.Frame} frame @param {number} now @param {number} packet its counter */
  #frame(frame, now, packet) {
    switch (frame.kind) {
      case 'media':
        this.#elicit();
        this.#media(frame, now, packet);
        break;
      case 'urgent':
        this.#elicit();
        this.#urgent(frame);
        break;
      case 'ping':
        this.#elicit();
        this.#transmit(wire.appendEcho('pong', frame.data, true));
        break;
      case 'pong':
        this.#pong(frame.data, now);
        break;
      case 'report':
        this.#reported(frame, now);
        break;
      case 'urgentAck': {
        const done = this.#urgentOut.ack(frame, now);
        this.#sendDue(now);
        this.#arrived(now, now - this.#send.stats.rtt);
        this.#callAll(done, true);
        break;
      }
      case 'aliasAck':
        for (const { alias, kid } of frame.pairs) this.#send.aliases.acked(alias, kid);
        break;
      case 'close':
        this.#finish(frame.code, false);
        break;
      default: // padding, challenges, which are not used here, and what came after this version
    }
  }

  /**
   * Resolves the alias of a media frame and hands it on.
   * @param {wire.Media} m @param {number} now @param {number} packet its counter
   */
  #media(m, now, packet) {
    const known = this.#aliases.resolve(m, (kid) => this.#call(() => this.#handler.bind(kid)), now, packet);
    if (!known) return;
    const { kid, ctr, bound } = known;
    if (known.ack) this.#transmit(wire.appendAliasAck([{ alias: m.alias, kid }], true));
    this.#call(() => this.#handler.media({ kid, ctr, ciphertext: m.ciphertext, bound }));
  }

  /**
   * Hands an urgent message on if it is new, and answers with what has been received and could be used.
   * @param {wire.Urgent} u
   */
  #urgent(u) {
    const { fresh, ok } = this.#urgentIn.fresh(u.number);
    if (!ok) return;
    // A message that makes the handler throw would do so with each repeat: it is taken.
    if (fresh && this.#call(() => this.#handler.urgent(u.type, u.message)) !== false) {
      this.#urgentIn.accept(u.number);
    }
    this.#transmit(wire.appendUrgentAck(this.#urgentIn.ack(), true));
  }

  /** @param {Bytes} data @param {number} now */
  #pong(data, now) {
    const { at, kind } = parsePing(data);
    const ours = at > 0 && at <= now;
    if (ours) {
      this.#send.stats.roundTrip(now - at);
      this.#urgentOut.pace.pong(now, kind, now - at);
    }
    this.#arrived(now, ours ? at : now);
  }

  /** Takes the relay's report. @param {wire.Report} report @param {number} now */
  #reported(report, now) {
    if (this.#send.report(report, now)) {
      const { sampled, sample } = this.#send.stats;
      this.#urgentOut.pace.alone(now, sampled, sample);
      this.#arrived(now, sampled);
    }
  }

  /** Notes that the relay sent something that wants a report. */
  #elicit() {
    this.#recv.eliciting = true;
    this.#wakeSoon();
  }

  // Sending.

  /**
   * Sends a media frame, and in front of it a ping that is due. It never blocks.
   * @param {bigint} kid @param {number} ctr @param {Bytes} ciphertext 1 to 1100 bytes
   */
  sendMedia(kid, ctr, ciphertext) {
    if (!this.#live.stopped && this.#send.carrier) {
      const now = this.#clock.now();
      this.#live.expect(now);
      const ping = this.#pingDue(now) ? [this.#makePing(now, false)] : [];
      this.#send.media(now, kid, ctr, ciphertext, ...ping);
    }
  }

  /**
   * Sends a message that is repeated until the relay acknowledges it. body is kept. done is called once when
   * it was acknowledged, or with false when the session has ended before.
   * @param {number} kind @param {Bytes} body at most 1024 bytes @param {(acked: boolean) => void} [done]
   * @returns {boolean} false: too many are under way, or the session is over; done is not called then
   */
  sendUrgent(kind, body, done) {
    if (this.#ended || !this.#urgentOut.add(kind, body, done)) return false;
    this.#sendDue(this.#clock.now());
    this.#wakeSoon();
    return true;
  }

  /** How many urgent messages wait for their acknowledgement. */
  get urgentPending() {
    return this.#urgentOut.size;
  }

  /** Sends the urgent messages whose time has come. @param {number} now */
  #sendDue(now) {
    if (!this.#send.carrier || this.#ended) return;
    this.#urgentOut.due(now, this.#send.path(now), (m, ping) => {
      const frame = wire.appendUrgent({ number: m.number, type: m.kind, message: m.body }, true);
      this.#live.expect(now);
      if (ping === 0) this.#transmit(frame);
      else this.#transmit(wire.appendEcho('ping', pingData(now, ping), false), frame);
    });
  }

  /** Pings until there is an answer. */
  ask() {
    if (!this.#asks) return;
    this.#ping(this.#clock.now());
    this.#wakeSoon();
  }

  /** Asks for a sign of life because the network may be another one; silence is noticed sooner than else. */
  hurry() {
    if (!this.#ended) {
      this.#live.hurry(this.#clock.now());
      this.ask();
    }
  }

  /**
   * Whether somebody looks at what quality() says: while nobody does there are fewer pings.
   * @param {boolean} on
   */
  set watched(on) {
    const looks = on && !this.#live.watched;
    this.#live.watched = on;
    if (looks && !this.#ended) this.ask();
  }

  /** @param {number} now */
  #ping(now) {
    if (this.#send.carrier) this.#transmit(this.#makePing(now, true));
  }

  /** @param {number} now @param {boolean} last frame of its packet */
  #makePing(now, last) {
    this.#live.pinged(now);
    return wire.appendEcho('ping', pingData(now, 0), last);
  }

  /** @param {number} now */
  #pingDue(now) {
    return this.#asks && this.#live.pingAt(this.#send.signs, now) <= now;
  }

  /** @param {...Bytes} frames sent as one packet, without media */
  #transmit(...frames) {
    this.#send.transmit(this.#clock.now(), false, ...frames);
  }

  // Time.

  /** Makes the next tick come in at most TICK_EVERY. */
  #wakeSoon() {
    this.#schedule(this.#clock.now() + TICK_EVERY);
  }

  /** Makes a tick come at a time, or earlier. @param {number} at */
  #schedule(at) {
    if (this.#ended || at >= this.#timerAt) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = this.#clock.setTimeout(() => this.#tick(), Math.max(0, at - this.#clock.now()));
  }

  /** Sends reports, repeats urgent messages, asks for signs of life. */
  #tick() {
    this.#timerAt = Infinity;
    if (this.#ended) return;
    const now = this.#clock.now();
    this.#send.traffic.sample(this.#recv, now);
    this.#report(now, REPORT_SLACK);
    this.#sendDue(now);
    this.#doubt(now);
    this.#schedule(this.#nextTick(now));
  }

  /** @param {number} now */
  #nextTick(now) {
    const report = this.#recv.eliciting ? this.#recv.dueAt + REPORT_SLACK : Infinity;
    const ping = this.#asks ? this.#live.pingAt(this.#send.signs, now) : Infinity;
    const soon = this.#urgentOut.size > 0 || this.#live.asking ? TICK_EVERY : IDLE_TICK;
    const next = Math.max(Math.min(now + soon, report), now + TICK_EVERY);
    return Math.max(Math.min(next, ping), now + LOOK_EVERY);
  }

  /**
   * Sends a report if one has been due for slack. Right after a packet both programs and their radios are
   * awake; what no packet comes for is left to the tick.
   * @param {number} now @param {number} slack
   */
  #report(now, slack) {
    if (this.#send.carrier && this.#recv.due(now, slack)) {
      this.#transmit(wire.appendReport(appendReport(this.#recv.report(now)), true));
    }
  }

  /** Pings if it is time to, and tells of the silence when that lasts. @param {number} now */
  #doubt(now) {
    if (this.#pingDue(now)) this.#ping(now);
    if (this.#live.check(now, this.#send.signs)) this.#call(() => this.#handler.silent());
  }

  // The end.

  /** Ends the session: the relay is told, the handler learns it. @param {number} code one of CLOSE */
  end(code) {
    if (!this.#ended) {
      const frame = wire.appendClose(code, true);
      for (let i = 0; i < 3; i++) this.#transmit(frame);
      this.#finish(code, true);
    }
  }

  /** Forgets a session that the relay has forgotten, without a word to it or to the handler. */
  abandon() {
    this.#stop();
  }

  /** @param {number} code @param {boolean} ours */
  #finish(code, ours) {
    this.#stop();
    this.#call(() => this.#handler.ended(code, ours));
  }

  #stop() {
    this.#ended = true;
    this.#send.carrier = null;
    this.#clock.clearTimeout(this.#timer);
    this.#callAll(this.#urgentOut.clear(), false);
  }

  /** @param {import('./session-urgent.js').UrgentMessage[]} messages @param {boolean} acked */
  #callAll(messages, acked) {
    for (const { done } of messages) this.#call(() => done?.(acked));
  }

  /**
   * Calls the handler: what it throws must not stop the rest of a packet, or the next tick.
   * @template T @param {() => T} f @returns {T | undefined}
   */
  #call(f) {
    try {
      return f();
    } catch (error) {
      this.#handler.failed(error);
      return undefined;
    }
  }

  // What it knows.

  /** When something came last. */
  get heardAt() {
    return this.#live.heardAt;
  }

  /**
   * How good the path is: shares of packets lost (0 to 1) and of how many that was measured, ms, bits a
   * second with headers; since: of the path in use; up, down: whether anything gets through.
   */
  quality() {
    const { carrier, since, stats, traffic } = this.#send;
    return {
      lossUp: stats.recent.share,
      lossDown: traffic.lost.share,
      measuredUp: stats.recent.measured,
      measuredDown: traffic.lost.measured,
      rtt: stats.rtt,
      jitter: stats.jitter,
      ...traffic.rates(this.#recv, this.#clock.now()),
      path: carrier?.kind ?? null,
      since,
      queued: carrier?.queued() ?? 0,
      stopped: this.#live.stopped,
      up: this.#live.up,
      down: this.#live.down,
    };
  }
}
