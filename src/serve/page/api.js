// Everything that is asked of the server by HTTP, and the token that it may want.

const fromAddress = () =>
  new URLSearchParams(location.search).get('token') ?? new URLSearchParams(location.hash.slice(1)).get('token');

/** The hash is used for the views, so a token in it is kept for the tab and leaves the address. */
function takeToken() {
  const token = fromAddress();
  try {
    if (token) sessionStorage.setItem('vultus.token', token);
    return token ?? sessionStorage.getItem('vultus.token');
  } catch {
    return token;
  }
}

export const token = takeToken();
if (/[#&]token=/.test(location.hash)) history.replaceState(null, '', `${location.pathname}${location.search}`);

export function liveAddress() {
  const url = new URL('api/live', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = token ? `?token=${encodeURIComponent(token)}` : '';
  url.hash = '';
  return url.href;
}

/** What went wrong, in words for the reader. `status` is 0 when nobody answered. */
export class ApiError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Asks, and gives the response or throws an ApiError. */
export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { ...options, headers });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server does not answer.', 0);
  }
  if (!response.ok) throw await refused(response);
  return response;
}

export async function askJson(path, options) {
  const response = await ask(path, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server’s answer broke off.', 0);
  }
}

async function refused(response) {
  let text = '';
  try {
    text = (await response.json()).error ?? '';
  } catch {
    // Not every error has a body in JSON: a proxy between may have answered.
  }
  if (response.status === 401 || response.status === 403)
    text = 'The server wants its token: open the address that it printed when it started.';
  const seconds = Number.parseFloat(response.headers.get('Retry-After'));
  return new ApiError(
    text || `The server answered with ${response.status}.`,
    response.status,
    Number.isFinite(seconds) ? seconds : undefined,
  );
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

/** Asks again as long as the server is busy, after the time that it names. */
export async function askPatiently(path, options, waiting) {
  for (;;) {
    try {
      return await askJson(path, options);
    } catch (error) {
      if (error.status !== 503 || options.signal?.aborted) throw error;
      const seconds = Math.min(Math.max(error.retryAfter ?? 1, 0.2), 30);
      waiting?.(seconds);
      await pause(seconds);
      options.signal?.throwIfAborted();
    }
  }
}

export const predict = (picture, signal, waiting) => askPatiently('api/predict', post(picture, signal), waiting);

export function inside(picture, { face, layer, name, method }, signal, waiting) {
  const query = new URLSearchParams();
  if (face !== null && face !== undefined) query.set('face', face);
  if (layer) query.set('layer', layer);
  if (name) query.set('class', name);
  if (method) query.set('method', method);
  return askPatiently(`api/inside?${query}`, post(picture, signal), waiting);
}

const post = (body, signal) => ({
  method: 'POST',
  body,
  signal,
  headers: { 'Content-Type': body.type || 'application/octet-stream' },
});

let known = null;

/** The model's card and the server's limits. It is asked once; a failure is asked again the next time. */
export function model() {
  known ??= askJson('api/model').catch((error) => {
    known = null;
    throw error;
  });
  return known;
}

/** A server that came back may be another one. */
export function forgetModel() {
  known = null;
}

export async function example() {
  const response = await ask('example.png');
  return new File([await response.blob()], 'example.png', { type: 'image/png' });
}
