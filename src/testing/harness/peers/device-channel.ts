/** The gRPC streams of devices to a server. The caller decides what a device sends on them. */
import {
  ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import {
  type AudioPacket,
  type AudioStreamRequest,
  type DeviceEvent,
  type DeviceEventResponse,
  deviceIdKey,
  deviceProtoOptions,
  deviceServiceName,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
} from "../../../wire/devices.ts";
import { deviceProtoFile } from "../../../wire/device-proto-file.ts";

export type StatusCall = ClientDuplexStream<DeviceStatusResponse, DeviceStatusRequest>;
export type EventCall = ClientDuplexStream<DeviceEvent, DeviceEventResponse>;
export type AudioCall = ClientReadableStream<AudioPacket>;

let loaded: ServiceDefinition | undefined;

/** The service definition, loaded once per process, which may open many channels. */
function deviceService(): ServiceDefinition {
  // The file's type allows messages and enums too, but this name is the service.
  loaded ??= loadSync(deviceProtoFile, deviceProtoOptions)[deviceServiceName] as ServiceDefinition;
  return loaded;
}

/** One HTTP/2 connection, for one or more devices. The caller must listen for `error` on every call. */
export class DeviceChannel {
  readonly #client: Client;
  readonly #service = deviceService();
  readonly #token: string | undefined;

  /** `address` is HOST:PORT. */
  constructor(
    address: string,
    credentials: ChannelCredentials = ChannelCredentials.createInsecure(),
    token?: string,
  ) {
    this.#token = token;
    // Without its own subchannel pool the library shares one connection among all channels to an address.
    this.#client = new Client(address, credentials, { "grpc.use_local_subchannel_pool": 1 });
  }

  openStatus(deviceId: string): StatusCall {
    const { path, requestSerialize, responseDeserialize } = this.#method("StatusStream");
    return this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadataOf(deviceId),
    );
  }

  openEvents(deviceId: string): EventCall {
    const { path, requestSerialize, responseDeserialize } = this.#method("EventStream");
    return this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadataOf(deviceId),
    );
  }

  openAudio(deviceId: string): AudioCall {
    const { path, requestSerialize, responseDeserialize } = this.#method("ServerAudioStream");
    const request: AudioStreamRequest = { start: true };
    return this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      this.#metadataOf(deviceId),
    );
  }

  /** Closes the connection, which cancels open calls. */
  close(): void {
    this.#client.close();
  }

  #method(name: string) {
    return this.#service[name]!;
  }

  #metadataOf(deviceId: string): Metadata {
    const metadata = new Metadata();
    metadata.set(deviceIdKey, deviceId);
    if (this.#token !== undefined) metadata.set("authorization", `Bearer ${this.#token}`);
    return metadata;
  }
}
