/** The lines of the journal. What is read from a file is checked: hashes and keys become parts of paths. */
import * as v from "valibot";
import { isStreamId } from "../../base/ids/stream-id.ts";
import type { FinishedStream } from "../streams/catalog.ts";
import { type AudioProperties, noMetadata, type StreamMetadata } from "../streams/metadata.ts";

export type JournalEntry =
  | { finish: FinishedStream }
  | { remove: { streamId: string; key: string } }
  /** The archive has an object under this key. */
  | { archive: { sha256: string; key: string } };

const streamId = v.pipe(v.string(), v.check(isStreamId));
const key = v.pipe(v.string(), v.regex(/^[\w-]+$/));
/** Ids of tokens are shorter. */
const maxAccountChars = 64;
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const metadata = v.pipe(
  v.object({
    contentType: v.optional(v.string()),
    format: v.optional(v.object({ codec: v.string(), sampleRate: v.number(), channels: v.number() })),
    tags: v.record(v.string(), v.string()),
  }),
  v.transform(({ contentType, format, tags }): StreamMetadata => ({ contentType, format, tags })),
);

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
/** In the bucket. */
const archiveKey = v.pipe(v.string(), v.regex(/^objects\/[0-9a-f]{2}\/[0-9a-f.]+$/));

const figure = v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0)));

const audio: v.GenericSchema<unknown, AudioProperties> = v.object({
  container: v.nullable(v.string()),
  codec: v.nullable(v.string()),
  duration: figure,
  sampleRate: figure,
  channels: figure,
  bitRate: figure,
});

const finish: v.GenericSchema<unknown, FinishedStream> = v.object({
  streamId,
  key,
  sha256,
  size: count,
  format: v.nullable(v.string()),
  metadata: v.optional(metadata, noMetadata),
  audio: v.optional(v.nullable(audio), null),
  createdAt: count,
  finishedAt: count,
  account: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(maxAccountChars)))),
  archiveKey: v.optional(archiveKey),
});

const entry: v.GenericSchema<unknown, JournalEntry> = v.union([
  v.object({ finish }),
  v.object({ remove: v.object({ streamId, key }) }),
  v.object({ archive: v.object({ sha256, key: archiveKey }) }),
]);

export function finishOf(stream: FinishedStream): JournalEntry {
  const { streamId, key, sha256, size, format, metadata, audio, createdAt, finishedAt } = stream;
  const finish = { streamId, key, sha256, size, format, metadata, audio, createdAt, finishedAt };
  return { finish: { ...finish, account: stream.account ?? undefined, archiveKey: stream.archiveKey } };
}

/** One line, with its end. */
export function lineOf(entry: JournalEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** Undefined for a header, and for a line that a crash has torn. */
export function parseLine(line: string): JournalEntry | undefined {
  const value = parseJson(line);
  const result = v.safeParse(entry, value);
  return result.success ? result.output : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
