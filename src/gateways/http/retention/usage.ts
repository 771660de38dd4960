/** The operations on what is kept: usage and limits, and what goes next. */
import * as v from "valibot";
import { serverResource } from "../../../access/actions.ts";
import { maxListedRemovals } from "../../../base/limits/retention.ts";
import type { PlannedRemovals } from "../../../engine/retention/retention.ts";
import type { Removal } from "../../../engine/retention/plan.ts";
import type { PolicySettings } from "../../../engine/retention/policy.ts";
import type { UsageReport } from "../../../engine/retention/usage.ts";
import { json, type Operation, operation } from "../operation.ts";
import { limit } from "../parameters.ts";
import { countSchema, timeSchema } from "../schemas.ts";

/** What the operations need of the engine. */
export interface RetentionReports {
  usage(): Promise<UsageReport>;
  plan(): Promise<PlannedRemovals>;
  /** Times are in milliseconds since 1970. */
  history(): Promise<{ at: number; streamBytes: number; recordingBytes: number }[]>;
}

const kindSchema = v.picklist(["streams", "recordings"]);
const modeSchema = v.picklist(["evict", "expire", "refuse"]);
const optionalCount = v.nullable(countSchema);
const optionalTime = v.nullable(timeSchema);

const policySchema = v.strictObject({
  pattern: v.string(),
  mode: modeSchema,
  maxAgeSeconds: v.nullable(v.number()),
  maxBytes: optionalCount,
  minFreeBytes: optionalCount,
  keepNewest: optionalCount,
  keepSeconds: v.nullable(v.number()),
  usedBytes: countSchema,
  count: countSchema,
});

const usageSchema = v.strictObject({
  streams: v.strictObject({
    bytes: countSchema,
    count: countSchema,
    limitBytes: countSchema,
    /** Of uploads in progress and interrupted ones. */
    unfinishedBytes: countSchema,
  }),
  recordings: v.strictObject({ bytes: countSchema, count: countSchema, unfinishedBytes: countSchema }),
  disks: v.array(
    v.strictObject({
      holds: v.array(kindSchema),
      freeBytes: countSchema,
      totalBytes: countSchema,
      /** Null in the first hour. */
      growthBytesPerDay: v.nullable(v.number()),
      fullAt: optionalTime,
    }),
  ),
  policies: v.array(policySchema),
  lastRunAt: optionalTime,
  /** Whose disks these are: each server of several has its own, with what it took. Null on a single machine. */
  node: v.nullable(v.string()),
});

const planSchema = v.strictObject({
  removals: v.array(
    v.strictObject({
      kind: kindSchema,
      id: v.string(),
      name: v.string(),
      reason: v.picklist(["max-age", "max-bytes", "min-free"]),
      pattern: v.string(),
      bytes: countSchema,
      freedBytes: countSchema,
      madeAt: timeSchema,
      usedAt: timeSchema,
    }),
  ),
  count: countSchema,
  freedBytes: countSchema,
  isComplete: v.boolean(),
});

const historySchema = v.strictObject({
  samples: v.array(v.strictObject({ at: timeSchema, streamBytes: countSchema, recordingBytes: countSchema })),
});

const tag = "retention";

export function retentionOperations(retention: RetentionReports): Operation[] {
  return [usageOperation(retention), historyOperation(retention), planOperation(retention)];
}

function usageOperation(retention: RetentionReports): Operation {
  return operation({
    method: "get",
    route: "/api/retention",
    tag,
    access: { action: "metrics", on: serverResource },
    summary: "What is stored, how much may be, and when the disks will be full at this rate.",
    parameters: {},
    answers: { 200: { description: "Usage, limits, and growth.", schema: usageSchema } },
    errors: [],
    handle: async ({ meter }) => json(describeUsage(await retention.usage()), meter),
  });
}

function historyOperation(retention: RetentionReports): Operation {
  return operation({
    method: "get",
    route: "/api/retention/history",
    tag,
    access: { action: "metrics", on: serverResource },
    summary: "What was stored over the last seven days, once an hour, and what is now.",
    parameters: {},
    answers: { 200: { description: "Samples, oldest first.", schema: historySchema } },
    errors: [],
    async handle({ meter }) {
      const samples = (await retention.history()).map(({ at, streamBytes, recordingBytes }) => ({
        at: new Date(at).toISOString(),
        streamBytes: atLeast0(streamBytes),
        recordingBytes: atLeast0(recordingBytes),
      }));
      return json({ samples }, meter);
    },
  });
}

function planOperation(retention: RetentionReports): Operation {
  return operation({
    method: "get",
    route: "/api/retention/plan",
    tag,
    // It names streams and devices.
    access: { action: "admin", on: serverResource },
    summary: "What the next run of retention would remove, in its order, and why.",
    parameters: { limit: limit(maxListedRemovals) },
    answers: { 200: { description: "The first removals, and the figures of all.", schema: planSchema } },
    errors: [],
    async handle({ query, meter }) {
      const { removals, isComplete } = await retention.plan();
      const freedBytes = removals.reduce((sum, removal) => sum + removal.freedBytes, 0);
      const shown = removals.slice(0, query.limit).map(describeRemoval);
      return json({ removals: shown, count: removals.length, freedBytes, isComplete }, meter);
    },
  });
}

function describeUsage(report: UsageReport): v.InferOutput<typeof usageSchema> {
  const { streams, recordings, disks, policies, lastRunAt, node = null } = report;
  return {
    streams: { ...streams, bytes: atLeast0(streams.bytes) },
    recordings,
    disks: disks.map(({ holds, freeBytes, totalBytes, growthBytesPerDay = null, fullAt }) => ({
      holds,
      freeBytes,
      totalBytes,
      growthBytesPerDay,
      fullAt: timeOrNull(fullAt),
    })),
    policies: policies.map(({ settings, used }) => describePolicy(settings, used)),
    lastRunAt: timeOrNull(lastRunAt),
    node,
  };
}

function describePolicy(
  settings: PolicySettings,
  used: { bytes: number; count: number },
): v.InferOutput<typeof policySchema> {
  const { pattern, mode, maxAgeMs, maxBytes = null, minFreeBytes = null, keepAtLeast = {} } = settings;
  return {
    pattern,
    mode,
    maxAgeSeconds: seconds(maxAgeMs),
    maxBytes,
    minFreeBytes,
    keepNewest: keepAtLeast.newest ?? null,
    keepSeconds: seconds(keepAtLeast.lastMs),
    usedBytes: atLeast0(used.bytes),
    count: atLeast0(used.count),
  };
}

function describeRemoval({ kind, candidate, reason, pattern, freedBytes }: Removal) {
  const { id, name, bytes, madeAt, usedAt } = candidate;
  const times = { madeAt: new Date(madeAt).toISOString(), usedAt: new Date(usedAt).toISOString() };
  return { kind, id: String(id), name, reason, pattern, bytes, freedBytes, ...times };
}

/** A count that is corrected later may be too small for a moment. */
function atLeast0(count: number): number {
  return Math.max(0, count);
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000;
}

function timeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
