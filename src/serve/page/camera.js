// The view of the camera: brings the webcam, the connection and everything that shows results together.

import { Sender } from './capture.js';
import { INSECURE, insecure, list } from './devices.js';
import { get, setText } from './dom.js';
import { Overlay } from './overlay.js';
import { Panel } from './panel.js';
import { remember } from './settings.js';
import { Speed } from './speed.js';
import { Timeline } from './timeline.js';
import { Webcam } from './webcam.js';

const NOBODY_AFTER = 1200;

export class CameraView {
  #live;
  #video = get('video');
  #webcam = new Webcam(this.#video);
  #overlay = new Overlay(get('overlay'), this.#video);
  #panel = new Panel();
  #speed = new Speed();
  #timeline = new Timeline(get('timeline'));
  #sender;
  #visible = false;
  #running = false;
  #smooth = get('smooth');
  #mirrorChosen = false;
  #lastFace = 0;
  #trouble = '';
  #results = 0;

  constructor(live) {
    this.#live = live;
    this.#sender = new Sender(this.#video, live);
    setText(get('host'), location.host);
    this.#buttons();
    this.#switches();
    this.#webcam.addEventListener('state', () => this.#webcamChanged());
    this.#webcam.addEventListener('devices', () => this.#listDevices());
    live.addEventListener('hello', ({ detail }) => this.#know(detail.classes));
    live.addEventListener('state', () => this.#connectionChanged());
    live.addEventListener('result', ({ detail }) => this.#show(detail));
    live.addEventListener('refused', ({ detail }) => this.#refused(detail));
    this.#video.addEventListener('resize', () => this.#shape());
    setInterval(() => this.#tell(), 400);
    this.#webcamChanged();
  }

  /** Frames are sent only while the view is to be seen; the camera stays on for the view of the inside. */
  visible(visible) {
    this.#visible = visible;
    this.#arrange();
  }

  get on() {
    return this.#webcam.on && this.#video.videoWidth > 0;
  }

  start() {
    return this.#webcam.start();
  }

  /** To be called when colours changed. */
  repaint() {
    this.#timeline.draw();
  }

  /** The camera's present picture as JPEG. */
  picture() {
    return this.#sender.picture();
  }

  get webcam() {
    return this.#webcam;
  }

  #buttons() {
    get('start-camera').addEventListener('click', () => this.#webcam.start());
    get('stop-camera').addEventListener('click', () => {
      this.#webcam.stop();
      get('start-camera').focus();
    });
    get('device').addEventListener('change', ({ target }) => this.#webcam.start(target.value));
    const full = get('full-screen');
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener('click', () =>
      document.fullscreenElement ? document.exitFullscreen() : get('stage').requestFullscreen(),
    );
    get('overlay').addEventListener('click', ({ clientX, clientY }) => {
      const id = this.#overlay.faceAt(clientX, clientY);
      if (id !== null) this.#panel.choose(id);
    });
  }

  #switches() {
    remember(this.#smooth, (smoothing) => this.#live.configure({ smoothing }));
    remember(get('min-face'), (size) => this.#live.configure({ min_face: Number(size) }));
    remember(get('bars'), (bars) => (this.#overlay.bars = bars));
    get('mirror').addEventListener('change', () => {
      this.#mirrorChosen = true;
      this.#mirror();
    });
    this.#overlay.bars = get('bars').checked;
    this.#live.configure({ smoothing: this.#smooth.checked, min_face: Number(get('min-face').value) });
  }

  #mirror() {
    const mirrored = get('mirror').checked;
    this.#overlay.mirrored = mirrored;
    this.#video.classList.toggle('mirrored', mirrored);
  }

  #know(classes) {
    this.#overlay.classes = classes;
    this.#panel.classes(classes);
    this.#timeline.classes(classes);
  }

  #webcamChanged() {
    const { state, away } = this.#webcam;
    get('stage').dataset.state = state;
    get('stop-camera').hidden = state !== 'on';
    get('camera-on').hidden = state !== 'on';
    if (state === 'on') {
      if (!this.#mirrorChosen) get('mirror').checked = !away;
      this.#mirror();
      this.#shape();
      this.#listDevices();
      // The start button is hidden now; the focus must not be lost with it.
      if (document.activeElement === get('start-camera') || document.activeElement === document.body)
        get('stop-camera').focus({ preventScroll: true });
    }
    this.#arrange();
    this.#tell();
  }

  #connectionChanged() {
    if (this.#live.state !== 'open') {
      this.#overlay.clear();
      this.#panel.clear();
      this.#speed.clear();
    }
    this.#results = 0;
    this.#trouble = '';
    this.#tell();
  }

  #arrange() {
    const run = this.#visible && this.#webcam.on;
    if (run === this.#running) return;
    this.#running = run;
    this.#results = 0;
    if (run) {
      this.#lastFace = performance.now();
      this.#overlay.start();
      this.#timeline.start();
      this.#sender.start();
    } else {
      this.#sender.stop();
      this.#overlay.stop();
      this.#timeline.stop();
      this.#panel.clear();
      this.#speed.clear();
    }
  }

  #shape() {
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth && videoHeight) get('stage').style.aspectRatio = `${videoWidth} / ${videoHeight}`;
  }

  async #listDevices() {
    const cameras = await list();
    get('device-field').hidden = cameras.length < 2;
    const options = cameras.map(({ id, name }) => new Option(name, id, false, id === this.#webcam.deviceId));
    get('device').replaceChildren(...options);
  }

  #show({ result, roundTrip, capturedAt }) {
    if (!this.#running) return;
    const now = performance.now();
    const smooth = this.#smooth.checked;
    this.#results += 1;
    this.#trouble = '';
    if (result.faces.length > 0) this.#lastFace = now;
    this.#overlay.show(result, capturedAt, smooth);
    this.#panel.show(result.faces, smooth, now);
    const face = this.#panel.pick(result.faces);
    this.#overlay.main = face?.id ?? null;
    const whose = face && face.id === this.#panel.chosen ? `of face ${face.id}` : 'of the largest face';
    setText(get('timeline-note'), whose);
    this.#timeline.add(face, smooth, now);
    this.#speed.add(result, roundTrip, now);
  }

  #refused(text) {
    this.#trouble = `The server could not use a frame: ${text}`;
    this.#tell();
  }

  /** One line that says how things are, or what is wrong and what comes next. */
  #tell() {
    const [text, tone] = this.#state();
    const status = get('camera-status');
    setText(status, text);
    status.dataset.tone = tone;
  }

  #state() {
    const { state, problem, muted } = this.#webcam;
    if (state === 'failed') return [problem, 'bad'];
    if (state === 'asking') return ['The browser may ask whether this page may use the camera.', 'wait'];
    if (state === 'idle') return insecure() ? [INSECURE, 'bad'] : (this.#gone() ?? ['', 'quiet']);
    if (muted) return ['The camera is on but sends no picture. Is it covered, or used by another program?', 'bad'];
    return this.#gone() ?? this.#seen();
  }

  #gone() {
    if (this.#live.state === 'open') return null;
    if (this.#live.busy)
      return ['The server has enough guests at the moment. It goes on by itself when there is room.', 'wait'];
    if (this.#live.forbidden) return [this.#live.forbidden, 'bad'];
    if (!this.#live.lost) return ['Connecting to the server …', 'wait'];
    return ['The server does not answer. It goes on by itself as soon as it is back.', 'bad'];
  }

  #seen() {
    if (this.#trouble) return [this.#trouble, 'bad'];
    if (this.#results === 0) return ['Waiting for the first answer …', 'wait'];
    if (performance.now() - this.#lastFace > NOBODY_AFTER)
      return ['No face in sight. Look at the camera, in good light.', 'wait'];
    return ['Live', 'good'];
  }
}
