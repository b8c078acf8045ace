// The view of the inside: asks for what the network makes of a picture, and again when another face, layer or class is
// chosen.

import { inside } from './api.js';
import { get, setText } from './dom.js';
import { Source } from './inside_source.js';
import { showAnswer, showFaces, showLayers, showSource, showStages, showTimes } from './inside_view.js';

const FOLLOW_EVERY = 1000;
const SETTLED = 120;

export class InsideView {
  #source;
  #camera;
  #visible = false;
  #abort = new AbortController();
  #face = null;
  #layer = null;
  #class = null;
  #method = null;
  #timer = 0;
  #following = false;

  constructor(camera) {
    this.#camera = camera;
    this.#source = new Source(camera, () => this.#visible);
    this.#source.addEventListener('loading', ({ detail }) => this.#loading(detail));
    this.#source.addEventListener('picture', () => this.#fresh());
    this.#source.addEventListener('problem', ({ detail }) => this.#say(detail, true));
    get('follow').addEventListener('change', () => this.#follow());
    get('layer').addEventListener('change', ({ target }) => this.#change(() => (this.#layer = target.value)));
    get('class').addEventListener('change', ({ target }) => this.#change(() => (this.#class = target.value)));
    get('method').addEventListener('change', ({ target }) => this.#change(() => (this.#method = target.value)));
    get('layer-before').addEventListener('click', () => this.#step(-1));
    get('layer-next').addEventListener('click', () => this.#step(1));
    document.addEventListener('visibilitychange', () => this.#follow());
  }

  visible(visible) {
    this.#visible = visible;
    if (visible && !this.#source.picture) this.#source.useExample();
    this.#follow();
  }

  /** Shows a photo of another view. */
  look(file) {
    return this.#source.usePhoto(file);
  }

  #loading(kind) {
    if (kind !== 'camera') get('follow').checked = false;
    this.#say(kind === 'camera' && !this.#camera.on ? 'Starting the camera …' : 'Looking …');
  }

  /** Another picture: its largest face is another one, and the class to explain is the one that it gets. */
  #fresh() {
    this.#face = null;
    this.#class = null;
    this.#ask();
  }

  /** Several changes in a row, as by arrow keys, are asked once. */
  #change(act) {
    act();
    clearTimeout(this.#timer);
    if (!this.#following) this.#timer = setTimeout(() => this.#ask(), SETTLED);
  }

  #step(by) {
    const select = get('layer');
    const place = select.selectedIndex + by;
    if (place < 0 || place >= select.options.length) return;
    select.selectedIndex = place;
    this.#change(() => (this.#layer = select.value));
  }

  async #ask() {
    this.#abort.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { picture, name } = this.#source;
    if (!picture) return;
    get('inside-body').setAttribute('aria-busy', 'true');
    try {
      const options = { face: this.#face, layer: this.#layer, name: this.#class, method: this.#method };
      const answer = await inside(picture, options, signal, () => this.#say('The server is busy. Trying again …'));
      if (signal.aborted) return;
      await this.#show(picture, answer, name);
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    } finally {
      if (!signal.aborted) get('inside-body').removeAttribute('aria-busy');
    }
  }

  async #show(picture, answer, name) {
    get('inside-body').hidden = false;
    showFaces(answer, (face) => this.#change(() => (this.#face = face)));
    showAnswer(answer);
    showStages(answer);
    showLayers(answer);
    showTimes(answer);
    await showSource(picture, answer, name);
    this.#say(answer.face === null ? 'No face was found, so the whole picture is taken for one.' : '');
  }

  /** A face that is no longer there, or a layer of another model, or what it cannot be explained by: once more without it. */
  #failed(error) {
    const refused = error.status >= 400 && error.status < 500;
    if (refused && this.#face !== null) {
      this.#face = null;
      this.#ask();
      return;
    }
    if (refused && (this.#layer || this.#class || this.#method)) {
      this.#layer = this.#class = this.#method = null;
      this.#ask();
      return;
    }
    this.#say(error.message, true);
  }

  /** Asks for a new frame about once a second, as long as the switch is on and anybody can see it. */
  async #follow() {
    const wanted = () => get('follow').checked && this.#visible && !document.hidden;
    if (!wanted() || this.#following) return;
    this.#following = true;
    while (wanted()) {
      const begun = performance.now();
      try {
        if (this.#source.kind !== 'camera' || !this.#camera.on) await this.#startFollowing();
        else this.#source.picture = await this.#source.frame();
        if (this.#source.kind === 'camera') await this.#ask();
      } catch (error) {
        this.#say(error.message, true);
      }
      await new Promise((done) => setTimeout(done, Math.max(100, FOLLOW_EVERY - (performance.now() - begun))));
    }
    this.#following = false;
  }

  async #startFollowing() {
    await this.#source.useCamera();
    if (!this.#camera.on) get('follow').checked = false;
  }

  #say(text, bad = false) {
    const status = get('inside-status');
    setText(status, text);
    status.dataset.tone = bad ? 'bad' : 'quiet';
  }
}
