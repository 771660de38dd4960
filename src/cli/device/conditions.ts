/** Waits for a device to reach a condition, with a deadline. */
import type { Device } from "../../client/devices/device.ts";
import { CliError } from "../kit/failures.ts";

interface Wait {
  condition: () => boolean;
  timer: Timer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class ConditionWaiter {
  readonly #waits = new Set<Wait>();
  #failure: { error: unknown } | undefined;

  /** Tests all conditions; the owner calls it after each notice of the device. */
  check(): void {
    for (const wait of this.#waits) {
      if (wait.condition()) this.#settle(wait).resolve();
    }
  }

  /** Rejects present and future waits: the device has ended. */
  fail(error: unknown): void {
    this.#failure = { error };
    for (const wait of this.#waits) this.#settle(wait).reject(error);
  }

  /** Resolves when the condition holds; rejects with `failure` at `deadlineMs`, which may move later meanwhile. */
  when(condition: () => boolean, deadlineMs: () => number, failure: () => CliError): Promise<void> {
    if (condition()) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      const checkDeadline = () => {
        const leftMs = deadlineMs() - performance.now();
        if (leftMs > 0) wait.timer = setTimeout(checkDeadline, leftMs);
        else this.#settle(wait).reject(failure());
      };
      const wait: Wait = { condition, timer: setTimeout(checkDeadline, 0), resolve, reject };
      this.#waits.add(wait);
    });
  }

  #settle(wait: Wait): Wait {
    clearTimeout(wait.timer);
    this.#waits.delete(wait);
    return wait;
  }
}

/** From a connection or a button press until the server sets the LEDs. */
const ledsTimeoutMs = 5_000;
/** How long a device may stay without a connection. */
const connectionTimeoutMs = 60_000;
/** From a press of Play until the sound begins; the server may have to encode it first. */
const soundStartTimeoutMs = 15_000;
/** From the end of the audio received so far until the next packet, or the end of the sound. */
const soundStallTimeoutMs = 10_000;

export class DeviceConditions {
  readonly #device: Device;
  readonly #waiter: ConditionWaiter;

  constructor(device: Device, waiter: ConditionWaiter) {
    this.#device = device;
    this.#waiter = waiter;
  }

  connected(): Promise<void> {
    const isConnected = () => this.#device.connection === "connected";
    const failure = timeoutError("no connection", connectionTimeoutMs, "is the server running?");
    return this.#waiter.when(isConnected, after(connectionTimeoutMs), failure);
  }

  /** Waits until the server has set the LEDs more than `setsBefore` times. */
  ledsSet(setsBefore: number): Promise<void> {
    const hint = "the server connects and acknowledges, but does not set them";
    const failure = timeoutError("the LEDs were not set", ledsTimeoutMs, hint);
    return this.#waiter.when(() => this.#device.sets > setsBefore, after(ledsTimeoutMs), failure);
  }

  /** Waits until a sound with a number above `soundsBefore` has begun and ended. */
  async soundEnded(soundsBefore: number): Promise<void> {
    const device = this.#device;
    await this.#waiter.when(
      () => device.sounds > soundsBefore,
      after(soundStartTimeoutMs),
      timeoutError("no sound has begun", soundStartTimeoutMs, "has the server a sound for this mode?"),
    );
    await this.#waiter.when(
      () => device.endedSound > soundsBefore,
      () => (device.sound?.silentFromMs ?? 0) + soundStallTimeoutMs,
      timeoutError("no packet of the sound", soundStallTimeoutMs, "the server has not ended the sound"),
    );
  }
}

function after(timeoutMs: number): () => number {
  const deadlineMs = performance.now() + timeoutMs;
  return () => deadlineMs;
}

function timeoutError(what: string, timeoutMs: number, hint: string): () => CliError {
  return () => new CliError(`${what} in ${timeoutMs / 1000} s`, hint);
}
