/** The three streams of a device: connects each call to the engine by its device id, and passes on its messages. */
import type { Metadata, ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { Access } from "../../access/access.ts";
import { resourceOf } from "../../access/actions.ts";
import { type Credentials, secretOfHeader } from "../../access/credentials.ts";
import type { Principal } from "../../access/principal.ts";
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
  readonly #access: Access;
  readonly #meter: GatewayMeter;
  readonly #log: Log;
  /** Calls that have not fully closed. */
  readonly #open = new Set<object>();

  constructor(devices: DeviceStreams, access: Access, meter: GatewayMeter, log: Log) {
    this.#devices = devices;
    this.#access = access;
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
    this.#admit(call, sender, (deviceId) => {
      const stream = this.#devices.openStatus(deviceId, call.getPeer(), statusSink(sender));
      call.on("data", (response: DeviceStatusResponse) =>
        this.#handle(call, sender, () => stream.receive(statusAnswer(response))),
      );
      return stream;
    });
  }

  #events(call: ServerDuplexStream<DeviceEvent, DeviceEventResponse>): void {
    const sender = new CallSender(call);
    this.#admit(call, sender, (deviceId) => {
      const stream = this.#devices.openEvents(deviceId, call.getPeer(), sender);
      call.on("drain", () => call.resume());
      call.on("data", (event: DeviceEvent) =>
        this.#handle(call, sender, () => {
          stream.receive(buttonEvent(event));
          // Backpressure: a device that does not read its acks gets no more events read.
          if (!sender.send({ ack: true })) call.pause();
        }),
      );
      return stream;
    });
  }

  #audio(call: ServerWritableStream<AudioStreamRequest, AudioPacket>): void {
    const sender = new CallSender(call);
    this.#admit(call, sender, (deviceId) => {
      const stream = this.#devices.openAudio(deviceId, call.getPeer(), audioSink(sender));
      call.on("drain", () => stream.resume());
      return stream;
    });
  }

  /** Opens the stream of a call, and closes it with the call. If admission fails, ends the call. */
  #admit<Out>(call: StreamingCall<Out>, sender: CallSender<Out>, open: OpenStream): void {
    // An `error` event without a listener ends the process. The `close` event handles the end of the call.
    call.on("error", (error) => this.#log.debug("a call of a device failed", { error }));
    const enter = (principal: Principal) => this.#enter(call, sender, principal, open);
    const refuse = (error: unknown) => this.#refuse(call, sender, error);
    try {
      const principal = this.#access.authenticate(credentialsOf(call.metadata), addressOf(call.getPeer()));
      if (principal instanceof Promise) principal.then(enter).catch(refuse);
      else enter(principal);
    } catch (error) {
      refuse(error);
    }
  }

  /** Throws why the principal gets no stream. */
  #enter<Out>(
    call: StreamingCall<Out>,
    sender: CallSender<Out>,
    principal: Principal,
    open: OpenStream,
  ): void {
    // The call may have ended while its credential was checked.
    if (sender.isOver) return;
    if (this.#open.size >= maxDeviceStreams) throw new WavecacheError("DEVICES_EXHAUSTED");
    const deviceId = deviceIdOf(call.metadata);
    principal.require("device", resourceOf("devices", deviceId));
    const release = principal.usage.openConnection();
    let stream: DeviceStream;
    try {
      stream = open(deviceId);
    } catch (error) {
      release();
      throw error;
    }
    const forget = principal.whenOver(() =>
      this.#refuse(call, sender, new WavecacheError("UNAUTHENTICATED")),
    );
    this.#track(call, stream, () => {
      forget();
      release();
    });
    // A device that closes its side of a stream has left the stream.
    call.on("end", () => sender.end());
  }

  #track(call: StreamingCall<never>, stream: DeviceStream, forget: () => void): void {
    this.#open.add(call);
    this.#meter.opened();
    const closed = () => {
      if (!this.#open.delete(call)) return;
      this.#meter.closed();
      forget();
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

type OpenStream = (deviceId: string) => DeviceStream;

function credentialsOf(metadata: Metadata): Credentials {
  const [header] = metadata.get("authorization");
  return { secret: secretOfHeader(header === undefined ? null : String(header)) };
}

/** grpc-js writes a peer as `address:port`, without brackets. */
function addressOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(":"));
}

/** Throws BAD_DEVICE_ID unless there is exactly one. The engine checks its form. */
function deviceIdOf(metadata: Metadata): string {
  const [id, ...more] = metadata.get(deviceIdKey);
  if (typeof id !== "string" || more.length > 0) throw new WavecacheError("BAD_DEVICE_ID");
  return id;
}
