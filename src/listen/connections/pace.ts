/**
 * Holds a connection to the limits of its principal. A peer that sends too fast is not read for a while; one that is sent
 * too much counts as slow, and its session waits as it does for any slow reader.
 */
import type { Usage } from "../../access/usage.ts";

export interface PacedSocket {
  /** Nothing is read while it is paused. */
  pause(isPaused: boolean): void;
  /** The peer may be sent more. */
  drained(): void;
}

export class Pace {
  readonly #socket: PacedSocket;
  #usage: Usage;
  #release: () => void;
  #pausing: Timer | undefined;
  #draining: Timer | undefined;
  /** The socket itself is full, and will say when it has drained. */
  #isFull = false;

  /** `release` gives the place of the connection back. */
  constructor(usage: Usage, release: () => void, socket: PacedSocket) {
    this.#socket = socket;
    this.#usage = usage;
    this.#release = release;
  }

  get isPaused(): boolean {
    return this.#pausing !== undefined;
  }

  /** The connection belongs to another principal from now on. Throws TOKEN_LIMIT_REACHED. */
  identify(usage: Usage): void {
    if (usage === this.#usage) return;
    const release = usage.openConnection();
    this.#release();
    this.#release = release;
    this.#usage = usage;
  }

  received(bytes: number): void {
    const waitMs = this.#usage.in.take(bytes);
    if (waitMs === 0) return;
    clearTimeout(this.#pausing);
    this.#pausing = setTimeout(() => {
      this.#pausing = undefined;
      this.#socket.pause(false);
    }, waitMs);
    this.#socket.pause(true);
  }

  /** `isFull`: the socket has queued some of it. Returns whether the session has to wait for `drained` because of the rate. */
  sent(bytes: number, isFull: boolean): boolean {
    if (isFull) this.#isFull = true;
    const waitMs = this.#usage.out.take(bytes);
    if (waitMs === 0) return false;
    clearTimeout(this.#draining);
    this.#draining = setTimeout(() => {
      this.#draining = undefined;
      if (!this.#isFull) this.#socket.drained();
    }, waitMs);
    return true;
  }

  /** The socket has drained. Returns whether the rate still makes the session wait. */
  holdsDrain(): boolean {
    this.#isFull = false;
    return this.#draining !== undefined;
  }

  close(): void {
    clearTimeout(this.#pausing);
    clearTimeout(this.#draining);
    this.#release();
  }
}
