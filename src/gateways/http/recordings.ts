/**
 * The recordings as JSON, in order of their start:
 *
 *     GET /api/recordings?device=HWID&from=TIME&to=TIME&limit=N&after=PLACE   {"recordings": [...], "next": PLACE or null}
 *
 * `from` (inclusive) and `to` (exclusive) select by start time, in ISO 8601 or milliseconds since 1970. `after` takes
 * the `next` of the previous page. Paths are relative to the recordings folder of the server.
 */
import {
  check,
  integer,
  maxValue,
  minValue,
  object,
  optional,
  pipe,
  safeParse,
  string,
  transform,
} from "valibot";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxListedRecordings } from "../../base/limits/recordings.ts";
import type { RecordedFile } from "../../base/recording-entry.ts";
import type { RecordingCursor, RecordingQuery, RecordingRow } from "../../store/recordings/catalog.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { sanitizeHwid } from "../../wire/ingest.ts";
import { answer, json, methodNotAllowed } from "./answer.ts";

/** What the route needs of the engine. */
export interface Recordings {
  list(query: RecordingQuery): Promise<RecordingRow[]>;
}

const root = "/api/recordings";

const time = pipe(
  string(),
  transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text))),
  check((ms) => Number.isSafeInteger(ms)),
);

const querySchema = object({
  device: optional(string()),
  from: optional(time),
  to: optional(time),
  limit: optional(
    pipe(string(), transform(Number), integer(), minValue(1), maxValue(maxListedRecordings)),
    "100",
  ),
  after: optional(
    pipe(
      string(),
      transform(decodeCursor),
      check((place) => place !== undefined),
    ),
  ),
});

export function recordingsRoute(recordings: Recordings, meter: GatewayMeter): HttpRoute {
  return {
    handle(request, url) {
      if (url.pathname !== root) return undefined;
      if (request.method !== "GET") return methodNotAllowed("GET");
      return answer(meter, () => list(recordings, url, meter));
    },
  };
}

async function list(recordings: Recordings, url: URL, meter: GatewayMeter): Promise<Response> {
  const parsed = safeParse(querySchema, Object.fromEntries(url.searchParams));
  if (!parsed.success) throw new WavecacheError("BAD_REQUEST");
  const { device, from = 0, to = Number.MAX_SAFE_INTEGER, limit, after } = parsed.output;
  // A name without any character that file names allow matches no recording.
  const sanitized = device === undefined ? undefined : (sanitizeHwid(device) ?? "");
  const rows = await recordings.list({ device: sanitized, from, to, after, limit });
  const next = rows.length === limit ? encodeCursor(rows.at(-1)!) : null;
  return json({ recordings: rows.map(describe), next }, meter);
}

function describe(row: RecordingRow) {
  const { name, startedAt, endedAt, bin, wav, ...rest } = row;
  return {
    ...rest,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    bin: describeFile(`${name}.bin`, bin),
    wav: describeFile(`${name}.wav`, wav),
  };
}

function describeFile(path: string, file: RecordedFile) {
  return { path, bytes: file.bytes, sha256: file.sha256 };
}

function encodeCursor({ startedAt, id }: RecordingCursor): string {
  return `${startedAt}.${id}`;
}

function decodeCursor(text: string): RecordingCursor | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  return match === null ? undefined : { startedAt: Number(match[1]), id: Number(match[2]) };
}
