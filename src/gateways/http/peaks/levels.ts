/** `GET /api/live/levels`: the levels of devices that send, ten times a second, as server-sent events. */
import { maxDevicePatternChars } from "../../../base/limits/peaks.ts";
import { deviceMatcher } from "../devices/pattern.ts";
import { type Operation, operation } from "../operation.ts";
import { text } from "../parameters.ts";
import { LevelFeed, type MeteredRecordings } from "./level-feed.ts";

const mediaType = "text/event-stream";

export function levelsOperation(recordings: MeteredRecordings): Operation {
  const feed = new LevelFeed(recordings);
  return operation({
    method: "get",
    route: "/api/live/levels",
    tag: "recordings",
    access: { action: "listen", within: "recordings" },
    summary: "The levels of recordings in progress, ten times a second, as server-sent events.",
    parameters: {
      device: text(
        "Only devices whose hardware id matches; `*` stands for any text. A device without one has its stream id.",
        maxDevicePatternChars,
      ),
    },
    answers: {
      200: {
        description: "Events `levels`, with JSON of the devices that have a new level: peak and RMS in dBFS.",
        content: [mediaType],
      },
    },
    errors: ["LISTENERS_EXHAUSTED"],
    handle({ request, query, connection, principal, meter }) {
      const matches = deviceMatcher(query.device);
      const headers = { "content-type": mediaType, "cache-control": "no-store" };
      // Without its encoding, Bun would announce a length of 0.
      if (request.method === "HEAD")
        return new Response(null, { headers: { ...headers, "transfer-encoding": "chunked" } });
      const frames = feed.follow(principal, matches, meter);
      connection.keepOpen();
      return new Response(frames, { headers });
    },
  });
}
