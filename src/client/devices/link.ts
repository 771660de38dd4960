/**
 * One gRPC connection of a device with the three streams of `wire/devices.proto`; it ends with any of them. Only the
 * `status` event of a call tells how it ended: it comes always, and once.
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
import {
  type AudioPacket,
  type AudioStreamRequest,
  type ButtonEvent,
  type DeviceEvent,
  type DeviceEventResponse,
  deviceIdKey,
  deviceProtoOptions,
  deviceServiceName,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
} from "../../wire/devices.ts";
import { deviceProtoFile } from "../../wire/device-proto-file.ts";
import { ClientError, type ClientErrorCode } from "../errors.ts";
import { audioReopenMs, connectTimeoutMs } from "../limits.ts";
import { tlsOptions, type Trust } from "../transport/trust.ts";
import { authorization } from "../transport/credential.ts";

export interface DeviceLinkOptions {
  /** HOST:PORT. */
  address: string;
  deviceId: string;
  /** For a server that asks for one. */
  token?: string | undefined;
  /** Uses TLS if given, plain text otherwise. */
  tls?: Trust | undefined;
  connectTimeoutMs?: number;
}

export interface DeviceLinkHandlers {
  /** Returns the answer to a request of the server; undefined if the request is empty. */
  onRequest(request: DeviceStatusRequest): DeviceStatusResponse | undefined;
  onAck(ack: boolean): void;
  onPacket(packet: AudioPacket): void;
  /** The audio stream has ended without an error, and its sound with it. */
  onAudioEnd(): void;
  /** The connection has ended, other than by `close`. Called once. */
  onLost(error: ClientError): void;
}

type StatusCall = ClientDuplexStream<DeviceStatusResponse, DeviceStatusRequest>;
type EventCall = ClientDuplexStream<DeviceEvent, DeviceEventResponse>;
type AudioCall = ClientReadableStream<AudioPacket>;
type Call = StatusCall | EventCall | AudioCall;

const noDevicesHint = "is this the gRPC port of a Wavecache server?";

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
    const headers = Object.entries(authorization(options.token));
    for (const [name, value] of headers) this.#metadata.set(name, value);
    // By default gRPC clients of one process share a connection; each device needs its own.
    this.#client = new Client(options.address, credentialsOf(options), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
      ...(isIP(hostOf(options.address)) === 0 ? {} : { "grpc.ssl_target_name_override": ipServerName }),
    });
    this.#status = this.#openStatus();
    this.#events = this.#openEvents();
    this.#audio = this.#openAudio();
    this.#connecting = setTimeout(
      () => this.#lose(new ClientError("CONNECT_TIMEOUT", options.address, noDevicesHint)),
      options.connectTimeoutMs ?? connectTimeoutMs,
    );
  }

  /** Opens the streams, and calls `onReady` once they are connected. Failures go to `onLost`. */
  static open(options: DeviceLinkOptions, handlers: DeviceLinkHandlers, onReady: () => void): DeviceLink {
    const link = new DeviceLink(options, handlers);
    link.#awaitConnection(onReady);
    return link;
  }

  /** Sends a button event. */
  press(button_event: ButtonEvent): void {
    this.#events.write({ button_event });
  }

  /** Ends the streams and the connection. No handler is called after this. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#connecting);
    clearTimeout(this.#reopening);
    for (const call of [this.#status, this.#events, this.#audio]) call.cancel();
    this.#client.close();
  }

  /** Does not use `waitForReady`, because its timer can outlive a closed channel. */
  #awaitConnection(onReady: () => void): void {
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(true);
    if (state !== connectivityState.READY) {
      channel.watchConnectivityState(state, Infinity, () => {
        if (!this.#isOver) this.#awaitConnection(onReady);
      });
      return;
    }
    clearTimeout(this.#connecting);
    this.#isReady = true;
    onReady();
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
      const answer = this.#isOver ? undefined : this.#handlers.onRequest(request);
      // Backpressure: read no requests while the server does not read the answers.
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
      if (!this.#isOver) this.#handlers.onAck(ack);
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
      if (!this.#isOver) this.#handlers.onPacket(packet);
    });
    return this.#watched(call, (status) => this.#onAudioEnd(status));
  }

  /** Reopens the audio stream after a delay: a server that ends all streams may end this one first. */
  #onAudioEnd(status: StatusObject): void {
    if (status.code !== codes.OK) {
      this.#lose(this.#errorOf(status));
      return;
    }
    this.#handlers.onAudioEnd();
    this.#reopening = setTimeout(() => {
      this.#audio = this.#openAudio();
    }, audioReopenMs);
  }

  #watched<C extends Call>(call: C, onEnd: (status: StatusObject) => void): C {
    // Without a listener an error would end the process. The status that follows has the same information.
    call.on("error", () => undefined);
    call.on("status", (status) => {
      if (!this.#isOver) onEnd(status);
    });
    return call;
  }

  #lose(error: ClientError): void {
    this.close();
    this.#handlers.onLost(error);
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
        return new ClientError("UNEXPECTED", details, noDevicesHint);
      default:
        return new ClientError("CONNECTION_LOST", `${details} (gRPC status ${code})`);
    }
  }
}

/** Extracts "connect ECONNREFUSED 127.0.0.1:1" from the text that grpc-js puts around it. */
function causeIn(details: string): string {
  return details.replace(/^.*Last error: (?:Error: )?/s, "").replace(/\. Resolution note:.*$/s, "");
}

/** grpc-js reports a failed TLS handshake only as text. */
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

/** The server name (SNI) for an IP address, which TLS does not allow there. */
const ipServerName = "localhost";

function credentialsOf({ tls, address }: DeviceLinkOptions) {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, rejectUnauthorized } = tlsOptions(tls);
  return credentials.createSsl(ca === undefined ? null : Buffer.from(ca), null, null, {
    rejectUnauthorized,
    checkServerIdentity: (_name, certificate) => checkServerIdentity(hostOf(address), certificate),
  });
}

/** The host of HOST:PORT: "::1" of "[::1]:50051". */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

const methods = loadMethods();

function loadMethods() {
  const definition = loadSync(deviceProtoFile, deviceProtoOptions);
  // The type also allows messages and enums; this name is the service.
  const service = definition[deviceServiceName] as ServiceDefinition;
  // The loader does not type messages; the proto file and the options make them those of `wire/devices.ts`.
  return {
    status: service["StatusStream"] as MethodDefinition<DeviceStatusResponse, DeviceStatusRequest>,
    events: service["EventStream"] as MethodDefinition<DeviceEvent, DeviceEventResponse>,
    audio: service["ServerAudioStream"] as MethodDefinition<AudioStreamRequest, AudioPacket>,
  };
}
