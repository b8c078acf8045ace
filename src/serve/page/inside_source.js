// Which picture is looked into: the example, a photo, or what the camera sees at the moment.

import { example } from './api.js';
import { get } from './dom.js';
import { takePictures } from './intake.js';

const CAMERA_WITHIN = 20_000;

export class Source extends EventTarget {
  /** `example`, `photo` or `camera`. */
  kind = 'example';
  name = 'example.png';
  picture = null;
  #camera;
  #chosen = 0;

  constructor(camera, open) {
    super();
    this.#camera = camera;
    get('use-example').addEventListener('click', () => this.useExample());
    get('use-camera').addEventListener('click', () => this.useCamera());
    takePictures({ input: get('inside-file'), zone: get('inside'), open, take: ([file]) => this.usePhoto(file) });
  }

  useExample() {
    return this.#take('example', 'the astronaut Eileen Collins', example);
  }

  usePhoto(file) {
    return this.#take('photo', file.name, async () => file);
  }

  /** One frame of the camera; the camera is started if it is not on. */
  useCamera() {
    return this.#take('camera', 'a frame of the camera', () => this.frame());
  }

  async frame() {
    const { webcam } = this.#camera;
    if (!this.#camera.on) {
      await webcam.start();
      await this.#until(() => this.#camera.on || webcam.state === 'failed');
    }
    if (!this.#camera.on) throw new Error(webcam.problem || 'The camera gives no picture.');
    return this.#camera.picture();
  }

  async #take(kind, name, load) {
    const chosen = ++this.#chosen;
    this.dispatchEvent(new CustomEvent('loading', { detail: kind }));
    try {
      const picture = await load();
      if (chosen !== this.#chosen) return;
      Object.assign(this, { kind, name, picture });
      this.#press();
      this.dispatchEvent(new Event('picture'));
    } catch (error) {
      if (chosen === this.#chosen) this.dispatchEvent(new CustomEvent('problem', { detail: error.message }));
    }
  }

  #press() {
    get('use-example').setAttribute('aria-pressed', String(this.kind === 'example'));
    get('use-camera').setAttribute('aria-pressed', String(this.kind === 'camera'));
  }

  async #until(there) {
    const end = performance.now() + CAMERA_WITHIN;
    while (!there() && performance.now() < end) await new Promise((done) => setTimeout(done, 100));
  }
}
