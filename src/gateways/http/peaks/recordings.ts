/** `GET /api/recordings/{device}/peaks`, `/levels` and `/sounds`: how a device sounded in a range of time. */
import * as v from "valibot";
import { defaultPeakPoints, maxListedSpans } from "../../../base/limits/peaks.ts";
import type { RangePeaks } from "../../../store/recordings/peaks/query.ts";
import type { SoundSpan, SpanCursor, SpanQuery } from "../../../store/recordings/sounds/catalog.ts";
import { json, type Operation, operation } from "../operation.ts";
import { choice, exactTime, limit, type Parameter } from "../parameters.ts";
import { countSchema, timeSchema } from "../schemas.ts";
import { deviceSegment } from "../by-time/parameters.ts";
import {
  acceptHeader,
  answerDat,
  answerJson,
  datMediaType,
  formatParameter,
  peaksSchemaEntries,
  pointsParameter,
  wantsDat,
} from "./answer.ts";
import { levelHistoryOperation, type LevelledRecordings } from "./level-history.ts";
import { rangeOf } from "./range.ts";

/** What the operations need of the engine. */
export interface SoundingRecordings extends LevelledRecordings {
  /** Rejects with RECORDING_UNKNOWN. Times are in ms since 1970. */
  peaks(name: string, range: { from: number; to: number; points: number }): Promise<RangePeaks>;
  soundSpans(query: Omit<SpanQuery, "source"> & { name: string }): Promise<SoundSpan[]>;
}

const access = { action: "read", on: "recordings/:id", unknown: "RECORDING_UNKNOWN" } as const;

const peaksSchema = v.strictObject({
  ...peaksSchemaEntries,
  /** When the first pixel begins. */
  from: timeSchema,
  /** Pixels without audio, as the first and one after the last. */
  gaps: v.array(v.pipe(v.array(countSchema), v.length(2))),
});

export function soundingOperations(recordings: SoundingRecordings): Operation[] {
  return [peaksOperation(recordings), levelHistoryOperation(recordings), spansOperation(recordings)];
}

function peaksOperation(recordings: SoundingRecordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/peaks",
    tag: "recordings",
    access,
    summary: "The peaks of a device's finished recordings in a range of time, to draw a waveform.",
    segments: { id: deviceSegment },
    parameters: {
      from: exactTime(
        "The start of the range, in RFC 3339 or milliseconds since 1970; else a day before its end.",
      ),
      to: exactTime("The end of the range; else now."),
      points: pointsParameter,
      format: formatParameter,
    },
    headers: acceptHeader,
    answers: { 200: { description: "The peaks.", schema: peaksSchema, content: [datMediaType] } },
    errors: ["RECORDING_UNKNOWN"],
    async handle({ request, path, query, meter }) {
      const range = rangeOf(query);
      const peaks = await recordings.peaks(path["id"]!, {
        ...range,
        points: query.points ?? defaultPeakPoints,
      });
      if (wantsDat(request, query.format)) return answerDat(peaks, meter);
      return answerJson(peaks, { from: new Date(range.from).toISOString(), gaps: peaks.gaps }, meter);
    },
  });
}

const spanSchema = v.strictObject({
  kind: v.picklist(["sound", "silence"]),
  streamId: countSchema,
  start: timeSchema,
  /** Null while it goes on. */
  end: v.nullable(timeSchema),
});

const spansSchema = v.strictObject({ spans: v.array(spanSchema), next: v.nullable(v.string()) });

const cursorText = v.pipe(
  v.string(),
  v.transform(decodeCursor),
  v.check((cursor) => cursor !== undefined, "expected the `next` of a page"),
);

const cursor: Parameter<SpanCursor | undefined> = {
  description: "Continues a list: the `next` of the previous page.",
  describes: { type: "string" },
  schema: v.optional(cursorText),
};

function spansOperation(recordings: SoundingRecordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/sounds",
    tag: "recordings",
    access,
    summary: "When a device sounded, and when it was silent.",
    segments: { id: deviceSegment },
    parameters: {
      from: exactTime("Only spans that end after this, in RFC 3339 or milliseconds since 1970."),
      to: exactTime("Only spans that begin before this."),
      kind: choice(["sound", "silence"], "Only spans of this kind."),
      after: cursor,
      limit: limit(maxListedSpans),
    },
    answers: { 200: { description: "A page of spans, in the order of their start.", schema: spansSchema } },
    errors: [],
    async handle({ path, query, meter }) {
      const { kind, after, limit: max } = query;
      const from = (query.from ?? 0) / 1000;
      const to = (query.to ?? Number.MAX_SAFE_INTEGER) / 1000;
      const spans = await recordings.soundSpans({ name: path["id"]!, from, to, kind, after, limit: max });
      const next = spans.length === max ? encodeCursor(spans.at(-1)!) : null;
      return json({ spans: spans.map(describeSpan), next }, meter);
    },
  });
}

function describeSpan({ kind, streamId, startedAt, endedAt }: SoundSpan): v.InferOutput<typeof spanSchema> {
  const end = endedAt === null ? null : new Date(endedAt).toISOString();
  return { kind, streamId, start: new Date(startedAt).toISOString(), end };
}

function encodeCursor({ startedAt, streamId }: SpanCursor): string {
  return `${startedAt}.${streamId}`;
}

function decodeCursor(value: string): SpanCursor | undefined {
  const match = /^(\d{1,15})\.(\d{1,10})$/.exec(value);
  return match === null ? undefined : { startedAt: Number(match[1]), streamId: Number(match[2]) };
}
