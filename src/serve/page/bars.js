// Bars of probabilities as a list that a screen reader can read too.

import { el, percent, setText } from './dom.js';
import { seriesOf } from './colors.js';

/** Shows a share of a bar. It is moved, not scaled, so that its end stays round; and moving needs no new layout. */
export function setShare(fill, share) {
  fill.style.transform = `translateX(${(100 * Math.min(1, Math.max(0, share)) - 100).toFixed(2)}%)`;
}

function makeRow(name, index) {
  const fill = el('span', { class: 'bar-fill' });
  const share = el('span', { class: 'bar-share' });
  const row = el(
    'li',
    { class: `bar-row s${seriesOf(name, index)}` },
    el('span', { class: 'bar-name', text: name }),
    el('span', { class: 'bar-track', 'aria-hidden': 'true' }, fill),
    share,
  );
  return { row, fill, share };
}

/** Shows scores in a list; the rows are made anew only when the classes are others. */
export class Bars {
  #list;
  #rows = new Map();

  constructor(list) {
    this.#list = list;
  }

  classes(names) {
    if (names.join('\n') === [...this.#rows.keys()].join('\n')) return;
    this.#rows = new Map(names.map((name, index) => [name, makeRow(name, index)]));
    this.#list.replaceChildren(...[...this.#rows.values()].map(({ row }) => row));
  }

  show(scores) {
    this.classes(Object.keys(scores));
    const most = Math.max(...Object.values(scores));
    for (const [name, { row, fill, share }] of this.#rows) {
      const value = scores[name] ?? 0;
      setShare(fill, value);
      setText(share, percent(value));
      row.classList.toggle('best', value === most && most > 0);
    }
  }

  clear() {
    for (const { row, fill, share } of this.#rows.values()) {
      setShare(fill, 0);
      setText(share, '');
      row.classList.remove('best');
    }
  }
}
