/**
 * The songs of the library as JSON, sorted by name:
 *
 *     GET /api/library?after=NAME&limit=N   {"songs": [{"name", "size", "type", "duration"}, ...], "next": NAME or null}
 *
 * `size` is in bytes, `type` a MIME type, `duration` in seconds, or null if unknown.
 */
import { integer, maxValue, minValue, object, optional, pipe, safeParse, string, transform } from "valibot";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxListedSongs } from "../../base/limits/library.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { answer, json, methodNotAllowed } from "./answer.ts";

/** What the route needs of the engine. */
export interface Songs {
  list(query: { after: string; limit: number }): Promise<SongPage>;
}

interface SongPage {
  songs: { name: string; size: number; type: string; duration: number | null }[];
  next: string | null;
}

const root = "/api/library";

const querySchema = object({
  after: optional(string(), ""),
  limit: optional(pipe(string(), transform(Number), integer(), minValue(1), maxValue(maxListedSongs)), "100"),
});

export function libraryRoute(songs: Songs, meter: GatewayMeter): HttpRoute {
  return {
    handle(request, url) {
      if (url.pathname !== root) return undefined;
      if (request.method !== "GET") return methodNotAllowed("GET");
      return answer(meter, () => list(songs, url, meter));
    },
  };
}

async function list(songs: Songs, url: URL, meter: GatewayMeter): Promise<Response> {
  const query = safeParse(querySchema, Object.fromEntries(url.searchParams));
  if (!query.success) throw new WavecacheError("BAD_REQUEST");
  return json(await songs.list(query.output), meter);
}
