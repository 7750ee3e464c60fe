// How many frames a client may send.

/** Seconds over which the rate is averaged. */
const WINDOW = 10;

/** A bucket that holds ten seconds' worth of frames. */
export class FrameRate {
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond * WINDOW;
    this.#at = now;
  }

  /** Takes one; false when there is none left. A clock that was set back gives nothing. */
  take(now: number): boolean {
    const gained = Math.max(0, now - this.#at) / 1000 * this.#perSecond;
    this.#left = Math.min(this.#perSecond * WINDOW, this.#left + gained);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
