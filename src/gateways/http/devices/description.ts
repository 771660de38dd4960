/** A device as the API shows it. */
import * as v from "valibot";
import { timeSchema } from "../schemas.ts";

/** Times are milliseconds since 1970, LEDs 0xRRGGBBAA. */
export interface DeviceDescription {
  deviceId: string;
  /** Null on a single machine. */
  node: string | null;
  connectedAt: number | undefined;
  createdAt: number;
  seenAt: number;
  mode: number;
  playing: number | undefined;
  leds: readonly number[];
  report: { leds: number[]; pressed: boolean[]; battery: number | null; at: number } | undefined;
  held: readonly boolean[];
}

/** The recordings in progress. */
export interface RunningRecordings {
  running(): Iterable<{ readonly hwid: string | null }>;
}

/** `#RRGGBBAA`. */
const colorSchema = v.pipe(v.string(), v.regex(/^#[0-9A-F]{8}$/));

export const deviceSchema = v.strictObject({
  deviceId: v.string(),
  /** The id of the node that it is or was connected to; null on a single machine. */
  node: v.nullable(v.string()),
  connected: v.boolean(),
  connectedSince: v.nullable(timeSchema),
  firstSeen: timeSchema,
  lastSeen: timeSchema,
  mode: v.number(),
  /** The mode whose sound plays. */
  playing: v.nullable(v.number()),
  /** Whether live audio with its id as the hardware id is being recorded. */
  recording: v.boolean(),
  /** The colors that the server has set. */
  leds: v.array(colorSchema),
  battery: v.nullable(v.number()),
  /** Which of the buttons are held over the API. */
  held: v.array(v.boolean()),
  /** The device's last report; null if it never sent one. */
  report: v.nullable(
    v.strictObject({ leds: v.array(colorSchema), pressed: v.array(v.boolean()), at: timeSchema }),
  ),
});

/** The hardware ids that are being recorded. */
export function recordedIds(recordings: RunningRecordings): Set<string> {
  const ids = new Set<string>();
  for (const { hwid } of recordings.running()) if (hwid !== null) ids.add(hwid);
  return ids;
}

/** `recorded`: the hardware ids that are being recorded. */
export function describeDevice(
  device: DeviceDescription,
  recorded: ReadonlySet<string>,
): v.InferOutput<typeof deviceSchema> {
  const { deviceId, node, connectedAt, createdAt, seenAt, mode, playing, leds, report, held } = device;
  return {
    deviceId,
    node,
    connected: connectedAt !== undefined,
    connectedSince: connectedAt === undefined ? null : time(connectedAt),
    firstSeen: time(createdAt),
    lastSeen: time(seenAt),
    mode,
    playing: playing ?? null,
    recording: recorded.has(deviceId),
    leds: leds.map(color),
    battery: report?.battery ?? null,
    held: [...held],
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
