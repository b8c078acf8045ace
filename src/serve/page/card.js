// The card of one photo: the picture with its boxes, and what each face resembles.

import { Bars, setShare } from './bars.js';
import { el, isUncertain, largest, milliseconds, percent, plural, ranked, setText, verdict } from './dom.js';
import { faceColor, seriesOf } from './colors.js';
import { decode, paint } from './pictures.js';

const PREVIEW = 900;

/** What the largest face resembles, for those who do not see the picture. */
function inWords(face) {
  if (isUncertain(face)) return 'what the largest resembles is uncertain';
  return `the largest resembles ${face.expression} (${percent(ranked(face.scores)[0][1])})`;
}

export class Card {
  element;
  #file;
  #body = el('div', { class: 'card-body' });
  #canvas = el('canvas', { role: 'img', class: 'card-picture' });
  #note = el('p', { class: 'card-note', text: 'Waiting' });
  #actions = el('div', { class: 'card-actions' });
  #frame = el('div', { class: 'card-frame' });

  constructor(file) {
    this.#file = file;
    const title = el('h2', { class: 'card-title', text: file.name, title: file.name });
    this.#body.append(el('div', { class: 'card-head' }, title, this.#note));
    this.element = el('li', { class: 'card', 'data-state': 'waiting' }, this.#frame, this.#body);
    this.#canvas.setAttribute('aria-label', file.name);
  }

  say(text) {
    setText(this.#note, text);
  }

  working() {
    this.element.dataset.state = 'working';
    this.say('Looking for faces …');
  }

  failed(text) {
    this.element.dataset.state = 'failed';
    this.#frame.remove();
    this.say(text);
  }

  /** Shows an answer. `actions` are pairs of a button's text and what it does. */
  async show(answer, actions) {
    const best = answer.faces[largest(answer.faces)];
    this.element.dataset.state = 'done';
    this.element.dataset.expression = best?.expression ?? '';
    const time = answer.milliseconds?.total;
    const found = answer.faces.length === 0 ? 'No face found' : plural(answer.faces.length, 'face');
    this.say(
      `${found} · ${answer.width}×${answer.height}${Number.isFinite(time) ? ` · ${milliseconds(time)} ms` : ''}`,
    );
    this.#body.append(...this.#faces(answer), this.#actions);
    this.#actions.append(
      ...actions.map(([text, onclick]) =>
        el(
          'button',
          { type: 'button', class: 'quiet', onclick },
          text,
          el('span', { class: 'sr', text: ` ${this.#file.name}` }),
        ),
      ),
    );
    await this.#picture(answer, best);
  }

  async #picture(answer, best) {
    const picture = await decode(this.#file);
    if (!picture) {
      this.#frame.replaceChildren(
        el('p', { class: 'muted small', text: 'This browser cannot show this format, but the server could read it.' }),
      );
      return;
    }
    paint(this.#canvas, picture, answer, { most: PREVIEW, letters: answer.faces.length > 3 ? 1.3 : 1.6 });
    picture.close();
    const words = best ? `, ${inWords(best)}` : '';
    this.#canvas.setAttribute('aria-label', `${this.#file.name}: ${plural(answer.faces.length, 'face')}${words}`);
    this.#frame.replaceChildren(this.#canvas);
  }

  /** One line for each face that opens to all its probabilities; with only one it is open. */
  #faces({ faces }) {
    const first = largest(faces);
    return faces.map((face, index) => {
      const names = Object.keys(face.scores);
      const [name, share] = ranked(face.scores)[0];
      const said = verdict(face);
      const dot = el('span', { class: 'chip-dot', 'aria-hidden': 'true' });
      dot.style.backgroundColor = faceColor(index + 1);
      const fill = el('span', { class: 'bar-fill' });
      const track = el(
        'span',
        { class: `bar-track s${seriesOf(name, names.indexOf(name))}`, 'aria-hidden': 'true' },
        fill,
      );
      setShare(fill, share);
      const summary = el(
        'summary',
        {},
        dot,
        el('b', { text: said.name }),
        track,
        el('span', { class: 'share', text: said.share }),
      );
      if (faces.length > 1) summary.prepend(el('span', { class: 'sr', text: `Face ${index + 1}: ` }));
      const list = el('ul', { class: 'bars', 'aria-label': `Probabilities of face ${index + 1}` });
      new Bars(list).show(face.scores);
      return el('details', { class: 'face', open: faces.length <= 2 && index === first }, summary, list);
    });
  }
}
