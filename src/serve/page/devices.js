// Cameras: opening one, listing them, and what can go wrong, in plain words.

/** Why there is no camera: the words, and when it is worth trying again by itself. */
export class CameraError extends Error {
  /** `again` is `permission`, `devices`, `soon` or `never`. */
  constructor(message, again) {
    super(message);
    this.again = again;
  }
}

export const insecure = () => !navigator.mediaDevices?.getUserMedia;

export const INSECURE =
  'Browsers give the camera only to pages on localhost or https. Open this page that way, or use Photos instead.';

// Frames are sent small in any case; a larger picture is only for the eyes, and costs where there are few processors.
const SMALL = (navigator.hardwareConcurrency || 8) <= 4;

/** Opens a camera: the one with that id, or one that faces the reader. */
export async function open(deviceId) {
  if (insecure()) throw new CameraError(INSECURE, 'never');
  const size = {
    ...(SMALL ? { width: { ideal: 640 } } : { width: { ideal: 1280 }, height: { ideal: 720 } }),
    frameRate: { ideal: 30 },
  };
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: 'user' } };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, ...size } });
  } catch (error) {
    // The chosen camera may be gone while another one is there.
    if (deviceId && (error.name === 'OverconstrainedError' || error.name === 'NotFoundError')) return open(null);
    throw await inWords(error);
  }
}

async function inWords(error) {
  switch (error.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      if ((await permission())?.state === 'prompt') {
        return new CameraError(
          'The camera was not allowed. Press Start camera again, and allow it when the browser asks.',
          'permission',
        );
      }
      return new CameraError(
        'The browser does not let this page use the camera. Allow it beside the address, and it starts by itself.',
        'permission',
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new CameraError('There is no camera. Connect one, and it starts by itself. Or use Photos.', 'devices');
    case 'NotReadableError':
    case 'AbortError':
      return new CameraError(
        'The camera is used by another program, or it does not answer. Trying again every few seconds.',
        'soon',
      );
    default:
      return new CameraError(`The camera could not be started: ${error.message || error.name}.`, 'devices');
  }
}

/** The state of the permission, where the browser says it. */
export async function permission() {
  try {
    return await navigator.permissions.query({ name: 'camera' });
  } catch {
    return null;
  }
}

/** All cameras as id and name. Before the permission the names are empty. */
export async function list() {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices
      .filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId)
      .map(({ deviceId, label }, index) => ({ id: deviceId, name: label || `Camera ${index + 1}` }));
  } catch {
    return [];
  }
}

export function onDevices(changed) {
  navigator.mediaDevices?.addEventListener?.('devicechange', changed);
}

/** Whether a stream's camera looks away from the reader, as the one at the back of a phone. */
export function looksAway(track) {
  const { facingMode } = track.getSettings?.() ?? {};
  return facingMode === 'environment' || (!facingMode && /\b(back|rear)\b/i.test(track.label));
}
