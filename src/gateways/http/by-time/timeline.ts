/** `GET /api/recordings/{device}/timeline`: when there is audio of a device. */
import * as v from "valibot";
import { formatTime } from "../../../base/format-time.ts";
import { maxListedRecordings } from "../../../base/limits/recordings.ts";
import { type Gap, type Timeline, timeOf } from "../../../engine/recordings/by-time/timeline.ts";
import type { Period, SpanRow } from "../../../store/recordings/timeline/catalog.ts";
import { json, type Operation, operation } from "../operation.ts";
import { limit } from "../parameters.ts";
import { countSchema, exactTimeSchema } from "../schemas.ts";
import { deviceSegment, periodParameters } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface Timelines {
  /** Rejects with RECORDING_UNKNOWN. */
  timeline(query: Period & { limit: number }): Promise<Timeline>;
}

const secondsSchema = v.pipe(v.number(), v.minValue(0));

const spanSchema = v.strictObject({
  start: exactTimeSchema,
  end: exactTimeSchema,
  streamId: countSchema,
  sampleRate: countSchema,
  channels: countSchema,
  /** The same in all spans of one session. */
  session: countSchema,
  /** When the session started, by the device's own clock at its handshake. */
  deviceTime: v.nullable(exactTimeSchema),
  /** Why its connection ended. */
  ended: v.nullable(v.picklist(["device", "server"])),
  segments: countSchema,
  /** Per channel; lost ones are not counted. */
  samples: countSchema,
  lostFrames: countSchema,
});

const gapSchema = v.strictObject({
  start: exactTimeSchema,
  end: exactTimeSchema,
  reason: v.picklist(["silent link", "lost frames", "server down", "clock stepped"]),
  /** By how much the clock was set forward, in seconds. */
  stepped: v.optional(v.number()),
});

const timelineSchema = v.strictObject({
  earliest: exactTimeSchema,
  latest: exactTimeSchema,
  spans: v.array(spanSchema),
  gaps: v.array(gapSchema),
  totals: v.strictObject({
    spans: countSchema,
    segments: countSchema,
    seconds: secondsSchema,
    lostFrames: countSchema,
  }),
  next: v.nullable(exactTimeSchema),
});

export function timelineOperation(recordings: Timelines): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/timeline",
    tag: "recordings",
    access: { action: "read", on: "recordings/:id", unknown: "RECORDING_UNKNOWN" },
    summary: "When there is audio of a device, and why there is none in between.",
    segments: { id: deviceSegment },
    parameters: {
      ...periodParameters,
      limit: limit(maxListedRecordings),
    },
    answers: { 200: { description: "A page of the timeline.", schema: timelineSchema } },
    errors: ["RECORDING_UNKNOWN"],
    async handle({ path, query, meter }) {
      const period = { fromUs: query.from ?? 0, toUs: query.to ?? Number.MAX_SAFE_INTEGER };
      const asked = { name: path["id"]!, streamId: query.stream, ...period, limit: query.limit };
      return json(describe(await recordings.timeline(asked)), meter);
    },
  });
}

function describe(timeline: Timeline): v.InferOutput<typeof timelineSchema> {
  const { totals, nextUs } = timeline;
  return {
    earliest: formatTime(timeline.earliestUs),
    latest: formatTime(timeline.latestUs),
    spans: timeline.spans.map(describeSpan),
    gaps: timeline.gaps.map(describeGap),
    totals: {
      spans: totals.spans,
      segments: totals.segments,
      seconds: totals.audioUs / 1_000_000,
      lostFrames: totals.lostFrames,
    },
    next: nextUs === undefined ? null : formatTime(nextUs),
  };
}

function describeSpan(span: SpanRow): v.InferOutput<typeof spanSchema> {
  const { streamId, sampleRate, channels, session, ended, segments, samples, lostFrames } = span;
  return {
    start: formatTime(timeOf(span, span.first)),
    end: formatTime(timeOf(span, span.past)),
    streamId,
    sampleRate,
    channels,
    session,
    deviceTime: span.deviceTimeMs === null ? null : formatTime(span.deviceTimeMs * 1000),
    ended,
    segments,
    samples,
    lostFrames,
  };
}

function describeGap({ startUs, endUs, reason, steppedMs }: Gap): v.InferOutput<typeof gapSchema> {
  const stepped = steppedMs === undefined ? {} : { stepped: steppedMs / 1000 };
  return { start: formatTime(startUs), end: formatTime(endUs), reason, ...stepped };
}
