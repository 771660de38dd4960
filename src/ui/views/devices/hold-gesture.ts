/**
 * One button that is pressed by a pointer or a key. A short touch is a press. A long one holds the button until it is let
 * go, the pointer is lost, or nobody sees the page any more: a button of a device must not stay held by accident.
 */
import type { DeviceButtonEvent } from "../../api/devices.ts";

/** A touch that is longer holds the button. */
const holdAfterMs = 500;
/** The server ends a hold that is not repeated in time. */
const repeatMs = 2_000;

export interface HoldTimes {
  holdAfterMs: number;
  repeatMs: number;
}

export class HoldGesture {
  /** Called in the order of the events. */
  readonly #send: (event: DeviceButtonEvent) => void;
  readonly #times: HoldTimes;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isTouched = false;
  #isHeld = false;

  constructor(send: (event: DeviceButtonEvent) => void, times: HoldTimes = { holdAfterMs, repeatMs }) {
    this.#send = send;
    this.#times = times;
  }

  /** The pointer or the key goes down. */
  begin(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    this.#timer = setTimeout(() => this.#hold(), this.#times.holdAfterMs);
  }

  /** It goes up. */
  end(): void {
    if (this.#isTouched && !this.#isHeld) this.#send("press");
    this.cancel();
  }

  /** It is lost: a button that is held is released, and a short touch has no effect. */
  cancel(): void {
    clearTimeout(this.#timer);
    if (this.#isHeld) this.#send("release");
    this.#isTouched = this.#isHeld = false;
  }

  #hold(): void {
    this.#isHeld = true;
    this.#send("hold");
    this.#timer = setTimeout(() => this.#hold(), this.#times.repeatMs);
  }
}
