/** The operations on pins: what is pinned is never removed by retention. */
import * as v from "valibot";
import { recordingResource, resourceOf } from "../../../access/actions.ts";
import type { Principal } from "../../../access/principal.ts";
import { ParameterError, WavecacheError } from "../../../base/errors.ts";
import { isStreamId } from "../../../base/ids/stream-id.ts";
import type { RecordingRow } from "../../../store/recordings/catalog.ts";
import type { PinnedRange } from "../../../store/retention/catalog.ts";
import { sanitizeHwid } from "../../../wire/ingest.ts";
import { json, type Operation, operation } from "../operation.ts";
import { text, time } from "../parameters.ts";
import { timeSchema } from "../schemas.ts";

/** What the operations need of the engine. */
export interface Pins {
  /** Rejects with STREAM_UNKNOWN, STREAM_UNFINISHED. */
  pinStream(streamId: string, isPinned: boolean): Promise<void>;
  /** Rejects with RECORDING_UNKNOWN. */
  pinRecording(id: number, isPinned: boolean): Promise<void>;
  /** Rejects with PINS_EXHAUSTED. */
  pinRange(range: PinnedRange, isPinned: boolean): Promise<void>;
  pinnedRanges(): Promise<PinnedRange[]>;
}

/** Finds the device of a recording. */
export interface PinnedRecordings {
  /** Of whatever node. Rejects with RECORDING_UNKNOWN. */
  lookUp(id: number): Promise<RecordingRow>;
}

const rangesSchema = v.strictObject({
  ranges: v.array(v.strictObject({ device: v.string(), from: timeSchema, to: timeSchema })),
});

/** PUT pins, DELETE unpins. */
const changes = [
  { method: "put", isPinned: true },
  { method: "delete", isPinned: false },
] as const;

const tag = "retention";
const done = () => new Response(null, { status: 204 });

export function pinOperations(pins: Pins, recordings: PinnedRecordings): Operation[] {
  const each = changes.flatMap((change) => [
    streamOperation(pins, change),
    recordingOperation(pins, recordings, change),
    rangeOperation(pins, change),
  ]);
  return [...each, listOperation(pins)];
}

type Change = (typeof changes)[number];

function streamOperation(pins: Pins, { method, isPinned }: Change): Operation {
  return operation({
    method,
    route: "/api/streams/:id/pin",
    tag,
    access: { action: "remove", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: isPinned
      ? "Keeps a stream whatever the limits."
      : "Lets the limits decide about a stream again.",
    segments: { id: "The id of a finished stream." },
    parameters: {},
    answers: { 204: { description: isPinned ? "It is pinned." : "It is not pinned." } },
    errors: ["STREAM_UNKNOWN", "STREAM_UNFINISHED"],
    async handle({ path }) {
      const id = path["id"]!;
      if (!isStreamId(id)) throw new WavecacheError("STREAM_UNKNOWN");
      await pins.pinStream(id, isPinned);
      return done();
    },
  });
}

function recordingOperation(
  pins: Pins,
  recordings: PinnedRecordings,
  { method, isPinned }: Change,
): Operation {
  return operation({
    method,
    route: "/api/recordings/:id/pin",
    tag,
    access: { action: "remove", within: "recordings" },
    summary: isPinned
      ? "Keeps a recording whatever the limits."
      : "Lets the limits decide about a recording again.",
    segments: { id: "The `id` of the recording in the list." },
    parameters: {},
    answers: { 204: { description: isPinned ? "It is pinned." : "It is not pinned by itself." } },
    errors: ["RECORDING_UNKNOWN"],
    async handle({ path, principal }) {
      const id = path["id"]!;
      if (!/^\d{1,15}$/.test(id)) throw new WavecacheError("RECORDING_UNKNOWN");
      const { device, streamId } = await recordings.lookUp(Number(id));
      principal.require("remove", recordingResource(device, streamId), "RECORDING_UNKNOWN");
      await pins.pinRecording(Number(id), isPinned);
      return done();
    },
  });
}

function rangeOperation(pins: Pins, { method, isPinned }: Change): Operation {
  return operation({
    method,
    route: "/api/pins",
    tag,
    access: { action: "remove", within: "recordings" },
    summary: isPinned
      ? "Keeps what a device has recorded, or will record, in a range of time."
      : "Lets the limits decide about a range of time of a device again.",
    parameters: {
      device: text("The hardware id of the device."),
      from: time("The beginning of the range, in ISO 8601 or milliseconds since 1970."),
      to: time("The end of the range."),
    },
    answers: { 204: { description: isPinned ? "It is pinned." : "It is not pinned." } },
    errors: ["PINS_EXHAUSTED"],
    async handle({ query, principal }) {
      const range = rangeOf(query);
      principal.require("remove", resourceOf("recordings", range.device));
      await pins.pinRange(range, isPinned);
      return done();
    },
  });
}

function listOperation(pins: Pins): Operation {
  return operation({
    method: "get",
    route: "/api/pins",
    tag,
    access: { action: "list", within: "recordings" },
    summary: "Lists the pinned ranges of time of all devices.",
    parameters: {},
    answers: { 200: { description: "By device and time.", schema: rangesSchema } },
    errors: [],
    async handle({ principal, meter }) {
      const ranges = (await pins.pinnedRanges()).filter((range) => isVisible(principal, range));
      return json({ ranges: ranges.map(describe) }, meter);
    },
  });
}

function isVisible(principal: Principal, { device }: PinnedRange): boolean {
  return principal.may("list", resourceOf("recordings", device));
}

interface RangeQuery {
  device: string | undefined;
  from: number | undefined;
  to: number | undefined;
}

function rangeOf({ device, from, to }: RangeQuery): PinnedRange {
  const sanitized = device === undefined ? undefined : sanitizeHwid(device);
  if (sanitized === undefined) throw new ParameterError("device", "expected the hardware id of a device");
  if (from === undefined) throw new ParameterError("from", "expected a time");
  if (to === undefined || to <= from) throw new ParameterError("to", "expected a time after `from`");
  return { device: sanitized, from, to };
}

function describe({ device, from, to }: PinnedRange) {
  return { device, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}
