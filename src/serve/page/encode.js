// A worker that turns pictures into JPEG, so that encoding never costs the page a frame of its animation.

let canvas = null;
let context = null;

self.addEventListener('message', async ({ data: { number, picture, width, height, quality } }) => {
  try {
    if (!canvas || canvas.width !== width || canvas.height !== height) {
      canvas = new OffscreenCanvas(width, height);
      context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    }
    context.drawImage(picture, 0, 0, width, height);
    picture.close();
    const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality });
    self.postMessage({ number, blob });
  } catch (error) {
    picture.close?.();
    self.postMessage({ number, error: String(error) });
  }
});
