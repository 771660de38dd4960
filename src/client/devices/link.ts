/**
 * One connection of a device: the three streams of `wire/devices.proto` on a channel of its own, until one of them ends.
 * How calls end is read off their `status` alone, which always comes and comes once.
 */
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  Client,
  connectivityState,
  credentials,
  Metadata,
  type MethodDefinition,
  status as codes,
  type StatusObject,
} from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { fileURLToPath } from "node:url";
import {
  type AudioPacket,
  type AudioStreamRequest,
  type ButtonEvent,
  type DeviceEvent,
  type DeviceEventResponse,
  deviceIdKey,
  deviceProtoFile,
  deviceProtoOptions,
  deviceServiceName,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
} from "../../wire/devices.ts";
import { ClientError, type ClientErrorCode } from "../errors.ts";
import { audioReopenMs, connectTimeoutMs } from "../limits.ts";
import { tlsOptions, type Trust } from "../transport/trust.ts";

export interface DeviceLinkOptions {
  /** HOST:PORT. */
  address: string;
  deviceId: string;
  /** TLS, if this is given; plain text otherwise. */
  tls?: Trust | undefined;
  connectTimeoutMs?: number;
}

export interface DeviceLinkHandlers {
  /** The answer to a request of the server; undefined for a request that means nothing. */
  asked(request: DeviceStatusRequest): DeviceStatusResponse | undefined;
  acked(ack: boolean): void;
  packet(packet: AudioPacket): void;
  /** The audio stream has ended well, and with it the sound on it. */
  silent(): void;
  /** It is over, and is not what ended it. Comes once. */
  lost(error: ClientError): void;
}

type StatusCall = ClientDuplexStream<DeviceStatusResponse, DeviceStatusRequest>;
type EventCall = ClientDuplexStream<DeviceEvent, DeviceEventResponse>;
type AudioCall = ClientReadableStream<AudioPacket>;
type Call = StatusCall | EventCall | AudioCall;

const hintNoDevices = "is this the port of a server for devices?";

export class DeviceLink {
  readonly #options: DeviceLinkOptions;
  readonly #handlers: DeviceLinkHandlers;
  readonly #client: Client;
  readonly #metadata = new Metadata();
  readonly #status: StatusCall;
  readonly #events: EventCall;
  #audio: AudioCall;
  readonly #connecting: Timer;
  #reopening: Timer | undefined;
  #isReady = false;
  #isOver = false;

  private constructor(options: DeviceLinkOptions, handlers: DeviceLinkHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#metadata.set(deviceIdKey, options.deviceId);
    // Devices do not share connections, as clients of one program otherwise would.
    this.#client = new Client(options.address, credentialsOf(options), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
      ...(isIP(hostOf(options.address)) === 0 ? {} : { "grpc.ssl_target_name_override": nameOfAddresses }),
    });
    this.#status = this.#openStatus();
    this.#events = this.#openEvents();
    this.#audio = this.#openAudio();
    this.#connecting = setTimeout(
      () => this.#lose(new ClientError("CONNECT_TIMEOUT", options.address, hintNoDevices)),
      options.connectTimeoutMs ?? connectTimeoutMs,
    );
  }

  /** Opens the streams; `ready` is called when they have a connection. What fails is told to `lost`. */
  static open(options: DeviceLinkOptions, handlers: DeviceLinkHandlers, ready: () => void): DeviceLink {
    const link = new DeviceLink(options, handlers);
    link.#awaitConnection(ready);
    return link;
  }

  press(button_event: ButtonEvent): void {
    this.#events.write({ button_event });
  }

  /** Ends the streams and the connection; nothing is told any more. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#connecting);
    clearTimeout(this.#reopening);
    for (const call of [this.#status, this.#events, this.#audio]) call.cancel();
    this.#client.close();
  }

  /** Not by `waitForReady`, whose timer can outlive a channel that is closed. */
  #awaitConnection(ready: () => void): void {
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(true);
    if (state !== connectivityState.READY) {
      channel.watchConnectivityState(state, Infinity, () => {
        if (!this.#isOver) this.#awaitConnection(ready);
      });
      return;
    }
    clearTimeout(this.#connecting);
    this.#isReady = true;
    ready();
  }

  #openStatus(): StatusCall {
    const { path, requestSerialize, responseDeserialize } = methods.status;
    const call: StatusCall = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata,
    );
    call.on("data", (request: DeviceStatusRequest) => {
      const answer = this.#isOver ? undefined : this.#handlers.asked(request);
      // A server that does not take its answers is not listened to until it does.
      if (answer !== undefined && !call.write(answer)) call.pause();
    });
    call.on("drain", () => call.resume());
    return this.#watched(call, (status) => this.#lose(this.#errorOf(status)));
  }

  #openEvents(): EventCall {
    const { path, requestSerialize, responseDeserialize } = methods.events;
    const call: EventCall = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata,
    );
    call.on("data", ({ ack }: DeviceEventResponse) => {
      if (!this.#isOver) this.#handlers.acked(ack);
    });
    return this.#watched(call, (status) => this.#lose(this.#errorOf(status)));
  }

  #openAudio(): AudioCall {
    const { path, requestSerialize, responseDeserialize } = methods.audio;
    const call: AudioCall = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { start: true },
      this.#metadata,
    );
    call.on("data", (packet: AudioPacket) => {
      if (!this.#isOver) this.#handlers.packet(packet);
    });
    return this.#watched(call, (status) => this.#audioEnded(status));
  }

  /** Not at once: where a server ends all streams this one may be the first of them. */
  #audioEnded(status: StatusObject): void {
    if (status.code !== codes.OK) {
      this.#lose(this.#errorOf(status));
      return;
    }
    this.#handlers.silent();
    this.#reopening = setTimeout(() => {
      this.#audio = this.#openAudio();
    }, audioReopenMs);
  }

  #watched<C extends Call>(call: C, ended: (status: StatusObject) => void): C {
    // Without a listener an error ends the program; the status that follows says the same.
    call.on("error", () => undefined);
    call.on("status", (status) => {
      if (!this.#isOver) ended(status);
    });
    return call;
  }

  #lose(error: ClientError): void {
    this.close();
    this.#handlers.lost(error);
  }

  #errorOf({ code, details }: StatusObject): ClientError {
    switch (code) {
      case codes.OK:
      case codes.ABORTED:
        return new ClientError("TAKEN_OVER");
      case codes.UNAVAILABLE:
        if (this.#isReady) return new ClientError("CONNECTION_LOST", details);
        return unreachable(this.#options, causeIn(details));
      case codes.RESOURCE_EXHAUSTED:
        return new ClientError("BUSY", details);
      case codes.INVALID_ARGUMENT:
      case codes.NOT_FOUND:
      case codes.FAILED_PRECONDITION:
      case codes.PERMISSION_DENIED:
      case codes.UNAUTHENTICATED:
        return new ClientError("REFUSED", details);
      case codes.UNIMPLEMENTED:
        return new ClientError("UNEXPECTED", details, hintNoDevices);
      default:
        return new ClientError("CONNECTION_LOST", `${details} (gRPC status ${code})`);
    }
  }
}

/** "connect ECONNREFUSED 127.0.0.1:1" out of what grpc-js puts around it. */
function causeIn(details: string): string {
  return details.replace(/^.*Last error: (?:Error: )?/s, "").replace(/\. Resolution note:.*$/s, "");
}

/** Of a connection that failed in TLS grpc-js gives the text alone. */
const tlsFailures: readonly [text: RegExp, code: ClientErrorCode][] = [
  [/altname/i, "CERTIFICATE_OF_OTHER_HOST"],
  [/certificate has expired/i, "CERTIFICATE_EXPIRED"],
  [/certificate is not yet valid/i, "CERTIFICATE_TOO_NEW"],
  [/certificate/i, "CERTIFICATE_UNTRUSTED"],
  [/EPROTO|SSL routines|wrong version number/i, "NO_TLS"],
];

function unreachable({ address, tls }: DeviceLinkOptions, cause: string): ClientError {
  const failure = tls && tlsFailures.find(([text]) => text.test(cause));
  return failure === undefined
    ? new ClientError("UNREACHABLE", `${address} (${cause})`)
    : new ClientError(failure[1], address);
}

/** What TLS is told of a server that has no name: an address is not allowed there. */
const nameOfAddresses = "localhost";

function credentialsOf({ tls, address }: DeviceLinkOptions) {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, rejectUnauthorized } = tlsOptions(tls);
  return credentials.createSsl(ca === undefined ? null : Buffer.from(ca), null, null, {
    rejectUnauthorized,
    checkServerIdentity: (_name, certificate) => checkServerIdentity(hostOf(address), certificate),
  });
}

/** "::1" of "[::1]:50051". */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

const methods = loadMethods();

function loadMethods() {
  const definition = loadSync(fileURLToPath(deviceProtoFile), deviceProtoOptions);
  // The type of what a file defines allows messages and enums too; by this name it is the service.
  const service = definition[deviceServiceName] as ServiceDefinition;
  // Messages are objects to the loader; the proto file and its options make them the types of `wire/devices.ts`.
  return {
    status: service["StatusStream"] as MethodDefinition<DeviceStatusResponse, DeviceStatusRequest>,
    events: service["EventStream"] as MethodDefinition<DeviceEvent, DeviceEventResponse>,
    audio: service["ServerAudioStream"] as MethodDefinition<AudioStreamRequest, AudioPacket>,
  };
}
