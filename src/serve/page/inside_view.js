// Shows an answer of /api/inside: the picture, the stages, filters, maps, where the network looks, and the times.

import { Bars, setShare } from './bars.js';
import { el, get, milliseconds, plural, setText, verdict } from './dom.js';
import { faceColor } from './colors.js';
import { decode, paint } from './pictures.js';

const PREVIEW = 900;
/** Where the size on the page is not known yet: pictures that are wider are made smaller. */
const FINE = 240;
/** What each image element is to show, which it may not show yet. */
const wanted = new WeakMap();
const bars = new Bars(get('inside-bars'));

/** Shows a picture only when it is decoded, so that nothing flickers while the camera is followed. */
async function setPicture(image, url, alt) {
  image.alt = alt;
  const source = typeof url === 'string' && url.startsWith('data:image/') ? url : '';
  if (wanted.get(image) === source) return;
  wanted.set(image, source);
  image.hidden = !source;
  if (!source) return;
  const ready = new Image();
  ready.src = source;
  await ready.decode().catch(() => {});
  if (wanted.get(image) !== source) return;
  // Small pictures are shown with their pixels; large ones are made smaller, which must be smooth.
  image.classList.toggle('fine-grained', ready.naturalWidth > (image.clientWidth || FINE));
  image.src = source;
}

/** Fills a select anew only when its options are others, since an open one would close. */
export function fill(select, names, chosen) {
  const before = [...select.options].map(({ value }) => value);
  if (before.join('\n') !== names.join('\n')) select.replaceChildren(...names.map((name) => new Option(name, name)));
  if (chosen && select.value !== chosen) select.value = chosen;
}

export async function showSource(blob, answer, name) {
  const canvas = get('source');
  const picture = await decode(blob);
  if (picture) {
    paint(canvas, picture, answer, { most: PREVIEW, letters: 1.5 });
    picture.close();
  }
  canvas.hidden = !picture;
  canvas.setAttribute('aria-label', `${name}, ${plural(answer.faces.length, 'face')}`);
  setText(get('source-name'), name);
}

/** One button for each face, if there are several. */
export function showFaces({ faces, face }, choose) {
  const group = get('inside-faces');
  group.hidden = faces.length < 2;
  const wanted = group.hidden ? 0 : faces.length;
  while (group.children.length > wanted) group.lastChild.remove();
  while (group.children.length < wanted) {
    const index = group.children.length;
    const dot = el('span', { class: 'chip-dot', 'aria-hidden': 'true' });
    dot.style.backgroundColor = faceColor(index + 1);
    group.append(
      el('button', { type: 'button', class: 'chip', onclick: () => choose(index) }, dot, `Face ${index + 1}`),
    );
  }
  [...group.children].forEach((chip, index) => chip.setAttribute('aria-pressed', String(index === face)));
}

export function showAnswer(answer) {
  const said = verdict(answer);
  setText(document.querySelector('#inside-verdict .verdict-name'), said.name);
  setText(document.querySelector('#inside-verdict .verdict-share'), said.share);
  bars.show(answer.scores);
  const { method, class: name, layer, image } = answer.explanation;
  fill(get('class'), Object.keys(answer.scores), name);
  if (get('method').value !== method) get('method').value = method;
  setPicture(get('explanation'), image, `Where the network looks for ${name}`);
  setText(
    get('explanation-note'),
    method === 'occlusion'
      ? `Each place was covered in turn: the brighter, the less probable ${name} became without it.`
      : `Feature maps of ${layer} times their gradients: the brighter, the more that place adds to ${name}.`,
  );
}

export function showStages({ stages }) {
  const strip = get('stage-strip');
  while (strip.children.length > stages.length) strip.lastChild.remove();
  while (strip.children.length < stages.length) {
    strip.append(
      el(
        'li',
        {},
        el('figure', {}, el('img', { class: 'pixels', alt: '' }), el('figcaption', {}, el('b'), el('span'))),
      ),
    );
  }
  stages.forEach(({ title, detail, image }, index) => {
    const item = strip.children[index];
    setText(item.querySelector('b'), title);
    setText(item.querySelector('span'), detail ?? '');
    setPicture(item.querySelector('img'), image, `${title}: ${detail ?? ''}`);
  });
}

export function showLayers({ filters, maps, layers }) {
  get('filters-title').closest('section').hidden = !filters?.image;
  setPicture(get('filters'), filters?.image, filters ? `${filters.count} filters of ${filters.layer} as a mosaic` : '');
  setText(get('filters-note'), filters ? `${filters.count} filters of ${filters.layer}` : '');
  fill(get('layer'), layers, maps.layer);
  const place = layers.indexOf(maps.layer);
  get('layer-before').disabled = place <= 0;
  get('layer-next').disabled = place < 0 || place >= layers.length - 1;
  setPicture(get('maps'), maps.image, `Feature maps of ${maps.layer} as a mosaic`);
  const some = maps.shown < maps.count ? `${maps.shown} of ${maps.count} maps` : `${maps.count} maps`;
  const size = maps.size.join('×');
  setText(get('maps-note'), `${some}, ${size} each. Bright: that filter found there what it looks for.`);
}

export function showTimes({ times }) {
  const most = Math.max(...times.map((time) => time.milliseconds), 1e-9);
  const total = times.reduce((sum, time) => sum + time.milliseconds, 0);
  setText(get('times-note'), `${milliseconds(total)} ms in all`);
  const list = get('times');
  const key = times.map(({ layer, operation }) => `${layer} ${operation}`).join('\n');
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...times.map(timeRow));
  }
  times.forEach((time, index) => {
    const row = list.children[index];
    setShare(row.querySelector('.bar-fill'), time.milliseconds / most);
    setText(row.querySelector('.bar-share'), `${milliseconds(time.milliseconds)} ms`);
  });
}

function timeRow({ layer, operation }) {
  const name = el(
    'span',
    { class: 'time-name' },
    layer,
    el('span', { class: 'muted', text: operation && operation !== layer ? ` ${operation}` : '' }),
  );
  return el(
    'li',
    { class: 'bar-row s0' },
    name,
    el('span', { class: 'bar-track', 'aria-hidden': 'true' }, el('span', { class: 'bar-fill' })),
    el('span', { class: 'bar-share' }),
  );
}
