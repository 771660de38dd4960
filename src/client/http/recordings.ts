/** The list of recordings, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_RECORDER";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Opaque: some servers use numbers, some names. */
const id = v.union([v.string(), v.number()]);

const fileSchema = v.object({
  /** Relative to the server's folder of recordings. */
  path: v.string(),
  bytes: count,
  /** Lower-case hex. */
  sha256: v.string(),
});

const recordingSchema = v.object({
  id,
  /** The device's hardware id; null if it has none. */
  device: v.nullable(v.string()),
  streamId: count,
  codec: v.picklist(["pcm", "adpcm"]),
  sampleRate: count,
  channels: count,
  /** ISO 8601. */
  startedAt: v.string(),
  endedAt: v.string(),
  frames: count,
  /** Per channel. */
  samples: count,
  /** Jumps of the sequence number, and the frames missing there. */
  gaps: count,
  lostFrames: count,
  /** Which nibble of a byte holds the earlier sample, and how that was decided; null for PCM. */
  nibbleOrder: v.nullable(v.picklist(["low", "high"])),
  nibbleOrderBy: v.nullable(v.picklist(["matched", "fallback", "forced"])),
  bin: fileSchema,
  wav: fileSchema,
  /** Files that are not in the server's folder any more; absent if both are there. */
  missing: v.optional(v.array(v.picklist(["bin", "wav"]))),
});

const pageSchema = v.object({ recordings: v.array(recordingSchema), next: v.nullable(id) });

export type ListedRecording = v.InferOutput<typeof recordingSchema>;

export interface ListedRecordingPage {
  recordings: ListedRecording[];
  /** The `after` of the next page; null on the last page. */
  next: string | null;
}

export interface RecordingListOptions extends ApiOptions {
  /** Lists only recordings of this device. */
  device?: string;
  /** Lists only recordings of this period. */
  from?: Date;
  to?: Date;
  /** Recordings in this page; the server may return fewer. */
  limit?: number;
  /** The `next` of the previous page. */
  after?: string;
}

/** Lists one page of recordings. Throws NO_RECORDER if the server has no such list. */
export async function listRecordings(options: RecordingListOptions): Promise<ListedRecordingPage> {
  const query = new URLSearchParams();
  if (options.device !== undefined) query.set("device", options.device);
  if (options.from !== undefined) query.set("from", options.from.toISOString());
  if (options.to !== undefined) query.set("to", options.to.toISOString());
  if (options.limit !== undefined) query.set("limit", String(options.limit));
  if (options.after !== undefined) query.set("after", options.after);
  const answer = await request(options, "GET", `/api/recordings?${query}`);
  throwUnlessOk(answer, missing);
  const { recordings, next } = parsed(pageSchema, answer.body, missing);
  return { recordings, next: next === null ? null : String(next) };
}
