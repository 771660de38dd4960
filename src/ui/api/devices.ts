/** The devices that the server controls over gRPC, and what one does with them. */
import { requestJson, withQuery } from "./request.ts";
import type { Device } from "./resources.ts";

export type DeviceButton = "mode" | "stop" | "play";

export async function listDevices(signal: AbortSignal): Promise<Device[]> {
  const all: Device[] = [];
  let after: string | undefined;
  do {
    const path = withQuery("api/devices", { limit: 1000, after });
    const page = await requestJson<{ devices: Device[]; next: string | null }>(path, { signal });
    all.push(...page.devices);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return all;
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
