// Decoding pictures and drawing faces onto them.

import { isUncertain } from './dom.js';
import { drawFaces } from './draw.js';

/** The picture upright, as the server sees it, or null where the browser cannot read a format that the server can. */
export async function decode(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: 'from-image' });
  } catch {
    return decodeByElement(blob);
  }
}

/** Some formats (SVG, in some browsers others) are known to image elements only. */
async function decodeByElement(blob) {
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return await createImageBitmap(image);
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The faces of an answer as `drawFaces` wants them: shares of the picture, values by class. */
export function facesOf({ faces, width, height }, classes) {
  return faces.map((face, index) => ({
    id: index + 1,
    box: [face.box[0] / width, face.box[1] / height, face.box[2] / width, face.box[3] / height],
    values: classes.map((name) => face.scores[name] ?? 0),
    uncertain: isUncertain(face),
  }));
}

export const classesOf = ({ faces }) => Object.keys(faces[0]?.scores ?? {});

/** Draws a picture with its faces into a canvas, with at most `most` pixels on its longer side. */
export function paint(canvas, picture, answer, { most = Infinity, bars = false, letters = 1 } = {}) {
  const scale = Math.min(1, most / Math.max(picture.width, picture.height));
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  if (!answer) return;
  const area = { x: 0, y: 0, w: canvas.width, h: canvas.height };
  const classes = classesOf(answer);
  const unit = letters * Math.min(Math.max(Math.max(canvas.width, canvas.height) / 800, 0.6), 6);
  drawFaces(context, facesOf(answer, classes), { area, classes, unit, bars });
}

export const toBlob = (canvas, type = 'image/png') =>
  new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error('The picture is too large for this browser.'))),
      type,
    ),
  );
