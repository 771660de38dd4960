/** The state of devices, over the HTTP API. */
import { createParser } from "eventsource-parser";
import * as v from "valibot";
import { type ApiOptions, isUnknown, jsonOf, parsed, request, throwUnlessOk } from "./api.ts";
import { audioAt } from "./stream-audio.ts";

const missing = "NO_DEVICES";

/** 0 to 5. */
const mode = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5));
/** led_0 to led_5, each "#RRGGBBAA". */
const leds = v.array(v.string());

const deviceSchema = v.object({
  deviceId: v.string(),
  /** The node of several that it is or was connected to. Null on a single machine, and missing from older servers. */
  node: v.optional(v.nullable(v.string())),
  connected: v.boolean(),
  /** ISO 8601, like all times; null while it is not connected. */
  connectedSince: v.nullable(v.string()),
  firstSeen: v.string(),
  lastSeen: v.string(),
  mode,
  /** The mode whose sound is playing; null if none is. */
  playing: v.nullable(mode),
  /** What the server has set. */
  /** Whether live audio of this device is being recorded. Missing from answers of older servers. */
  recording: v.optional(v.boolean()),
  /** Which of the four buttons are held over the API. Missing from answers of older servers. */
  held: v.optional(v.array(v.boolean())),
  leds,
  /** Percent, as the device reports it; null if it has reported none. */
  battery: v.nullable(v.number()),
  /** The last state that the device has reported; null if it has reported none. */
  report: v.nullable(v.object({ leds, pressed: v.array(v.boolean()), at: v.string() })),
});

/** Missing from answers of older servers. */
const incompleteSchema = v.optional(v.boolean(), false);
const pageSchema = v.object({
  devices: v.array(deviceSchema),
  next: v.nullable(v.string()),
  incomplete: incompleteSchema,
});

export type ListedDevice = v.InferOutput<typeof deviceSchema>;

export interface DeviceListOptions extends ApiOptions {
  /** Lists only connected devices. */
  connected?: boolean;
}

/** Devices per request; the server may return fewer. */
const pageDevices = 500;

export interface DeviceList {
  devices: ListedDevice[];
  /** Devices of other nodes may be missing: they do not answer, or NATS does not. */
  incomplete: boolean;
}

/** Lists all devices, sorted by id. Throws NO_DEVICES if the server has no such list. */
export async function listDevices(options: DeviceListOptions): Promise<DeviceList> {
  const found: DeviceList = { devices: [], incomplete: false };
  for (let after: string | null = ""; after !== null;) {
    const page = await listPage(options, after);
    found.devices.push(...page.devices);
    found.incomplete ||= page.incomplete;
    // An empty page with a next one would repeat for ever.
    after = page.devices.length === 0 ? null : page.next;
  }
  return found;
}

export const deviceButtons = ["connect", "mode", "stop", "play"] as const;
export type DeviceButton = (typeof deviceButtons)[number];
export type DeviceButtonEvent = "press" | "hold" | "release";

/** A button that is held is released by the server unless the hold is repeated within this time. */
export const maxHoldMs = 5_000;

/**
 * Does what the device's own button would do. Undefined if there is no such device. Throws REFUSED, with the server codes
 * DEVICE_AWAY, SOUND_UNKNOWN and others, or NO_DEVICES.
 */
export async function useButton(
  deviceId: string,
  button: DeviceButton,
  event: DeviceButtonEvent,
  options: ApiOptions,
): Promise<ListedDevice | undefined> {
  const path = `/api/devices/${encodeURIComponent(deviceId)}/buttons/${button}?event=${event}`;
  const answer = await request(options, "POST", path);
  if (isUnknown(answer, "DEVICE_UNKNOWN")) return undefined;
  throwUnlessOk(answer, missing);
  return parsed(deviceSchema, answer.body, missing);
}

const changeSchema = v.object({
  devices: v.array(deviceSchema),
  gone: v.array(v.string()),
  incomplete: incompleteSchema,
});

export type DeviceChange = v.InferOutput<typeof changeSchema>;

/**
 * Yields devices whenever they change, first all of them in one or several parts; `gone` are the ids of those that the
 * server has forgotten. It ends with the connection. Undefined if the server is older than this. Throws what `audioAt`
 * throws.
 */
export async function followDevices(
  options: ApiOptions,
): Promise<AsyncGenerator<DeviceChange, void, void> | undefined> {
  const bytes = await audioAt("/api/live/devices", options);
  return bytes && changesIn(bytes);
}

async function* changesIn(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<DeviceChange, void, void> {
  const decoder = new TextDecoder();
  const changes: DeviceChange[] = [];
  const parser = createParser({
    onEvent: ({ data }) => changes.push(parsed(changeSchema, jsonOf(data), missing)),
  });
  for await (const chunk of bytes) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* changes.splice(0);
  }
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
