// Starts the page: views, connection, theme.

import { AboutView } from './about.js';
import { liveAddress } from './api.js';
import { CameraView } from './camera.js';
import { forgetColors } from './colors.js';
import { showConnection } from './connection.js';
import { get } from './dom.js';
import { InsideView } from './inside.js';
import { guardDrops } from './intake.js';
import { Live } from './live.js';
import { PhotosView } from './photos.js';
import { themes } from './settings.js';

const TITLES = { camera: 'Camera', photos: 'Photos', inside: 'Inside', about: 'About' };

guardDrops();

const live = new Live(liveAddress);
const camera = new CameraView(live);
themes(() => {
  forgetColors();
  camera.repaint();
});
const views = { camera, photos: new PhotosView(), inside: new InsideView(camera), about: new AboutView() };

views.photos.onlookinside = (file) => {
  views.inside.look(file);
  location.hash = 'inside';
};

/** Shows the view that the address names. `moved` is false at the start: then the focus stays where it is. */
function show(moved) {
  const wanted = location.hash.slice(1);
  const known = Object.hasOwn(views, wanted);
  // Other places of the page, such as where the skip link leads, are no views.
  if (moved && wanted && !known) return;
  const name = known ? wanted : 'camera';
  if (moved && !get(name).hidden) return;
  for (const other of Object.keys(views)) get(other).hidden = other !== name;
  for (const link of document.querySelectorAll('nav a[data-view]')) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${TITLES[name]} · vultus`;
  for (const [other, view] of Object.entries(views)) if (other !== name) view.visible(false);
  views[name].visible(true);
  if (moved) get(`${name}-title`).focus({ preventScroll: true });
  scrollTo(0, 0);
}

addEventListener('hashchange', () => show(true));
show(false);

showConnection(live);
live.addEventListener('hello', () => views.about.refresh());
live.start();
