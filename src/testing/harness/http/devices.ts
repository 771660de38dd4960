/** A client of the HTTP API of devices. It checks every answer for its exact shape. */
import * as v from "valibot";

const isoTime = v.pipe(v.string(), v.isoTimestamp());
const color = v.pipe(v.string(), v.regex(/^#[0-9A-F]{8}$/));
const leds = v.pipe(v.array(color), v.length(6));
const mode = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5));

const deviceSchema = v.strictObject({
  deviceId: v.string(),
  node: v.nullable(v.string()),
  connected: v.boolean(),
  connectedSince: v.nullable(isoTime),
  firstSeen: isoTime,
  lastSeen: isoTime,
  mode,
  playing: v.nullable(mode),
  recording: v.boolean(),
  leds,
  battery: v.nullable(v.number()),
  held: v.pipe(v.array(v.boolean()), v.length(4)),
  report: v.nullable(v.strictObject({ leds, pressed: v.array(v.boolean()), at: isoTime })),
});
const pageSchema = v.strictObject({
  devices: v.array(deviceSchema),
  next: v.nullable(v.string()),
  incomplete: v.boolean(),
});
const errorSchema = v.strictObject({
  error: v.strictObject({
    code: v.string(),
    message: v.string(),
    hint: v.string(),
    parameter: v.optional(v.string()),
  }),
});

export type DeviceInfo = v.InferOutput<typeof deviceSchema>;

export async function listDevices(httpBase: string, query = ""): Promise<v.InferOutput<typeof pageSchema>> {
  const response = await fetch(`${httpBase}/api/devices${query}`);
  return v.parse(pageSchema, await response.json());
}

/** The device in the answer to a request for `path`. */
export async function device(httpBase: string, path: string, method = "GET"): Promise<DeviceInfo> {
  const response = await fetch(`${httpBase}/api/devices/${path}`, { method });
  return v.parse(deviceSchema, await response.json());
}

/** Status and code of a rejected request. */
export async function refusal(httpBase: string, path: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(`${httpBase}/api/devices${path}`, init);
  const { error } = v.parse(errorSchema, await response.json());
  return `${response.status} ${error.code}`;
}
