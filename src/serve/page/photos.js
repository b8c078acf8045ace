// The view of photos: a list of pictures that are sent to the server, at most two at a time.

import { ApiError, example, model, predict } from './api.js';
import { Card } from './card.js';
import { el, get, plural, setText } from './dom.js';
import { asCsv, asJson, save, savePicture } from './export.js';
import { takePictures } from './intake.js';

const AT_A_TIME = 2;

export class PhotosView {
  /** Set by the page: shows a picture in the view of the inside. */
  onlookinside = () => {};
  #items = [];
  #next = 0;
  #working = 0;
  #abort = new AbortController();
  #visible = false;

  constructor() {
    takePictures({
      input: get('files'),
      zone: get('drop'),
      open: () => this.#visible,
      take: (files) => this.add(files),
    });
    get('try-example').addEventListener('click', () => this.#example());
    get('export-json').addEventListener('click', () => save(asJson(this.#done()), 'faces.json'));
    get('export-csv').addEventListener('click', () => save(asCsv(this.#done()), 'faces.csv'));
    get('export-png').addEventListener('click', () => this.#savePictures());
    get('clear').addEventListener('click', () => this.clear());
    this.#count();
  }

  visible(visible) {
    this.#visible = visible;
  }

  add(files) {
    for (const file of files) {
      const item = { file, card: new Card(file), answer: null, error: null };
      this.#items.push(item);
      get('cards').append(item.card.element);
    }
    this.#count();
    this.#work();
  }

  clear() {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#items = [];
    this.#next = 0;
    get('cards').replaceChildren();
    this.#count();
    get('files').focus();
  }

  async #example() {
    try {
      this.add([await example()]);
    } catch (error) {
      get('photo-tools').hidden = false;
      this.#say(error.message);
    }
  }

  #done() {
    return this.#items.filter(({ answer, error }) => answer || error);
  }

  #work() {
    while (this.#working < AT_A_TIME && this.#next < this.#items.length) {
      const item = this.#items[this.#next++];
      this.#working += 1;
      this.#one(item, this.#abort.signal).finally(() => {
        this.#working -= 1;
        this.#count();
        this.#work();
      });
    }
  }

  async #one(item, signal) {
    const { file, card } = item;
    card.working();
    try {
      await checkSize(file);
      const answer = await predict(file, signal, (seconds) =>
        card.say(`The server is busy. Trying again in ${plural(Math.ceil(seconds), 'second')}.`),
      );
      if (signal.aborted) return;
      item.answer = answer;
      await card.show(answer, [
        ['Save as PNG', () => this.#savePicture(item)],
        ['Look inside', () => this.onlookinside(file)],
      ]);
    } catch (error) {
      if (signal.aborted) return;
      item.error = error.message;
      card.failed(error.message);
      if (error.status === 0) this.#offerAgain(item);
    }
  }

  /** When the server was gone, the reader need not choose the picture anew. */
  #offerAgain(item) {
    const again = el('button', { type: 'button', text: 'Try again' });
    again.addEventListener('click', () => {
      const card = new Card(item.file);
      item.card.element.replaceWith(card.element);
      this.#items = this.#items.filter((other) => other !== item);
      this.#next -= 1;
      this.#items.push({ ...item, card, error: null });
      this.#work();
    });
    item.card.element.append(again);
  }

  async #savePicture(item) {
    try {
      await savePicture(item);
    } catch (error) {
      this.#say(`${item.file.name}: ${error.message}`);
    }
  }

  async #savePictures() {
    for (const item of this.#items) if (item.answer) await this.#savePicture(item);
  }

  #count() {
    const [all, done] = [this.#items.length, this.#done().length];
    get('photo-tools').hidden = all === 0;
    get('drop').classList.toggle('small-drop', all > 0);
    for (const id of ['export-json', 'export-csv', 'export-png']) get(id).disabled = done === 0;
    const failed = this.#items.filter(({ error }) => error).length;
    const count = plural(all, 'picture');
    this.#say(`${done < all ? `${done} of ${count} done` : count}${failed ? `, ${failed} could not be read` : ''}`);
  }

  #say(text) {
    setText(get('photo-count'), text);
  }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function checkSize(file) {
  const { limits } = await model();
  if (file.size === 0) throw new ApiError('The file is empty.', 400);
  if (limits?.max_bytes && file.size > limits.max_bytes) {
    throw new ApiError(
      `The file has ${megabytes(file.size)}; the server takes up to ${megabytes(limits.max_bytes)}.`,
      413,
    );
  }
}
