/** The devices' part of the server within the test: a real gRPC port, sounds of silence, and a store in memory. */
import { GatewayMeter } from "../../../base/gateway-meter.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { type Fields, type Log } from "../../../base/log.ts";
import { Devices, type DeviceSettings, type DeviceStore } from "../../../engine/devices/devices.ts";
import type { Sound, SoundSource } from "../../../engine/sounds/sound.ts";
import { DeviceGateway, type DeviceGatewaySettings } from "../../../gateways/devices/gateway.ts";
import type { DeviceRow } from "../../../store/devices/catalog.ts";

/** Packet `n` of the sound of a mode, to be told apart. */
export function fakePacket(mode: number, n: number): Uint8Array {
  return Uint8Array.of(0xf8, mode, n >> 8, n & 0xff);
}

/** Sounds that are as long as a test says, in packets of 20 ms; a mode without a length has no sound. */
export class FakeSounds implements SoundSource {
  readonly lengths: (number | undefined)[];
  /** Packets of a sound that are there when it is opened. */
  ready = Number.MAX_SAFE_INTEGER;
  /** Sounds that somebody plays. */
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

/** What is not there when it is opened comes a few packets at a time. */
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

  async beyond(count: number): Promise<void> {
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

/** Keeps rows as long as the test does. */
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

/** Keeps what is logged. */
export class KeptLog implements Log {
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

export interface DeviceServerOptions extends Partial<DeviceSettings> {
  sounds?: FakeSounds;
  store?: MemoryStore;
  door?: Partial<DeviceGatewaySettings>;
}

export class DeviceServer {
  readonly devices: Devices;
  readonly sounds: FakeSounds;
  readonly store: MemoryStore;
  readonly meter: GatewayMeter;
  readonly log: KeptLog;
  readonly #door: DeviceGateway;

  /** Without the flash, unless it is asked for. */
  static async start(options: DeviceServerOptions = {}): Promise<DeviceServer> {
    const { sounds = new FakeSounds(), store = new MemoryStore(), leadMs = 1000, flashMs = 0 } = options;
    const log = new KeptLog();
    const devices = new Devices(store, sounds, { leadMs, flashMs }, log);
    await devices.open();
    const meter = new GatewayMeter("devices");
    const door = await DeviceGateway.open({
      host: "127.0.0.1",
      port: 0,
      certificates: undefined,
      devices,
      meter,
      log,
      ...options.door,
    });
    return new DeviceServer(devices, sounds, store, meter, log, door);
  }

  private constructor(
    devices: Devices,
    sounds: FakeSounds,
    store: MemoryStore,
    meter: GatewayMeter,
    log: KeptLog,
    door: DeviceGateway,
  ) {
    this.devices = devices;
    this.sounds = sounds;
    this.store = store;
    this.meter = meter;
    this.log = log;
    this.#door = door;
  }

  get port(): number {
    return this.#door.port;
  }

  /** Whether nothing of any device is held any more. */
  get isQuiet(): boolean {
    const { devices, sounds, meter } = this;
    return (
      devices.connected === 0 && devices.playing === 0 && sounds.playing === 0 && meter.connections === 0
    );
  }

  async close(): Promise<void> {
    await this.devices.close();
    await this.#door.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
