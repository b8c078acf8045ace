// The canvas over the video: draws at the display's rate, and keeps the page's own measurements.

import { drawFaces } from './draw.js';
import { Tracks } from './tracks.js';

const KEPT = 200;
const MOST_PIXELS_PER_POINT = 2;

/** What scripts and tests may read. Times are milliseconds from taking a frame to drawing its result. */
export const measured = { lastResult: null, latencies: [], frames: 0, droppedAnimationFrames: 0 };
window.vultus = measured;

/** Counts the frames of animation that the display had time for and the page did not draw. */
class Pace {
  #deltas = [];
  #usual = 1000 / 60;

  count(passed) {
    // A page that was hidden or a window that was moved is not a page that is slow.
    if (passed > 500) return 0;
    this.#deltas.push(passed);
    if (this.#deltas.length >= 120) {
      const fast = this.#deltas.sort((a, b) => a - b)[24];
      this.#usual = Math.min(Math.max(fast, 4), 17);
      this.#deltas = [];
    }
    return Math.max(0, Math.round(passed / this.#usual) - 1);
  }
}

export class Overlay {
  mirrored = true;
  bars = true;
  /** The id of the face that the panel shows. */
  main = null;
  classes = [];
  #canvas;
  #context;
  #video;
  #tracks = new Tracks();
  #pace = new Pace();
  #request = 0;
  #lastAt = 0;
  #undrawn = [];
  #clean = true;
  #scale = 1;
  // Kept, since asking the canvas at every frame would make the browser lay out the page.
  #size = { w: 1, h: 1 };

  constructor(canvas, video) {
    this.#canvas = canvas;
    this.#video = video;
    this.#context = canvas.getContext('2d');
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  start() {
    if (this.#request) return;
    this.#lastAt = 0;
    const next = (now) => {
      this.#request = requestAnimationFrame(next);
      this.#frame(now);
    };
    this.#request = requestAnimationFrame(next);
  }

  stop() {
    cancelAnimationFrame(this.#request);
    this.#request = 0;
    this.clear();
  }

  clear() {
    this.#tracks.clear();
    this.#undrawn = [];
    this.#wipe();
  }

  show(result, capturedAt, smooth) {
    this.#tracks.aim(result, this.classes, smooth, performance.now());
    this.#undrawn.push(capturedAt);
    measured.lastResult = result;
  }

  /** The id of the face at a place of the page. */
  faceAt(x, y) {
    const seat = this.#canvas.getBoundingClientRect();
    const area = this.#area();
    let share = (x - seat.left - area.x) / area.w;
    if (this.mirrored) share = 1 - share;
    const down = (y - seat.top - area.y) / area.h;
    const within = ({ box }) => share >= box[0] && share <= box[2] && down >= box[1] && down <= box[3];
    return this.#tracks.faces.find(within)?.id ?? null;
  }

  #resize() {
    this.#scale = Math.min(window.devicePixelRatio || 1, MOST_PIXELS_PER_POINT);
    this.#size = { w: this.#canvas.clientWidth, h: this.#canvas.clientHeight };
    this.#canvas.width = Math.max(1, Math.round(this.#size.w * this.#scale));
    this.#canvas.height = Math.max(1, Math.round(this.#size.h * this.#scale));
  }

  /** Where the video's picture lies within the canvas: it is fitted in, with bands where the shapes differ. */
  #area() {
    const { w, h } = this.#size;
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || !videoHeight) return { x: 0, y: 0, w, h };
    const scale = Math.min(w / videoWidth, h / videoHeight);
    const [wide, high] = [videoWidth * scale, videoHeight * scale];
    return { x: (w - wide) / 2, y: (h - high) / 2, w: wide, h: high };
  }

  #frame(now) {
    const passed = this.#lastAt ? now - this.#lastAt : 0;
    this.#lastAt = now;
    measured.droppedAnimationFrames += this.#pace.count(passed);
    const any = this.#tracks.step(passed);
    if (any || !this.#clean) this.#draw();
    this.#clean = !any;
    this.#note();
  }

  #draw() {
    this.#wipe();
    const area = this.#area();
    this.#context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    const { mirrored, bars, main, classes } = this;
    const unit = Math.min(Math.max(area.w / 760, 0.86), 1.6);
    drawFaces(this.#context, this.#tracks.faces, { area, classes, unit, mirrored, bars, main });
  }

  #wipe() {
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  #note() {
    const now = performance.now();
    for (const capturedAt of this.#undrawn) {
      measured.latencies.push(now - capturedAt);
      measured.frames += 1;
    }
    this.#undrawn = [];
    if (measured.latencies.length > KEPT) measured.latencies.splice(0, measured.latencies.length - KEPT);
  }
}
