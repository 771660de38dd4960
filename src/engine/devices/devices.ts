/** The rules about devices: which ones may connect, which ones are remembered, and when their state is saved. */
import { WavecacheError } from "../../base/errors.ts";
import { deviceSaveMs, maxConnectedDevices, maxRememberedDevices } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log/log.ts";
import { isDeviceId } from "../../base/ids/device-id.ts";
import type { Pool } from "../../pool/pool.ts";
import type { DeviceRow } from "../../store/devices/catalog.ts";
import { Device, type DeviceHost } from "./device.ts";
import type {
  AudioSink,
  AudioStream,
  DeviceSnapshot,
  EventSink,
  EventStream,
  StatusSink,
  StatusStream,
} from "./device-streams.ts";
import type { ButtonEventName, ButtonName, DeviceAction } from "./device-state.ts";
import type { SoundSource } from "../sounds/sound.ts";
import type { EventWriter } from "../events/event-writer.ts";
import { Ticker } from "../../base/ticker.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";

/** Stores devices across restarts. */
export interface DeviceStore {
  /** Resolves with all devices, the least recently seen first. */
  load(): Promise<DeviceRow[]>;
  save(devices: DeviceRow[], forgotten: string[]): Promise<unknown>;
}

/** Stores devices in the catalog. */
export function catalogStore({ keeper }: Pool): DeviceStore {
  return {
    load: () => keeper.call("listDevices", null),
    save: (devices, forgotten) => keeper.call("saveDevices", { devices, forgotten }),
  };
}

/** What devices are built on. */
export interface DevicesBase {
  store: DeviceStore;
  sounds: SoundSource;
  events: EventWriter;
}

export interface DeviceSettings {
  /** How far packets are sent ahead of playback. */
  leadMs: number;
  /** How long the LEDs flash when a device connects; 0 disables it. */
  flashMs: number;
}

/** Interval at which playbacks send what is due; a packet is late by less than this. */
const tickMs = 10;

export class Devices implements DeviceHost {
  readonly sounds: SoundSource;
  readonly ticker = new Ticker(tickMs);
  readonly #settings: DeviceSettings;
  readonly log: Log;
  readonly events: EventWriter;
  readonly #store: DeviceStore;
  readonly #all = new Map<string, Device>();
  readonly #connected = new Set<Device>();
  /** The other devices, in the order in which they left. */
  readonly #away = new Set<Device>();
  #changed = new Set<Device>();
  #forgotten = new Set<string>();
  #saveTimer: Timer | undefined;
  #saving: Promise<void> | undefined;
  #hasSaveFailed = false;
  #isOpen = false;
  #closing = false;
  readonly #watchers = new Set<(deviceId: string) => void>();

  constructor({ store, sounds, events }: DevicesBase, settings: DeviceSettings, log: Log) {
    this.#store = store;
    this.sounds = sounds;
    this.events = events;
    this.#settings = settings;
    this.log = log;
  }

  get leadMs(): number {
    return this.#settings.leadMs;
  }

  get flashMs(): number {
    return this.#settings.flashMs;
  }

  /** Loads the devices of earlier runs. Call it once the store is open. */
  async open(): Promise<void> {
    for (const row of await this.#store.load()) this.#remember(new Device(row, this));
    this.#forgetOldest();
    this.#isOpen = true;
  }

  /** Calls `onChange` with the id of each device whose state may have changed, or that was forgotten. Returns what ends that. */
  watch(onChange: (deviceId: string) => void): () => void {
    this.#watchers.add(onChange);
    return () => void this.#watchers.delete(onChange);
  }

  /** All devices that are remembered. */
  ids(): Iterable<string> {
    return this.#all.keys();
  }

  /** Number of connected devices. */
  get connected(): number {
    return this.#connected.size;
  }

  /** Number of sounds that play, or wait for their device. */
  get playing(): number {
    return this.ticker.size;
  }

  /**
   * Opens a device's status stream; `peer` names the channel that it comes over. The three `open` functions throw
   * BAD_DEVICE_ID, DEVICES_EXHAUSTED, STARTING or SHUTTING_DOWN.
   */
  openStatus(deviceId: string, peer: string, sink: StatusSink): StatusStream {
    return this.#admit(deviceId).openStatus(peer, sink);
  }

  openEvents(deviceId: string, peer: string, sink: EventSink): EventStream {
    return this.#admit(deviceId).openEvents(peer, sink);
  }

  openAudio(deviceId: string, peer: string, sink: AudioSink): AudioStream {
    return this.#admit(deviceId).openAudio(peer, sink);
  }

  /** As `find`; undefined if there is no such device. */
  peek(deviceId: string): DeviceSnapshot | undefined {
    return this.#all.get(deviceId)?.snapshot;
  }

  /** Throws DEVICE_UNKNOWN. */
  find(deviceId: string): DeviceSnapshot {
    return this.#find(deviceId).snapshot;
  }

  /** As `find`, after asking the device for its status. */
  async refresh(deviceId: string): Promise<DeviceSnapshot> {
    const device = this.#find(deviceId);
    await device.refresh();
    return device.snapshot;
  }

  /** Has the effect of a button. Throws DEVICE_UNKNOWN, DEVICE_AWAY. */
  act(deviceId: string, action: DeviceAction): DeviceSnapshot {
    const device = this.#find(deviceId);
    device.act(action);
    return device.snapshot;
  }

  /** As if the device had sent this event of a button. Throws DEVICE_UNKNOWN, DEVICE_AWAY, or why there is no sound. */
  async useButton(deviceId: string, button: ButtonName, event: ButtonEventName): Promise<DeviceSnapshot> {
    const device = this.#find(deviceId);
    await device.useButton(button, event);
    return device.snapshot;
  }

  /** As the play button. Also throws why the sound cannot be played. */
  async play(deviceId: string): Promise<DeviceSnapshot> {
    const device = this.#find(deviceId);
    await device.play();
    return device.snapshot;
  }

  /** Sets the mode, 0 to 5. Throws DEVICE_UNKNOWN. */
  setMode(deviceId: string, mode: number): DeviceSnapshot {
    const device = this.#find(deviceId);
    device.setMode(mode);
    return device.snapshot;
  }

  /** Ends every stream and saves what has changed. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const device of this.#connected) device.disconnect(new WavecacheError("SHUTTING_DOWN"));
    clearTimeout(this.#saveTimer);
    await this.#saving;
    await this.#save();
    clearTimeout(this.#saveTimer);
  }

  stateChanged({ deviceId }: Device): void {
    for (const watcher of this.#watchers) watcher(deviceId);
  }

  rowChanged(device: Device): void {
    this.#changed.add(device);
    this.#saveSoon();
  }

  connectionChanged(device: Device): void {
    const { deviceId } = device;
    this.log.info(device.isConnected ? "a device has connected" : "a device has left", { deviceId });
    this.#connected.delete(device);
    this.#away.delete(device);
    (device.isConnected ? this.#connected : this.#away).add(device);
  }

  #find(deviceId: string): Device {
    const device = this.#all.get(deviceId);
    if (device === undefined) throw new WavecacheError("DEVICE_UNKNOWN");
    return device;
  }

  #admit(deviceId: string): Device {
    if (this.#closing) throw new WavecacheError("SHUTTING_DOWN");
    if (!this.#isOpen) throw new WavecacheError("STARTING");
    if (!isDeviceId(deviceId)) throw new WavecacheError("BAD_DEVICE_ID");
    const known = this.#all.get(deviceId);
    if (known?.isConnected === true) return known;
    if (this.#connected.size >= maxConnectedDevices) throw new WavecacheError("DEVICES_EXHAUSTED");
    return known ?? this.#enter(deviceId);
  }

  #enter(deviceId: string): Device {
    const at = sharedNow();
    const device = new Device({ deviceId, mode: 0, report: null, createdAt: at, seenAt: at }, this);
    this.#remember(device);
    this.#forgetOldest();
    return device;
  }

  #remember(device: Device): void {
    this.#all.set(device.deviceId, device);
    this.#away.add(device);
    this.#forgotten.delete(device.deviceId);
  }

  #forgetOldest(): void {
    while (this.#all.size > maxRememberedDevices) {
      const oldest = this.#away.values().next().value;
      if (oldest === undefined) return;
      this.#away.delete(oldest);
      this.#changed.delete(oldest);
      this.#all.delete(oldest.deviceId);
      this.#forgotten.add(oldest.deviceId);
      this.stateChanged(oldest);
      this.#saveSoon();
    }
  }

  #saveSoon(): void {
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = undefined;
      this.#saving = this.#save();
    }, deviceSaveMs);
  }

  async #save(): Promise<void> {
    const [changed, forgotten] = [this.#changed, this.#forgotten];
    if (changed.size + forgotten.size === 0) return;
    [this.#changed, this.#forgotten] = [new Set(), new Set()];
    try {
      await this.#store.save(
        Array.from(changed, (device) => device.row),
        [...forgotten],
      );
      this.#hasSaveFailed = false;
    } catch (error) {
      this.#retryLater(changed, forgotten, error);
    }
  }

  #retryLater(changed: Set<Device>, forgotten: Set<string>, error: unknown): void {
    if (!this.#hasSaveFailed) this.log.error("the state of devices could not be kept", { error });
    this.#hasSaveFailed = true;
    for (const device of changed) {
      if (this.#all.get(device.deviceId) === device) this.#changed.add(device);
    }
    for (const deviceId of forgotten) {
      if (!this.#all.has(deviceId)) this.#forgotten.add(deviceId);
    }
    if (!this.#closing) this.#saveSoon();
  }
}
