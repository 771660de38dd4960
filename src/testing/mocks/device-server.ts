/**
 * An in-memory device server, written from the protocol's description. It records what devices send and misbehaves on
 * request. Packets of a sound are sent all at once, or paced by `packetMs`.
 */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import {
  type AudioPacket,
  type AudioStreamRequest,
  type ButtonEvent,
  type DeviceEvent,
  type DeviceEventResponse,
  deviceProtoOptions,
  deviceServiceName,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
  toLedFields,
} from "../../wire/devices.ts";
import { deviceProtoFile } from "../../wire/device-proto-file.ts";

export interface MockDeviceBehaviour {
  /** The sound of Play. */
  sound?: readonly Uint8Array[];
  /** Pause between packets; by default there is none. */
  packetMs?: number;
  /** Overrides the acknowledgement of an event; undefined sends none. */
  acks?: (event: ButtonEvent) => boolean | undefined;
  /** Handles every event as a press of its button, also its release, as older servers do. */
  countsEveryEvent?: boolean;
  /** Sends no `is_start`, and ends the audio stream instead of sending `is_end`. */
  marksNothing?: boolean;
  /** Rejects every stream with this status. */
  refuses?: { code: number; details: string };
  /** Serves TLS if given. */
  certificate?: { cert: string; key: string };
}

type StatusCall = ServerDuplexStream<DeviceStatusResponse, DeviceStatusRequest>;
type EventCall = ServerDuplexStream<DeviceEvent, DeviceEventResponse>;
type AudioCall = ServerWritableStream<AudioStreamRequest, AudioPacket>;

const none = new Uint8Array(0);

export class MockDeviceServer {
  readonly #server = new Server();
  readonly #behaviour: MockDeviceBehaviour;
  readonly #devices = new Map<string, MockDevice>();
  #last: MockDevice;
  /** The device id of each stream, in order of opening. */
  readonly ids: string[] = [];
  /** Open streams of all kinds. */
  openCalls = 0;
  address = "";

  static async start(behaviour: MockDeviceBehaviour = {}, port = 0): Promise<MockDeviceServer> {
    const mock = new MockDeviceServer(behaviour);
    const definition = loadSync(deviceProtoFile, deviceProtoOptions);
    mock.#server.addService(definition[deviceServiceName] as ServiceDefinition, {
      StatusStream: (call: StatusCall) => mock.#admit(call)?.openStatus(call),
      EventStream: (call: EventCall) => mock.#admit(call)?.openEvents(call),
      ServerAudioStream: (call: AudioCall) => mock.#admit(call)?.openAudio(call),
    });
    mock.address = `127.0.0.1:${await mock.#bind(port)}`;
    return mock;
  }

  private constructor(behaviour: MockDeviceBehaviour) {
    this.#behaviour = behaviour;
    this.#last = new MockDevice(behaviour);
  }

  /** The device that opened the last stream; before the first stream, a device that has sent nothing. */
  get device(): MockDevice {
    return this.#last;
  }

  /** Cuts all connections. */
  stop(): void {
    for (const device of this.#devices.values()) device.stopSound();
    this.#server.forceShutdown();
  }

  #bind(port: number): Promise<number> {
    const { certificate } = this.#behaviour;
    const pair = certificate && {
      cert_chain: Buffer.from(certificate.cert),
      private_key: Buffer.from(certificate.key),
    };
    const credentials =
      pair === undefined ? ServerCredentials.createInsecure() : ServerCredentials.createSsl(null, [pair]);
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  }

  #admit(call: StatusCall | EventCall | AudioCall): MockDevice | undefined {
    const { refuses } = this.#behaviour;
    call.on("error", () => undefined);
    if (refuses !== undefined) {
      call.emit("error", { ...refuses, metadata: new Metadata() });
      return undefined;
    }
    const id = String(call.metadata.get("device_id")[0]);
    this.ids.push(id);
    this.openCalls++;
    call.on("close", () => this.openCalls--);
    const device = this.#devices.get(id) ?? new MockDevice(this.#behaviour);
    this.#devices.set(id, device);
    this.#last = device;
    return device;
  }
}

/** The server's state of one device. */
class MockDevice {
  readonly #behaviour: MockDeviceBehaviour;
  /** The streams that were opened last. */
  status: StatusCall | undefined;
  audio: AudioCall | undefined;
  /** Everything received, in order. */
  readonly answers: DeviceStatusResponse[] = [];
  readonly events: ButtonEvent[] = [];
  audioStreams = 0;
  #mode = 0;
  #playing: Timer | undefined;

  constructor(behaviour: MockDeviceBehaviour) {
    this.#behaviour = behaviour;
  }

  ask(request: DeviceStatusRequest): void {
    this.status?.write(request);
  }

  send(packet: Partial<AudioPacket>): void {
    this.audio?.write({ is_start: false, is_end: false, data: none, ...packet });
  }

  stopSound(): void {
    clearInterval(this.#playing);
    this.#playing = undefined;
  }

  openStatus(call: StatusCall): void {
    this.status = call;
    call.on("data", (answer: DeviceStatusResponse) => this.answers.push(answer));
    this.#show();
  }

  openEvents(call: EventCall): void {
    call.on("data", ({ button_event }: DeviceEvent) => {
      this.events.push(button_event!);
      if (this.#isPress(button_event!)) this.#pressed(button_event!.button_id);
      const ack = this.#behaviour.acks === undefined ? true : this.#behaviour.acks(button_event!);
      if (ack !== undefined) call.write({ ack });
    });
  }

  openAudio(call: AudioCall): void {
    this.audio = call;
    this.audioStreams++;
  }

  /** Holding Stop is a press of it. */
  #isPress({ button_id, event }: ButtonEvent): boolean {
    return this.#behaviour.countsEveryEvent === true || event === 0 || (event === 1 && button_id === 2);
  }

  #pressed(button: number): void {
    if (button === 1) this.#mode = (this.#mode % 5) + 1;
    if (button === 2) this.#stop();
    if (button !== 0) this.#show();
    if (button === 3) this.#play();
  }

  #stop(): void {
    this.#mode = 0;
    if (this.#playing === undefined) return;
    this.stopSound();
    this.send({ is_end: true });
  }

  #play(): void {
    const { sound = [], packetMs } = this.#behaviour;
    let next = 0;
    const sendNext = () => {
      if (next < sound.length) this.#sendPacket(sound[next]!, next++);
      else this.#finish();
    };
    this.stopSound();
    if (packetMs === undefined) for (let turn = 0; turn <= sound.length; turn++) sendNext();
    else this.#playing = setInterval(sendNext, packetMs);
  }

  #sendPacket(data: Uint8Array, index: number): void {
    this.send({ is_start: index === 0 && this.#behaviour.marksNothing !== true, data });
  }

  #finish(): void {
    this.stopSound();
    if (this.#behaviour.marksNothing) this.audio?.end();
    else this.send({ is_end: true });
  }

  #show(): void {
    const led = (number: number) => (number === this.#mode && number > 0 ? 0xff00ffff : 0);
    this.ask({ set: toLedFields([led(0), led(1), led(2), led(3), led(4), led(5)]) });
  }
}
