/** The connection limit that all TCP ports share, and what watches over it. */
import { defaultMaxConnectionsPerAddress } from "../../base/limits/connections.ts";
import type { Log } from "../../base/log/log.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { ConnectionWatch } from "./connection-watch.ts";
import { connectionsWithin, type DescriptorPlan } from "./descriptor-plan.ts";

export interface ConnectionSettings {
  maxConnections: number;
  /** Undefined for the default, which does not apply to loopback: behind a proxy on this machine all clients have it. */
  maxConnectionsPerAddress: number | undefined;
}

export interface Connections {
  limit: ConnectionLimit;
  watch: ConnectionWatch;
  configure(settings: ConnectionSettings): void;
  close(): void;
}

export function openConnections(settings: ConnectionSettings, plan: DescriptorPlan, log: Log): Connections {
  const limitsOf = ({ maxConnections, maxConnectionsPerAddress }: ConnectionSettings) => ({
    max: connectionsWithin(plan, maxConnections, log),
    maxPerAddress: maxConnectionsPerAddress ?? defaultMaxConnectionsPerAddress,
    limitsLoopback: maxConnectionsPerAddress !== undefined,
  });
  const limit = new ConnectionLimit(limitsOf(settings));
  const watch = new ConnectionWatch(limit, plan.maxDescriptors);
  return {
    limit,
    watch,
    configure: (changed) => limit.change(limitsOf(changed)),
    close() {
      watch.close();
      limit.close();
    },
  };
}
