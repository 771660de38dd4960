/** The three streams of a device: connects each call to the engine by its device id, and passes on its messages. */
import type { Metadata, ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxDeviceStreams } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log/log.ts";
import type {
  AudioSink,
  AudioStream,
  DeviceStream,
  EventSink,
  EventStream,
  StatusSink,
  StatusStream,
} from "../../engine/devices/device-streams.ts";
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
import { audioSink, buttonEvent, statusAnswer, statusSink } from "./translation.ts";

/** What this gateway needs of the engine. All functions throw errors of the error table. */
export interface DeviceStreams {
  openStatus(deviceId: string, peer: string, sink: StatusSink): StatusStream;
  openEvents(deviceId: string, peer: string, sink: EventSink): EventStream;
  openAudio(deviceId: string, peer: string, sink: AudioSink): AudioStream;
}

export class DeviceService {
  readonly #devices: DeviceStreams;
  readonly #meter: GatewayMeter;
  readonly #log: Log;
  /** Calls that have not fully closed. */
  readonly #open = new Set<object>();

  constructor(devices: DeviceStreams, meter: GatewayMeter, log: Log) {
    this.#devices = devices;
    this.#meter = meter;
    this.#log = log;
  }

  /** Handlers by their names in the protocol. */
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
      this.#devices.openStatus(deviceId, call.getPeer(), statusSink(sender)),
    );
    if (stream === undefined) return;
    call.on("data", (response: DeviceStatusResponse) =>
      this.#handle(call, sender, () => stream.receive(statusAnswer(response))),
    );
  }

  #events(call: ServerDuplexStream<DeviceEvent, DeviceEventResponse>): void {
    const sender = new CallSender(call);
    const stream = this.#admit(call, sender, (deviceId) =>
      this.#devices.openEvents(deviceId, call.getPeer(), sender),
    );
    if (stream === undefined) return;
    call.on("drain", () => call.resume());
    call.on("data", (event: DeviceEvent) =>
      this.#handle(call, sender, () => {
        stream.receive(buttonEvent(event));
        // Backpressure: a device that does not read its acks gets no more events read.
        if (!sender.send({ ack: true })) call.pause();
      }),
    );
  }

  #audio(call: ServerWritableStream<AudioStreamRequest, AudioPacket>): void {
    const sender = new CallSender(call);
    const stream = this.#admit(call, sender, (deviceId) =>
      this.#devices.openAudio(deviceId, call.getPeer(), audioSink(sender)),
    );
    if (stream !== undefined) call.on("drain", () => stream.resume());
  }

  /** Opens the stream of a call, and closes it with the call. If admission fails, ends the call and returns undefined. */
  #admit<S extends DeviceStream, Out>(
    call: StreamingCall<Out>,
    sender: CallSender<Out>,
    open: (deviceId: string) => S,
  ): S | undefined {
    // An `error` event without a listener ends the process. The `close` event handles the end of the call.
    call.on("error", (error) => this.#log.debug("a call of a device failed", { error }));
    try {
      if (this.#open.size >= maxDeviceStreams) throw new WavecacheError("DEVICES_EXHAUSTED");
      const stream = open(deviceIdOf(call.metadata));
      this.#track(call, stream);
      // A device that closes its side of a stream has left the stream.
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
      stream.close();
    };
    for (const end of ["finish", "cancelled", "close"]) call.on(end, closed);
  }

  /** Handles a message. An error ends its call. */
  #handle<Out>(call: StreamingCall<Out>, sender: CallSender<Out>, act: () => void): void {
    if (sender.isOver) return;
    try {
      act();
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

/** Throws BAD_DEVICE_ID unless there is exactly one. The engine checks its form. */
function deviceIdOf(metadata: Metadata): string {
  const [id, ...more] = metadata.get(deviceIdKey);
  if (typeof id !== "string" || more.length > 0) throw new WavecacheError("BAD_DEVICE_ID");
  return id;
}
