/** The three streams of a device: each call is brought to the engine by the device's id, and what comes on it after that. */
import type { Metadata, ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxDeviceStreams } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log.ts";
import type {
  AudioStream,
  DeviceStream,
  EventSink,
  EventStream,
  StatusStream,
} from "../../engine/devices/device-streams.ts";
import type { AudioSink } from "../../engine/devices/playback.ts";
import type { StatusSink } from "../../engine/devices/status-exchange.ts";
import {
  type AudioPacket,
  type AudioStreamRequest,
  type DeviceEvent,
  type DeviceEventResponse,
  deviceIdKey,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
} from "../../wire/devices.ts";
import { CallSender, type StreamingCall } from "./call-sender.ts";

/** What this door needs of the engine. All throw errors of the table. */
export interface DeviceStreams {
  openStatus(deviceId: string, peer: string, sink: StatusSink): StatusStream;
  openEvents(deviceId: string, peer: string, sink: EventSink): EventStream;
  openAudio(deviceId: string, peer: string, sink: AudioSink): AudioStream;
}

export class DeviceService {
  readonly #devices: DeviceStreams;
  readonly #meter: GatewayMeter;
  readonly #log: Log;
  /** Calls whose end has not reached the device. */
  readonly #open = new Set<object>();

  constructor(devices: DeviceStreams, meter: GatewayMeter, log: Log) {
    this.#devices = devices;
    this.#meter = meter;
    this.#log = log;
  }

  /** By the names of the protocol. */
  get handlers() {
    return {
      StatusStream: (call: ServerDuplexStream<DeviceStatusResponse, DeviceStatusRequest>) =>
        this.#status(call),
      EventStream: (call: ServerDuplexStream<DeviceEvent, DeviceEventResponse>) => this.#events(call),
      ServerAudioStream: (call: ServerWritableStream<AudioStreamRequest, AudioPacket>) => this.#audio(call),
    };
  }

  #status(call: ServerDuplexStream<DeviceStatusResponse, DeviceStatusRequest>): void {
    const sender = new CallSender(call);
    const stream = this.#admit(call, sender, (deviceId) =>
      this.#devices.openStatus(deviceId, call.getPeer(), sender),
    );
    if (stream === undefined) return;
    call.on("data", (response: DeviceStatusResponse) =>
      this.#take(call, sender, () => stream.answered(response)),
    );
  }

  #events(call: ServerDuplexStream<DeviceEvent, DeviceEventResponse>): void {
    const sender = new CallSender(call);
    const stream = this.#admit(call, sender, (deviceId) =>
      this.#devices.openEvents(deviceId, call.getPeer(), sender),
    );
    if (stream === undefined) return;
    call.on("drain", () => call.resume());
    call.on("data", ({ button_event }: DeviceEvent) =>
      this.#take(call, sender, () => {
        stream.pressed(button_event ?? undefined);
        // A device that does not take its answers is not listened to until it does.
        if (!sender.send({ ack: true })) call.pause();
      }),
    );
  }

  #audio(call: ServerWritableStream<AudioStreamRequest, AudioPacket>): void {
    const sender = new CallSender(call);
    const stream = this.#admit(call, sender, (deviceId) =>
      this.#devices.openAudio(deviceId, call.getPeer(), sender),
    );
    if (stream !== undefined) call.on("drain", () => stream.drained());
  }

  /** Opens the stream of a call and closes it with the call; undefined, with the call ended, if it may not be. */
  #admit<S extends DeviceStream, Out>(
    call: StreamingCall<Out>,
    sender: CallSender<Out>,
    open: (deviceId: string) => S,
  ): S | undefined {
    // Without a listener a stream that breaks would end the process; how it ends is told by `close`.
    call.on("error", (error) => this.#log.debug("a call of a device broke", { error }));
    try {
      if (this.#open.size >= maxDeviceStreams) throw new WavecacheError("DEVICES_EXHAUSTED");
      const stream = open(deviceIdOf(call.metadata));
      this.#track(call, stream);
      // A device that has nothing more to say on a stream has left it.
      call.on("end", () => sender.end());
      return stream;
    } catch (error) {
      this.#refuse(call, sender, error);
      return undefined;
    }
  }

  #track(call: StreamingCall<never>, stream: DeviceStream): void {
    this.#open.add(call);
    this.#meter.opened();
    const closed = () => {
      if (!this.#open.delete(call)) return;
      this.#meter.closed();
      stream.closed();
    };
    for (const end of ["finish", "cancelled", "close"]) call.on(end, closed);
  }

  /** Handles a message; what is wrong with it ends its call. */
  #take<Out>(call: StreamingCall<Out>, sender: CallSender<Out>, handle: () => void): void {
    if (sender.isOver) return;
    try {
      handle();
    } catch (error) {
      this.#refuse(call, sender, error);
    }
  }

  #refuse<Out>(call: StreamingCall<Out>, sender: CallSender<Out>, error: unknown): void {
    const failure = toWavecacheError(error);
    this.#meter.failed(failure.code);
    this.#log.warn("a stream of a device is refused", {
      peer: call.getPeer(),
      path: call.getPath(),
      code: failure.code,
      error: failure,
    });
    sender.end(failure);
  }
}

/** Throws BAD_DEVICE_ID unless there is exactly one. What it may look like is the engine's to say. */
function deviceIdOf(metadata: Metadata): string {
  const [id, ...more] = metadata.get(deviceIdKey);
  if (typeof id !== "string" || more.length > 0) throw new WavecacheError("BAD_DEVICE_ID");
  return id;
}
