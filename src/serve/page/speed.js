// Frames per second, and where the milliseconds of a frame go.

import { el, get, setText } from './dom.js';
import { waitOf } from './live.js';

const WINDOW = 2000;
const EVERY = 400;
const STAGES = [
  ['decode', 'Decode', 'reading the JPEG'],
  ['detect', 'Detect', 'finding the faces'],
  ['prepare', 'Crop', 'cutting faces out'],
  ['network', 'Network', 'the classification'],
  ['wait', 'Queue', 'until earlier frames were done'],
  ['reply', 'Round trip', 'the network, there and back'],
];

export class Speed {
  #arrivals = [];
  #means = new Map();
  #shownAt = 0;
  #parts = new Map();

  constructor() {
    STAGES.forEach(([key, title, detail], index) => {
      const part = el('span', { class: `part part${index}` });
      const value = el('dd', {}, '–');
      get('stage-bar').append(part);
      get('stages').append(
        el(
          'div',
          { class: 'stage-item' },
          el('dt', { title: detail }, el('span', { class: `swatch part${index}`, 'aria-hidden': 'true' }), title),
          value,
        ),
      );
      this.#parts.set(key, { part, value });
    });
  }

  add({ milliseconds: times = {} }, roundTrip, now) {
    this.#arrivals.push(now);
    while (this.#arrivals[0] < now - WINDOW) this.#arrivals.shift();
    const reply = Math.max(0, roundTrip - (times.total ?? 0));
    const all = { ...times, wait: waitOf(times), reply };
    for (const [key] of STAGES) this.#mean(key, all[key]);
    if (now - this.#shownAt < EVERY) return;
    this.#shownAt = now;
    this.#show(now);
  }

  clear() {
    this.#arrivals = [];
    this.#means.clear();
    setText(get('fps'), '–');
    for (const { part, value } of this.#parts.values()) {
      part.style.flexGrow = 0;
      setText(value, '–');
    }
  }

  #mean(key, value) {
    if (!Number.isFinite(value)) return;
    const before = this.#means.get(key);
    this.#means.set(key, before === undefined ? value : 0.85 * before + 0.15 * value);
  }

  #show() {
    const span = this.#arrivals.at(-1) - this.#arrivals[0];
    if (span > 0) setText(get('fps'), ((1000 * (this.#arrivals.length - 1)) / span).toFixed(1));
    for (const [key, { part, value }] of this.#parts) {
      const mean = this.#means.get(key);
      part.style.flexGrow = mean ?? 0;
      setText(value, mean === undefined ? '–' : `${mean.toFixed(mean < 99.95 ? 1 : 0)} ms`);
    }
  }
}
