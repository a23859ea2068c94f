/** The sheet of the connection: whether one is heard and hears, in words and in numbers. */

import { awayTexts } from './away.js';
import { fill, h, setText } from './dom.js';
import { gradeOf, hearOf, hearText, heardOf, heardText, isOne } from './hearing.js';
import { explain, numbers, tries } from './quality.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

/** @typedef {import('./room-model.js').RoomModel} RoomModel */

/** @param {RoomModel} model @param {() => void} closed */
export function openConnection(model, closed) {
  const sheet = new Sheet(say('connection.title'), { name: 'connection', closed, text: true });
  const answers = h('div', { class: 'answers' });
  const table = h('dl', { class: 'numbers' });
  const why = h('p', { class: 'hint' });
  sheet.body.append(answers, why, table);
  sheet.update = () => {
    const now = Date.now();
    const [heard, hear] = [heardOf(model), hearOf(model)];
    fill(answers, answer(heard, heardText(heard)), !isOne(heard, hear) && answer(hear, hearText(hear)));
    const away = model.state === 'reconnecting' ? model.away : null;
    setText(why, away ? [...awayTexts(model, now), ...tries(away, now)].join(' ') : explain(model));
    const rows = model.quality && model.state === 'joined' ? numbers(model.quality, now) : [];
    fill(table, ...rows.map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value))));
  };
  sheet.update();
}

/** @param {import('./hearing.js').Heard} code @param {string} text */
function answer(code, text) {
  return h('p', { class: 'known', 'data-grade': gradeOf(code) }, h('span', { class: 'dot' }), text);
}
