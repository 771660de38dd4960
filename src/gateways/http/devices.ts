/**
 * The devices as JSON, sorted by id:
 *
 *     GET  /api/devices?connected=true|false&after=ID&limit=N   {"devices": [...], "next": ID or null}
 *     GET  /api/devices/ID                                      one device, or 404; ?refresh=1 asks it first what it shows
 *     POST /api/devices/ID/play|stop|mode                       what the button does; ?mode=N for a mode from 0 to 5
 *
 * What is posted answers with the device after it; play with 409 while the device is away. `leds` are what the server
 * wants to be shown, `report` what the device has said, null if it never did; colors are "#RRGGBBAA".
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

/** What this door needs of the engine. All but `list` throw DEVICE_UNKNOWN. */
export interface DeviceDirectory {
  list(query: { connected: boolean | undefined; after: string; limit: number }): DeviceFacts[];
  find(deviceId: string): DeviceFacts;
  /** Asks the device what it shows, if it is there. */
  refresh(deviceId: string): Promise<DeviceFacts>;
  /** Throws DEVICE_AWAY too. */
  act(deviceId: string, action: "play" | "stop" | "mode"): DeviceFacts;
  setMode(deviceId: string, mode: number): DeviceFacts;
}

/** Times are milliseconds since 1970, LEDs 0xRRGGBBAA. */
interface DeviceFacts {
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

export function devicesRoute(directory: DeviceDirectory, meter: GatewayMeter): HttpRoute {
  return {
    handle(request, url) {
      if (url.pathname === root) return answer(meter, async () => list(directory, request, url, meter));
      if (!url.pathname.startsWith(`${root}/`)) return undefined;
      return answer(meter, () => one(directory, request, url, meter));
    },
  };
}

function list(directory: DeviceDirectory, request: Request, url: URL, meter: GatewayMeter): Response {
  if (request.method !== "GET") return methodNotAllowed("GET");
  const query = safeParse(listSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  const { connected, after, limit } = query.output;
  const wanted = connected === undefined ? undefined : connected === "true";
  const devices = directory.list({ connected: wanted, after, limit });
  const next = devices.length === limit ? devices.at(-1)!.deviceId : null;
  return json({ devices: devices.map(describe), next }, meter);
}

async function one(
  directory: DeviceDirectory,
  request: Request,
  url: URL,
  meter: GatewayMeter,
): Promise<Response> {
  const [, encoded, action] = onePath.exec(url.pathname) ?? [];
  if (encoded === undefined) throw new WavecacheError("DEVICE_UNKNOWN");
  const deviceId = decodeSegment(encoded);
  if (request.method !== (action === undefined ? "GET" : "POST"))
    return methodNotAllowed(action === undefined ? "GET" : "POST");
  if (action !== undefined && isForeign(request, url)) throw new WavecacheError("FOREIGN_ORIGIN");
  const facts =
    action === undefined
      ? await look(directory, deviceId, url)
      : act(directory, deviceId, action as "play" | "stop" | "mode", url);
  return json(describe(facts), meter);
}

/** Whether a browser sends this for a page that is not of this server: it would without asking. */
function isForeign(request: Request, url: URL): boolean {
  const origin = request.headers.get("origin");
  return origin !== null && (!URL.canParse(origin) || new URL(origin).host !== url.host);
}

function look(directory: DeviceDirectory, deviceId: string, url: URL): DeviceFacts | Promise<DeviceFacts> {
  const query = safeParse(oneSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  return query.output.refresh === "1" ? directory.refresh(deviceId) : directory.find(deviceId);
}

function act(
  directory: DeviceDirectory,
  deviceId: string,
  action: "play" | "stop" | "mode",
  url: URL,
): DeviceFacts {
  const query = safeParse(modeSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  const { mode } = query.output;
  if (mode === undefined) return directory.act(deviceId, action);
  if (action !== "mode") throw new WavecacheError("BAD_REQUEST");
  return directory.setMode(deviceId, mode);
}

function describe({ deviceId, connectedAt, createdAt, seenAt, mode, playing, leds, report }: DeviceFacts) {
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
