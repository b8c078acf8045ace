// One colour for each class, and one for each face. Both come from the hues of Okabe and Ito, which people with any
// kind of colour vision can tell apart.

// Where the usual classes have a colour that one expects; others take the series in order.
const USUAL = {
  angry: 1,
  anger: 1,
  disgust: 2,
  fear: 3,
  happy: 4,
  happiness: 4,
  neutral: 5,
  sad: 0,
  sadness: 0,
  surprise: 6,
  contempt: 7,
};
const SERIES = 8;

// Faces are drawn over pictures, so these are bright, and whatever stands on them is dark.
const FACES = ['#56b4e9', '#f0e442', '#ff9c5a', '#e59bca', '#4ccda3', '#c3b5ff'];
export const ON_FACE = '#11161b';

export const faceColor = (id) => FACES[((id % FACES.length) + FACES.length) % FACES.length];

/** The number of the series of a class. */
export function seriesOf(name, index) {
  return USUAL[name.toLowerCase()] ?? index % SERIES;
}

const cache = new Map();
const probe = document.createElement('span');
probe.hidden = true;
// Canvases keep their colours where the system forces its own upon everything else.
probe.style.forcedColorAdjust = 'none';

/** The present value of a colour of the style sheet, for canvases. */
export function colorOf(name) {
  if (!cache.has(name)) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${name})`;
    cache.set(name, getComputedStyle(probe).color);
  }
  return cache.get(name);
}

/** To be called when the theme changed. */
export function forgetColors() {
  cache.clear();
}
