/** Which options a reload changes while the server runs. Each of the others needs a restart. */
import type { Name } from "../schema.ts";

const live: ReadonlySet<Name> = new Set<Name>([
  "logLevel",
  "drainSeconds",
  "maxConnections",
  "maxConnectionsPerAddress",
  "allowHost",
  "allowOrigin",
  "anonymous",
  "maxStreamBytes",
  "maxCacheBytes",
  "maxStreams",
  "maxUnfinishedStreams",
  "incompleteTtl",
  "keepStreams",
  "keepRecordings",
  "minFree",
  "policy",
  "archiveLocalBytes",
  "rotateSeconds",
  "adpcmNibbles",
  "fillGaps",
  "silenceDbfs",
  "silenceSeconds",
  "silenceFor",
  "maxSongBytes",
  "udpRateMbps",
  "udpAllow",
  "leadMs",
  "flash",
  "sounds",
  "maxEvents",
  "hook",
  "hookAllow",
  "onEvent",
  "onEventTypes",
]);

export function isLive(name: Name): boolean {
  return live.has(name);
}
