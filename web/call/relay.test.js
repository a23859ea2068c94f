/**
 * A relay in memory, as a Room sees it through link.Client, for the tests of this folder. It does the relay's
 * part of docs/protocol.md, section 4.4: members and keys; media is forwarded. What it does wrong, tests tell
 * it. It holds no tests.
 *
 *     Room -- FakeClient --delay, loss--> Relay --delay, loss--> FakeClient -- handler --> Room
 */

import { OwnAliases } from '../link/session-aliases.js';
import { compare, toHex } from '../wire/bytes.js';
import { parse } from '../wire/entry.js';
import * as urgent from '../wire/urgent.js';

const REPEAT = 100; // ms after which what was lost comes again, if it is urgent
const PAGE = 128;

/** A way between a client and the relay. Times are ms, loss is from 0 to 1. */
export class Way {
  delay = 20;
  jitter = 0;
  loss = 0;
}

export class Relay {
  /** @type {Map<string, FakeClient>} by member id */ members = new Map();
  /** Whether a member is kept from another one. @type {(id: string, from: string) => boolean} */
  hides = () => false;
  /**
   * Whether an urgent message to a client is lost for good.
   * @type {(to: FakeClient, kind: number, body: Uint8Array) => boolean}
   */
  loses = () => false;
  /**
   * Whether a media frame to a client is lost.
   * @type {(to: FakeClient, kid: bigint, ctr: number) => boolean}
   */
  losesMedia = () => false;
  /** Whether the list is not given to a client. @type {(client: FakeClient) => boolean} */
  refusesList = () => false;
  /** What came, as {from, kind, body}. */
  said = [];

  constructor(clock, key, random) {
    this.clock = clock;
    this.key = key;
    this.random = random;
  }

  /** The class that rooms join with. */
  get Client() {
    const relay = this;
    return class extends FakeClient {
      constructor(config) {
        super(relay, config);
      }
    };
  }

  after(ms, f) {
    this.clock.setTimeout(f, ms);
  }

  /** How long a packet takes; Infinity: it is lost. */
  took(way) {
    return this.random() < way.loss ? Infinity : way.delay + way.jitter * this.random();
  }

  /** How long an urgent message takes, with its repeats. */
  urgently(way) {
    let ms = 0;
    for (let took = this.took(way); ; took = this.took(way), ms += REPEAT) {
      if (took !== Infinity) return ms + took;
    }
  }

  enter(client) {
    for (const other of this.members.values()) {
      if (!this.hides(client.id, other.id)) this.joined(other, client);
    }
    this.members.set(client.id, client);
  }

  joined(to, client) {
    to.told.add(client.id);
    this.tell(to, urgent.MEMBERS_JOINED, urgent.appendMembersJoined([client.entry]));
  }

  remove(client) {
    if (this.members.get(client.id) !== client) return;
    this.members.delete(client.id);
    for (const other of this.members.values()) {
      if (!this.hides(client.id, other.id)) {
        this.tell(other, urgent.MEMBERS_LEFT, urgent.appendMembersLeft([client.id]));
      }
      for (const key of other.keys.values()) this.passed(other, key, client.id);
    }
  }

  /** Tells a client something, until it takes it; done is called then. */
  tell(to, kind, body, done = () => {}) {
    if (this.loses(to, kind, body)) return;
    const deliver = () => {
      if (to.over) return;
      const buffer = body.slice(); // as a packet, whose memory is used again
      const taken = to.handler.urgent(kind, buffer);
      buffer.fill(0xee);
      if (taken) done();
      else this.after(REPEAT, deliver);
    };
    this.after(this.urgently(to.way), deliver);
  }

  /** Takes an urgent message of a client. */
  take(from, kind, body) {
    this.said.push({ from, kind, body });
    switch (kind) {
      case urgent.SENDER_KEY: {
        const { recipients, key } = urgent.parseSenderKey(body);
        from.keys.set(key.number, { recipients, key, passed: new Set(), number: key.number });
        for (const wraps of from.early.splice(0)) this.wraps(from, wraps);
        break;
      }
      case urgent.KEY_WRAPS:
        this.wraps(from, urgent.parseKeyWraps(body));
        break;
      case urgent.KEYS_WANTED:
        for (const id of urgent.parseKeysWanted(body).map(toHex)) {
          const talker = this.members.get(id);
          if (!talker) continue;
          if (!talker.told.has(from.id) && !this.hides(from.id, id)) this.joined(talker, from);
          this.tell(talker, urgent.KEYS_WANTED, urgent.appendKeysWanted([from.id]));
        }
        break;
      case urgent.MEMBERS_WANTED:
        for (const other of this.members.values()) {
          if (other !== from && !from.told.has(other.id) && !this.hides(other.id, from.id)) {
            this.joined(from, other);
          }
        }
    }
  }

  wraps(from, message) {
    const key = from.keys.get(message.number);
    if (!key) {
      from.early.push(message);
      return;
    }
    for (const { id, wrap } of message.wraps) this.pass(from, key, toHex(id), wrap);
  }

  /** Passes a key on to one recipient, after the entry of who sent it. */
  pass(from, key, id, wrap) {
    const to = this.members.get(id);
    if (!to) return this.passed(from, key, id);
    if (!to.told.has(from.id) && !this.hides(from.id, id)) this.joined(to, from);
    const body = urgent.appendKey({ sender: from.id, key: key.key, wrap });
    this.tell(to, urgent.KEY, body, () => this.after(to.way.delay, () => this.passed(from, key, id)));
  }

  passed(from, key, id) {
    key.passed.add(id);
    if (key.passed.size < key.recipients || key.done) return;
    key.done = true;
    this.tell(from, urgent.KEY_DELIVERED, urgent.appendKeyDelivered(key.number));
  }

  forward(from, alias, kid, ctr, ciphertext) {
    for (const to of this.members.values()) {
      const ms = this.took(to.way);
      if (to === from || ms === Infinity || this.losesMedia(to, kid, ctr)) continue;
      this.after(ms, () => to.frame(from, alias, kid, ctr, ciphertext));
    }
  }

  /** A page of the list, as a client may see it. */
  page(client, after) {
    const entries = [...this.members.values()]
      .filter(({ id }) => id === client.id || !this.hides(id, client.id))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .filter(({ bytes }) => after === undefined || compare(bytes, after) > 0);
    const next = entries.length > PAGE ? entries[PAGE - 1].bytes : undefined;
    for (const { id } of entries.slice(0, PAGE)) client.told.add(id);
    return { name: 'MemberPage', entries: entries.slice(0, PAGE).map(({ entry }) => entry.slice()), next };
  }
}

/** What link.Client is to a Room. */
class FakeClient {
  way = new Way();
  path = 'websocket'; // null: it has no connection
  watched = true;
  up = 'alive'; // whether what it sends arrives, as it says
  over = false;
  told = new Set();
  keys = new Map();
  early = [];
  aliases = new OwnAliases();
  sent = []; // media, as {alias, kid, ctr, size, long, at}
  #bound = new Map();

  constructor(relay, config) {
    this.relay = relay;
    this.handler = config.handler;
    this.config = config;
  }

  async join(signal) {
    const { entry } = await this.config.makeJoin(this.relay.key);
    const e = await parse(entry);
    this.entry = entry;
    this.bytes = e.id;
    this.id = toHex(e.id);
    await new Promise((resolve) => this.relay.after(2 * this.way.delay, resolve));
    signal?.throwIfAborted();
    if (this.over) throw Object.assign(new Error('the client has left'), { code: 'closed' });
    if (this.refused) throw Object.assign(new Error(this.refused), { code: this.refused });
    this.relay.enter(this);
    this.handler.attached({ name: 'Joined', members: this.relay.members.size }, true);
    return { name: 'Joined' };
  }

  async request(name, fields, signal) {
    const { relay, way } = this;
    await new Promise((resolve) => {
      relay.after(2 * way.delay, resolve);
      signal?.addEventListener('abort', resolve, { once: true });
    });
    if (this.over || signal?.aborted) throw Object.assign(new Error('given up'), { code: 'closed' });
    if (relay.refusesList(this)) throw Object.assign(new Error('too often'), { code: 'rate' });
    return relay.page(this, fields.after);
  }

  sendMedia(kid, ctr, ciphertext) {
    const { relay } = this;
    const { alias, known } = this.aliases.of(kid);
    this.sent.push({ alias, kid, ctr, size: ciphertext.length, long: !known, at: relay.clock.now() });
    const ms = relay.took(this.way);
    if (ms === Infinity || this.over) return;
    relay.after(ms, () => relay.forward(this, alias, kid, ctr, ciphertext));
    relay.after(ms + this.way.delay, () => this.over || this.aliases.acked(alias, kid));
  }

  sendUrgent(kind, body, done) {
    if (this.over) return false;
    const { relay, way } = this;
    const ms = relay.urgently(way);
    relay.after(ms, () => this.over || relay.take(this, kind, body.slice()));
    relay.after(ms + way.delay, () => done?.(!this.over));
    return true;
  }

  frame(from, alias, kid, ctr, ciphertext) {
    if (this.over) return;
    const name = `${from.id} ${alias}`;
    let known = this.#bound.get(name);
    if (known?.kid !== kid) {
      const bound = this.handler.bind(kid);
      if (!bound) return;
      this.#bound.set(name, (known = { kid, bound }));
    }
    this.handler.media({ kid, ctr, ciphertext: ciphertext.slice(), bound: known.bound });
  }

  quality() {
    return {
      lossUp: 0, lossDown: 0, rtt: 2 * this.way.delay, jitter: 0, bitrateUp: 0, bitrateDown: 0,
      path: this.path, since: 1000, up: this.up, down: this.up,
    };
  }

  away() {
    return null;
  }

  async leave() {
    this.over = true;
    this.relay.remove(this);
  }

  /** The relay ends it. */
  end(code) {
    this.over = true;
    this.relay.remove(this);
    this.handler.ended(Object.assign(new Error(code), { code }));
  }

  /** The connection was lost, and is back; fresh: with a relay that knows nothing. */
  again(fresh) {
    this.path = null;
    this.handler.detached('lost');
    if (fresh) {
      this.aliases = new OwnAliases();
      this.keys.clear();
      this.told.clear();
      this.relay.members.delete(this.id);
      this.relay.enter(this);
    }
    this.path = 'websocket';
    this.handler.attached({ name: 'Joined', members: this.relay.members.size }, fresh);
  }
}
