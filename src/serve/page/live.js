// The WebSocket: frames go out, results come back. It never holds a queue: at most two frames are on their way, and
// whoever sends asks first how long to wait. When the connection ends it is opened anew, after delays that grow.

const IN_FLIGHT = 2;
const DELAYS = [0.3, 0.7, 1.5, 3, 5];
/** Milliseconds that a frame may wait at the server, so that it is never idle. */
const USUAL_WAIT = 4;
const LOST_AFTER = 12_000;
const GREETING_WITHIN = 8_000;

/** All the time in which a frame lay at the server and nothing was done with it. */
export function waitOf({ total = 0, decode = 0, detect = 0, prepare = 0, network = 0 }) {
  return Math.max(0, total - decode - detect - prepare - network);
}

export class Live extends EventTarget {
  /** `connecting`, `open` or `closed`. */
  state = 'closed';
  hello = null;
  busy = false;
  #address;
  #socket = null;
  #flying = new Map();
  #options = { smoothing: true, min_face: 40 };
  #failures = 0;
  #wanted = false;
  #number = 0;
  #lastSent = -Infinity;
  #service = 0;
  #waited = 0;
  #timer = 0;
  #watch = 0;

  constructor(address) {
    super();
    this.#address = address;
    addEventListener('online', () => this.hurry());
    addEventListener('offline', () => this.#socket?.close());
    addEventListener('pagehide', () => this.stop());
    addEventListener('pageshow', (event) => event.persisted && this.start());
  }

  start() {
    this.#wanted = true;
    if (!this.#socket) this.#open();
  }

  stop() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** Tries now what it would try later. */
  hurry() {
    if (!this.#wanted || this.#socket) return;
    clearTimeout(this.#timer);
    this.#open();
  }

  configure(options) {
    this.#options = { ...this.#options, ...options };
    if (this.state === 'open') this.#socket.send(JSON.stringify(this.#options));
  }

  /** Whether it was there and went, or never came: the reader then waits for it to come back. */
  get lost() {
    return this.#failures > 0;
  }

  get inFlight() {
    return this.#flying.size;
  }

  /**
   * How many milliseconds to wait before the next frame is worth sending; infinite while it must not be sent. A second
   * frame should come when the server is about to be done with the first: earlier it would only grow old there. So
   * frames go out as fast as the server works, a little slower while they had to wait, a little faster while they had
   * not.
   */
  wait(now) {
    if (this.state !== 'open' || this.#flying.size >= IN_FLIGHT) return Infinity;
    const shortest = 1000 / (this.hello.max_frames_per_second || 30);
    const pace = Math.min(this.#service + 0.5 * (this.#waited - USUAL_WAIT), 2 * this.#service);
    const gap = this.#flying.size === 0 ? shortest : Math.max(shortest, pace);
    // A timer may come a millisecond late, which must not cost a frame of the camera.
    return Math.max(0, this.#lastSent + gap - now - 1.5);
  }

  /** Sends a frame and gives its number. */
  send(jpeg, capturedAt) {
    if (this.state !== 'open' || jpeg.size + 4 > (this.hello.max_bytes || Infinity)) return null;
    const number = this.#number;
    this.#number = (number + 1) >>> 0;
    const head = new DataView(new ArrayBuffer(4));
    head.setUint32(0, number, true);
    const sentAt = performance.now();
    this.#flying.set(number, { capturedAt, sentAt });
    // From one capture to the next: encoding takes now longer, now shorter, which must not make the pace stumble.
    this.#lastSent = capturedAt;
    this.#socket.send(new Blob([head, jpeg]));
    return number;
  }

  #open() {
    this.#become('connecting');
    let socket;
    try {
      socket = new WebSocket(this.#address());
    } catch {
      this.#retry();
      return;
    }
    this.#socket = socket;
    const mine = (act) => (event) => this.#socket === socket && act(event);
    socket.addEventListener(
      'message',
      mine((event) => this.#receive(event.data)),
    );
    socket.addEventListener(
      'close',
      mine(() => this.#closed()),
    );
    // A server that takes the connection but says nothing is as good as gone, and so is one that stops answering.
    const openedAt = performance.now();
    this.#watch = setInterval(() => {
      const now = performance.now();
      const silent = this.state === 'connecting' && now - openedAt > GREETING_WITHIN;
      const lost = [...this.#flying.values()].some(({ sentAt }) => now - sentAt > LOST_AFTER);
      if (silent || lost) this.#abandon(socket);
    }, 1000);
  }

  /** Closing waits for the other side, which may never answer. */
  #abandon(socket) {
    socket.close();
    this.#closed();
  }

  #closed() {
    clearInterval(this.#watch);
    this.#socket = null;
    this.#flying.clear();
    this.#lastSent = -Infinity;
    if (this.#wanted) this.#retry();
    else this.#become('closed');
  }

  #retry(seconds) {
    const usual = DELAYS[Math.min(this.#failures, DELAYS.length - 1)];
    this.#failures += 1;
    this.#become('closed');
    clearTimeout(this.#timer);
    const delay = this.busy ? this.retryAfter : (seconds ?? usual * (0.8 + 0.4 * Math.random()));
    this.#timer = setTimeout(() => this.#open(), 1000 * Math.min(delay, 5));
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    const act = {
      hello: this.#greeted,
      result: this.#result,
      skipped: this.#skipped,
      error: this.#error,
      busy: this.#refused,
    };
    act[message.type]?.call(this, message);
  }

  #greeted(hello) {
    this.hello = hello;
    this.#failures = 0;
    this.busy = false;
    this.#become('open');
    this.configure({});
    this.dispatchEvent(new CustomEvent('hello', { detail: hello }));
    this.#free();
  }

  #refused({ retry_after }) {
    this.busy = true;
    this.retryAfter = Math.max(0.5, Number(retry_after) || 2);
  }

  #result(result) {
    const frame = this.#flying.get(result.frame);
    if (!frame) return;
    this.#flying.delete(result.frame);
    const { total = 0 } = result.milliseconds ?? {};
    this.#waited = waitOf(result.milliseconds ?? {});
    const work = total - this.#waited;
    this.#service = this.#service === 0 ? work : 0.8 * this.#service + 0.2 * work;
    const roundTrip = performance.now() - frame.sentAt;
    this.dispatchEvent(new CustomEvent('result', { detail: { result, roundTrip, capturedAt: frame.capturedAt } }));
    this.#free();
  }

  #skipped({ frame }) {
    this.#flying.delete(frame);
    this.#free();
  }

  #error({ frame, error }) {
    // Without a number it is about the settings, and frames go on.
    this.#flying.delete(frame);
    this.dispatchEvent(new CustomEvent('refused', { detail: String(error) }));
    this.#free();
  }

  #free() {
    this.dispatchEvent(new Event('free'));
  }
}
