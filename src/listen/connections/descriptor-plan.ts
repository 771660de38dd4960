/**
 * How the descriptors of the process are shared out. Connections and files get half each of what is left beside threads
 * and a reserve: an upload, a recording or a read usually has one connection and one file.
 */
import { descriptorLimit, openDescriptors } from "../../base/system/descriptors.ts";
import {
  descriptorReserveShare,
  descriptorsPerThread,
  maxDescriptorReserve,
  minDescriptorReserve,
  readFilesShare,
} from "../../base/limits/connections.ts";
import type { Log } from "../../base/log/log.ts";

export interface DescriptorPlan {
  /** Above this number of descriptors they count as short. */
  maxDescriptors: number;
  maxConnections: number;
  /** Uploads in progress, each with a file. */
  maxUploads: number;
  /** Files that all readers together keep open. */
  maxReadFiles: number;
}

/** Without a known limit nothing is short. */
const unlimited: DescriptorPlan = {
  maxDescriptors: Number.POSITIVE_INFINITY,
  maxConnections: Number.POSITIVE_INFINITY,
  maxUploads: Number.POSITIVE_INFINITY,
  maxReadFiles: Number.POSITIVE_INFINITY,
};

/** `threads`: those that are still to be started. */
export function planDescriptors(threads: number): DescriptorPlan {
  const limit = descriptorLimit;
  const open = openDescriptors();
  return limit === undefined || open === undefined
    ? unlimited
    : shareOut(limit, open + threads * descriptorsPerThread);
}

/** `used`: descriptors that the server itself needs. */
export function shareOut(limit: number, used: number): DescriptorPlan {
  const reserve = Math.floor(limit * descriptorReserveShare);
  const maxDescriptors = limit - Math.min(maxDescriptorReserve, Math.max(minDescriptorReserve, reserve));
  const half = Math.max(1, Math.floor((maxDescriptors - used) / 2));
  const maxReadFiles = Math.ceil(half * readFilesShare);
  return { maxDescriptors, maxConnections: half, maxUploads: Math.max(1, half - maxReadFiles), maxReadFiles };
}

/** The limit of connections that both the flag and the descriptors allow. Warns if the flag asks for more. */
export function connectionsWithin(plan: DescriptorPlan, wanted: number, log: Log): number {
  if (wanted <= plan.maxConnections) return wanted;
  log.warn("the limit of open files leaves room for fewer connections than --max-connections", {
    wanted,
    connections: plan.maxConnections,
    hint: "raise the limit of open files (ulimit -n), or lower --max-connections",
  });
  return plan.maxConnections;
}
