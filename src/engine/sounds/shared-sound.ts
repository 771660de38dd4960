import type { WavecacheError } from "../../base/errors.ts";
import { soundPacketOverheadBytes } from "../../base/limits/sounds.ts";
import type { Sound } from "./sound.ts";

interface Waiter {
  count: number;
  resolve(): void;
  reject(error: WavecacheError): void;
}

/** The packets of one sound, shared by all players while they arrive. */
export class SharedSound {
  readonly packets: Uint8Array[] = [];
  /** Memory that the sound takes. */
  bytes = 0;
  /** Players that have not released the sound. */
  users = 0;
  isComplete = false;
  #error: WavecacheError | undefined;
  #waiters: Waiter[] = [];
  readonly #onUnused: () => void;

  /** `onUnused` runs each time the last player releases the sound. */
  constructor(onUnused: () => void) {
    this.#onUnused = onUnused;
  }

  add(packets: readonly Uint8Array[]): void {
    for (const packet of packets) {
      this.packets.push(packet);
      this.bytes += packet.length + soundPacketOverheadBytes;
    }
    this.#wake();
  }

  complete(): void {
    this.isComplete = true;
    this.#wake();
  }

  fail(error: WavecacheError): void {
    this.#error = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  waitBeyond(count: number): Promise<void> {
    if (this.packets.length > count || this.isComplete) return Promise.resolve();
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => this.#waiters.push({ count, resolve, reject }));
  }

  /** Opens the sound for one more player. */
  open(): Sound {
    this.users += 1;
    return new OpenSound(this, () => {
      this.users -= 1;
      if (this.users === 0) this.#onUnused();
    });
  }

  #wake(): void {
    const ready = (waiter: Waiter) => this.packets.length > waiter.count || this.isComplete;
    const woken = this.#waiters.filter(ready);
    if (woken.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !ready(waiter));
    for (const waiter of woken) waiter.resolve();
  }
}

class OpenSound implements Sound {
  readonly #shared: SharedSound;
  #onRelease: (() => void) | undefined;

  constructor(shared: SharedSound, onRelease: () => void) {
    this.#shared = shared;
    this.#onRelease = onRelease;
  }

  get packets(): readonly Uint8Array[] {
    return this.#shared.packets;
  }

  get isComplete(): boolean {
    return this.#shared.isComplete;
  }

  waitBeyond(count: number): Promise<void> {
    return this.#shared.waitBeyond(count);
  }

  release(): void {
    this.#onRelease?.();
    this.#onRelease = undefined;
  }
}
