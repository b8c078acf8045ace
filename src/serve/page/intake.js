// How pictures come in: chosen, dropped or pasted.

const isPicture = ({ type, name }) =>
  type.startsWith('image/') || /\.(jpe?g|png|gif|webp|bmp|tiff?|pnm|ppm|pgm|pbm|qoi|tga|ico)$/i.test(name);

/** Pasted pictures are all called the same, so they get the time as their name. */
function named(file) {
  if (file.name && file.name !== 'image.png') return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(':', '-');
  return new File([file], `pasted ${time}.png`, { type: file.type });
}

/** Calls `take` with pictures from the input, and with those that are dropped or pasted while `open()` is true. */
export function takePictures({ input, zone, open, take }) {
  input.addEventListener('change', () => {
    const files = [...input.files];
    // So that the same file can be chosen again.
    input.value = '';
    if (files.length) take(files);
  });
  document.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(isPicture).map(named);
    if (!open() || files.length === 0) return;
    event.preventDefault();
    take(files);
  });
  const mark = (on) => zone.classList.toggle('over', on);
  const carries = (event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!open() || !carries(event)) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener('dragleave', (event) => event.relatedTarget === null && mark(false));
  document.addEventListener('drop', (event) => {
    mark(false);
    if (!open() || !carries(event)) return;
    event.preventDefault();
    // Whatever is dropped is tried: the server says why a file is no picture.
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

/** A file that is dropped anywhere else must not replace the page. */
export function guardDrops() {
  for (const kind of ['dragover', 'drop']) addEventListener(kind, (event) => event.preventDefault());
}
