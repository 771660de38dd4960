/** A stream as the API shows it. */
import * as v from "valibot";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { describeStream, fileNameOf, titleOf } from "../../store/streams/metadata.ts";
import { countSchema, sha256Schema, timeSchema } from "./schemas.ts";

export interface Uploads {
  /** Bytes received of an upload in progress; undefined if there is none. */
  receivedBytes(streamId: string): number | undefined;
}

const figureSchema = v.nullable(v.pipe(v.number(), v.minValue(0)));

export const streamSchema = v.strictObject({
  streamId: v.string(),
  state: v.picklist(["finished", "unfinished"]),
  title: v.nullable(v.string()),
  /** The name of the file that was uploaded, without folders. */
  name: v.nullable(v.string()),
  size: countSchema,
  sha256: v.nullable(sha256Schema),
  format: v.nullable(v.string()),
  /** What the audio says of itself; null until it was read. */
  audio: v.nullable(
    v.strictObject({
      container: v.nullable(v.string()),
      codec: v.nullable(v.string()),
      duration: figureSchema,
      sampleRate: figureSchema,
      channels: figureSchema,
      bitRate: figureSchema,
    }),
  ),
  damaged: v.boolean(),
  /** Retention never removes it. */
  pinned: v.boolean(),
  metadata: v.strictObject({
    contentType: v.nullable(v.string()),
    format: v.nullable(v.record(v.string(), v.unknown())),
    tags: v.record(v.string(), v.string()),
  }),
  createdAt: timeSchema,
  finishedAt: v.nullable(timeSchema),
});

export function describe(row: StreamRow, uploads: Uploads): v.InferOutput<typeof streamSchema> {
  const { contentType, format, tags } = describeStream(row);
  const finished = row.state === "finished";
  return {
    streamId: row.streamId,
    state: finished ? "finished" : "unfinished",
    title: titleOf(row.metadata) ?? null,
    name: fileNameOf(row.metadata) ?? null,
    size: finished ? row.size : (uploads.receivedBytes(row.streamId) ?? row.size),
    sha256: finished ? row.sha256 : null,
    format: row.format,
    audio: row.audio,
    damaged: row.isDamaged,
    pinned: row.isPinned,
    metadata: { contentType: contentType ?? null, format: format === undefined ? null : { ...format }, tags },
    createdAt: new Date(row.createdAt).toISOString(),
    finishedAt: row.finishedAt === null ? null : new Date(row.finishedAt).toISOString(),
  };
}
