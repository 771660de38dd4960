/**
 * The recordings as JSON, in the order in which they were opened:
 *
 *     GET /api/recordings?device=HWID&from=TIME&to=TIME&limit=N&after=PLACE   {"recordings": [...], "next": PLACE or null}
 *
 * `from` and `to` are ISO 8601 or milliseconds since 1970 and mean the opening; `from` belongs to the time, `to` does
 * not. `after` takes the `next` of the page before. Paths are relative to the server's folder of recordings.
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
import { answer, json } from "./answer.ts";

/** What this door needs of the engine. */
export interface RecordingDirectory {
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

export function recordingsRoute(directory: RecordingDirectory, meter: GatewayMeter): HttpRoute {
  return {
    handle(request, url) {
      if (url.pathname !== root) return undefined;
      if (request.method !== "GET")
        return new Response("method not allowed\n", { status: 405, headers: { allow: "GET" } });
      return answer(meter, () => list(directory, url, meter));
    },
  };
}

async function list(directory: RecordingDirectory, url: URL, meter: GatewayMeter): Promise<Response> {
  const parsed = safeParse(querySchema, Object.fromEntries(url.searchParams));
  if (!parsed.success) throw new WavecacheError("BAD_REQUEST");
  const { device, from = 0, to = Number.MAX_SAFE_INTEGER, limit, after } = parsed.output;
  // A device whose name has nothing that stays in a file name has no recordings under its name.
  const sanitized = device === undefined ? undefined : (sanitizeHwid(device) ?? "");
  const rows = await directory.list({ device: sanitized, from, to, after, limit });
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
