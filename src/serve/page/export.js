// What the results are saved as. JSON and CSV have the fields of `vultus predict --json` and `--csv`.

import { decode, paint, toBlob } from './pictures.js';

const POINTS = ['left_eye', 'right_eye', 'nose', 'left_mouth', 'right_mouth'];

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

const record = ({ file, answer, error }) => (answer ? { file: file.name, ...answer } : { file: file.name, error });

export function asJson(items) {
  return new Blob([`${JSON.stringify(items.map(record), null, 1)}\n`], { type: 'application/json' });
}

/** A cell as in RFC 4180. Names that a table program would take for a formula get a space in front. */
function cell(value) {
  let text = String(value ?? '');
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = ` ${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function asCsv(items) {
  const read = items.filter(({ answer }) => answer);
  const classes = [...new Set(read.flatMap(({ answer }) => answer.faces.flatMap(({ scores }) => Object.keys(scores))))];
  const points = POINTS.flatMap((name) => [`${name}_x`, `${name}_y`]);
  const rows = [
    ['file', 'width', 'height', 'face', 'x1', 'y1', 'x2', 'y2', 'probability', ...points, 'expression', ...classes],
  ];
  for (const { file, answer } of read) {
    answer.faces.forEach((face, index) => {
      const landmarks = POINTS.flatMap((_, place) => face.landmarks?.[place] ?? ['', '']);
      rows.push([
        file.name,
        answer.width,
        answer.height,
        index + 1,
        ...face.box,
        face.probability,
        ...landmarks,
        face.expression,
        ...classes.map((name) => face.scores[name]),
      ]);
    });
  }
  return new Blob([rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('')], { type: 'text/csv' });
}

/** Saves one picture in its full size, with its boxes and bars. */
export async function savePicture({ file, answer }) {
  const picture = await decode(file);
  if (!picture) throw new Error('This browser cannot show this format.');
  const canvas = document.createElement('canvas');
  paint(canvas, picture, answer, { bars: true });
  picture.close();
  save(await toBlob(canvas), `${file.name.replace(/\.[^.]+$/, '')}_faces.png`);
}
