/** The devices of a server, over HTTP at the same host and port as the WebSocket. */
import * as v from "valibot";
import { type ApiOptions, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_DEVICES";

/** 0 to 5. */
const mode = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5));
/** "#RRGGBBAA" of led_0 to led_5. */
const leds = v.array(v.string());

const deviceSchema = v.object({
  deviceId: v.string(),
  connected: v.boolean(),
  /** ISO 8601, as all times; null while it is away. */
  connectedSince: v.nullable(v.string()),
  firstSeen: v.string(),
  lastSeen: v.string(),
  mode,
  /** The mode whose sound plays; null while idle. */
  playing: v.nullable(mode),
  /** What the server wants to be shown. */
  leds,
  /** As the device says it; null where it has said nothing. */
  battery: v.nullable(v.number()),
  /** What the device has said of itself. */
  report: v.nullable(v.object({ leds, pressed: v.array(v.boolean()), at: v.string() })),
});

const pageSchema = v.object({ devices: v.array(deviceSchema), next: v.nullable(v.string()) });

export type ListedDevice = v.InferOutput<typeof deviceSchema>;

export interface DeviceListOptions extends ApiOptions {
  /** Only those that are connected. */
  connected?: boolean;
}

/** Devices asked for at once; the server may give fewer. */
const pageDevices = 500;

/** All devices, sorted by id. */
export async function listDevices(options: DeviceListOptions): Promise<ListedDevice[]> {
  const found: ListedDevice[] = [];
  for (let after: string | null = ""; after !== null;) {
    const page = await listPage(options, after);
    found.push(...page.devices);
    // A page without devices that names a next one would be asked for again for ever.
    after = page.devices.length === 0 ? null : page.next;
  }
  return found;
}

async function listPage(
  options: DeviceListOptions,
  after: string,
): Promise<v.InferOutput<typeof pageSchema>> {
  const query = new URLSearchParams({ limit: String(pageDevices) });
  if (options.connected === true) query.set("connected", "true");
  if (after !== "") query.set("after", after);
  const answer = await request(options, "GET", `/api/devices?${query}`);
  throwUnlessOk(answer, missing);
  return parsed(pageSchema, answer.body, missing);
}
