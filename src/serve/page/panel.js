// The panel beside the video: which face, what it resembles, all probabilities. It changes a few times a second, since
// nobody reads faster.

import { Bars } from './bars.js';
import { el, get, isUncertain, largest, percent, ranked, setText, verdict } from './dom.js';
import { faceColor } from './colors.js';
import { Announcer } from './announce.js';

const EVERY = 120;

export class Panel {
  /** The track id of the face that the reader chose; null means the largest. */
  chosen = null;
  #bars = new Bars(get('panel-bars'));
  #announcer = new Announcer(get('say'));
  #name = document.querySelector('#verdict .verdict-name');
  #share = document.querySelector('#verdict .verdict-share');
  #more = get('verdict-more');
  #choice = get('face-choice');
  #chips = new Map();
  #shownAt = 0;

  classes(names) {
    this.#bars.classes(names);
  }

  choose(id) {
    this.chosen = id;
    this.#press();
  }

  /** The face to be shown: the chosen one while it is there, else the largest. */
  pick(faces) {
    return faces.find(({ id }) => id === this.chosen) ?? faces[largest(faces)] ?? null;
  }

  show(faces, smooth, now) {
    const face = this.pick(faces);
    this.#hear(face, now);
    if (now - this.#shownAt < EVERY) return;
    this.#shownAt = now;
    this.#offer(faces);
    if (face) this.#face(face, smooth);
    else this.#nobody();
  }

  clear() {
    this.#offer([]);
    this.#nobody();
    setText(this.#name, 'No face yet');
    setText(this.#more, 'Your result will appear here.');
  }

  #face(face, smooth) {
    const scores = (smooth && face.smoothed) || face.scores;
    const { expression } = face;
    const said = verdict({ expression, scores });
    const named = ([name, share]) => `${name}, ${percent(share)}`;
    const [first, second] = ranked(scores);
    setText(this.#name, said.name);
    this.#name.classList.remove('muted');
    setText(this.#share, said.share);
    if (isUncertain(face)) setText(this.#more, [first, second].filter(Boolean).map(named).join('; '));
    else setText(this.#more, second ? `then ${named(second)}` : '');
    this.#bars.show(scores);
  }

  #nobody() {
    setText(this.#name, 'No face');
    this.#name.classList.add('muted');
    setText(this.#share, '');
    setText(this.#more, 'Nobody is in sight.');
    this.#bars.clear();
  }

  #hear(face, now) {
    const words = () =>
      isUncertain(face) ? 'It is uncertain what the face resembles' : `The face resembles ${face.expression}`;
    this.#announcer.hear(face ? words() : 'No face', now);
  }

  /** One button for each face, if there are several; those that stay are kept, so that the focus stays as well. */
  #offer(faces) {
    const several = faces.length > 1;
    this.#choice.hidden = !several;
    const ids = several ? faces.map(({ id }) => id).sort((a, b) => a - b) : [];
    for (const [id, chip] of this.#chips) {
      if (id !== 'largest' && !ids.includes(id)) {
        chip.remove();
        this.#chips.delete(id);
      }
    }
    if (!several) return;
    if (!this.#chips.has('largest')) this.#add('largest', ['Largest'], null);
    for (const id of ids)
      if (!this.#chips.has(id)) this.#add(id, [el('span', { class: 'sr', text: 'Face ' }), String(id)], id);
    this.#press();
  }

  #add(key, text, id) {
    const dot = id === null ? null : el('span', { class: 'chip-dot', 'aria-hidden': 'true' });
    if (dot) dot.style.backgroundColor = faceColor(id);
    const chip = el('button', { type: 'button', class: 'chip', onclick: () => this.choose(id) }, dot, ...text);
    this.#chips.set(key, chip);
    this.#choice.append(chip);
  }

  #press() {
    for (const [key, chip] of this.#chips) {
      const pressed = String(key === 'largest' ? this.chosen === null : key === this.chosen);
      if (chip.getAttribute('aria-pressed') !== pressed) chip.setAttribute('aria-pressed', pressed);
    }
  }
}
