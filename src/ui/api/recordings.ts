/** What devices have recorded: by time, as one hears and sees it. Times are milliseconds since 1970. */
import type { TimeWindow } from "../parts/time-window.ts";
import { ApiError, request, requestJson, withQuery } from "./request.ts";
import type { Peaks, SharedLink } from "./resources.ts";

export interface RecordedDevice {
  /** What the other operations call it. */
  name: string;
  /** Null for a stream without a hardware id. */
  device: string | null;
  earliest: string;
  latest: string;
}

export type GapReason = "silent link" | "lost frames" | "server down" | "clock stepped";

export interface Timeline {
  earliest: string;
  latest: string;
  spans: { start: string; end: string; sampleRate: number; channels: number }[];
  gaps: { start: string; end: string; reason: GapReason }[];
  next: string | null;
}

export interface RangePeaks extends Peaks {
  from: string;
  /** Pixels without audio: from the first, up to but without the second. */
  gaps: [number, number][];
}

export interface SoundSpan {
  start: string;
  /** Null while it goes on. */
  end: string | null;
}

export interface PinnedRange {
  device: string;
  from: string;
  to: string;
}

export async function listRecorded(signal: AbortSignal): Promise<RecordedDevice[]> {
  const all: RecordedDevice[] = [];
  let after: string | undefined;
  do {
    const path = withQuery("api/recorded", { limit: 1000, after });
    const page = await requestJson<{ devices: RecordedDevice[]; next: string | null }>(path, { signal });
    all.push(...page.devices);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return all;
}

/** Undefined if there is no recording in the window. */
export function loadPeaks(
  device: string,
  window: TimeWindow,
  points: number,
  signal: AbortSignal,
): Promise<RangePeaks | undefined> {
  const path = withQuery(`${pathOf(device)}/peaks`, { ...boundsOf(window), points });
  return unlessUnknown(requestJson<RangePeaks>(path, { signal }));
}

export interface RangeLevels {
  from: string;
  pointMs: number;
  /** In dBFS; null for a point without audio. */
  peak: (number | null)[];
  rms: (number | null)[];
}

/** Undefined if there is no recording in the window. */
export function loadLevels(
  device: string,
  window: TimeWindow,
  points: number,
  signal: AbortSignal,
): Promise<RangeLevels | undefined> {
  const path = withQuery(`${pathOf(device)}/levels`, { ...boundsOf(window), points });
  return unlessUnknown(requestJson<RangeLevels>(path, { signal }));
}

/** Its first page, which has a thousand spans. */
export function loadTimeline(
  device: string,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<Timeline | undefined> {
  const path = withQuery(`${pathOf(device)}/timeline`, { ...boundsOf(window), limit: 1000 });
  return unlessUnknown(requestJson<Timeline>(path, { signal }));
}

/** When there is no audio of the device. */
export async function loadGaps(
  device: string,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<TimeWindow[]> {
  const all: TimeWindow[] = [];
  for (let from: string | number = Math.round(window.fromMs); ;) {
    const query = { from, to: Math.round(window.toMs), limit: 1000 };
    const path = withQuery(`${pathOf(device)}/timeline`, query);
    const page = await unlessUnknown(requestJson<Timeline>(path, { signal }));
    for (const { start, end } of page?.gaps ?? [])
      all.push({ fromMs: Date.parse(start), toMs: Date.parse(end) });
    if (page === undefined || page.next === null) return all;
    from = page.next;
  }
}

/** When the device was silent. Its first page, which has a thousand spans. */
export async function loadSilences(
  device: string,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<SoundSpan[]> {
  const query = { ...boundsOf(window), kind: "silence", limit: 1000 };
  const path = withQuery(`${pathOf(device)}/sounds`, query);
  return (await requestJson<{ spans: SoundSpan[] }>(path, { signal })).spans;
}

/** The WAV of a window, as it is sent. */
export async function loadAudio(
  device: string,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<ArrayBuffer> {
  return await (await request(audioPathOf(device, window), { signal })).arrayBuffer();
}

/** Relative to the server. */
export function audioPathOf(device: string, window: TimeWindow): string {
  return withQuery(`${pathOf(device)}/audio`, boundsOf(window));
}

export function peaksPathOf(device: string, window: TimeWindow): string {
  return withQuery(`${pathOf(device)}/peaks`, boundsOf(window));
}

export function shareRange(device: string, window: TimeWindow, expires: string): Promise<SharedLink> {
  const path = withQuery(`${pathOf(device)}/links`, { ...boundsOf(window), expires });
  return requestJson<SharedLink>(path, { method: "POST" });
}

export async function listPins(signal: AbortSignal): Promise<PinnedRange[]> {
  return (await requestJson<{ ranges: PinnedRange[] }>("api/pins", { signal })).ranges;
}

export async function pinRange(device: string, window: TimeWindow, isPinned: boolean): Promise<void> {
  const path = withQuery("api/pins", { device, ...boundsOf(window) });
  await request(path, { method: isPinned ? "PUT" : "DELETE" });
}

/** Removes the recordings that lie as a whole within the window. */
export function removeRange(device: string, window: TimeWindow): Promise<{ removed: number; bytes: number }> {
  return requestJson(withQuery(pathOf(device), boundsOf(window)), { method: "DELETE" });
}

function pathOf(device: string): string {
  return `api/recordings/${encodeURIComponent(device)}`;
}

function boundsOf({ fromMs, toMs }: TimeWindow): { from: number; to: number } {
  return { from: Math.round(fromMs), to: Math.round(toMs) };
}

async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.code === "RECORDING_UNKNOWN") return undefined;
    throw error;
  }
}
