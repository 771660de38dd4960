/** The operations on streams, without their audio. */
import { resourceOf } from "../../access/actions.ts";
import { WavecacheError } from "../../base/errors.ts";
import { isStreamId } from "../../base/ids/stream-id.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { json, type Operation, operation } from "./operation.ts";
import { changeOperation, type StreamTags } from "./stream-changes.ts";
import { describe, streamSchema, type Uploads } from "./stream-json.ts";
import { listOperation, type StreamLists } from "./stream-list.ts";

/** What the operations need of the engine. */
export interface Streams extends StreamLists, StreamTags, Uploads {
  /** A stream by its id, or else the only one of this name. */
  lookUp(idOrName: string): Promise<StreamRow | null>;
  remove(streamId: string): Promise<void>;
}

const tag = "streams";
const route = "/api/streams/:id";
const segments = { id: "The id of the stream." };

export function streamOperations(streams: Streams): Operation[] {
  return [listOperation(streams), findOperation(streams), changeOperation(streams), removeOperation(streams)];
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
    async handle({ path, principal, meter }) {
      const row = await streams.lookUp(path["id"]!);
      if (row === null || !principal.may("read", resourceOf("streams", row.streamId)))
        throw new WavecacheError("STREAM_UNKNOWN");
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
    async handle({ path, principal }) {
      const id = knownId(path["id"]!);
      await streams.remove(id);
      principal.did("remove", resourceOf("streams", id));
      return new Response(null, { status: 204 });
    },
  });
}

/** A segment that is no id names no stream. */
function knownId(segment: string): string {
  if (!isStreamId(segment)) throw new WavecacheError("STREAM_UNKNOWN");
  return segment;
}
