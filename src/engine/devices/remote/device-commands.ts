/**
 * Commands to devices, wherever they are connected. A node subscribes to the commands of its connected devices; one that
 * is asked for a device of another node passes the command on.
 */
import { type ErrorCode, isErrorCode, toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import { deviceCommandMs } from "../../../base/limits/bus.ts";
import { type Bus, type BusMessage, subjectToken } from "../../../bus/bus.ts";
import {
  decodeDeviceAnswer,
  decodeDeviceCommand,
  type DeviceCommand,
  encodeDeviceAnswer,
  encodeDeviceCommand,
} from "../../../wire/cluster/devices.ts";
import type { ButtonEventName, ButtonName } from "../device-state.ts";
import type { DeviceSnapshot } from "../device-streams.ts";
import type { Devices } from "../devices.ts";
import type { PresentDevice } from "./cluster-devices.ts";
import { remoteOf, snapshotOf } from "./snapshots.ts";

/** The devices of this node. */
export type OwnDevices = Pick<
  Devices,
  "watch" | "peek" | "find" | "refresh" | "act" | "play" | "setMode" | "useButton"
>;

export class DeviceCommands {
  readonly #devices: OwnDevices;
  readonly #bus: Bus | undefined;
  readonly #place: { readonly node: string | null };
  /** What ends the subscription of each connected device. */
  readonly #subscribed = new Map<string, () => void>();
  #unwatch: () => void = () => {};

  /** `bus` reaches the other nodes; undefined on a single machine. `place` is this node. */
  constructor(devices: OwnDevices, bus: Bus | undefined, place: { readonly node: string | null }) {
    this.#devices = devices;
    this.#place = place;
    this.#bus = bus;
    if (bus !== undefined) this.#unwatch = devices.watch((id) => this.#share(bus, id));
  }

  /** These reject with DEVICE_UNKNOWN, and with NODE_UNREACHABLE if another node may have the device. */
  find(deviceId: string): Promise<PresentDevice> {
    return this.#run(deviceId, { op: "find" });
  }

  /** Asks the device for its state. */
  refresh(deviceId: string): Promise<PresentDevice> {
    return this.#run(deviceId, { op: "refresh" });
  }

  act(deviceId: string, action: "stop" | "mode"): Promise<PresentDevice> {
    return this.#run(deviceId, { op: "act", action });
  }

  setMode(deviceId: string, mode: number): Promise<PresentDevice> {
    return this.#run(deviceId, { op: "setMode", mode });
  }

  /** These two also reject with DEVICE_AWAY, and why the sound cannot be played. */
  play(deviceId: string): Promise<PresentDevice> {
    return this.#run(deviceId, { op: "play" });
  }

  useButton(deviceId: string, button: ButtonName, event: ButtonEventName): Promise<PresentDevice> {
    return this.#run(deviceId, { op: "useButton", button, event });
  }

  close(): void {
    this.#unwatch();
    for (const unsubscribe of this.#subscribed.values()) unsubscribe();
    this.#subscribed.clear();
  }

  async #run(deviceId: string, command: DeviceCommand): Promise<PresentDevice> {
    const isHere = this.#devices.peek(deviceId)?.connectedAt !== undefined;
    const remote = isHere ? undefined : await this.#ask(deviceId, command);
    if (remote !== undefined) return remote;
    return { ...(await apply(this.#devices, deviceId, command)), node: this.#place.node };
  }

  /** Undefined if no other node has the device. */
  async #ask(deviceId: string, command: DeviceCommand): Promise<PresentDevice | undefined> {
    const subject = subjectOf(deviceId);
    try {
      const message = await this.#bus?.request(subject, encodeDeviceCommand(command), deviceCommandMs);
      const answer = message && decodeDeviceAnswer(message);
      if (answer === undefined) return undefined;
      if ("error" in answer) throw new WavecacheError(codeOf(answer.error));
      return { ...snapshotOf(answer.device), node: answer.node };
    } catch (error) {
      // What this node remembers of a device is better than nothing.
      const isKnown = command.op === "find" && this.#devices.peek(deviceId) !== undefined;
      if (isKnown && toWavecacheError(error).code === "NODE_UNREACHABLE") return undefined;
      throw error;
    }
  }

  /** Subscribes to the commands of a device that has connected, until it has left. */
  #share(bus: Bus, deviceId: string): void {
    const isConnected = this.#devices.peek(deviceId)?.connectedAt !== undefined;
    const unsubscribe = this.#subscribed.get(deviceId);
    if (isConnected === (unsubscribe !== undefined)) return;
    unsubscribe?.();
    this.#subscribed.delete(deviceId);
    if (!isConnected) return;
    const receive = (message: BusMessage) => void this.#receive(deviceId, message);
    this.#subscribed.set(deviceId, bus.subscribe(subjectOf(deviceId), receive));
  }

  async #receive(deviceId: string, message: BusMessage): Promise<void> {
    const command = decodeDeviceCommand(message.payload);
    if (command === undefined) return;
    try {
      const device = remoteOf(await apply(this.#devices, deviceId, command));
      message.respond(encodeDeviceAnswer({ device, node: this.#place.node }));
    } catch (error) {
      message.respond(encodeDeviceAnswer({ error: toWavecacheError(error).code }));
    }
  }
}

function subjectOf(deviceId: string): string {
  return `devices.${subjectToken(deviceId)}`;
}

async function apply(devices: OwnDevices, id: string, command: DeviceCommand): Promise<DeviceSnapshot> {
  switch (command.op) {
    case "find":
      return devices.find(id);
    case "refresh":
      return await devices.refresh(id);
    case "play":
      return await devices.play(id);
    case "act":
      return devices.act(id, command.action);
    case "setMode":
      return devices.setMode(id, command.mode);
    case "useButton":
      return await devices.useButton(id, command.button, command.event);
  }
}

/** A node of another version may know codes that this one does not. */
function codeOf(error: string): ErrorCode {
  return isErrorCode(error) ? error : "NODE_UNREACHABLE";
}
