/**
 * A device: six LEDs, four buttons, a speaker and a battery, with all logic at the server. It does as it is told, answers
 * what it is asked, and connects again when the connection is lost.
 */
import {
  type AudioPacket,
  buttonEvents,
  buttonPressed,
  buttonReleased,
  buttons,
  type DeviceStatusRequest,
  type DeviceStatusResponse,
  type Leds,
  statusSuccess,
  toLedFields,
  toLeds,
} from "../../wire/devices.ts";
import { isDeviceId } from "../../base/device-id.ts";
import { AckQueue } from "./ack-queue.ts";
import { DeviceLink, type DeviceLinkOptions } from "./link.ts";
import { DeviceSound } from "./sound.ts";
import { ClientError } from "../errors.ts";
import { ackTimeoutMs, stableConnectionMs } from "../limits.ts";
import { defaultRetryPolicy, withRetries, type RetryPolicy } from "../transport/retry.ts";

export type ButtonName = keyof typeof buttons;
export type ButtonAction = keyof typeof buttonEvents;

/** Why a sound is over: the server said so, began another one, or was lost. */
export type SoundEnd = "end" | "replaced" | "lost";

export type DeviceNotice =
  | { type: "connecting" }
  | { type: "connected" }
  | { type: "lost"; error: ClientError }
  /** `lost` comes before it, or the connection could not be made. */
  | { type: "retrying"; error: ClientError; retry: number; delayMs: number }
  /** A `set`, answered. */
  | { type: "leds"; leds: Leds }
  /** A `get`, answered. */
  | { type: "asked" }
  | { type: "button"; button: ButtonName; action: ButtonAction }
  | { type: "acked"; button: ButtonName; action: ButtonAction; ms: number }
  | { type: "sound-start"; sound: DeviceSound }
  /** `data` is one Opus packet. */
  | { type: "packet"; sound: DeviceSound; data: Uint8Array; lateMs: number }
  | { type: "sound-end"; sound: DeviceSound; end: SoundEnd };

export interface DeviceOptions extends DeviceLinkOptions {
  retry?: Partial<RetryPolicy>;
  /** Ends the device; `run` then throws the signal's reason. */
  signal?: AbortSignal;
  /** Percent; by default it falls slowly from 100. */
  battery?: number;
  /** Packets are late that come later than this before they are to be heard; 0 by default. */
  leadMs?: number;
  ackTimeoutMs?: number;
  onNotice?: (notice: DeviceNotice) => void;
}

export type DeviceConnection = "connecting" | "connected" | "closed";

const ledsOff: Leds = [0, 0, 0, 0, 0, 0];
/** A device lasts about eight hours. */
const batteryMsPerPercent = 5 * 60_000;

export class Device {
  readonly deviceId: string;
  readonly #options: DeviceOptions;
  readonly #closing = new AbortController();
  readonly #acks: AckQueue;
  readonly #startedMs = performance.now();
  readonly #held = new Set<ButtonName>();
  #link: DeviceLink | undefined;
  #connection: DeviceConnection = "connecting";
  #leds: Leds = ledsOff;
  #sound: DeviceSound | undefined;
  #connections = 0;
  /** Connections that had held for long when they were lost. */
  #stableLosses = 0;
  #sets = 0;
  #gets = 0;
  #sounds = 0;
  #endedSound = 0;
  #packets = 0;
  #bytes = 0;

  constructor(options: DeviceOptions) {
    if (!isDeviceId(options.deviceId)) {
      const hint = "use 1 to 128 letters, digits, '-', '_', '.' or ':'";
      throw new ClientError("BAD_ARGUMENT", `device id "${options.deviceId}"`, hint);
    }
    this.#options = options;
    this.deviceId = options.deviceId;
    this.#acks = new AckQueue(options.ackTimeoutMs ?? ackTimeoutMs);
  }

  get connection(): DeviceConnection {
    return this.#connection;
  }

  /** What the last `set` said, led_0 too, which devices have but do not show. */
  get leds(): Leds {
    return this.#leds;
  }

  /** What it gets now; undefined in silence. */
  get sound(): DeviceSound | undefined {
    return this.#sound;
  }

  /** Percent. */
  get battery(): number {
    const usedPercent = (performance.now() - this.#startedMs) / batteryMsPerPercent;
    return this.#options.battery ?? Math.max(0, 100 - usedPercent);
  }

  /** How many times it has connected. */
  get connections(): number {
    return this.#connections;
  }

  /** Requests answered. */
  get sets(): number {
    return this.#sets;
  }

  get gets(): number {
    return this.#gets;
  }

  /** Sounds that have begun; their numbers go from 1 to this. */
  get sounds(): number {
    return this.#sounds;
  }

  /** Number of the last sound that is over; 0 before. */
  get endedSound(): number {
    return this.#endedSound;
  }

  /** Packets of all sounds, and the bytes in them. */
  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Connects and stays connected until `close`. Throws ClientError when that cannot be, or the signal's reason. */
  async run(): Promise<void> {
    const { signal, retry } = this.#options;
    const ends = [this.#closing.signal, signal].filter((each) => each !== undefined);
    const hooks = {
      signal: AbortSignal.any(ends),
      progress: () => this.#stableLosses,
      onRetry: ({ error, retry, delayMs }: { error: ClientError; retry: number; delayMs: number }) =>
        this.#tell({ type: "retrying", error, retry, delayMs }),
    };
    try {
      await withRetries({ ...defaultRetryPolicy, ...retry }, hooks, () => this.#attempt(hooks.signal));
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    } finally {
      this.#connection = "closed";
    }
  }

  /** Ends `run`, and the connection with it. */
  close(): void {
    this.#closing.abort();
  }

  /** Presses a button down; resolves with the milliseconds until the server has acknowledged it. */
  press(button: ButtonName): Promise<number> {
    this.#held.add(button);
    return this.#send(button, "press");
  }

  /** Tells that a pressed button stays down. */
  hold(button: ButtonName): Promise<number> {
    return this.#send(button, "hold");
  }

  release(button: ButtonName): Promise<number> {
    this.#held.delete(button);
    return this.#send(button, "release");
  }

  async #send(button: ButtonName, action: ButtonAction): Promise<number> {
    const link = this.#link;
    if (link === undefined || this.#connection !== "connected" || this.#closing.signal.aborted) {
      throw new ClientError("CONNECTION_LOST", "the device is not connected");
    }
    this.#tell({ type: "button", button, action });
    link.press({ button_id: buttons[button], event: buttonEvents[action] });
    const ms = await this.#acks.next(`${action} of ${button}`);
    this.#tell({ type: "acked", button, action, ms });
    return ms;
  }

  /** One connection, until it is lost or the signal aborts: rejects in either case. */
  async #attempt(signal: AbortSignal): Promise<never> {
    this.#connection = "connecting";
    this.#tell({ type: "connecting" });
    const { promise, reject } = Promise.withResolvers<never>();
    let connectedMs = Infinity;
    const link = DeviceLink.open(
      this.#options,
      {
        asked: (request) => this.#answer(request),
        acked: (ack) => this.#acks.settle(ack),
        packet: (packet) => this.#take(packet),
        silent: () => this.#endSound("end"),
        lost: reject,
      },
      () => {
        connectedMs = performance.now();
        this.#connection = "connected";
        this.#connections++;
        this.#tell({ type: "connected" });
      },
    );
    this.#link = link;
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      return await promise;
    } catch (error) {
      this.#disconnected(error, connectedMs);
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      link.close();
    }
  }

  #disconnected(error: unknown, connectedMs: number): void {
    const wasConnected = this.#connection === "connected";
    this.#link = undefined;
    this.#connection = "connecting";
    if (performance.now() - connectedMs >= stableConnectionMs) this.#stableLosses++;
    this.#held.clear();
    this.#endSound("lost");
    const cause =
      error instanceof ClientError ? error : new ClientError("CONNECTION_LOST", "the device was closed");
    this.#acks.fail(cause);
    if (wasConnected && cause === error) this.#tell({ type: "lost", error: cause });
  }

  #answer({ set, get }: DeviceStatusRequest): DeviceStatusResponse | undefined {
    if (set !== undefined) {
      this.#leds = toLeds(set);
      this.#sets++;
      this.#tell({ type: "leds", leds: this.#leds });
      return { status: statusSuccess };
    }
    if (get === undefined) return undefined;
    this.#gets++;
    this.#tell({ type: "asked" });
    return { state: this.#state() };
  }

  #state() {
    const button = (name: ButtonName) => (this.#held.has(name) ? buttonPressed : buttonReleased);
    const [, ...shown] = this.#leds;
    return {
      ...toLedFields([0, ...shown]),
      button_1: button("connect"),
      button_2: button("mode"),
      button_3: button("stop"),
      button_4: button("play"),
      battery_level: this.battery,
    };
  }

  /** Some servers mark neither beginning nor end as they should: a packet always belongs to a sound. */
  #take({ is_start, is_end, data }: AudioPacket): void {
    if (is_start) this.#endSound("replaced");
    if (data.length > 0) this.#hear(data);
    if (is_end) this.#endSound("end");
  }

  #hear(data: Uint8Array): void {
    const now = performance.now();
    if (this.#sound === undefined) {
      this.#sound = new DeviceSound(++this.#sounds, now, this.#options.leadMs ?? 0);
      this.#tell({ type: "sound-start", sound: this.#sound });
    }
    const sound = this.#sound;
    this.#packets++;
    this.#bytes += data.length;
    this.#tell({ type: "packet", sound, data, lateMs: sound.add(data.length, now) });
  }

  #endSound(end: SoundEnd): void {
    const sound = this.#sound;
    if (sound === undefined) return;
    this.#sound = undefined;
    this.#endedSound = sound.number;
    this.#tell({ type: "sound-end", sound, end });
  }

  #tell(notice: DeviceNotice): void {
    this.#options.onNotice?.(notice);
  }
}
