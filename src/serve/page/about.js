// The view that says what runs here, how good it is, and what it is not for.

import { model, token } from './api.js';
import { el, get, percent, setText } from './dom.js';

export class AboutView {
  #shown = null;

  async visible(visible) {
    if (!visible) return;
    try {
      const card = await model();
      if (card === this.#shown) return;
      this.#shown = card;
      get('about-status').hidden = true;
      get('about-body').replaceChildren(
        purpose(card),
        facts(card),
        el('div', { class: 'about-side' }, accuracy(card), interfaces(card)),
      );
    } catch (error) {
      setText(get('about-status'), `${error.message} Open this view again in a moment.`);
      get('about-status').hidden = false;
    }
  }

  /** The server came, or came back: it may be another one. */
  refresh() {
    if (!get('about').hidden) this.visible(true);
  }
}

const sheet = (title, ...children) => el('section', { class: 'sheet' }, el('h2', { text: title }), ...children);

const RULE = 'It says what a face resembles, not what a person feels.';

function purpose({ model: { not_for: notFor } }) {
  const text = notFor ?? 'Judging people, or any decision about a person.';
  const words = text.includes('resembles') ? text : `${text} ${RULE}`;
  return el(
    'section',
    { class: 'sheet warning' },
    el('h2', { text: 'Limits of use' }),
    el('p', { text: words }),
  );
}

const known = (value) => value !== null && value !== undefined;

function pairs(entries) {
  const told = entries.filter(([, value]) => known(value) && value !== '');
  return el(
    'dl',
    { class: 'facts' },
    ...told.map(([name, value]) => el('div', {}, el('dt', { text: name }), el('dd', { text: String(value) }))),
  );
}

const inWords = (name) => {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function facts({ version, device, detector, model: card }) {
  const passes = { flip: 'horizontal flip', none: 'none' };
  return sheet(
    'This server',
    pairs([
      ['vultus', version],
      ['Device', device],
      ['Faces are found by', { yunet: 'YuNet', mtcnn: 'MTCNN' }[detector] ?? detector],
      ['Model', card.name],
      ['Network', card.network],
      ['Classes', card.classes.join(', ')],
      ['Input', `${card.input}×${card.input} pixels`],
      ['Margin of the crop', card.margin],
      ['Alignment', card.alignment ?? 'none'],
      ['Test-time augmentation', passes[card.tta] ?? card.tta],
      ['Preparation', card.preparation],
      ['Uncertain', known(card.uncertain_below) ? `below ${percent(card.uncertain_below)}` : 'never'],
      ['Calibration temperature', card.temperature],
      ['Trained on', card.trained_on],
      ['Licence', card.license],
      ...Object.entries(card.notes ?? {}).map(([name, text]) => [inWords(name), text]),
    ]),
  );
}

const NUMBERS = [
  ['faces', 'Faces', (value) => value.toLocaleString('en')],
  ['accuracy', 'Right', (value) => percent(value, 1)],
  ['interval', '95 % interval', ([low, high]) => `${(100 * low).toFixed(1)} to ${percent(high, 1)}`],
  ['macro_f1', 'Macro F1', (value) => percent(value, 1)],
];

function accuracy({ model: { measured } }) {
  if (typeof measured === 'string' && measured) return sheet('Accuracy', el('p', { text: measured }));
  if (!Array.isArray(measured) || measured.length === 0)
    return sheet('Accuracy', el('p', { text: 'Nothing was measured for this model.' }));
  const head = el(
    'tr',
    {},
    el('th', { scope: 'col', text: 'Measured on' }),
    ...NUMBERS.map(([, title]) => el('th', { scope: 'col', class: 'number', text: title })),
  );
  const rows = measured.map((one) => {
    const cells = NUMBERS.map(([key, , words]) =>
      el('td', { class: 'number', text: one[key] === null || one[key] === undefined ? '–' : words(one[key]) }),
    );
    return el('tr', {}, el('th', { scope: 'row', text: one.data }), ...cells);
  });
  const table = el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows));
  // A region that can be scrolled must be reached with the keyboard.
  const scroll = el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Measured accuracy' },
    table,
  );
  return sheet(
    'Accuracy',
    scroll,
    el('p', {
      class: 'muted small',
      text: 'People agree on the labels of such pictures only in part, so that no model gets all of them right.',
    }),
  );
}

function interfaces({ limits }) {
  const header = token ? ' -H "Authorization: Bearer $TOKEN"' : '';
  const command = `curl${header} --data-binary @photo.jpg \\\n  ${new URL('api/predict', document.baseURI)}`;
  const code = el('code', { text: command });
  const copy = el('button', { type: 'button', class: 'quiet', text: 'Copy', hidden: !navigator.clipboard });
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(command).catch(() => {});
    setText(copy, 'Copied');
    setTimeout(() => setText(copy, 'Copy'), 1500);
  });
  const link = (href, text) => el('a', { href: new URL(href, document.baseURI), text });
  const most = limits?.max_bytes
    ? ` A picture may have ${(limits.max_bytes / 1e6).toFixed(1)} MB and ${(limits.max_pixels / 1e6).toFixed(0)} megapixels.`
    : '';
  return sheet(
    'Use it from a program',
    el('p', {}, `Send a picture, get JSON.${most}`),
    el('div', { class: 'code' }, el('pre', { tabindex: '0', 'aria-label': 'A command for the shell' }, code), copy),
    el(
      'p',
      {},
      'API reference: ',
      link('openapi.json', 'openapi.json'),
      '. Model card: ',
      link('api/model', '/api/model'),
      '.',
    ),
  );
}
