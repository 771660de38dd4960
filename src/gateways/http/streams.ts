/**
 * The streams as JSON:
 *
 *     GET    /api/streams?state=finished|unfinished&after=ID&limit=N   {"streams": [...], "next": ID or null}
 *     GET    /api/streams/ID                                           one stream, or 404; ID or the name of its file
 *     DELETE /api/streams/ID                                           204, or 404, or 409 while it is uploaded
 */
import {
  safeParse,
  object,
  optional,
  picklist,
  pipe,
  string,
  transform,
  integer,
  minValue,
  maxValue,
} from "valibot";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxListedStreams } from "../../base/limits/streams.ts";
import { isStreamId } from "../../base/stream-id.ts";
import type { ListQuery, StreamRow } from "../../store/streams/catalog.ts";
import { describeStream } from "../../store/streams/metadata.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { answer, decodeSegment, json, methodNotAllowed } from "./answer.ts";

/** What the routes need of the engine. */
export interface Streams {
  /** A stream by its id, or else the only one of this name. */
  lookUp(idOrName: string): Promise<StreamRow | null>;
  list(query: ListQuery): Promise<StreamRow[]>;
  remove(streamId: string): Promise<void>;
  /** Bytes received of an upload in progress; undefined if there is none. */
  receivedBytes(streamId: string): number | undefined;
}

const root = "/api/streams";

const listSchema = object({
  state: optional(picklist(["finished", "unfinished"])),
  after: optional(string(), ""),
  limit: optional(
    pipe(string(), transform(Number), integer(), minValue(1), maxValue(maxListedStreams)),
    "100",
  ),
});

export function streamsRoute(streams: Streams, meter: GatewayMeter): HttpRoute {
  return {
    handle(request, url) {
      if (url.pathname === root) return answer(meter, () => listStreams(streams, request, url, meter));
      if (!url.pathname.startsWith(`${root}/`)) return undefined;
      return answer(meter, () =>
        oneStream(streams, request, decodeSegment(url.pathname.slice(root.length + 1)), meter),
      );
    },
  };
}

async function listStreams(
  streams: Streams,
  request: Request,
  url: URL,
  meter: GatewayMeter,
): Promise<Response> {
  if (request.method !== "GET") return methodNotAllowed("GET");
  const query = safeParse(listSchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  const { state, after, limit } = query.output;
  const rows = await streams.list({ state, after, limit });
  const next = rows.length === limit ? rows.at(-1)!.streamId : null;
  return json({ streams: rows.map((row) => describe(row, streams)), next }, meter);
}

async function oneStream(
  streams: Streams,
  request: Request,
  idOrName: string,
  meter: GatewayMeter,
): Promise<Response> {
  switch (request.method) {
    case "GET": {
      const row = await streams.lookUp(idOrName);
      if (row === null) throw new WavecacheError("STREAM_UNKNOWN");
      return json(describe(row, streams), meter);
    }
    case "DELETE":
      if (!isStreamId(idOrName)) throw new WavecacheError("STREAM_UNKNOWN");
      await streams.remove(idOrName);
      return new Response(null, { status: 204 });
    default:
      return methodNotAllowed("GET, DELETE");
  }
}

function describe(row: StreamRow, streams: Streams) {
  const { contentType, format, tags } = describeStream(row);
  const finished = row.state === "finished";
  return {
    streamId: row.streamId,
    state: finished ? "finished" : "unfinished",
    size: finished ? row.size : (streams.receivedBytes(row.streamId) ?? row.size),
    sha256: finished ? row.sha256 : null,
    format: row.format,
    metadata: { contentType: contentType ?? null, format: format ?? null, tags },
    createdAt: new Date(row.createdAt).toISOString(),
    finishedAt: row.finishedAt === null ? null : new Date(row.finishedAt).toISOString(),
  };
}
