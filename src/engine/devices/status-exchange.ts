/**
 * The status stream of a device: one request at a time, the next after the answer or when that is overdue. LEDs that
 * were to be shown meanwhile go out once, as the newest of them are.
 */
import type { WavecacheError } from "../../base/errors.ts";
import { deviceAnswerMs, deviceFirstGetMs, deviceGetMs } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log.ts";
import {
  type DeviceStatus,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
  type Leds,
  statusSuccess,
  toLedFields,
} from "../../wire/devices.ts";

export interface StatusSink {
  send(request: DeviceStatusRequest): void;
  end(error?: WavecacheError): void;
}

export interface StatusEvents {
  reported(status: DeviceStatus): void;
}

const maxLoggedChars = 128;

export class StatusExchange {
  readonly #sink: StatusSink;
  readonly #events: StatusEvents;
  readonly #log: Log;
  readonly #deviceId: string;
  #waiting: "set" | "get" | undefined;
  #overdue: Timer | undefined;
  #wanted: Leds | undefined;
  #getTimer: Timer | undefined;
  /** Who wants to hear of the next state. */
  #askers: ((known: boolean) => void)[] = [];
  #wasSilent = false;
  #closed = false;

  constructor(deviceId: string, sink: StatusSink, events: StatusEvents, log: Log) {
    this.#deviceId = deviceId;
    this.#sink = sink;
    this.#events = events;
    this.#log = log;
    this.#askAfter(deviceFirstGetMs);
  }

  /** Sends these LEDs as soon as may be. */
  show(leds: Leds): void {
    this.#wanted = leds;
    this.#sendNext();
  }

  /** Asks the device what it shows; resolves with whether it has said it. */
  ask(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#askers.push(resolve);
      this.#sendNext();
    });
  }

  answered({ response, state, status }: DeviceStatusResponse): void {
    if (this.#closed) return;
    if (response === "state") {
      this.#events.reported(state!);
      if (this.#waiting === "get") this.#settle(true);
    } else if (response === "status" && this.#waiting === "set") {
      if (status !== statusSuccess) this.#complain("a device could not show its LEDs", status);
      this.#settle(false);
    }
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#overdue);
    clearTimeout(this.#getTimer);
    this.#answerAskers(false);
  }

  /** Ends the stream too. */
  end(error?: WavecacheError): void {
    this.close();
    this.#sink.end(error);
  }

  #sendNext(): void {
    if (this.#closed || this.#waiting !== undefined) return;
    if (this.#wanted !== undefined) {
      this.#send("set", { set: toLedFields(this.#wanted) });
      this.#wanted = undefined;
    } else if (this.#askers.length > 0) {
      this.#send("get", { get: true });
    }
  }

  #send(kind: "set" | "get", request: DeviceStatusRequest): void {
    this.#waiting = kind;
    this.#overdue = setTimeout(() => this.#giveUp(), deviceAnswerMs);
    this.#sink.send(request);
  }

  #settle(known: boolean): void {
    clearTimeout(this.#overdue);
    const wasGet = this.#waiting === "get";
    this.#waiting = undefined;
    if (wasGet) this.#answerAskers(known);
    this.#sendNext();
  }

  #giveUp(): void {
    if (!this.#wasSilent) this.#complain("a device does not answer", this.#waiting);
    this.#wasSilent = true;
    this.#settle(false);
  }

  #answerAskers(known: boolean): void {
    for (const answer of this.#askers.splice(0)) answer(known);
  }

  /** A device that leaves the question open is not asked again without need: its LEDs would wait for nothing. */
  #askAfter(delayMs: number): void {
    this.#getTimer = setTimeout(async () => {
      if (await this.ask()) this.#askAfter(deviceGetMs);
    }, delayMs);
  }

  #complain(message: string, said: string | undefined): void {
    this.#log.warn(message, { deviceId: this.#deviceId, said: said?.slice(0, maxLoggedChars) });
  }
}
