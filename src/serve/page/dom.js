// Small helpers for making and changing elements. Texts always go through textContent, so nothing from a server or a
// file is ever read as HTML.

export const get = (id) => document.getElementById(id);

/** Makes an element: attributes by name (`class`, `for`, …), `text`, handlers as `onclick`, then its children. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'text') element.textContent = value;
    else if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets a text only if it is another one, so that screen readers and layout are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Milliseconds with as many digits as are worth reading. */
export function milliseconds(value) {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** The pairs of a record of scores, the surest first. */
export const ranked = (scores) => Object.entries(scores ?? {}).sort((a, b) => b[1] - a[1]);

/** Whether the model was uncertain: an answer is one of its classes, or a word that is none of them. */
export const isUncertain = ({ expression, scores }) => !Object.hasOwn(scores ?? {}, expression);

/** What the model says of a face, and how probable that is; only the word where it is uncertain. */
export function verdict({ expression, scores }) {
  const [, share] = ranked(scores)[0] ?? ['', 0];
  return { name: capital(expression), share: isUncertain({ expression, scores }) ? '' : percent(share) };
}

export const areaOf = ({ box }) => Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);

/** The index of the largest face, or −1. */
export function largest(faces) {
  let best = -1;
  faces.forEach((face, index) => {
    if (best < 0 || areaOf(face) > areaOf(faces[best])) best = index;
  });
  return best;
}

const stillness = matchMedia('(prefers-reduced-motion: reduce)');

export const prefersStillness = () => stillness.matches;
