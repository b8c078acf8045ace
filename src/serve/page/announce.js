// Tells screen readers what the chosen face resembles, but only when that has lasted for a while, and not too often.

import { setText } from './dom.js';

const LASTING = 1500;
const APART = 4000;

export class Announcer {
  #element;
  #said = '';
  #saidAt = -Infinity;
  #heard = '';
  #since = 0;

  constructor(element) {
    this.#element = element;
  }

  hear(text, now) {
    if (text !== this.#heard) {
      this.#heard = text;
      this.#since = now;
    }
    if (text === this.#said || now - this.#since < LASTING || now - this.#saidAt < APART) return;
    this.#said = text;
    this.#saidAt = now;
    setText(this.#element, text);
  }
}
