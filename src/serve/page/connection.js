// The sign in the header that says whether the server is there.

import { ask, forgetModel } from './api.js';
import { get, setText } from './dom.js';

const WORDS = { open: 'Connected', connecting: 'Connecting', closed: 'No connection' };

export function showConnection(live) {
  const sign = get('connection');
  let known = false;
  const show = () => {
    sign.dataset.state = live.state;
    const words = wordsFor(live);
    setText(get('connection-text'), words);
    sign.title = live.state === 'open' ? `${live.hello.device}, vultus ${live.hello.version}` : words;
    if (live.state === 'closed' && known) forgetModel();
    known = live.state === 'open';
  };
  live.addEventListener('state', show);
  live.addEventListener('state', () => live.state === 'closed' && explain(live));
  show();
}

/** While it tries again and again, the words stay as they are. */
function wordsFor(live) {
  if (live.state === 'open') return WORDS.open;
  if (live.forbidden) return 'Token needed';
  if (live.busy) return 'Server busy';
  return live.lost ? WORDS.closed : WORDS[live.state];
}

/** A WebSocket does not say why it was refused; a plain request does. */
async function explain(live) {
  try {
    await ask('api/model');
  } catch (error) {
    if (error.status === 401 || error.status === 403) {
      live.forbidden = error.message;
      setText(get('connection-text'), wordsFor(live));
    }
  }
}
