/** The devices that the server controls over gRPC, and what one does with them. */
import { signal } from "@preact/signals";
import { subscribe } from "./events.ts";
import { type ApiError, requestJson, withQuery } from "./request.ts";
import type { Device } from "./resources.ts";

export type DeviceButton = "mode" | "stop" | "play";

/** Undefined until the server has sent them. */
export const devices = signal<ReadonlyMap<string, Device> | undefined>(undefined);
/** Why there are none. */
export const devicesError = signal<ApiError | undefined>(undefined);

interface DeviceChange {
  devices: Device[];
  /** Ids of those that the server has forgotten. */
  gone: string[];
}

/** Follows the state of all devices as it changes. The function that it returns ends it. */
export function followDevices(): () => void {
  // Each connection begins with all devices.
  let isFirst = true;
  return subscribe({
    path: "api/live/devices",
    onOpen: () => {
      isFirst = true;
      devicesError.value = undefined;
    },
    onEvent: (data) => {
      if (isFirst) devices.value = new Map();
      isFirst = false;
      takeChange(data as DeviceChange);
    },
    onRefused: (error) => (devicesError.value = error),
  });
}

function takeChange({ devices: changed, gone }: DeviceChange): void {
  const known = new Map(devices.value);
  for (const device of changed) known.set(device.deviceId, device);
  for (const id of gone) known.delete(id);
  devices.value = known;
}

/** Asks the device itself. */
export function refreshDevice(id: string): Promise<Device> {
  return requestJson<Device>(withQuery(pathOf(id), { refresh: 1 }));
}

export function pressButton(id: string, button: DeviceButton): Promise<Device> {
  return requestJson<Device>(`${pathOf(id)}/${button}`, { method: "POST" });
}

export function setMode(id: string, mode: number): Promise<Device> {
  return requestJson<Device>(withQuery(`${pathOf(id)}/mode`, { mode }), { method: "POST" });
}

function pathOf(id: string): string {
  return `api/devices/${encodeURIComponent(id)}`;
}
