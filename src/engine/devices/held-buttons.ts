/**
 * The buttons of a device that clients of the API hold. A client may be gone before it releases a button, so a hold ends
 * by itself unless it is repeated in time.
 */
import { remoteHoldMs } from "../../base/limits/devices.ts";
import { type ButtonName, buttonNames } from "./device-state.ts";

export class HeldButtons {
  readonly #onExpired: (button: ButtonName) => void;
  readonly #holdMs: number;
  readonly #timers = new Map<ButtonName, Timer>();

  /** `onExpired` is called for a button whose hold was not repeated. */
  constructor(onExpired: (button: ButtonName) => void, holdMs = remoteHoldMs) {
    this.#onExpired = onExpired;
    this.#holdMs = holdMs;
  }

  /** Whether each of the buttons is held. */
  get states(): boolean[] {
    return buttonNames.map((name) => this.#timers.has(name));
  }

  /** False if the button was held already: then the hold goes on. */
  hold(button: ButtonName): boolean {
    const isNew = !this.release(button);
    const expire = () => {
      this.#timers.delete(button);
      this.#onExpired(button);
    };
    this.#timers.set(button, setTimeout(expire, this.#holdMs));
    return isNew;
  }

  /** False if the button was not held. */
  release(button: ButtonName): boolean {
    clearTimeout(this.#timers.get(button));
    return this.#timers.delete(button);
  }

  releaseAll(): void {
    for (const button of this.#timers.keys()) this.release(button);
  }
}
