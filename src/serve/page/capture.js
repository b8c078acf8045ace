// From the video to JPEGs on their way: the newest frame is taken whenever one may be sent, and none is ever kept for
// later.

const LONGEST_SIDE = 640;
const QUALITY = 0.85;

/** The size a frame is sent in: at most 640 wide, and as much high. */
export function scaled(width, height, most = LONGEST_SIDE) {
  const scale = Math.min(1, most / width, most / height);
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** The video's present picture, to be handed to a worker. A video frame is only a reference, a bitmap a copy. */
async function present(video) {
  if (typeof VideoFrame !== 'undefined') {
    try {
      return new VideoFrame(video);
    } catch {
      // Not every browser makes one from every stream.
    }
  }
  return createImageBitmap(video);
}

/** Encodes in a worker, or on the page where the browser cannot do that. */
export class Encoder {
  #worker = null;
  #waiting = new Map();
  #number = 0;
  #canvas = null;

  constructor() {
    if (typeof OffscreenCanvas === 'undefined' || typeof createImageBitmap === 'undefined') return;
    try {
      this.#worker = new Worker(new URL('encode.js', document.baseURI));
      this.#worker.addEventListener('message', ({ data }) => this.#done(data));
      this.#worker.addEventListener('error', () => this.#withoutWorker());
    } catch {
      this.#worker = null;
    }
  }

  /** The video's present frame as JPEG. */
  async encode(video) {
    const [width, height] = scaled(video.videoWidth, video.videoHeight);
    if (this.#worker) {
      try {
        return await this.#inWorker(video, width, height);
      } catch {
        this.#withoutWorker();
      }
    }
    return this.#onPage(video, width, height);
  }

  async #inWorker(video, width, height) {
    const picture = await present(video);
    if (!this.#worker) throw new Error('no worker');
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, picture, width, height, quality: QUALITY }, [picture]);
    });
  }

  #done({ number, blob, error }) {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error) waiting?.reject(new Error(error));
    else waiting?.resolve(blob);
  }

  #withoutWorker() {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(new Error('no worker'));
    this.#waiting.clear();
  }

  #onPage(video, width, height) {
    this.#canvas ??= document.createElement('canvas');
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#canvas.getContext('2d', { alpha: false }).drawImage(video, 0, 0, width, height);
    return new Promise((resolve, reject) => {
      this.#canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), 'image/jpeg', QUALITY);
    });
  }
}

/** Calls `seen` for every new frame of the video until `stop` of what it gives is called. */
function watch(video, seen) {
  let stopped = false;
  if ('requestVideoFrameCallback' in HTMLVideoElement.prototype) {
    const next = () => {
      if (stopped) return;
      seen();
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  } else {
    let last = -1;
    const next = () => {
      if (stopped) return;
      if (video.currentTime !== last && video.readyState >= 2) {
        last = video.currentTime;
        seen();
      }
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }
  return { stop: () => (stopped = true) };
}

/** Sends a video's frames over a `Live` as fast as its answers come. */
export class Sender {
  #video;
  #live;
  #encoder = new Encoder();
  #watcher = null;
  #fresh = false;
  #encoding = false;
  #timer = 0;

  constructor(video, live) {
    this.#video = video;
    this.#live = live;
    live.addEventListener('free', () => this.#pump());
  }

  start() {
    this.stop();
    this.#watcher = watch(this.#video, () => {
      this.#fresh = true;
      this.#pump();
    });
  }

  stop() {
    this.#watcher?.stop();
    this.#watcher = null;
    this.#fresh = false;
    clearTimeout(this.#timer);
  }

  /** The present frame, for other uses than sending. */
  picture() {
    return this.#encoder.encode(this.#video);
  }

  async #pump() {
    if (!this.#watcher || !this.#fresh || this.#encoding) return;
    clearTimeout(this.#timer);
    const now = performance.now();
    const wait = this.#live.wait(now);
    if (wait === Infinity) return;
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#pump(), wait);
      return;
    }
    this.#fresh = false;
    this.#encoding = true;
    try {
      const jpeg = await this.#encoder.encode(this.#video);
      if (this.#watcher) this.#live.send(jpeg, now);
    } catch {
      // A video without a picture yet; the next frame comes by itself.
    } finally {
      this.#encoding = false;
    }
    this.#pump();
  }
}
