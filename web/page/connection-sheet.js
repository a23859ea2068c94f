/** The sheet of the connection: how good it is, in words and in numbers. */

import { fill, h } from './dom.js';
import { describe, numbers } from './quality.js';
import { Sheet } from './sheet.js';
import { say } from '../words/say.js';

/** @param {import('./room-model.js').RoomModel} model @param {() => void} closed */
export function openConnection(model, closed) {
  const sheet = new Sheet(say('connection.title'), { name: 'connection', closed });
  const line = h('p', { class: 'known' });
  const table = h('dl', { class: 'numbers' });
  const why = h('p', { class: 'hint' });
  sheet.body.append(line, table, why);
  sheet.update = () => {
    const { grade, text } = describe(model.state, model.quality, model.offline);
    line.dataset.grade = grade;
    line.textContent = text;
    const rows = model.quality ? numbers(model.quality, Date.now()) : [];
    fill(table, ...rows.map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value))));
    const slow = text === say('connection.slowWay');
    const lost = (grade === 'bad' && !model.quality?.dropped) || (grade === 'weak' && !slow);
    why.textContent = slow ? say('connection.slowExplain') : lost ? say('connection.lossExplain') : '';
  };
  sheet.update();
}
