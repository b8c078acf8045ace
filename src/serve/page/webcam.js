// The camera as something that is on, off or wanted: it keeps trying when it was taken away, and tells what is going
// on.

import { CameraError, looksAway, onDevices, open, permission } from './devices.js';

const SOON = 3000;

/** Events: `state` whenever anything changed. */
export class Webcam extends EventTarget {
  /** `idle`, `asking`, `on` or `failed`. */
  state = 'idle';
  problem = '';
  muted = false;
  away = false;
  deviceId = null;
  #video;
  #stream = null;
  #wanted = false;
  #again = 'never';
  #timer = 0;
  #attempt = 0;

  constructor(video) {
    super();
    this.#video = video;
    onDevices(() => this.#retryFor('devices', 'soon'));
    permission().then((status) =>
      status?.addEventListener('change', () => status.state === 'granted' && this.#retryFor('permission')),
    );
  }

  get on() {
    return this.state === 'on';
  }

  async start(deviceId = this.deviceId) {
    this.#wanted = true;
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    this.#release();
    this.#become('asking');
    try {
      const stream = await open(deviceId);
      if (attempt !== this.#attempt) return stopAll(stream);
      await this.#use(stream);
    } catch (error) {
      if (attempt === this.#attempt) this.#failed(error);
    }
  }

  stop() {
    this.#wanted = false;
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#release();
    this.#become('idle');
  }

  async #use(stream) {
    const [track] = stream.getVideoTracks();
    this.#stream = stream;
    this.deviceId = track.getSettings?.().deviceId ?? null;
    this.away = looksAway(track);
    this.muted = track.muted;
    track.addEventListener('ended', () => this.#stream === stream && this.#lost());
    track.addEventListener('mute', () => this.#mute(stream, true));
    track.addEventListener('unmute', () => this.#mute(stream, false));
    this.#video.srcObject = stream;
    await this.#video.play();
    this.#become('on');
  }

  #mute(stream, muted) {
    if (this.#stream !== stream) return;
    this.muted = muted;
    this.#become(this.state);
  }

  /** The camera was unplugged or taken away. Another one may be there. */
  #lost() {
    this.#release();
    this.#again = 'soon';
    this.start(null);
  }

  #failed(error) {
    this.#release();
    const known =
      error instanceof CameraError
        ? error
        : new CameraError(`The camera’s picture cannot be shown: ${error.message}.`, 'soon');
    this.problem = known.message;
    this.#again = known.again;
    if (this.#again === 'soon') this.#timer = setTimeout(() => this.#retryFor('soon'), SOON);
    this.#become('failed');
  }

  #retryFor(...reasons) {
    if (this.#wanted && this.state === 'failed' && reasons.includes(this.#again)) this.start();
    this.dispatchEvent(new Event('devices'));
  }

  #release() {
    if (this.#stream) stopAll(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

const stopAll = (stream) => stream.getTracks().forEach((track) => track.stop());
