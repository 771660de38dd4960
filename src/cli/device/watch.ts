/** Waiting for what a device comes to: conditions are looked at with each of its notices, and have a limit. */
import type { Device } from "../../client/devices/device.ts";
import { CliError } from "../kit/failures.ts";

interface Waiting {
  condition: () => boolean;
  timer: Timer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class DeviceWatch {
  readonly #waiting = new Set<Waiting>();
  #failure: { error: unknown } | undefined;

  /** To be called with each notice. */
  noticed(): void {
    for (const each of this.#waiting) {
      if (each.condition()) this.#settle(each).resolve();
    }
  }

  /** The device is over: nothing that is waited for will come. */
  fail(error: unknown): void {
    this.#failure = { error };
    for (const each of this.#waiting) this.#settle(each).reject(error);
  }

  /** Resolves when the condition holds; rejects with `failure` at `deadlineMs`, which may move away meanwhile. */
  when(condition: () => boolean, deadlineMs: () => number, failure: () => CliError): Promise<void> {
    if (condition()) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      const look = () => {
        const leftMs = deadlineMs() - performance.now();
        if (leftMs > 0) waiting.timer = setTimeout(look, leftMs);
        else this.#settle(waiting).reject(failure());
      };
      const waiting: Waiting = { condition, timer: setTimeout(look, 0), resolve, reject };
      this.#waiting.add(waiting);
    });
  }

  #settle(waiting: Waiting): Waiting {
    clearTimeout(waiting.timer);
    this.#waiting.delete(waiting);
    return waiting;
  }
}

/** How long a server may take to set the LEDs after a button or a connection. */
const ledsLimitMs = 5_000;
/** How long a device may be without a connection. */
const connectionLimitMs = 60_000;
/** How long a server may take to begin a sound: it may have to make it first. */
const soundLimitMs = 15_000;
/** How long a sound may be silent after all that came of it has been heard. */
const silenceLimitMs = 10_000;

export class DeviceConditions {
  readonly #device: Device;
  readonly #watch: DeviceWatch;

  constructor(device: Device, watch: DeviceWatch) {
    this.#device = device;
    this.#watch = watch;
  }

  connected(): Promise<void> {
    const isConnected = () => this.#device.connection === "connected";
    return this.#watch.when(isConnected, within(connectionLimitMs), () =>
      overdue("no connection", connectionLimitMs, "is the server running?"),
    );
  }

  /** More `set`s than `before` have come. */
  ledsSet(before: number): Promise<void> {
    return this.#watch.when(
      () => this.#device.sets > before,
      within(ledsLimitMs),
      () =>
        overdue(
          "the LEDs were not set",
          ledsLimitMs,
          "the server connects, acknowledges and does not set them",
        ),
    );
  }

  /** A sound after number `before` has begun and is over. */
  async soundEnded(before: number): Promise<void> {
    const device = this.#device;
    await this.#watch.when(
      () => device.sounds > before,
      within(soundLimitMs),
      () => overdue("no sound has begun", soundLimitMs, "has the server a sound for this mode?"),
    );
    await this.#watch.when(
      () => device.endedSound > before,
      () => (device.sound?.silentFromMs ?? 0) + silenceLimitMs,
      () => overdue("the sound does not go on", silenceLimitMs, "the server has not ended it"),
    );
  }
}

function within(limitMs: number): () => number {
  const deadlineMs = performance.now() + limitMs;
  return () => deadlineMs;
}

function overdue(what: string, limitMs: number, hint: string): CliError {
  return new CliError(`${what} in ${limitMs / 1000} s`, hint);
}
