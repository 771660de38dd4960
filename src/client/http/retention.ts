/** What a server keeps, and pins, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, isUnknown, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_HTTP_API";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const kind = v.picklist(["streams", "recordings"]);
const useSchema = v.object({ bytes: count, count });

const usageSchema = v.object({
  streams: v.object({ ...useSchema.entries, limitBytes: count }),
  recordings: useSchema,
  disks: v.array(
    v.object({
      holds: v.array(kind),
      freeBytes: count,
      totalBytes: count,
      growthBytesPerDay: v.nullable(v.number()),
      /** ISO 8601. */
      fullAt: v.nullable(v.string()),
    }),
  ),
  policies: v.array(
    v.object({
      pattern: v.string(),
      mode: v.picklist(["evict", "expire", "refuse"]),
      maxAgeSeconds: v.nullable(v.number()),
      maxBytes: v.nullable(count),
      minFreeBytes: v.nullable(count),
      usedBytes: count,
      count,
    }),
  ),
});

const planSchema = v.object({
  removals: v.array(
    v.object({
      kind,
      id: v.string(),
      /** The stream's id, or the device of a recording. */
      name: v.string(),
      reason: v.string(),
      pattern: v.string(),
      bytes: count,
      /** ISO 8601. */
      usedAt: v.string(),
    }),
  ),
  count,
  freedBytes: count,
  isComplete: v.boolean(),
});

export type Retention = v.InferOutput<typeof usageSchema>;
export type RetentionPlan = v.InferOutput<typeof planSchema>;

/** Throws NO_HTTP_API if the server has no retention. */
export async function getRetention(options: ApiOptions): Promise<Retention> {
  const answer = await request(options, "GET", "/api/retention");
  throwUnlessOk(answer, missing);
  return parsed(usageSchema, answer.body, missing);
}

/** The next removals, up to `limit`, and the figures of all. */
export async function getRetentionPlan(limit: number, options: ApiOptions): Promise<RetentionPlan> {
  const answer = await request(options, "GET", `/api/retention/plan?limit=${limit}`);
  throwUnlessOk(answer, missing);
  return parsed(planSchema, answer.body, missing);
}

/** What can be pinned. */
export type Pinnable = { stream: string } | { recording: string } | { device: string; from: Date; to: Date };

/** Pins or unpins; false if there is no such stream or recording. */
export async function pin(what: Pinnable, isPinned: boolean, options: ApiOptions): Promise<boolean> {
  const answer = await request(options, isPinned ? "PUT" : "DELETE", pathOf(what));
  if (isUnknown(answer)) return false;
  throwUnlessOk(answer, missing);
  return true;
}

function pathOf(what: Pinnable): string {
  if ("stream" in what) return `/api/streams/${encodeURIComponent(what.stream)}/pin`;
  if ("recording" in what) return `/api/recordings/${encodeURIComponent(what.recording)}/pin`;
  const { device, from, to } = what;
  return `/api/pins?${new URLSearchParams({ device, from: from.toISOString(), to: to.toISOString() })}`;
}
