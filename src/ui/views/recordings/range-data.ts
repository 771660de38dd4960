/** What the server knows of a device in a window of time, at the resolution of the screen. */
import { useEffect, useState } from "preact/hooks";
import {
  type GapReason,
  loadAudio,
  loadPeaks,
  loadSilences,
  loadTimeline,
  type Timeline,
} from "../../api/recordings.ts";
import { reconnections } from "../../app/connection.ts";
import { contains, spanOf, type TimeWindow, widened } from "../../parts/time-window.ts";
import { type Levels, levelsOfPeaks, levelsOfWav } from "./levels.ts";

export interface Gap extends TimeWindow {
  reason: GapReason;
}

export interface RangeData {
  window: TimeWindow;
  /** Undefined without audio. */
  levels: Levels | undefined;
  gaps: readonly Gap[];
  silences: readonly TimeWindow[];
  /** Of all audio of the device; undefined if it has none in the window. */
  bounds: TimeWindow | undefined;
}

export interface LoadedRange {
  /** What was loaded last, maybe of another window. */
  data: RangeData | undefined;
  error: unknown;
}

/** Below this, peaks of 256 samples are coarser than the screen, and the samples themselves are read. */
const samplesBelowMs = 12_000;
/** Loaded beyond the window, so that moving it shows something at once. */
const marginShare = 0.5;
const maxPoints = 8_192;
/** The window changes with each turn of a wheel. */
const settleMs = 90;

/** Another `version` loads again. */
export function useRange(device: string, window: TimeWindow, widthPx: number, version: number): LoadedRange {
  const [loaded, setLoaded] = useState<LoadedRange & { version: string }>(nothing);
  const wantedVersion = `${device} ${version} ${reconnections.value}`;
  const isEnough = loaded.version === wantedVersion && suffices(loaded.data, window);
  useEffect(() => {
    if (isEnough || widthPx === 0) return;
    const ending = new AbortController();
    const begin = () => {
      loadRange(device, window, widthPx, ending.signal).then(
        (data) => setLoaded({ data, error: undefined, version: wantedVersion }),
        (error: unknown) => {
          if (!ending.signal.aborted) setLoaded(({ data }) => ({ data, error, version: wantedVersion }));
        },
      );
    };
    const timer = setTimeout(begin, loaded.data === undefined ? 0 : settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [wantedVersion, window.fromMs, window.toMs, widthPx, isEnough]);
  return loaded;
}

const nothing = { data: undefined, error: undefined, version: "" };

/** Whether the window lies in what was loaded, which is not much coarser. */
function suffices(data: RangeData | undefined, window: TimeWindow): boolean {
  if (data === undefined || !contains(data.window, window)) return false;
  return spanOf(data.window) <= 3 * spanOf(window);
}

async function loadRange(
  device: string,
  shown: TimeWindow,
  widthPx: number,
  signal: AbortSignal,
): Promise<RangeData> {
  const window = widened(shown, marginShare);
  const points = Math.min(maxPoints, Math.ceil(widthPx * (1 + 2 * marginShare)));
  const isClose = spanOf(window) < samplesBelowMs;
  const [timeline, silences, peaks] = await Promise.all([
    loadTimeline(device, window, signal),
    loadSilences(device, window, signal),
    isClose ? undefined : loadPeaks(device, window, points, signal),
  ]);
  const wav = isClose && hasAudio(timeline) ? await loadAudio(device, window, signal) : undefined;
  const samples = wav && levelsOfWav(wav, Math.round(window.fromMs), points);
  return {
    window,
    levels: peaks === undefined ? samples : levelsOfPeaks(peaks),
    gaps: (timeline?.gaps ?? []).map(gapOf),
    silences: silences.map(({ start, end }) => windowOf({ start, end: end ?? new Date().toISOString() })),
    bounds: timeline && windowOf({ start: timeline.earliest, end: timeline.latest }),
  };
}

function hasAudio(timeline: Timeline | undefined): boolean {
  return timeline !== undefined && timeline.spans.length > 0;
}

function gapOf({ start, end, reason }: Timeline["gaps"][number]): Gap {
  return { fromMs: timeOf(start), toMs: timeOf(end), reason };
}

function windowOf({ start, end }: { start: string; end: string }): TimeWindow {
  return { fromMs: timeOf(start), toMs: timeOf(end) };
}

/** To the microsecond, which `Date` does not keep. */
function timeOf(iso: string): number {
  const [, micros = "000"] = /\.\d{3}(\d{3})Z$/.exec(iso) ?? [];
  return Date.parse(iso) + Number(micros) / 1000;
}
