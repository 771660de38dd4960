/**
 * A simulated device: six LEDs, four buttons, a speaker and a battery. The server has all the logic; the device executes
 * its requests, reports its state, and reconnects when the connection is lost.
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
import { isDeviceId } from "../../base/ids/device-id.ts";
import { AckQueue } from "./ack-queue.ts";
import { DeviceLink, type DeviceLinkOptions } from "./link.ts";
import { DeviceSound } from "./sound.ts";
import { ClientError } from "../errors.ts";
import { ackTimeoutMs, stableConnectionMs } from "../limits.ts";
import { defaultRetryPolicy, withRetries, type RetryPolicy } from "../transport/retry.ts";

export type ButtonName = keyof typeof buttons;
export type ButtonAction = keyof typeof buttonEvents;

/** Why a sound has ended: the server ended it, started another one, or the connection was lost. */
export type SoundEnd = "end" | "replaced" | "lost";

export type DeviceNotice =
  | { type: "connecting" }
  | { type: "connected" }
  | { type: "lost"; error: ClientError }
  /** Follows `lost`, or a failed attempt to connect. */
  | { type: "retrying"; error: ClientError; retry: number; delayMs: number }
  /** The server has set the LEDs. */
  | { type: "leds"; leds: Leds }
  /** The server has read the state. */
  | { type: "asked" }
  | { type: "button"; button: ButtonName; action: ButtonAction }
  | { type: "acked"; button: ButtonName; action: ButtonAction; ms: number }
  | { type: "sound-start"; sound: DeviceSound }
  /** `data` is one Opus packet. */
  | { type: "packet"; sound: DeviceSound; data: Uint8Array; lateMs: number }
  | { type: "sound-end"; sound: DeviceSound; end: SoundEnd };

export interface DeviceOptions extends DeviceLinkOptions {
  retry?: Partial<RetryPolicy>;
  /** Aborts the device; `run` then throws the signal's reason. */
  signal?: AbortSignal;
  /** Percent; by default it decreases slowly from 100. */
  battery?: number;
  /** A packet is late if it arrives less than this before its playback; 0 by default. */
  leadMs?: number;
  /** 5 s by default. */
  ackTimeoutMs?: number;
  onNotice?: (notice: DeviceNotice) => void;
}

export type DeviceConnectionState = "connecting" | "connected" | "closed";

const ledsOff: Leds = [0, 0, 0, 0, 0, 0];
/** A full battery lasts about eight hours. */
const batteryMsPerPercent = 5 * 60_000;

export class Device {
  readonly deviceId: string;
  readonly #options: DeviceOptions;
  readonly #closing = new AbortController();
  readonly #acks: AckQueue;
  readonly #startedMs = performance.now();
  readonly #held = new Set<ButtonName>();
  #link: DeviceLink | undefined;
  #connection: DeviceConnectionState = "connecting";
  #leds: Leds = ledsOff;
  #sound: DeviceSound | undefined;
  #connections = 0;
  /** Lost connections that had been stable. */
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

  get connection(): DeviceConnectionState {
    return this.#connection;
  }

  /** The LEDs of the last `set`. It includes led_0, which devices have but do not show. */
  get leds(): Leds {
    return this.#leds;
  }

  /** The sound that it receives now; undefined if there is none. */
  get sound(): DeviceSound | undefined {
    return this.#sound;
  }

  /** Percent. */
  get battery(): number {
    const usedPercent = (performance.now() - this.#startedMs) / batteryMsPerPercent;
    return this.#options.battery ?? Math.max(0, 100 - usedPercent);
  }

  /** Successful connections. */
  get connections(): number {
    return this.#connections;
  }

  /** `set` requests answered. */
  get sets(): number {
    return this.#sets;
  }

  /** `get` requests answered. */
  get gets(): number {
    return this.#gets;
  }

  /** Sounds started, which is the number of the last one. */
  get sounds(): number {
    return this.#sounds;
  }

  /** The number of the last sound that has ended; 0 if none has. */
  get endedSound(): number {
    return this.#endedSound;
  }

  /** Packets of all sounds. */
  get packets(): number {
    return this.#packets;
  }

  /** Bytes in the packets of all sounds. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Connects, reconnects when the connection is lost, and resolves after `close`. Throws ClientError (TAKEN_OVER, REFUSED,
   * errors of the connection after the policy's retries), or the reason of the signal.
   */
  async run(): Promise<void> {
    const { signal, retry } = this.#options;
    const ends = [this.#closing.signal, signal].filter((each) => each !== undefined);
    const hooks = {
      signal: AbortSignal.any(ends),
      progress: () => this.#stableLosses,
      onRetry: ({ error, retry, delayMs }: { error: ClientError; retry: number; delayMs: number }) =>
        this.#notify({ type: "retrying", error, retry, delayMs }),
    };
    try {
      await withRetries({ ...defaultRetryPolicy, ...retry }, hooks, () => this.#attempt(hooks.signal));
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    } finally {
      this.#connection = "closed";
    }
  }

  /** Closes the connection and ends `run`. */
  close(): void {
    this.#closing.abort();
  }

  /**
   * Presses a button briefly; resolves with the milliseconds until the server has acknowledged it. Sends no release after
   * it, since older servers handle every event as a press. Like `hold` and `release`, it throws CONNECTION_LOST without a
   * connection, REFUSED, ANSWER_TIMEOUT, or BUSY.
   */
  press(button: ButtonName): Promise<number> {
    return this.#send(button, "press");
  }

  /** Holds a button down until `release`. */
  hold(button: ButtonName): Promise<number> {
    this.#held.add(button);
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
    this.#notify({ type: "button", button, action });
    link.press({ button_id: buttons[button], event: buttonEvents[action] });
    const ms = await this.#acks.add(`${action} of ${button}`);
    this.#notify({ type: "acked", button, action, ms });
    return ms;
  }

  /** One connection. Always throws: when it is lost, or when the signal aborts. */
  async #attempt(signal: AbortSignal): Promise<never> {
    this.#connection = "connecting";
    this.#notify({ type: "connecting" });
    const { promise, reject } = Promise.withResolvers<never>();
    let connectedMs = Infinity;
    const link = DeviceLink.open(
      this.#options,
      {
        onRequest: (request) => this.#answer(request),
        onAck: (ack) => this.#acks.settle(ack),
        onPacket: (packet) => this.#receive(packet),
        onAudioEnd: () => this.#endSound("end"),
        onLost: reject,
      },
      () => {
        connectedMs = performance.now();
        this.#connection = "connected";
        this.#connections++;
        this.#notify({ type: "connected" });
      },
    );
    this.#link = link;
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      return await promise;
    } catch (error) {
      this.#onDisconnect(error, connectedMs);
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      link.close();
    }
  }

  #onDisconnect(error: unknown, connectedMs: number): void {
    const wasConnected = this.#connection === "connected";
    this.#link = undefined;
    this.#connection = "connecting";
    if (performance.now() - connectedMs >= stableConnectionMs) this.#stableLosses++;
    this.#held.clear();
    this.#endSound("lost");
    const cause =
      error instanceof ClientError ? error : new ClientError("CONNECTION_LOST", "the device was closed");
    this.#acks.fail(cause);
    if (wasConnected && cause === error) this.#notify({ type: "lost", error: cause });
  }

  #answer({ set, get }: DeviceStatusRequest): DeviceStatusResponse | undefined {
    if (set !== undefined) {
      this.#leds = toLeds(set);
      this.#sets++;
      this.#notify({ type: "leds", leds: this.#leds });
      return { status: statusSuccess };
    }
    if (get === undefined) return undefined;
    this.#gets++;
    this.#notify({ type: "asked" });
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

  /** Some servers mark starts and ends wrongly, so every packet belongs to a sound, marked or not. */
  #receive({ is_start, is_end, data }: AudioPacket): void {
    if (is_start) this.#endSound("replaced");
    if (data.length > 0) this.#addToSound(data);
    if (is_end) this.#endSound("end");
  }

  #addToSound(data: Uint8Array): void {
    const now = performance.now();
    if (this.#sound === undefined) {
      this.#sound = new DeviceSound(++this.#sounds, now, this.#options.leadMs ?? 0);
      this.#notify({ type: "sound-start", sound: this.#sound });
    }
    const sound = this.#sound;
    this.#packets++;
    this.#bytes += data.length;
    this.#notify({ type: "packet", sound, data, lateMs: sound.add(data.length, now) });
  }

  #endSound(end: SoundEnd): void {
    const sound = this.#sound;
    if (sound === undefined) return;
    this.#sound = undefined;
    this.#endedSound = sound.number;
    this.#notify({ type: "sound-end", sound, end });
  }

  #notify(notice: DeviceNotice): void {
    this.#options.onNotice?.(notice);
  }
}
