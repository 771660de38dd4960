/** The device gateway and its engine within the test: a real gRPC port, fake sounds and a store in memory. */
import type { EventWriter } from "../../../engine/events/event-writer.ts";
import type { EventData, EventType } from "../../../store/events/types.ts";
import { openAccess } from "../../../access/access.ts";
import { GatewayMeter } from "../../../base/gateway-meter.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { type Fields, type Log } from "../../../base/log/log.ts";
import { Devices, type DeviceSettings, type DeviceStore } from "../../../engine/devices/devices.ts";
import type { Sound, SoundSource } from "../../../engine/sounds/sound.ts";
import { DeviceGateway, type DeviceGatewaySettings } from "../../../gateways/devices/gateway.ts";
import { connectionLimit } from "../../fixtures/connection-limit.ts";
import type { DeviceRow } from "../../../store/devices/catalog.ts";

/** A recognizable packet: number `n` of the sound of a mode. */
export function fakePacket(mode: number, n: number): Uint8Array {
  return Uint8Array.of(0xf8, mode, n >> 8, n & 0xff);
}

/** Sounds of given lengths, in packets of 20 ms. A mode without a length has no sound. */
export class FakeSounds implements SoundSource {
  readonly lengths: (number | undefined)[];
  /** Packets that a sound has when it is opened. */
  ready = Number.MAX_SAFE_INTEGER;
  /** Sounds that are open. */
  playing = 0;
  opened = 0;
  failsAfter: number | undefined;

  constructor(lengths: (number | undefined)[] = [10, 10, 10, 10, 10, 10]) {
    this.lengths = lengths;
  }

  open(mode: number): Promise<Sound> {
    const length = this.lengths[mode];
    if (length === undefined) return Promise.reject(new WavecacheError("SOUND_UNKNOWN"));
    this.playing += 1;
    this.opened += 1;
    return Promise.resolve(new FakeSound(mode, length, this));
  }
}

/** Packets beyond the ready ones become available a few at a time. */
class FakeSound implements Sound {
  readonly packets: Uint8Array[];
  readonly #mode: number;
  readonly #length: number;
  readonly #sounds: FakeSounds;
  #released = false;

  constructor(mode: number, length: number, sounds: FakeSounds) {
    this.#mode = mode;
    this.#length = length;
    this.#sounds = sounds;
    this.packets = [];
    this.#make(Math.min(length, sounds.ready));
  }

  get isComplete(): boolean {
    return this.packets.length === this.#length;
  }

  async waitBeyond(count: number): Promise<void> {
    if (this.packets.length > count || this.isComplete) return;
    await Bun.sleep(5);
    if (this.packets.length >= (this.#sounds.failsAfter ?? Number.MAX_SAFE_INTEGER))
      throw new Error("cannot be made");
    this.#make(Math.min(this.#length, count + 5));
  }

  release(): void {
    if (this.#released) throw new Error("released twice");
    this.#released = true;
    this.#sounds.playing -= 1;
  }

  #make(count: number): void {
    while (this.packets.length < count) this.packets.push(fakePacket(this.#mode, this.packets.length));
  }
}

/** A device store in memory. */
export class MemoryStore implements DeviceStore {
  readonly rows = new Map<string, DeviceRow>();
  saves = 0;
  fails = false;

  load(): Promise<DeviceRow[]> {
    return Promise.resolve([...this.rows.values()].sort((a, b) => a.seenAt - b.seenAt));
  }

  save(devices: DeviceRow[], forgotten: string[]): Promise<void> {
    if (this.fails) return Promise.reject(new WavecacheError("WORKER_LOST"));
    this.saves += 1;
    for (const device of devices) this.rows.set(device.deviceId, device);
    for (const deviceId of forgotten) this.rows.delete(deviceId);
    return Promise.resolve();
  }
}

/** A log that keeps its lines. */
export class MemoryLog implements Log {
  readonly lines: string[] = [];

  debug(): void {}

  info(message: string, fields?: Fields): void {
    this.#keep(message, fields);
  }

  warn(message: string, fields?: Fields): void {
    this.#keep(message, fields);
  }

  error(message: string, fields?: Fields): void {
    this.#keep(message, fields);
  }

  #keep(message: string, fields: Fields = {}): void {
    const shown = Object.entries(fields).map(
      ([name, value]) => `${name}=${value instanceof Error ? value.message : String(value)}`,
    );
    this.lines.push([message, ...shown].join(" "));
  }
}

/** Keeps events in memory. */
export class MemoryEvents implements EventWriter {
  readonly all: { type: EventType; subject: string; data: object }[] = [];

  add<T extends EventType>(type: T, subject: string, data: EventData<T>): void {
    this.all.push({ type, subject, data });
  }
}

export interface DeviceServerOptions extends Partial<DeviceSettings> {
  sounds?: FakeSounds;
  store?: MemoryStore;
  gateway?: Partial<DeviceGatewaySettings>;
}

export class DeviceServer {
  readonly devices: Devices;
  readonly sounds: FakeSounds;
  readonly store: MemoryStore;
  readonly meter: GatewayMeter;
  readonly log: MemoryLog;
  readonly #gateway: DeviceGateway;

  /** Without the flash of the LEDs by default, since it would add requests. */
  static async start(options: DeviceServerOptions = {}): Promise<DeviceServer> {
    const { sounds = new FakeSounds(), store = new MemoryStore(), leadMs = 1000, flashMs = 0 } = options;
    const log = new MemoryLog();
    const devices = new Devices({ store, sounds, events: new MemoryEvents() }, { leadMs, flashMs }, log);
    await devices.open();
    const meter = new GatewayMeter("devices");
    const gateway = await DeviceGateway.open({
      access: openAccess,
      host: "127.0.0.1",
      port: 0,
      certificates: undefined,
      devices,
      limit: connectionLimit(),
      meter,
      log,
      ...options.gateway,
    });
    return new DeviceServer(devices, sounds, store, meter, log, gateway);
  }

  private constructor(
    devices: Devices,
    sounds: FakeSounds,
    store: MemoryStore,
    meter: GatewayMeter,
    log: MemoryLog,
    gateway: DeviceGateway,
  ) {
    this.devices = devices;
    this.sounds = sounds;
    this.store = store;
    this.meter = meter;
    this.log = log;
    this.#gateway = gateway;
  }

  get port(): number {
    return this.#gateway.port;
  }

  /** Whether no device holds any resource. */
  get isQuiet(): boolean {
    const { devices, sounds, meter } = this;
    return (
      devices.connected === 0 && devices.playing === 0 && sounds.playing === 0 && meter.connections === 0
    );
  }

  async close(): Promise<void> {
    await this.devices.close();
    await this.#gateway.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
