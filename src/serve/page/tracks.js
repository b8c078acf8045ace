// Faces between two results: each box and each probability glides to its newest value, new faces fade in, lost ones
// out.

import { isUncertain, prefersStillness } from './dom.js';

const FADE = 160;
const SLOWEST = 140;
const FASTEST = 35;

/** Faces by their track ids, with boxes as shares of the picture's width and height. */
export class Tracks {
  #faces = new Map();
  #interval = 100;
  #lastAt = 0;

  get faces() {
    return [...this.#faces.values()];
  }

  clear() {
    this.#faces.clear();
  }

  /** Takes a result as the place where everything is to go. */
  aim({ faces, width, height }, classes, smooth, now) {
    if (this.#lastAt) this.#interval += 0.2 * (Math.min(now - this.#lastAt, 500) - this.#interval);
    this.#lastAt = now;
    for (const track of this.#faces.values()) track.gone = true;
    for (const face of faces) {
      const scores = (smooth && face.smoothed) || face.scores;
      const target = {
        box: [face.box[0] / width, face.box[1] / height, face.box[2] / width, face.box[3] / height],
        values: classes.map((name) => scores[name] ?? 0),
      };
      const track = this.#faces.get(face.id) ?? {
        id: face.id,
        alpha: 0,
        box: target.box,
        values: target.values,
        side: null,
      };
      Object.assign(track, { target, gone: false, uncertain: isUncertain(face) });
      this.#faces.set(face.id, track);
    }
  }

  /** Moves everything on by the milliseconds since the last time. Says whether anything is left to be drawn. */
  step(passed) {
    const still = prefersStillness();
    // About two thirds of the way until the next result comes, so that motion never stops and starts.
    const pace = Math.min(Math.max(0.45 * this.#interval, FASTEST), SLOWEST);
    const share = still ? 1 : 1 - Math.exp(-passed / pace);
    const fade = still ? 1 : passed / FADE;
    for (const [id, track] of this.#faces) {
      track.alpha = Math.min(1, Math.max(0, track.alpha + (track.gone ? -fade : fade)));
      if (track.gone && track.alpha === 0) this.#faces.delete(id);
      track.box = between(track.box, track.target.box, share);
      track.values = between(track.values, track.target.values, share);
    }
    return this.#faces.size > 0;
  }
}

const between = (from, to, share) =>
  to.map((value, index) => (from.length === to.length ? from[index] + share * (value - from[index]) : value));
