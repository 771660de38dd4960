/** `GET /api/live/devices`: the state of devices as it changes, as server-sent events. */
import { maxDevicePatternChars } from "../../../base/limits/peaks.ts";
import { type Operation, operation } from "../operation.ts";
import { text } from "../parameters.ts";
import { DeviceFeed, type WatchedDevices } from "./feed.ts";
import { deviceMatcher } from "./pattern.ts";

const mediaType = "text/event-stream";

export function followDevicesOperation(devices: WatchedDevices): Operation {
  const feed = new DeviceFeed(devices);
  return operation({
    method: "get",
    route: "/api/live/devices",
    tag: "devices",
    access: { action: "list", within: "devices" },
    summary:
      "The state of the devices of all nodes, first of all of them, then of those that change, as server-sent events.",
    parameters: {
      device: text("Only devices whose id matches; `*` stands for any text.", maxDevicePatternChars),
    },
    answers: {
      200: {
        description:
          "Events `devices`, with JSON of `devices` and `incomplete` as in the list, and `gone`, the ids of forgotten ones.",
        content: [mediaType],
      },
    },
    errors: ["LISTENERS_EXHAUSTED"],
    async handle({ request, query, connection, principal, meter }) {
      const matches = deviceMatcher(query.device);
      const headers = { "content-type": mediaType, "cache-control": "no-store" };
      // Without its encoding, Bun would announce a length of 0.
      if (request.method === "HEAD")
        return new Response(null, { headers: { ...headers, "transfer-encoding": "chunked" } });
      // The first events have the devices of the other nodes, too.
      await devices.complete();
      const frames = feed.follow(principal, matches, meter);
      connection.keepOpen();
      return new Response(frames, { headers });
    },
  });
}
