/** Periods of a device: when there is audio, and that audio, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, isUnknown, parsed, request, throwUnlessOk } from "./api.ts";
import { audioAt } from "./stream-audio.ts";

const missing = "NO_RECORDER";

export interface AskedPeriod {
  /** The hardware id, or the stream id of a device without one. */
  device: string;
  from: Date | undefined;
  to: Date | undefined;
}

export interface PeriodAudioOptions extends ApiOptions {
  gaps?: "silence" | "skip" | "fail" | undefined;
  /** In Hz. */
  resample?: number | undefined;
}

const spanSchema = v.object({
  start: v.string(),
  end: v.string(),
  streamId: v.number(),
  sampleRate: v.number(),
  channels: v.number(),
  lostFrames: v.number(),
});

const gapSchema = v.object({ start: v.string(), end: v.string(), reason: v.string() });

const timelineSchema = v.object({
  spans: v.array(spanSchema),
  gaps: v.array(gapSchema),
  /** The `from` of the next page. */
  next: v.nullable(v.string()),
});

export type ListedTimeline = v.InferOutput<typeof timelineSchema>;

/** One page of a timeline. Undefined if there is no audio of the device. Throws NO_RECORDER, REFUSED and the like. */
export async function getTimeline(
  { device, from, to }: Omit<AskedPeriod, "from"> & { from: Date | string | undefined },
  options: ApiOptions & { limit: number },
): Promise<ListedTimeline | undefined> {
  const query = new URLSearchParams({ limit: String(options.limit) });
  if (from !== undefined) query.set("from", typeof from === "string" ? from : from.toISOString());
  if (to !== undefined) query.set("to", to.toISOString());
  const answer = await request(options, "GET", `${pathOf(device)}/timeline?${query}`);
  if (isUnknown(answer)) return undefined;
  throwUnlessOk(answer, missing);
  return parsed(timelineSchema, answer.body, missing);
}

/** Yields the audio of a period as WAV. Undefined if there is no audio of the device in it. */
export function periodAudio(
  { device, from, to }: AskedPeriod,
  options: PeriodAudioOptions,
): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const query = new URLSearchParams();
  if (from !== undefined) query.set("from", from.toISOString());
  if (to !== undefined) query.set("to", to.toISOString());
  if (options.gaps !== undefined) query.set("gaps", options.gaps);
  if (options.resample !== undefined) query.set("resample", String(options.resample));
  return audioAt(`${pathOf(device)}/audio?${query}`, options);
}

function pathOf(device: string): string {
  return `/api/recordings/${encodeURIComponent(device)}`;
}
