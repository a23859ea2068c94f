/** Rooms that talk over a relay, from end to end: who hears whom, from when on, and until when. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Secret } from '../e2ee/secret.js';
import { Identity } from '../identity/identity.js';
import * as urgent from '../wire/urgent.js';
import { Lab, contiguous, inLab, memory } from './lab.test.js';

inLab('two hear each other from the first frame on', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  assert.deepEqual([anna.others, bert.others], [['bert'], ['anna']]);
  await anna.publish();
  await bert.publish();
  await lab.run(2000);
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
  assert.equal(contiguous(anna.of(bert), 'bert at anna'), 0);
  assert.ok(bert.of(anna).length > 90, `${bert.of(anna).length} frames`);
  assert.deepEqual([anna.warnings, bert.warnings], [[], []]);
  assert.ok(bert.loudest > 0.2 && bert.loudest < 0.3, `bert played ${bert.loudest}`);
  assert.deepEqual(Object.keys(bert.last('levels').talkers), [anna.id]);
});

inLab('who publishes before the list is known is heard from the first frame on', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.person('bert');
  bert.room.join();
  await lab.run(45); // accepted, but the list is on its way
  await bert.publish();
  await lab.run(1500);
  assert.equal(contiguous(anna.of(bert), 'bert at anna'), 0);
  assert.ok(anna.of(bert).length > 60, `${anna.of(bert).length} frames`);
});

inLab(
  'three hear each other; a newcomer does not hear the past, even if a relay plays it again',
  async (lab) => {
    const anna = await lab.join('anna');
    const bert = await lab.join('bert');
    await anna.publish();
    await bert.publish();
    const past = [];
    const forward = lab.relay.forward.bind(lab.relay);
    lab.relay.forward = (...frame) => {
      past.push(frame);
      forward(...frame);
    };
    await lab.run(3000);
    const before = anna.encoders[0].frames;
    const carl = await lab.join('carl', { wait: 60 });
    await carl.publish();
    await lab.run(3000);
    const first = contiguous(carl.of(anna), 'anna at carl');
    assert.ok(
      first >= before - 5 && first < before + 60, `carl hears anna from ${first} on, he joined at ${before}`,
    );
    for (const [from, alias, kid, ctr, ciphertext] of past.slice(0, 200)) {
      carl.client.frame(from, alias + 100, kid, ctr, ciphertext);
    }
    await lab.run(3000);
    assert.equal(contiguous(carl.of(anna), 'anna at carl, again'), first);
    assert.equal(contiguous(anna.of(carl), 'carl at anna'), 0);
    assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
    assert.deepEqual(
      [anna, bert, carl].map((p) => p.warnings), [[], [], []],
    );
    assert.equal(carl.last('stats').forged, 0);
  },
);

inLab('who was told to have left hears nothing after 10 s', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  const carl = await lab.join('carl');
  await anna.publish();
  await lab.run(2000);
  lab.relay.hides = (id) => id === carl.id; // he stays, and listens
  for (const p of [anna, bert]) {
    lab.relay.tell(p.client, urgent.MEMBERS_LEFT, urgent.appendMembersLeft([carl.id]));
  }
  await lab.run(10_000);
  const { frames } = anna.encoders[0];
  await lab.run(4000);
  assert.ok(
    Math.max(...carl.of(anna)) <= frames, `carl heard ${Math.max(...carl.of(anna))}, anna was at ${frames}`,
  );
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
  assert.ok(bert.of(anna).length > frames);
});

inLab('who left is played to the end, and forgotten', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  await bert.publish();
  await lab.run(1000);
  await Promise.all([bert.room.leave(), lab.run(500)]);
  assert.deepEqual(anna.others, []);
  assert.equal(contiguous(anna.of(bert), 'bert at anna'), 0);
  assert.equal(anna.of(bert).length, bert.encoders[0].frames);
  assert.deepEqual(bert.last('state'), { type: 'state', state: 'ended' });
  assert.deepEqual(bert.messages.at(-1), { type: 'state', state: 'ended' });
  assert.equal(anna.decoders[0].closed, false);
  await lab.run(6000);
  assert.equal(anna.decoders[0].closed, true);
  anna.loudest = 0;
  await lab.run(500);
  assert.equal(anna.loudest, 0);
});

inLab('safety numbers agree, and change with the people', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  await lab.run(2000);
  const { number } = anna.last('safety');
  assert.match(number, /^(\d{5} ){7}\d{5}$/);
  assert.equal(bert.last('safety').number, number);
  const carl = await lab.join('carl');
  assert.equal(anna.last('safety').number, null);
  await lab.run(2000);
  const three = [anna, bert, carl].map((p) => p.last('safety').number);
  assert.equal(new Set(three).size, 1);
  assert.notEqual(three[0], number);
  await lab.join('carl again', { identity: carl.identity }); // another device
  await lab.run(2000);
  assert.equal(anna.last('safety').number, three[0]);
});

inLab('a ghost that is shown to one side only is warned of', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  const ghost = await lab.person('ghost');
  lab.relay.hides = (id, from) => id === ghost.client.id && from === bert.id;
  ghost.room.join();
  await lab.run(500);
  assert.deepEqual([anna.others, bert.others], [['bert', 'ghost'], ['anna']]);
  await anna.publish();
  await lab.run(8000);
  assert.deepEqual(bert.warnings, []);
  await lab.run(5000);
  assert.deepEqual(bert.warnings, ['members anna']);
  await bert.publish();
  await lab.run(13_000);
  assert.deepEqual(anna.warnings, ['members bert']);
});

inLab('a relay that keeps back what a talker sees is warned of', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  lab.relay.losesMedia = (to, kid) => to === bert.client && ((kid >> 8n) & 0xffn) === 255n;
  await anna.publish();
  await lab.run(35_000);
  assert.deepEqual(bert.warnings, []);
  await lab.run(2000);
  assert.deepEqual(bert.warnings, ['members anna']);
});

inLab('a key that was lost is asked for, and what was held is heard', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  let lost = 0;
  lab.relay.loses = (to, kind) => to === bert.client && kind === urgent.KEY && lost++ === 0;
  await anna.publish();
  await lab.run(1400);
  assert.deepEqual([bert.of(anna).length, lost], [0, 1]);
  await lab.run(6000);
  const first = contiguous(bert.of(anna), 'anna at bert');
  assert.ok(first < 160, `heard from ${first} on`);
  assert.ok(Math.max(...bert.of(anna)) > 300, 'it catches up');
  assert.deepEqual(bert.warnings, []);
});

inLab('a key that does not come is warned of, and one that was changed', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  lab.relay.loses = (to, kind) => to === bert.client && kind === urgent.KEY;
  await anna.publish();
  await lab.run(9000);
  assert.deepEqual(bert.warnings, []);
  await lab.run(3000);
  assert.deepEqual(bert.warnings, ['no_key anna']);
  assert.equal(bert.of(anna).length, 0);
  lab.relay.loses = (to, kind, body) => {
    if (to === bert.client && kind === urgent.KEY) body[body.length - 1] ^= 1;
    return false;
  };
  await lab.run(4000);
  assert.deepEqual(bert.warnings, ['no_key anna', 'key anna']);
  assert.equal(bert.of(anna).length, 0);
});

inLab('a key of somebody whom the relay does not show is warned of', async (lab) => {
  const anna = await lab.join('anna');
  const ghost = await lab.person('ghost');
  lab.relay.hides = (id, from) => id === ghost.client.id && from === anna.id;
  ghost.room.join();
  await lab.run(500);
  await ghost.publish();
  await lab.run(9000);
  assert.deepEqual(anna.warnings, []);
  await lab.run(3000);
  assert.deepEqual(anna.warnings, ['unknown_member ghost']);
  assert.equal(anna.of(ghost).length, 0);
});

inLab('loss, delay and reordering are survived', async (lab) => {
  const people = [];
  for (const name of ['anna', 'bert', 'carl']) {
    const p = await lab.person(name);
    people.push(p);
    const joined = p.room.join();
    Object.assign(p.client.way, { delay: 60, jitter: 80, loss: 0.2 });
    await lab.run(2000);
    await joined;
  }
  for (const p of people) await p.publish();
  await lab.run(6000);
  for (const to of people) {
    for (const from of people.filter((p) => p !== to)) {
      const heard = to.of(from);
      assert.ok(
        heard.length > 0.4 * from.encoders[0].frames,
        `${to.name} heard ${heard.length} of ${from.encoders[0].frames} of ${from.name}`,
      );
      assert.equal(new Set(heard).size, heard.length, 'a frame was heard twice');
      assert.deepEqual(heard, heard.toSorted((a, b) => a - b));
    }
    assert.deepEqual(to.warnings, []);
  }
});

inLab('an invite secret keeps others outside', async (lab) => {
  const secret = await Secret.generate();
  const anna = await lab.join('anna', { secret });
  const bert = await lab.join('bert', { secret });
  const eve = await lab.join('eve');
  await anna.publish();
  await eve.publish();
  await lab.run(14_000);
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
  assert.deepEqual([eve.of(anna).length, anna.of(eve).length], [0, 0]);
  assert.deepEqual([anna, bert].map((p) => p.warnings), [['outside eve'], ['outside eve']]);
  assert.ok(eve.warnings.length === 1 && eve.warnings[0].startsWith('outside'), 'the first of them');
  assert.deepEqual(
    anna.last('members').list.map(({ name, outside }) => [name, outside]),
    [
      ['anna', false], ['bert', false], ['eve', true],
    ],
  );
  assert.equal(anna.last('safety').number, bert.last('safety').number);
  assert.notEqual(anna.last('safety').number, eve.last('safety').number);
});

inLab('a known name with another key is warned of, until it is trusted', async (lab) => {
  const storage = memory();
  const anna = await lab.join('anna', { storage });
  const bert = await lab.join('bert');
  await Promise.all([bert.room.leave(), lab.run(500)]);
  const other = await lab.join('other', { called: 'BERT' });
  const { identity } = await Identity.generate();
  await lab.join('namesake', { called: 'anna', identity });
  assert.deepEqual(anna.warnings, ['name other'], 'who is called as we are is no change');
  const known = () => anna.last('members').list.map(({ known }) => known);
  assert.deepEqual(known(), ['same', 'changed', 'new']);
  await anna.room.trust(other.id);
  await lab.run(200);
  assert.deepEqual(known(), ['same', 'same', 'new']);
});

inLab('what the user noted of somebody is so when they are back, for that key only', async (lab) => {
  const storage = memory();
  const anna = await lab.join('anna', { storage });
  const bert = await lab.join('bert');
  const { identity } = bert;
  anna.room.setVolume(bert.id, 0.3);
  await anna.room.compare(bert.id, true);
  const noted = () => anna.last('members').list.slice(1).map(({ known, volume, compared }) =>
    [known, volume, compared > 0]);
  await lab.run(200);
  assert.deepEqual(noted(), [['same', 0.3, true]]);
  await Promise.all([anna.room.leave(), bert.room.leave(), lab.run(500)]);
  assert.ok([...storage.map.keys()].every((key) => !key.includes('bert')), 'names are not kept');
  assert.ok(!JSON.stringify([...storage.map]).includes(identity.fingerprint.replaceAll(':', '')));

  const again = await lab.join('again', { storage, identity: anna.identity, called: 'anna' });
  await lab.join('back', { identity, called: 'Bert' });
  await lab.join('renamed', { identity, called: 'Bertha' });
  await lab.join('other', { called: 'bert' });
  const list = again.last('members').list.slice(1);
  const of = (name) => list.filter((m) => m.name === name)
    .map(({ known, volume, compared }) => [known, volume, compared > 0])[0];
  assert.deepEqual(of('Bert'), ['same', 0.3, true]);
  assert.deepEqual(of('Bertha'), ['new', 0.3, false], 'it was Bert whose key it is');
  assert.deepEqual(of('bert'), ['changed', undefined, false]);
  await again.room.compare(list.find(({ name }) => name === 'Bert').id, false);
  await lab.run(200);
  assert.equal(again.last('members').list.find(({ name }) => name === 'Bert').compared, undefined);
});

inLab('whom the user chose to remember is known by their key, whatever they call themselves', async (lab) => {
  const storage = memory();
  const anna = await lab.join('anna', { storage });
  const bert = await lab.join('bert');
  const { identity } = bert;
  const other = await lab.join('other', { called: 'somebody' });
  await anna.room.compare(bert.id, true);
  await anna.room.remember(bert.id, 'Bert');
  await anna.room.remember(other.id, 'BERT');
  const noted = () => anna.last('members').list.slice(1).map(({ contact, known }) => [contact, known]);
  await lab.run(200);
  assert.deepEqual(noted(), [['Bert', 'same'], ['BERT 2', 'same']]);
  await anna.room.remember(other.id);
  await lab.run(200);
  assert.deepEqual(noted(), [['Bert', 'same'], [undefined, 'same']]);
  assert.deepEqual(storage.map.get('contacts').map(({ name, compared }) => [name, compared > 0]), [['Bert', true]]);
  await Promise.all([anna.room.leave(), bert.room.leave(), other.room.leave(), lab.run(500)]);

  const again = await lab.join('again', { storage, identity: anna.identity, called: 'anna' });
  const renamed = await lab.join('renamed', { identity, called: 'Bertha' });
  await lab.join('poser', { called: 'bert' });
  const list = () => again.last('members').list.slice(1)
    .map(({ contact, known, compared }) => [contact, known, compared > 0]);
  assert.deepEqual(list(), [['Bert', 'same', true], [undefined, 'changed', false]]);
  await again.room.compare(renamed.id, false);
  await lab.run(200);
  assert.equal(list()[0][2], false);
  assert.equal(storage.map.get('contacts')[0].compared, undefined);
});

inLab('nothing is sent while muted, and before the button is pressed', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  await anna.publish({ mode: 'radio', muted: false });
  // Without views.
  const sent = () => anna.client.sent.filter(({ kid }) => ((kid >> 8n) & 0xffn) === 0n).length;
  await lab.run(1000);
  assert.equal(anna.client.sent.length, 0);
  anna.room.setPressed(true);
  await lab.run(1000);
  anna.room.setPressed(false);
  await lab.run(1000);
  assert.equal(sent(), 10 + 50 + 1 + 3, 'pre-roll, the word, its end, markers');
  await lab.run(2000);
  assert.equal(sent(), 64);
  assert.equal(contiguous(bert.of(anna), 'the word'), 0);
  assert.deepEqual(anna.messages.filter((m) => m.type === 'transmitting').map((m) => m.on), [true, false]);
  anna.room.setMode('open');
  anna.room.setMuted(true);
  const microphone = () => bert.last('members').list.find((m) => !m.self).microphone;
  assert.equal(microphone(), 'released');
  await lab.run(3000);
  assert.equal(sent(), 64 + 3, 'that it is muted is told');
  assert.equal(microphone(), 'muted');
  anna.room.setMuted(false);
  await lab.run(1000);
  assert.ok(sent() > 67 + 45);
  assert.equal(microphone(), 'open');
  const gone = anna.unpublish();
  await lab.run(1000);
  await gone;
  assert.equal(microphone(), 'none');
});

inLab('a hand goes up without a microphone too, is seen by who comes later, is gone with its owner', async (lab) => {
  const [anna, bert] = [await lab.join('anna'), await lab.join('bert')];
  const hands = (p) => p.last('members').list.filter((m) => m.hand !== undefined)
    .sort((a, b) => a.hand - b.hand).map((m) => m.name);
  bert.room.setHand(true); // he has no microphone
  await lab.run(500);
  assert.deepEqual([hands(anna), hands(bert)], [['bert'], ['bert']]);
  await anna.publish({ muted: true });
  anna.room.setHand(true);
  await lab.run(500);
  assert.deepEqual([hands(anna), hands(bert)], [['bert', 'anna'], ['bert', 'anna']]);
  const carl = await lab.join('carl');
  await lab.run(2500);
  assert.deepEqual(hands(carl).sort(), ['anna', 'bert']);
  assert.equal(carl.last('members').list.find((m) => m.name === 'bert').microphone, 'none');
  anna.room.setMuted(false);
  await lab.run(1000);
  const gone = anna.unpublish();
  await lab.run(1000);
  await gone;
  assert.deepEqual([hands(bert), carl.of(anna).length > 40], [['bert', 'anna'], true]);
  anna.room.setHand(false);
  await lab.run(500);
  assert.deepEqual([hands(anna), hands(carl)], [['bert'], ['bert']]);
  await lab.run(61_000);
  const sent = anna.client.sent.length;
  await lab.run(10_000);
  assert.equal(anna.client.sent.length, sent, 'a hand that is down costs nothing');
  await anna.publish();
  await lab.run(500);
  assert.equal(anna.last('transmitting').on, true);
  bert.room.leave();
  await lab.run(1000);
  assert.deepEqual(hands(carl), []);
});

inLab('a hand of who talks without a pause is told as well', async (lab) => {
  const [anna, bert] = [await lab.join('anna'), await lab.join('bert')];
  const up = (p) => p.last('members').list.some((m) => m.name === 'anna' && m.hand !== undefined);
  await anna.publish();
  await lab.run(5000);
  anna.room.setHand(true);
  await lab.run(1000);
  const carl = await lab.join('carl');
  await lab.run(4000);
  assert.deepEqual([up(bert), up(carl)], [true, true]);
  anna.room.setHand(false);
  await lab.run(1000);
  assert.deepEqual([up(bert), up(carl)], [false, false]);
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
});

inLab('another microphone goes on, on a stream of its own', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  await anna.publish();
  await lab.run(1000);
  const ends = anna.unpublish(); // and at once another one
  const begins = anna.publish();
  await Promise.all([ends, begins, lab.run(1000)]);
  const streams = new Set(anna.client.sent.map(({ kid }) => Number((kid >> 8n) & 0xffn)));
  assert.deepEqual([...streams].sort(), [0, 1, 255]);
  assert.ok(bert.of(anna).filter((n) => n === 0).length === 2, 'both are heard from the beginning');
  assert.ok(anna.client.sent.filter(({ kid }) => ((kid >> 8n) & 0xffn) === 1n).length > 40);
});

inLab('as long as packets get through the connection is not lost', async (lab) => {
  const anna = await lab.join('anna');
  const states = () => anna.messages.filter((m) => m.type === 'state').map((m) => m.state).slice(2);
  anna.client.handler.detached('the relay does not answer');
  await lab.run(500);
  assert.deepEqual(states(), []);
  anna.client.up = 'doubt';
  await lab.run(100);
  assert.deepEqual(states(), ['reconnecting']);
  assert.equal(anna.last('quality').up, 'doubt');
  anna.client.up = 'alive';
  await lab.run(200);
  assert.deepEqual(states(), ['reconnecting', 'joined']);
  anna.client.path = null;
  await lab.run(200);
  anna.client.path = 'websocket';
  anna.client.handler.attached({ name: 'Joined', members: 1 }, false);
  await lab.run(2000);
  assert.deepEqual(states(), ['reconnecting', 'joined', 'reconnecting', 'joined']);
});

inLab('a relay that was restarted changes nothing but for some seconds', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  await anna.publish();
  await lab.run(2000);
  for (const p of [anna, bert]) p.client.again(true);
  assert.deepEqual(
    anna.messages.filter((m) => m.type === 'state').map((m) => m.state),
    ['joining', 'joined', 'reconnecting', 'joined'],
  );
  await lab.run(8000);
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
  assert.ok(bert.of(anna).length > 480);
  assert.deepEqual([anna.others, bert.others], [['bert'], ['anna']]);
  assert.deepEqual([anna.warnings, bert.warnings], [[], []]);
});

inLab('without a list, members are asked for by an urgent message', async (lab) => {
  const anna = await lab.join('anna');
  lab.relay.refusesList = () => true;
  const bert = await lab.join('bert', { wait: 1000 });
  await bert.publish();
  assert.ok(lab.relay.said.some(({ from, kind }) => from === bert.client && kind === urgent.MEMBERS_WANTED));
  await lab.run(1500);
  assert.equal(bert.client.sent.length, 0, 'nothing is said in the opening');
  await lab.run(2500);
  assert.equal(contiguous(anna.of(bert), 'bert at anna'), 0);
  lab.relay.refusesList = () => false;
  await lab.run(12_000);
  assert.match(bert.last('safety').number ?? '', /^\d/);
});

inLab('who learns of a listener after the word gives the key of it', async (lab) => {
  const bert = await lab.join('bert');
  lab.relay.hides = (id) => id === bert.id;
  lab.relay.refusesList = () => true;
  const anna = await lab.join('anna');
  await Promise.all([anna.publish(), lab.run(3500)]);
  await Promise.all([anna.unpublish(), lab.run(2000)]);
  assert.equal(bert.of(anna).length, 0);
  lab.relay.hides = () => false;
  lab.relay.joined(anna.client, bert.client);
  await lab.run(2000);
  assert.equal(contiguous(bert.of(anna), 'anna at bert'), 0);
  assert.ok(bert.of(anna).length > 20, `${bert.of(anna).length} frames`);
});

inLab('who is alone may talk at once', async (lab) => {
  const anna = await lab.join('anna');
  await anna.publish();
  await lab.run(500);
  assert.ok(anna.client.sent.length > 20);
});

inLab('a stay that the relay ends, and one that it refuses', async (lab) => {
  const anna = await lab.join('anna');
  await anna.publish();
  await lab.run(300);
  anna.client.end('replaced');
  assert.deepEqual(anna.last('state'), {
    type: 'state', state: 'ended', error: { code: 'replaced', text: 'replaced' },
  });
  const { length } = anna.messages;
  await lab.run(3000);
  assert.equal(anna.messages.length, length, 'something is told after the end');
  await anna.publish(); // must not throw

  const bert = await lab.person('bert');
  const joined = assert.rejects(bert.room.join(), { code: 'room_full' });
  bert.client.refused = 'room_full';
  await lab.run(500);
  await joined;
  assert.deepEqual(bert.last('state').error, { code: 'room_full', text: 'room_full' });
});

inLab('leaving while joining', async (lab) => {
  const anna = await lab.person('anna');
  const joined = assert.rejects(anna.room.join());
  await lab.run(20);
  await Promise.all([anna.room.leave(), lab.run(1000), joined]);
  assert.deepEqual(anna.last('state'), { type: 'state', state: 'ended' });
});

inLab('whatever a relay says does no harm', async (lab) => {
  const anna = await lab.join('anna');
  const bert = await lab.join('bert');
  await bert.publish();
  for (let i = 0; i < 3000; i++) {
    const bytes = crypto.getRandomValues(new Uint8Array(Math.floor(200 * lab.random())));
    const kind = Math.floor(14 * lab.random());
    if (kind !== urgent.SHUTDOWN) anna.client.handler.urgent(kind, bytes);
    const kid = BigInt(`0x${bert.id}`) << 16n | BigInt(Math.floor(65536 * lab.random()));
    anna.client.frame(
      bert.client, Math.floor(4096 * lab.random()), kid, Math.floor(1e6 * lab.random()), bytes,
    );
  }
  await lab.run(2000);
  assert.ok(Math.max(...anna.of(bert)) > 50, 'bert is not heard any more');
});

test('leaving ends all timers, so that the process can end', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length;
  const before = timers();
  const lab = await Lab.create({ real: true });
  const anna = await lab.person('anna');
  const bert = await lab.person('bert');
  await anna.room.join();
  await bert.room.join();
  await anna.publish();
  for (let i = 0; i < 30; i++) {
    anna.tick();
    bert.tick();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(timers() > before);
  await Promise.all([anna.room.leave(), bert.room.leave()]);
  await new Promise((resolve) => setTimeout(resolve, 300)); // what was under way on the relay
  assert.equal(timers(), before);
});
