// Boxes, labels and bars over a picture: the same for the camera's and for photos of any size.

import { ON_FACE, faceColor } from './colors.js';

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const PANEL = 'rgba(13, 17, 22, 0.66)';
const TRACK = 'rgba(255, 255, 255, 0.16)';
const GAP = 8;

/** The index of the greatest value. */
export const greatest = (values) => values.reduce((best, value, index) => (value > values[best] ? index : best), 0);

/**
 * Draws faces onto a canvas.
 *
 * Each has `box` (shares of `area`), `values` by class, `id` for its colour, `alpha`, `uncertain` where no class is
 * to be named, and `side`, which remembers where its bars are. `unit` scales letters and lines; `main` is the id whose bars come first.
 */
export function drawFaces(context, faces, { area, classes, unit = 1, mirrored = false, bars = true, main = null }) {
  const placed = faces.map((face) => ({ face, rect: place(face.box, area, mirrored) }));
  const taken = [];
  for (const { face, rect } of placed) {
    context.globalAlpha = face.alpha ?? 1;
    drawBox(context, rect, faceColor(face.id), unit);
  }
  if (bars) {
    const order = [...placed].sort((a, b) => rank(b, main) - rank(a, main));
    for (const one of order) {
      const others = [...placed.filter((other) => other !== one).map(({ rect }) => rect), ...taken];
      const spot = spotFor(one, others, area, classes.length, unit, {
        main: one.face.id === main,
        alone: faces.length === 1,
      });
      if (!spot) continue;
      taken.push(spot);
      context.globalAlpha = one.face.alpha ?? 1;
      drawBars(context, spot, one.face, classes, unit);
    }
  }
  for (const one of placed) {
    const boxes = placed.filter((other) => other !== one).map(({ rect }) => rect);
    context.globalAlpha = one.face.alpha ?? 1;
    taken.push(drawLabel(context, one, [...taken, ...boxes], classes, area, unit));
  }
  context.globalAlpha = 1;
}

const rank = ({ face, rect }, main) => (face.id === main ? Infinity : rect.w * rect.h);

function place([x1, y1, x2, y2], area, mirrored) {
  const [left, right] = mirrored ? [1 - x2, 1 - x1] : [x1, x2];
  return { x: area.x + left * area.w, y: area.y + y1 * area.h, w: (right - left) * area.w, h: (y2 - y1) * area.h };
}

function drawBox(context, { x, y, w, h }, color, unit) {
  const radius = Math.min(10 * unit, w / 6, h / 6);
  context.beginPath();
  context.roundRect(x, y, w, h, radius);
  context.lineJoin = 'round';
  // A dark seam lets the line be seen on bright pictures too.
  context.strokeStyle = 'rgba(0, 0, 0, 0.45)';
  context.lineWidth = 5 * unit;
  context.stroke();
  context.strokeStyle = color;
  context.lineWidth = 2.5 * unit;
  context.stroke();
}

/** Draws what a face resembles beside its box, and gives the place it took. */
function drawLabel(context, { face, rect }, taken, classes, area, unit) {
  const best = greatest(face.values);
  const name = face.uncertain ? 'uncertain' : (classes[best] ?? '');
  const size = 14 * unit;
  const pad = size * 0.6;
  context.font = `500 ${size}px ${FONT}`;
  // The width of the share does not change with its digits, so that the label is steady.
  const share = context.measureText('100 %').width + 1.6 * pad;
  context.font = `650 ${size}px ${FONT}`;
  const short = context.measureText(name).width + 2 * pad;
  const full = face.uncertain ? short : short + share - pad;
  const long = labelSpot(face, rect, { w: full, h: size * 1.75 }, taken, area, unit);
  // In a crowd the name alone may find a place that is free.
  const spot = long.covered > 0 ? labelSpot(face, rect, { w: short, h: size * 1.75 }, taken, area, unit) : long;
  const { x, y, w, h } = spot;
  context.fillStyle = faceColor(face.id);
  context.beginPath();
  context.roundRect(x, y, w, h, 6 * unit);
  context.fill();
  context.fillStyle = ON_FACE;
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.fillText(name, x + pad, y + h / 2 + 0.5 * unit);
  if (w > short) {
    context.font = `500 ${size}px ${FONT}`;
    context.textAlign = 'right';
    context.fillText(`${Math.round(100 * face.values[best])} %`, x + w - pad, y + h / 2 + 0.5 * unit);
  }
  return spot;
}

/** The place of a label that covers the least of what is there already; where it was before, if that is as good. */
function labelSpot(face, rect, { w, h }, taken, area, unit) {
  const gap = 4 * unit;
  const clamp = (x) => Math.min(Math.max(x, area.x + gap / 2), Math.max(area.x, area.x + area.w - w - gap / 2));
  const [left, right] = [clamp(rect.x - 1.25 * unit), clamp(rect.x + rect.w + 1.25 * unit - w)];
  const [above, below] = [rect.y - h - gap, rect.y + rect.h + gap];
  const spots = [
    { way: 'above left', x: left, y: above },
    { way: 'above right', x: right, y: above },
    { way: 'below left', x: left, y: below },
    { way: 'below right', x: right, y: below },
    { way: 'within', x: left, y: Math.min(Math.max(rect.y + gap, area.y + gap), area.y + area.h - h - gap) },
  ].filter(({ y }) => y >= area.y && y + h <= area.y + area.h);
  const before = spots.findIndex(({ way }) => way === face.way);
  if (before > 0) spots.unshift(...spots.splice(before, 1));
  let chosen = null;
  for (const spot of spots) {
    const covered = taken.reduce((sum, other) => sum + shared({ ...spot, w, h }, other), spot.way === 'within' ? 1 : 0);
    if (!chosen || covered < chosen.covered) chosen = { ...spot, w, h, covered };
  }
  face.way = chosen?.way;
  return chosen ?? { x: left, y: area.y, w, h, covered: 0 };
}

/** The area that two rectangles share. */
function shared(a, b) {
  const wide = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

/**
 * A place for a face's bars where nothing else is: the side it had before, if it can. Small faces have none, but for
 * the main one; and those of a face that is alone are always drawn.
 */
function spotFor({ face, rect }, others, area, count, unit, { main, alone }) {
  const w = Math.min(Math.max(0.27 * area.w, 96 * unit), 148 * unit);
  const h = (16 * count + 12) * unit;
  if (rect.h < 0.6 * h && !main && !alone) return null;
  const y = Math.min(Math.max(rect.y, area.y + 4 * unit), area.y + area.h - h - 4 * unit);
  const spots = {
    right: { x: rect.x + rect.w + GAP * unit, y, w, h },
    left: { x: rect.x - GAP * unit - w, y, w, h },
    below: { x: rect.x + rect.w / 2 - w / 2, y: rect.y + rect.h + GAP * unit, w, h },
  };
  const inside = (spot) =>
    spot.x >= area.x + 2 && spot.x + w <= area.x + area.w - 2 && spot.y >= area.y && spot.y + h <= area.y + area.h;
  const free = (side) => inside(spots[side]) && !others.some((other) => shared(spots[side], other) > 0);
  const side = [face.side ?? 'right', 'right', 'left', 'below'].find(free);
  face.side = side ?? face.side;
  if (side) return spots[side];
  return alone ? atEdge(rect, area, spots, unit) : null;
}

/** At the edge of the picture that leaves more of the face to be seen. */
function atEdge(rect, area, spots, unit) {
  const toRight = area.x + area.w - (rect.x + rect.w) >= rect.x - area.x;
  const { y, w, h } = spots.right;
  return { x: toRight ? area.x + area.w - w - 4 * unit : area.x + 4 * unit, y, w, h };
}

function drawBars(context, { x, y, w, h }, face, classes, unit) {
  const best = face.uncertain ? -1 : greatest(face.values);
  context.fillStyle = PANEL;
  context.beginPath();
  context.roundRect(x, y, w, h, 8 * unit);
  context.fill();
  const row = 16 * unit;
  const pad = 8 * unit;
  const name = Math.min(62 * unit, 0.52 * w);
  const full = w - 2 * pad - name;
  context.font = `500 ${11.5 * unit}px ${FONT}`;
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  classes.forEach((label, index) => {
    const middle = y + 6 * unit + (index + 0.5) * row;
    context.fillStyle = index === best ? '#ffffff' : '#d3dae1';
    context.fillText(label, x + pad, middle + 0.5 * unit, name - 4 * unit);
    bar(context, x + pad + name, middle, full, unit, TRACK);
    bar(
      context,
      x + pad + name,
      middle,
      full * face.values[index],
      unit,
      index === best ? faceColor(face.id) : '#b3bfcb',
    );
  });
}

function bar(context, x, middle, width, unit, color) {
  if (width < 0.5) return;
  context.fillStyle = color;
  context.beginPath();
  context.roundRect(x, middle - 3 * unit, width, 6 * unit, 3 * unit);
  context.fill();
}
