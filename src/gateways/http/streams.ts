/** The operations on streams, without their audio. */
import * as v from "valibot";
import { WavecacheError } from "../../base/errors.ts";
import { maxListedStreams } from "../../base/limits/streams.ts";
import { isStreamId } from "../../base/ids/stream-id.ts";
import type { ListQuery, StreamRow } from "../../store/streams/catalog.ts";
import { describeStream } from "../../store/streams/metadata.ts";
import { json, type Operation, operation } from "./operation.ts";
import { after, choice, limit } from "./parameters.ts";
import { countSchema, sha256Schema, timeSchema } from "./schemas.ts";

/** What the operations need of the engine. */
export interface Streams {
  /** A stream by its id, or else the only one of this name. */
  lookUp(idOrName: string): Promise<StreamRow | null>;
  list(query: ListQuery): Promise<StreamRow[]>;
  remove(streamId: string): Promise<void>;
  /** Bytes received of an upload in progress; undefined if there is none. */
  receivedBytes(streamId: string): number | undefined;
}

const streamSchema = v.strictObject({
  streamId: v.string(),
  state: v.picklist(["finished", "unfinished"]),
  size: countSchema,
  sha256: v.nullable(sha256Schema),
  format: v.nullable(v.string()),
  damaged: v.boolean(),
  metadata: v.strictObject({
    contentType: v.nullable(v.string()),
    format: v.nullable(v.record(v.string(), v.unknown())),
    tags: v.record(v.string(), v.string()),
  }),
  createdAt: timeSchema,
  finishedAt: v.nullable(timeSchema),
});

const pageSchema = v.strictObject({ streams: v.array(streamSchema), next: v.nullable(v.string()) });

const tag = "streams";
const route = "/api/streams/:id";
const segments = { id: "The id of the stream." };

export function streamOperations(streams: Streams): Operation[] {
  return [listOperation(streams), findOperation(streams), removeOperation(streams)];
}

function listOperation(streams: Streams): Operation {
  return operation({
    method: "get",
    route: "/api/streams",
    tag,
    access: { action: "list", within: "streams" },
    summary: "Lists streams in the order of their ids.",
    parameters: {
      state: choice(["finished", "unfinished"], "Only streams in this state."),
      after: after("an id"),
      limit: limit(maxListedStreams),
    },
    answers: { 200: { description: "A page of streams.", schema: pageSchema } },
    errors: [],
    async handle({ query, meter }) {
      const rows = await streams.list(query);
      const next = rows.length === query.limit ? rows.at(-1)!.streamId : null;
      return json({ streams: rows.map((row) => describe(row, streams)), next }, meter);
    },
  });
}

function findOperation(streams: Streams): Operation {
  return operation({
    method: "get",
    route,
    tag,
    access: { action: "read", within: "streams" },
    summary: "Describes a stream.",
    segments: { id: "The id of the stream, or the name of its file if no other stream has it." },
    parameters: {},
    answers: { 200: { description: "The stream.", schema: streamSchema } },
    errors: ["STREAM_UNKNOWN"],
    async handle({ path, meter }) {
      const row = await streams.lookUp(path["id"]!);
      if (row === null) throw new WavecacheError("STREAM_UNKNOWN");
      return json(describe(row, streams), meter);
    },
  });
}

function removeOperation(streams: Streams): Operation {
  return operation({
    method: "delete",
    route,
    tag,
    access: { action: "remove", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "Removes a stream.",
    segments,
    parameters: {},
    answers: { 204: { description: "The stream is removed." } },
    errors: ["STREAM_UNKNOWN", "STREAM_UNFINISHED"],
    async handle({ path }) {
      await streams.remove(knownId(path["id"]!));
      return new Response(null, { status: 204 });
    },
  });
}

/** A segment that is no id names no stream. */
function knownId(segment: string): string {
  if (!isStreamId(segment)) throw new WavecacheError("STREAM_UNKNOWN");
  return segment;
}

function describe(row: StreamRow, streams: Streams): v.InferOutput<typeof streamSchema> {
  const { contentType, format, tags } = describeStream(row);
  const finished = row.state === "finished";
  return {
    streamId: row.streamId,
    state: finished ? "finished" : "unfinished",
    size: finished ? row.size : (streams.receivedBytes(row.streamId) ?? row.size),
    sha256: finished ? row.sha256 : null,
    format: row.format,
    damaged: row.isDamaged,
    metadata: { contentType: contentType ?? null, format: format === undefined ? null : { ...format }, tags },
    createdAt: new Date(row.createdAt).toISOString(),
    finishedAt: row.finishedAt === null ? null : new Date(row.finishedAt).toISOString(),
  };
}
