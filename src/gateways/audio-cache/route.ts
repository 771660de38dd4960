/** The audio cache on the HTTP listener. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";
import type { SocketRoute } from "../../listen/route.ts";
import { encodeConnected } from "../../wire/audio-cache.ts";
import { AudioCacheSession, type Streams } from "./session.ts";

/** Clients of this family wait for CONNECTED. Other clients fail on a message that they did not ask for. */
const greetedAgent = /^ktor/i;

/** Serves `path`, `path/` and `/`. */
export function audioCacheRoute(path: string, streams: Streams, meter: GatewayMeter, log: Log): SocketRoute {
  return {
    meter,
    refusesLongTexts: true,
    requireAccess: ({ principal }) => principal.requireSomeStream(),
    accepts: (asked) => asked === "/" || asked === path || asked === `${path}/`,
    open(socket, { userAgent, principal, context }) {
      if (greetedAgent.test(userAgent)) socket.send(encodeConnected());
      return new AudioCacheSession(socket, { principal, context }, { streams, meter, log });
    },
  };
}
