/** What is stored, how much may be, and when the disks will be full. */
import type { KeeperResult } from "../../store/keeper-calls.ts";
import type { RetainedKind, UsageSample } from "../../store/retention/catalog.ts";
import type { CacheFigures } from "../streams/cache-figures.ts";
import type { Disks, MeasuredDisk } from "./disks.ts";
import { fullAt, growthPerDay } from "./forecast.ts";
import type { Use } from "./plan.ts";
import type { PolicySettings } from "./policy.ts";

export interface DiskReport {
  holds: RetainedKind[];
  freeBytes: number;
  totalBytes: number;
  /** Of what is retained there; undefined before it was observed for long enough. */
  growthBytesPerDay: number | undefined;
  /** Milliseconds since 1970; undefined if it does not fill up. */
  fullAt: number | undefined;
}

export interface PolicyReport {
  settings: PolicySettings;
  used: Use;
}

export interface UsageReport {
  streams: Use & { limitBytes: number; unfinishedBytes: number };
  recordings: Use & { unfinishedBytes: number };
  disks: DiskReport[];
  policies: PolicyReport[];
  /** Milliseconds since 1970; undefined before the first run. */
  lastRunAt?: number | undefined;
  /** Whose disks these are; undefined on a single machine. */
  node?: string | undefined;
}

interface UsageFacts {
  /** Milliseconds since 1970. */
  now: number;
  figures: CacheFigures;
  /** Of recordings in progress. */
  unenteredBytes: number;
  found: KeeperResult<"retentionUsage">;
  policies: PolicyReport[];
  disks: Pick<Disks, "get">;
}

export function reportUsage({
  now,
  figures,
  unenteredBytes,
  found,
  policies,
  disks,
}: UsageFacts): UsageReport {
  const { uploading, finishing, interrupted, finished, objectBytes, unfinishedBytes, limitBytes } = figures;
  const bytes = objectBytes + unfinishedBytes;
  const count = uploading + finishing + interrupted + finished;
  const recordingBytes = found.recordings.bytes + unenteredBytes;
  const sample = { at: now, streamBytes: bytes, recordingBytes };
  return {
    streams: { bytes, count, limitBytes, unfinishedBytes },
    recordings: {
      bytes: recordingBytes,
      count: found.recordings.recordings,
      unfinishedBytes: unenteredBytes,
    },
    disks: reportDisks(disks, found.samples, sample),
    policies,
  };
}

const bytesOf: Record<RetainedKind, (sample: UsageSample) => number> = {
  streams: ({ streamBytes }) => streamBytes,
  recordings: ({ recordingBytes }) => recordingBytes,
};

/** One entry for each file system. */
function reportDisks(
  disks: Pick<Disks, "get">,
  samples: readonly UsageSample[],
  current: UsageSample,
): DiskReport[] {
  const byDevice = new Map<number, { disk: MeasuredDisk; holds: RetainedKind[] }>();
  for (const kind of ["streams", "recordings"] as const) {
    const disk = disks.get(kind);
    if (disk === undefined) continue;
    const known = byDevice.get(disk.device);
    if (known === undefined) byDevice.set(disk.device, { disk, holds: [kind] });
    else known.holds.push(kind);
  }
  return Array.from(byDevice.values(), ({ disk: { freeBytes, totalBytes }, holds }) => {
    const all = (sample: UsageSample) => holds.reduce((sum, kind) => sum + bytesOf[kind](sample), 0);
    const growthBytesPerDay = growthPerDay(samples, current, all);
    return {
      holds,
      freeBytes,
      totalBytes,
      growthBytesPerDay,
      fullAt: fullAt(current.at, freeBytes, growthBytesPerDay),
    };
  });
}
