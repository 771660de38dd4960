/** The devices that the server controls over gRPC, and what one does with them. */
import { signal } from "@preact/signals";
import { subscribe } from "./events.ts";
import { type ApiError, request, requestJson, withQuery } from "./request.ts";
import type { Device } from "./resources.ts";

export type DeviceButton = "connect" | "mode" | "stop" | "play";
export type DeviceButtonEvent = "press" | "hold" | "release";

/** Undefined until the server has sent them. */
export const devices = signal<ReadonlyMap<string, Device> | undefined>(undefined);
/** Devices of other servers may be missing. */
export const areDevicesIncomplete = signal(false);
/** Why there are none. */
export const devicesError = signal<ApiError | undefined>(undefined);

interface DeviceChange {
  devices: Device[];
  /** Ids of those that the server has forgotten. */
  gone: string[];
  incomplete: boolean;
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

function takeChange({ devices: changed, gone, incomplete }: DeviceChange): void {
  areDevicesIncomplete.value = incomplete;
  const known = new Map(devices.value);
  for (const device of changed) known.set(device.deviceId, device);
  for (const id of gone) known.delete(id);
  devices.value = known;
}

/** Does what the device's own button would do, also as the page closes. */
export async function useButton(id: string, button: DeviceButton, event: DeviceButtonEvent): Promise<void> {
  const path = withQuery(`${pathOf(id)}/buttons/${button}`, { event });
  await request(path, { method: "POST", keepalive: true });
}

export function setMode(id: string, mode: number): Promise<Device> {
  return requestJson<Device>(withQuery(`${pathOf(id)}/mode`, { mode }), { method: "POST" });
}

function pathOf(id: string): string {
  return `api/devices/${encodeURIComponent(id)}`;
}
