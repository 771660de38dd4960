/**
 * The devices as JSON, sorted by id:
 *
 *     GET  /api/devices?connected=true|false&after=ID&limit=N   {"devices": [...], "next": ID or null}
 *     GET  /api/devices/ID                                      one device, or 404; ?refresh=1 first asks it for its state
 *     POST /api/devices/ID/play|stop|mode                       the action of the button; ?mode=N sets a mode from 0 to 5
 *
 * A POST returns the device after the action; play returns 409 while the device is offline. `leds` is what the server
 * wants shown. `report` is the device's last report, or null if it never sent one. Colors are "#RRGGBBAA".
 */
import {
  integer,
  maxValue,
  minValue,
  object,
  optional,
  picklist,
  pipe,
  regex,
  safeParse,
  string,
  transform,
} from "valibot";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxListedDevices } from "../../base/limits/devices.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { answer, decodeSegment, json, methodNotAllowed } from "./answer.ts";

/** What the routes need of the engine. All but `list` throw DEVICE_UNKNOWN. */
export interface Devices {
  list(query: { connected: boolean | undefined; after: string; limit: number }): DeviceDescription[];
  find(deviceId: string): DeviceDescription;
  /** Asks the device for its state if it is connected. */
  refresh(deviceId: string): Promise<DeviceDescription>;
  /** Also throws DEVICE_AWAY. */
  act(deviceId: string, action: "play" | "stop" | "mode"): DeviceDescription;
  setMode(deviceId: string, mode: number): DeviceDescription;
}

/** Times are milliseconds since 1970, LEDs 0xRRGGBBAA. */
interface DeviceDescription {
  deviceId: string;
  connectedAt: number | undefined;
  createdAt: number;
  seenAt: number;
  mode: number;
  playing: number | undefined;
  leds: readonly number[];
  report: { leds: number[]; pressed: boolean[]; battery: number | null; at: number } | undefined;
}

const root = "/api/devices";
const onePath = /^\/api\/devices\/([^/]+)(?:\/(play|stop|mode))?$/;

const listSchema = object({
  connected: optional(picklist(["true", "false"])),
  after: optional(string(), ""),
  limit: optional(
    pipe(string(), transform(Number), integer(), minValue(1), maxValue(maxListedDevices)),
    "100",
  ),
});

const oneSchema = object({ refresh: optional(picklist(["0", "1"])) });
const modeSchema = object({ mode: optional(pipe(string(), regex(/^[0-5]$/), transform(Number))) });

export function devicesRoute(devices: Devices, meter: GatewayMeter): HttpRoute {
  return {
    handle(request, url) {
      if (url.pathname === root) return answer(meter, async () => list(devices, request, url, meter));
      if (!url.pathname.startsWith(`${root}/`)) return undefined;
      return answer(meter, () => one(devices, request, url, meter));
    },
  };
}

function list(devices: Devices, request: Request, url: URL, meter: GatewayMeter): Response {
  if (request.method !== "GET") return methodNotAllowed("GET");
  const query = safeParse(listSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  const { connected, after, limit } = query.output;
  const wanted = connected === undefined ? undefined : connected === "true";
  const page = devices.list({ connected: wanted, after, limit });
  const next = page.length === limit ? page.at(-1)!.deviceId : null;
  return json({ devices: page.map(describe), next }, meter);
}

async function one(devices: Devices, request: Request, url: URL, meter: GatewayMeter): Promise<Response> {
  const [, encoded, action] = onePath.exec(url.pathname) ?? [];
  if (encoded === undefined) throw new WavecacheError("DEVICE_UNKNOWN");
  const deviceId = decodeSegment(encoded);
  if (request.method !== (action === undefined ? "GET" : "POST"))
    return methodNotAllowed(action === undefined ? "GET" : "POST");
  const device =
    action === undefined
      ? await read(devices, deviceId, url)
      : act(devices, deviceId, action as "play" | "stop" | "mode", url);
  return json(describe(device), meter);
}

function read(devices: Devices, deviceId: string, url: URL): DeviceDescription | Promise<DeviceDescription> {
  const query = safeParse(oneSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  return query.output.refresh === "1" ? devices.refresh(deviceId) : devices.find(deviceId);
}

function act(
  devices: Devices,
  deviceId: string,
  action: "play" | "stop" | "mode",
  url: URL,
): DeviceDescription {
  const query = safeParse(modeSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  const { mode } = query.output;
  if (mode === undefined) return devices.act(deviceId, action);
  if (action !== "mode") throw new WavecacheError("BAD_REQUEST");
  return devices.setMode(deviceId, mode);
}

function describe({
  deviceId,
  connectedAt,
  createdAt,
  seenAt,
  mode,
  playing,
  leds,
  report,
}: DeviceDescription) {
  return {
    deviceId,
    connected: connectedAt !== undefined,
    connectedSince: connectedAt === undefined ? null : time(connectedAt),
    firstSeen: time(createdAt),
    lastSeen: time(seenAt),
    mode,
    playing: playing ?? null,
    leds: leds.map(color),
    battery: report?.battery ?? null,
    report:
      report === undefined
        ? null
        : { leds: report.leds.map(color), pressed: report.pressed, at: time(report.at) },
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function color(rgba: number): string {
  return `#${rgba.toString(16).toUpperCase().padStart(8, "0")}`;
}
