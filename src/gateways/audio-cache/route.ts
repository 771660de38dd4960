/** The audio cache's door on the web listener. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log.ts";
import type { SocketRoute } from "../../listen/route.ts";
import { encodeConnected } from "../../wire/audio-cache.ts";
import { type Streams, AudioCacheSession } from "./session.ts";

/** The one client family that waits to be greeted; a greeting breaks others. */
const greetedAgent = /^ktor/i;

/** Serves `path`, `path/` and `/`. */
export function audioCacheRoute(path: string, cache: Streams, meter: GatewayMeter, log: Log): SocketRoute {
  return {
    meter,
    accepts: (asked) => asked === "/" || asked === path || asked === `${path}/`,
    open(socket, { userAgent }) {
      if (greetedAgent.test(userAgent)) socket.send(encodeConnected());
      return new AudioCacheSession(socket, cache, meter, log);
    },
  };
}
