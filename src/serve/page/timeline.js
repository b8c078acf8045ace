// The last minute of one face: a band for each class, as high as it was probable.

import { colorOf, seriesOf } from './colors.js';
import { isUncertain, percent, prefersStillness } from './dom.js';

const SPAN = 60_000;
const STEP = 200;
const EDGE = { left: 0, right: 78, top: 8, bottom: 24 };
const LABEL_FROM = 0.09;

export class Timeline {
  #canvas;
  #context;
  #classes = [];
  /**
   * Each is the time, the face's id, its values by class and whether the model was uncertain; the values are null when
   * there was no face.
   */
  #points = [];
  #timer = 0;
  #saidAt = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d');
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  classes(names) {
    if (names.join('\n') !== this.#classes.join('\n')) this.#points = [];
    this.#classes = names;
  }

  add(face, smooth, now) {
    const last = this.#points.at(-1);
    const scores = face && ((smooth && face.smoothed) || face.scores);
    const values = scores ? this.#classes.map((name) => scores[name] ?? 0) : null;
    const id = face?.id ?? null;
    // Within a step the newest values count; a face that comes or goes is a step of its own.
    const uncertain = Boolean(face) && isUncertain(face);
    if (last && now - last.at < STEP && last.id === id) Object.assign(last, { values, uncertain });
    else this.#points.push({ at: now, id, values, uncertain });
    while (this.#points.length && this.#points[0].at < now - SPAN - 2 * STEP) this.#points.shift();
  }

  start() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.draw(), prefersStillness() ? 500 : STEP);
  }

  stop() {
    clearInterval(this.#timer);
    this.#points = [];
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || document.hidden) return;
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const size = [Math.round(width * scale), Math.round(height * scale)];
    if (this.#canvas.width !== size[0]) this.#canvas.width = size[0];
    if (this.#canvas.height !== size[1]) this.#canvas.height = size[1];
    const context = this.#context;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const right = EDGE.right;
    const area = { x: EDGE.left, y: EDGE.top, w: width - EDGE.left - right, h: height - EDGE.top - EDGE.bottom };
    const now = performance.now();
    this.#frame(area);
    for (const run of this.#runs()) this.#bands(run, area, now);
    this.#labels(area, now);
    this.#say(now);
  }

  /** Stretches of one face without a gap. */
  #runs() {
    const runs = [];
    let run = null;
    for (const point of this.#points) {
      const goes = run && point.values && point.id === run.at(-1).id && point.at - run.at(-1).at < 5 * STEP;
      if (point.values && !goes) runs.push((run = []));
      if (point.values) run.push(point);
      else run = null;
    }
    return runs;
  }

  #frame(area) {
    const context = this.#context;
    context.fillStyle = colorOf('well');
    context.beginPath();
    context.roundRect(area.x, area.y, area.w, area.h, 6);
    context.fill();
    context.font = '12px system-ui, sans-serif';
    context.textBaseline = 'alphabetic';
    context.fillStyle = colorOf('muted');
    const steps = area.w < 320 ? [60, 30, 0] : [60, 45, 30, 15, 0];
    for (const seconds of steps) {
      const x = area.x + area.w * (1 - seconds / 60);
      context.textAlign = seconds === 60 ? 'left' : seconds === 0 ? 'right' : 'center';
      context.fillText(seconds === 0 ? 'now' : `−${seconds} s`, x, area.y + area.h + 17);
    }
  }

  #bands(run, area, now) {
    const context = this.#context;
    const xs = run.map(({ at }) => area.x + area.w * Math.max(0, 1 - (now - at) / SPAN));
    const newest = run.at(-1) === this.#points.at(-1);
    if (newest && now - run.at(-1).at < 1500) xs[xs.length - 1] = area.x + area.w;
    let floor = run.map(() => 0);
    context.save();
    context.beginPath();
    context.roundRect(area.x, area.y, area.w, area.h, 6);
    context.clip();
    this.#classes.forEach((name, index) => {
      const top = run.map(({ values }, place) => floor[place] + values[index]);
      this.#band(xs, floor, top, area, colorOf(`fill${seriesOf(name, index)}`));
      floor = top;
    });
    this.#fade(run, xs, area);
    context.restore();
  }

  /** Takes most of the colour away where the model was uncertain. */
  #fade(run, xs, area) {
    const context = this.#context;
    context.fillStyle = colorOf('well');
    context.globalAlpha = 0.7;
    // Each point stands for the time until the next one.
    run.slice(0, -1).forEach(({ uncertain }, place) => {
      if (uncertain) context.fillRect(xs[place], area.y, xs[place + 1] - xs[place], area.h);
    });
    context.globalAlpha = 1;
  }

  #band(xs, floor, top, area, color) {
    const context = this.#context;
    const y = (value) => area.y + area.h * (1 - value);
    context.beginPath();
    xs.forEach((x, place) => context.lineTo(x, y(top[place])));
    for (let place = xs.length - 1; place >= 0; place -= 1) context.lineTo(xs[place], y(floor[place]));
    context.closePath();
    context.fillStyle = color;
    context.fill();
    context.strokeStyle = colorOf('raised');
    context.lineWidth = 1;
    context.stroke();
  }

  /** The names stand beside the bands that are high enough now. */
  #labels(area, now) {
    const last = this.#points.at(-1);
    if (!last?.values || now - last.at > 1500) return;
    const context = this.#context;
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    let floor = 0;
    this.#classes.forEach((name, index) => {
      const value = last.values[index];
      const middle = area.y + area.h * (1 - floor - value / 2);
      floor += value;
      if (value < LABEL_FROM) return;
      context.font = '600 12px system-ui, sans-serif';
      context.fillStyle = colorOf(`series${seriesOf(name, index)}`);
      context.fillText(name, area.x + area.w + 8, middle, 64);
    });
    if (!last.uncertain) return;
    context.font = '600 12px system-ui, sans-serif';
    context.fillStyle = colorOf('muted');
    context.textAlign = 'right';
    context.fillText('uncertain', area.x + area.w - 8, area.y + 14, 64);
  }

  #say(now) {
    if (now - this.#saidAt < 5000) return;
    this.#saidAt = now;
    this.#canvas.setAttribute('aria-label', `Probabilities over the last minute: ${this.#summary()}`);
  }

  #summary() {
    const known = this.#points.filter(({ values }) => values);
    if (known.length === 0) return 'nothing yet';
    const mean = (index) => known.reduce((sum, { values }) => sum + values[index], 0) / known.length;
    const means = this.#classes.map((name, index) => [name, mean(index)]).sort((a, b) => b[1] - a[1]);
    const named = means.slice(0, 3).map(([name, value]) => `${name} ${percent(value)}`);
    const unsure = known.filter(({ uncertain }) => uncertain).length / known.length;
    return `on average ${named.join(', ')}${unsure > 0 ? `; uncertain for ${percent(unsure)} of the time` : ''}`;
  }
}
