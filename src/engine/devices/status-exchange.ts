/**
 * The status stream of a device: one request at a time. The next one goes out after the answer, or when that is overdue.
 * LEDs that change meanwhile are sent once, in their latest state.
 */
import type { WavecacheError } from "../../base/errors.ts";
import { deviceAnswerMs, deviceFirstGetMs, deviceGetMs } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log/log.ts";
import type { Leds } from "../../wire/devices.ts";
import type { DeviceStatus, StatusAnswer, StatusSink } from "./device-streams.ts";

const maxLoggedChars = 128;

export class StatusExchange {
  readonly #deviceId: string;
  readonly #sink: StatusSink;
  readonly #onStatus: (status: DeviceStatus) => void;
  readonly #log: Log;
  /** The request that has no answer yet. */
  #pending: StatusAnswer["kind"] | undefined;
  #answerTimer: Timer | undefined;
  #nextLeds: Leds | undefined;
  #pollTimer: Timer | undefined;
  /** Callers of `ask` that wait for the next status. */
  #askers: ((isKnown: boolean) => void)[] = [];
  #hasTimedOut = false;
  #isClosed = false;

  constructor(deviceId: string, sink: StatusSink, onStatus: (status: DeviceStatus) => void, log: Log) {
    this.#deviceId = deviceId;
    this.#sink = sink;
    this.#onStatus = onStatus;
    this.#log = log;
    this.#pollAfter(deviceFirstGetMs);
  }

  /** Sends these LEDs as soon as no request is pending. */
  show(leds: Leds): void {
    this.#nextLeds = leds;
    this.#sendNext();
  }

  /** Asks the device for its status; resolves with whether it has answered. */
  ask(): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#askers.push(resolve);
      this.#sendNext();
    });
  }

  receive(answer: StatusAnswer | undefined): void {
    if (this.#isClosed || answer === undefined) return;
    if (answer.kind === "status") this.#onStatus(answer.status);
    if (answer.kind !== this.#pending) return;
    if (answer.kind === "leds" && answer.failure !== undefined) {
      const said = answer.failure.slice(0, maxLoggedChars);
      this.#log.warn("a device could not show its LEDs", { deviceId: this.#deviceId, said });
    }
    this.#complete(answer.kind === "status");
  }

  /** Stops sending. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#answerTimer);
    clearTimeout(this.#pollTimer);
    this.#answerAskers(false);
  }

  /** Closes, and ends the stream. */
  end(error?: WavecacheError): void {
    this.close();
    this.#sink.end(error);
  }

  #sendNext(): void {
    if (this.#isClosed || this.#pending !== undefined) return;
    if (this.#nextLeds !== undefined) {
      const leds = this.#nextLeds;
      this.#nextLeds = undefined;
      this.#await("leds");
      this.#sink.setLeds(leds);
    } else if (this.#askers.length > 0) {
      this.#await("status");
      this.#sink.askStatus();
    }
  }

  #await(answer: StatusAnswer["kind"]): void {
    this.#pending = answer;
    this.#answerTimer = setTimeout(() => this.#timeOut(), deviceAnswerMs);
  }

  #complete(isKnown: boolean): void {
    clearTimeout(this.#answerTimer);
    const wasAsked = this.#pending === "status";
    this.#pending = undefined;
    if (wasAsked) this.#answerAskers(isKnown);
    this.#sendNext();
  }

  #timeOut(): void {
    // Once a stream: a device that does not answer at all would fill the log.
    if (!this.#hasTimedOut) {
      this.#log.warn("a device does not answer", { deviceId: this.#deviceId, request: this.#pending });
    }
    this.#hasTimedOut = true;
    this.#complete(false);
  }

  #answerAskers(isKnown: boolean): void {
    for (const answer of this.#askers.splice(0)) answer(isKnown);
  }

  /** Stops polling at the first timeout, as the LEDs would wait for the answer too. */
  #pollAfter(delayMs: number): void {
    this.#pollTimer = setTimeout(async () => {
      if (await this.ask()) this.#pollAfter(deviceGetMs);
    }, delayMs);
  }
}
