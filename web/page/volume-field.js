/** A volume: a slider, and how loud that is. */

import { h, setText } from './dom.js';
import { percent } from '../words/formats.js';

const loudest = 200; // per cent

/** @param {string} id @param {string} label @param {(volume: number) => void} choose 1 is as it is sent */
export function volumeField(id, label, choose) {
  const said = h('output', { for: id });
  const input = h('input', { type: 'range', id, min: '0', max: String(loudest), step: '5', oninput: () => {
    choose(input.valueAsNumber / 100);
    show(input.valueAsNumber / 100);
  } });
  const show = (/** @type {number} */ volume) => {
    const value = String(Math.round(volume * 100));
    if (input.value !== value) input.value = value;
    setText(said, percent(volume));
  };
  const element = h('div', { class: 'field' },
    h('div', { class: 'between' }, h('label', { for: id }, label), said), input);
  return { element, show };
}
