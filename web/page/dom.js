/** Making and finding elements in few words. No text of the page and no state lives here. */

/** @typedef {Node | string | false | null | undefined} Child */
/** @typedef {Record<string, unknown>} Props */

/**
 * Makes an element. Of props, `onclick` and its like are listeners, `class`, `aria-*`, `data-*` and other
 * names with a dash are attributes, the rest are properties. Strings are text, never markup.
 * @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {Props} [props] @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  element.append(...children.filter(isNode));
  return element;
}

/** @param {HTMLElement} element @param {string} name @param {unknown} value */
function set(element, name, value) {
  if (value === undefined) return;
  if (name.startsWith('on')) {
    element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
  } else if (name === 'class' || name === 'role' || name === 'for' || name.includes('-')) {
    setAttribute(element, name, value);
  } else {
    Reflect.set(element, name, value);
  }
}

/**
 * Sets an attribute only when it changes, so that screen readers and observers are not woken for nothing.
 * `false` of an attribute without a value, and null, remove it; `aria-*` and `data-*` keep "false".
 * @param {Element} element @param {string} name @param {unknown} value
 */
export function setAttribute(element, name, value) {
  const states = name.startsWith('aria-') || name.startsWith('data-');
  if (value === null || value === undefined || (value === false && !states)) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, String(value));
  }
}

/** Sets the text only when it changes. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A button with one of the looks of the style sheet.
 * @param {string} look @param {(() => void) | undefined} onclick @param {...Child} children
 */
export function makeButton(look, onclick, ...children) {
  return h('button', { type: 'button', class: `button ${look}`.trim(), onclick }, ...children);
}

/** A line of small print. @param {...Child} children */
export function smallPrint(...children) {
  return h('p', { class: 'hint' }, ...children);
}

/** An input with its label above. @param {string} id @param {string} label @param {...Child} inputs */
export function labelled(id, label, ...inputs) {
  return h('div', { class: 'field' }, h('label', { for: id }, label), ...inputs);
}

/** @param {Element} parent @param {...Child} children */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter(isNode));
}

/** What takes the focus by itself. */
const focusable =
  'button:enabled, a[href], input:enabled, select:enabled, textarea:enabled, summary, [tabindex]';

/**
 * Changes what an element holds. If the focus was in it and is lost by that, whoever uses a keyboard or a
 * screen reader goes on with the first thing in it that can be focused, or with `other`, not at the top.
 * @param {Element} element @param {() => void} change
 * @param {() => Element | null | undefined | void} [other]
 */
export function keepFocus(element, change, other) {
  const focused = element.contains(document.activeElement);
  change();
  if (!focused || element.contains(document.activeElement)) return;
  const inside = [...element.querySelectorAll(focusable)].find((one) => one.checkVisibility());
  const next = inside ?? other?.();
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
}

/** @param {Child} child @returns {child is Node | string} */
function isNode(child) {
  return child !== false && child !== null && child !== undefined && child !== '';
}

const svgSpace = 'http://www.w3.org/2000/svg';

/**
 * Makes an inline SVG, hidden from screen readers: what it shows is said in words beside it.
 * @param {string} viewBox @param {Record<string, string>[]} paths attributes of each path
 * @param {string} [className] @returns {SVGSVGElement}
 */
export function svg(viewBox, paths, className = '') {
  const root = document.createElementNS(svgSpace, 'svg');
  root.setAttribute('viewBox', viewBox);
  root.setAttribute('aria-hidden', 'true');
  root.setAttribute('focusable', 'false');
  if (className) root.setAttribute('class', className);
  for (const attributes of paths) {
    const path = document.createElementNS(svgSpace, 'path');
    for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
    root.append(path);
  }
  return root;
}
