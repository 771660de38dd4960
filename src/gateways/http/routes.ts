/** The HTTP API, and the page at its root. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Readiness } from "../../base/readiness.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { type Devices, devicesRoute } from "./devices.ts";
import { healthRoute } from "./health.ts";
import { homeRoute, type HomeSettings } from "./home.ts";
import { libraryRoute, type Songs } from "./library.ts";
import { type Recordings, recordingsRoute } from "./recordings.ts";
import { type Streams, streamsRoute } from "./streams.ts";

/** What the API serves. */
export interface HttpApi {
  streams: Streams;
  recordings: Recordings;
  songs: Songs;
  devices: Devices;
  readiness: Readiness;
}

export function httpRoutes(api: HttpApi, home: HomeSettings, meter: GatewayMeter): HttpRoute[] {
  return [
    healthRoute(api.readiness),
    homeRoute(home),
    streamsRoute(api.streams, meter),
    recordingsRoute(api.recordings, meter),
    libraryRoute(api.songs, meter),
    devicesRoute(api.devices, meter),
  ];
}
