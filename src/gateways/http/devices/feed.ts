/**
 * Sends the state of devices to all clients that follow them: first all devices, then those that change. Nothing of it is
 * kept. A client gets the latest state of each device; one that reads slowly gets fewer states, never an older one last.
 */
import { resourceOf } from "../../../access/actions.ts";
import type { Principal } from "../../../access/principal.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import { eventKeepaliveMs } from "../../../base/limits/events.ts";
import { deviceFeedMs, maxDeviceFollowers, maxFeedDevices } from "../../../base/limits/devices.ts";
import {
  type DeviceDescription,
  describeDevice,
  recordedIds,
  type RunningRecordings,
} from "./description.ts";

/** What the feed needs of the engine. */
export interface WatchedDevices extends RunningRecordings {
  /** Every node that lives has sent its devices. */
  readonly isComplete: boolean;
  /** Resolves when that is so, or after a time limit. */
  complete(): Promise<void>;
  /** Calls back with the id of each device that may have changed, or that was forgotten. The result ends it. */
  watch(onChange: (deviceId: string) => void): () => void;
  ids(): Iterable<string>;
  /** Undefined if there is no such device. */
  peek(deviceId: string): DeviceDescription | undefined;
}

interface Follower {
  principal: Principal;
  matches: (deviceId: string) => boolean;
  controller: ReadableStreamDefaultController<Uint8Array>;
  meter: GatewayMeter;
  /** Ids of devices whose latest state is not sent. */
  pending: Set<string>;
  /** When it was sent something last, by `performance.now()`. */
  sentMs: number;
  /** As it was sent. */
  incomplete: boolean;
}

const encoder = new TextEncoder();

export class DeviceFeed {
  readonly #devices: WatchedDevices;
  readonly #followers = new Set<Follower>();
  #unwatch = (): void => {};
  #timer: Timer | undefined;
  /** At the last tick. */
  #recorded: ReadonlySet<string> = new Set();

  constructor(devices: WatchedDevices) {
    this.#devices = devices;
  }

  /** Server-sent events until the client leaves or its principal is over. Throws LISTENERS_EXHAUSTED. */
  follow(
    principal: Principal,
    matches: (deviceId: string) => boolean,
    meter: GatewayMeter,
  ): ReadableStream<Uint8Array> {
    if (this.#followers.size >= maxDeviceFollowers) throw new WavecacheError("LISTENERS_EXHAUSTED");
    let follower: Follower;
    let stopWaiting: () => void;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          follower = {
            principal,
            matches,
            controller,
            meter,
            pending: new Set(),
            sentMs: 0,
            incomplete: false,
          };
          this.#add(follower);
          stopWaiting = principal.whenOver(() => {
            if (this.#remove(follower)) controller.close();
          });
        },
        cancel: () => {
          stopWaiting();
          this.#remove(follower);
        },
      },
      { highWaterMark: 2 },
    );
  }

  #add(follower: Follower): void {
    if (this.#followers.size === 0) this.#start();
    this.#followers.add(follower);
    for (const id of this.#devices.ids()) note(follower, id);
    // The first event comes even if there is no device.
    this.#sendPending(follower);
  }

  #remove(follower: Follower): boolean {
    if (!this.#followers.delete(follower)) return false;
    if (this.#followers.size === 0) this.#stop();
    return true;
  }

  #start(): void {
    this.#recorded = recordedIds(this.#devices);
    this.#unwatch = this.#devices.watch((deviceId) => this.#note(deviceId));
    this.#timer = setInterval(() => this.#tick(), deviceFeedMs);
  }

  #stop(): void {
    this.#unwatch();
    clearInterval(this.#timer);
  }

  #note(deviceId: string): void {
    for (const follower of this.#followers) note(follower, deviceId);
  }

  #tick(): void {
    const recorded = recordedIds(this.#devices);
    const changed = [...recorded.symmetricDifference(this.#recorded)];
    this.#recorded = recorded;
    for (const id of changed) if (this.#devices.peek(id) !== undefined) this.#note(id);
    const now = performance.now();
    for (const follower of this.#followers) {
      // A client that has not read its last events gets no further ones.
      if ((follower.controller.desiredSize ?? 0) <= 0) continue;
      const isNews = follower.pending.size > 0 || follower.incomplete === this.#devices.isComplete;
      if (isNews) this.#sendPending(follower);
      else if (now - follower.sentMs >= eventKeepaliveMs) send(follower, ": keepalive\n\n");
    }
  }

  /** Sends one event; what does not fit stays pending. */
  #sendPending(follower: Follower): void {
    const { pending } = follower;
    const ids = [...pending].slice(0, maxFeedDevices);
    for (const id of ids) pending.delete(id);
    const found = ids.map((id) => ({ id, device: this.#devices.peek(id) }));
    const devices = found.flatMap(({ device }) =>
      device === undefined ? [] : [describeDevice(device, this.#recorded)],
    );
    const gone = found.filter(({ device }) => device === undefined).map(({ id }) => id);
    const incomplete = !this.#devices.isComplete;
    follower.incomplete = incomplete;
    send(follower, `event: devices\ndata: ${JSON.stringify({ devices, gone, incomplete })}\n\n`);
  }
}

function send(follower: Follower, text: string): void {
  const frame = encoder.encode(text);
  follower.sentMs = performance.now();
  follower.meter.bytesOut += frame.length;
  follower.controller.enqueue(frame);
}

function note({ principal, matches, pending }: Follower, deviceId: string): void {
  if (matches(deviceId) && principal.may("list", resourceOf("devices", deviceId))) pending.add(deviceId);
}
