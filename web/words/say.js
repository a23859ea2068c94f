/**
 * The page's texts in the language that is spoken now: one catalogue a language, and numbers, lists and times
 * by its rules. No DOM: what a text depends on is handed in.
 *
 *     en.js, ar.js ... ── speak(language, catalogue) ──> say(key, values) ──> text
 *
 * Names and other texts of people are isolated where they may be of the other direction (Unicode UAX #9), so
 * that they do not reorder the sentence around them.
 */

/** @typedef {typeof import('./en.js')} English */
/** @typedef {keyof (English['door'] & English['room'] & English['sheets'] & English['calls'])} Key */
/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry a form for each category of {n} */
/** @typedef {Record<string, Entry>} Catalogue */
/** @typedef {Record<string, string | number | string[]>} Values */

/** What there is, as BCP 47 has it. */
export const languages = /** @type {const} */ (['en', 'ar', 'fa', 'uk', 'es', 'fr']);

/** @typedef {typeof languages[number]} Language */

const rightToLeft = new Set(['ar', 'fa']);

/** Letters that are written from right to left: Hebrew, Arabic and their like. */
const rtlLetter = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** @type {Catalogue} */ let texts = {};
let language = 'en';
let plurals = new Intl.PluralRules(language);
let lists = new Intl.ListFormat(language); // to make one takes long

/**
 * Speaks a language from now on. What was made before is not said again.
 * @param {string} code as BCP 47 has it @param {...Catalogue} catalogues its texts, or a part of them
 */
export function speak(code, ...catalogues) {
  if (code !== language) texts = {};
  language = code;
  plurals = new Intl.PluralRules(code);
  lists = new Intl.ListFormat(code);
  texts = Object.assign({}, texts, ...catalogues);
}

/** The language that is spoken. */
export const spoken = () => language;

/** @param {string} code @returns {'ltr' | 'rtl'} */
export const directionOf = (code) => (rightToLeft.has(code.split('-')[0] ?? '') ? 'rtl' : 'ltr');

/**
 * The first of those that are wanted which there is, English if there is none.
 * @param {readonly string[]} wanted as BCP 47 has them, the dearest first
 * @param {readonly string[]} [from] @returns {Language}
 */
export function choose(wanted, from = languages) {
  for (const code of wanted) {
    const base = code.toLowerCase().split('-')[0] ?? '';
    if (from.includes(base)) return /** @type {Language} */ (base);
  }
  return 'en';
}

/** Whether there is such a text: for keys that are made of a code of the relay. @param {string} key */
export const has = (key) => Object.hasOwn(texts, key);

/**
 * A text. {n} of the values chooses its form; numbers and lists are written as the language does.
 * @param {Key} key @param {Values} [values] for its placeholders @returns {string}
 */
export function say(key, values = {}) {
  const entry = texts[key] ?? key;
  const category = () => plurals.select(Number(values.n ?? 0));
  const form = typeof entry === 'string' ? entry : entry[category()] ?? entry.other ?? key;
  return form.replace(/\{(\w+)\}/g, (_, name) => written(values[name] ?? ''));
}

/** @param {string | number | string[]} value */
function written(value) {
  if (typeof value === 'number') return number(value);
  return typeof value === 'string' ? isolated(value) : list(value);
}

/**
 * @param {string} text of people, or a value in letters
 * @returns {string} that does not reorder what is around it
 */
export function isolated(text) {
  return directionOf(language) === 'rtl' || rtlLetter.test(text) ? `\u2068${text}\u2069` : text;
}

/** @param {string[]} items @returns {string} "a, b and c" */
export const list = (items) => lists.format(items.map(isolated));

/** @param {number} value @param {number} [digits] after the point, at most */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}
