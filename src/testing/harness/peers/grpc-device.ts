/** A device over gRPC: answers requests and records what it receives. */
import type { AudioCall, EventCall, StatusCall } from "./device-channel.ts";
import { DeviceChannel } from "./device-channel.ts";
import {
  type AudioPacket,
  buttonEvents,
  buttonReleased,
  buttons,
  type DeviceStatusRequest,
  type Leds,
  statusSuccess,
  toLedFields,
  toLeds,
} from "../../../wire/devices.ts";
import { until } from "../until.ts";

const limitMs = 10_000;

/** How a call ended: the gRPC status code, 0 for OK. */
interface Ending {
  code: number;
  details: string;
}

export interface Received {
  at: number;
  packet: AudioPacket;
}

export interface GrpcDeviceOptions {
  /** A connection to share with another device. */
  channel?: DeviceChannel;
  /** Answers no requests. */
  silent?: boolean;
  /** Streams to open at the start, in this order. */
  streams?: StreamKind[];
}

export type StreamKind = "status" | "events" | "audio";

export class GrpcDevice {
  readonly deviceId: string;
  readonly channel: DeviceChannel;
  /** Every request on the status stream. */
  readonly requests: DeviceStatusRequest[] = [];
  readonly received: Received[] = [];
  readonly endings: Partial<Record<StreamKind, Ending>> = {};
  acks = 0;
  battery = 0.75;
  silent: boolean;
  #leds: Leds = [0, 0, 0, 0, 0, 0];
  #status: StatusCall | undefined;
  #events: EventCall | undefined;
  #audio: AudioCall | undefined;

  constructor(port: number, deviceId: string, options: GrpcDeviceOptions = {}) {
    this.deviceId = deviceId;
    this.channel = options.channel ?? new DeviceChannel(`127.0.0.1:${port}`);
    this.silent = options.silent ?? false;
    for (const kind of options.streams ?? ["status", "events", "audio"]) this.open(kind);
  }

  get packets(): AudioPacket[] {
    return this.received.map(({ packet }) => packet);
  }

  /** The LEDs of each `set` request, in order. */
  get shown(): Leds[] {
    return this.requests.flatMap(({ set }) => (set === undefined ? [] : [toLeds(set)]));
  }

  open(kind: StreamKind): void {
    delete this.endings[kind];
    if (kind === "status") this.#openStatus();
    else if (kind === "events") this.#openEvents();
    else this.#openAudio();
  }

  cancel(kind: StreamKind): void {
    const call = { status: this.#status, events: this.#events, audio: this.#audio }[kind];
    call?.cancel();
  }

  /** Half-closes a stream; the server ends it. */
  endOwnSide(kind: "status" | "events"): void {
    (kind === "status" ? this.#status : this.#events)?.end();
  }

  /** Stops reading audio until `resumeAudio`. */
  pauseAudio(): void {
    this.#audio?.pause();
  }

  resumeAudio(): void {
    this.#audio?.resume();
  }

  /** Sends a button event; a press by default. */
  press(button: keyof typeof buttons | number, event: number = buttonEvents.press): void {
    const button_id = typeof button === "number" ? button : buttons[button];
    this.#events?.write({ button_event: { button_id, event } });
  }

  sendEmptyEvent(): void {
    this.#events?.write({});
  }

  answer(): void {
    this.#status?.write({ status: statusSuccess });
  }

  async untilConnected(): Promise<void> {
    await this.until("its first request", () => this.requests.length > 0);
  }

  async untilShown(leds: Leds): Promise<void> {
    await this.until(`LEDs ${leds.map((led) => led.toString(16)).join(" ")}`, () =>
      Bun.deepEquals(this.shown.at(-1), leds),
    );
  }

  async until(what: string, probe: () => boolean, within = limitMs): Promise<void> {
    await until(what, within, probe, () => this.#described());
  }

  async pressed(...names: (keyof typeof buttons)[]): Promise<void> {
    const wanted = this.acks + names.length;
    for (const name of names) this.press(name);
    await this.until("acks", () => this.acks >= wanted);
  }

  close(): void {
    for (const kind of ["status", "events", "audio"] as const) this.cancel(kind);
    this.channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #openStatus(): void {
    const call = this.channel.openStatus(this.deviceId);
    this.#status = call;
    call.on("data", (request: DeviceStatusRequest) => {
      this.requests.push(request);
      if (request.set) this.#leds = toLeds(request.set);
      if (this.silent) return;
      if (request.set) this.answer();
      else
        call.write({
          state: { ...toLedFields(this.#leds), ...this.#buttons(), battery_level: this.battery },
        });
    });
    this.#watch("status", call);
  }

  #openEvents(): void {
    const call = this.channel.openEvents(this.deviceId);
    this.#events = call;
    call.on("data", ({ ack }) => {
      if (ack) this.acks += 1;
    });
    this.#watch("events", call);
  }

  #openAudio(): void {
    const call = this.channel.openAudio(this.deviceId);
    this.#audio = call;
    call.on("data", (packet: AudioPacket) => this.received.push({ at: performance.now(), packet }));
    this.#watch("audio", call);
  }

  #watch(kind: StreamKind, call: StatusCall | EventCall | AudioCall): void {
    const current = () => ({ status: this.#status, events: this.#events, audio: this.#audio })[kind] === call;
    // The `status` event reports how the call ended.
    call.on("error", () => undefined);
    call.on("status", ({ code, details }) => {
      if (current()) this.endings[kind] = { code, details };
    });
  }

  #buttons() {
    return {
      button_1: buttonReleased,
      button_2: buttonReleased,
      button_3: buttonReleased,
      button_4: buttonReleased,
    };
  }

  #described(): string {
    const { deviceId, endings, acks } = this;
    const shown = this.shown.map((leds) => leds.map((led) => led.toString(16)).join(" "));
    return JSON.stringify({ deviceId, shown, acks, packets: this.received.length, endings });
  }
}
