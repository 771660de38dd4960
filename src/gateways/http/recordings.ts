/** The operations on recordings. */
import * as v from "valibot";
import { recordingResource } from "../../access/actions.ts";
import { visibleRows } from "../../access/visible.ts";
import { maxListedRecordings } from "../../base/limits/recordings.ts";
import type { RecordedFile } from "../../base/recording-entry.ts";
import type { RecordingCursor, RecordingQuery, RecordingRow } from "../../store/recordings/catalog.ts";
import { peakDbfs, rmsDbfs } from "../../codec/peaks/level.ts";
import { sanitizeHwid } from "../../wire/ingest.ts";
import { json, type Operation, operation } from "./operation.ts";
import { limit, type Parameter, text, time } from "./parameters.ts";
import { countSchema, sha256Schema, timeSchema } from "./schemas.ts";

/** What the operations need of the engine. */
export interface Recordings {
  list(query: RecordingQuery): Promise<RecordingRow[]>;
}

const fileSchema = v.strictObject({
  /** Relative to the server's folder of recordings. */
  path: v.string(),
  bytes: countSchema,
  sha256: sha256Schema,
});

const recordingSchema = v.strictObject({
  id: countSchema,
  device: v.nullable(v.string()),
  streamId: countSchema,
  codec: v.picklist(["pcm", "adpcm"]),
  sampleRate: countSchema,
  channels: countSchema,
  frames: countSchema,
  /** Per channel. */
  samples: countSchema,
  gaps: countSchema,
  lostFrames: countSchema,
  nibbleOrder: v.nullable(v.picklist(["low", "high"])),
  nibbleOrderBy: v.nullable(v.picklist(["matched", "fallback", "forced"])),
  /** By itself: a pinned range of time may keep it, too. */
  pinned: v.boolean(),
  startedAt: timeSchema,
  endedAt: timeSchema,
  /** In dBFS; null, as is `clipped`, until the recording is measured. */
  peak: v.nullable(v.number()),
  rms: v.nullable(v.number()),
  /** Samples at the limits of 16 bits. */
  clipped: v.nullable(countSchema),
  bin: fileSchema,
  wav: fileSchema,
  /** Files that nobody has any more; absent if there is none. */
  missing: v.optional(v.array(v.picklist(["bin", "wav"]))),
});

const pageSchema = v.strictObject({ recordings: v.array(recordingSchema), next: v.nullable(v.string()) });

const expectedCursor = "expected the `next` of a page";

const cursorText = v.pipe(
  v.string(),
  v.transform(decodeCursor),
  v.check((cursor) => cursor !== undefined, expectedCursor),
);

const cursor: Parameter<RecordingCursor | undefined> = {
  description: "Continues a list: the `next` of the previous page.",
  describes: { type: "string" },
  schema: v.optional(cursorText),
};

export function recordingOperations(recordings: Recordings): Operation[] {
  return [listOperation(recordings)];
}

function listOperation(recordings: Recordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings",
    tag: "recordings",
    access: { action: "list", within: "recordings" },
    summary: "Lists recordings in the order of their start.",
    parameters: {
      device: text("Only recordings of the device with this hardware id."),
      from: time("Only recordings that started then or later, in RFC 3339 or milliseconds since 1970."),
      to: time("Only recordings that started before."),
      after: cursor,
      limit: limit(maxListedRecordings),
    },
    answers: { 200: { description: "A page of recordings.", schema: pageSchema } },
    errors: [],
    async handle({ query, principal, meter }) {
      const { device, from = 0, to = Number.MAX_SAFE_INTEGER, limit: max, after } = query;
      // A name without any character that file names allow matches no recording.
      const sanitized = device === undefined ? undefined : (sanitizeHwid(device) ?? "");
      const rows = await visibleRows<RecordingRow>({
        limit: max,
        read: (last, limit) => recordings.list({ device: sanitized, from, to, after: last ?? after, limit }),
        isVisible: (row) => principal.may("list", recordingResource(row.device, row.streamId)),
      });
      const next = rows.length === max ? encodeCursor(rows.at(-1)!) : null;
      return json({ recordings: rows.map(describe), next }, meter);
    },
  });
}

function describe(row: RecordingRow): v.InferOutput<typeof recordingSchema> {
  const { id, device, streamId, codec, sampleRate, channels, frames, samples, gaps, lostFrames } = row;
  const { name, nibbleOrder, nibbleOrderBy, isPinned, startedAt, endedAt, level, bin, wav, missing } = row;
  return {
    id,
    device,
    streamId,
    codec,
    sampleRate,
    channels,
    frames,
    samples,
    gaps,
    lostFrames,
    nibbleOrder,
    nibbleOrderBy,
    pinned: isPinned,
    peak: level === undefined ? null : rounded(peakDbfs(level)),
    rms: level === undefined ? null : rounded(rmsDbfs(level)),
    clipped: level?.clipped ?? null,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    bin: describeFile(`${name}.bin`, bin),
    wav: describeFile(`${name}.wav`, wav),
    ...(missing === undefined ? {} : { missing }),
  };
}

function rounded(dbfs: number): number {
  return Math.round(dbfs * 10) / 10;
}

function describeFile(path: string, file: RecordedFile) {
  return { path, bytes: file.bytes, sha256: file.sha256 };
}

function encodeCursor({ startedAt, id }: RecordingCursor): string {
  return `${startedAt}.${id}`;
}

function decodeCursor(value: string): RecordingCursor | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(value);
  return match === null ? undefined : { startedAt: Number(match[1]), id: Number(match[2]) };
}
