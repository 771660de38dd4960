/** Recordings in the player: a day of a device is one track, in which one seeks to any time. */
import { computed, signal } from "@preact/signals";
import { audioPathOf, peaksPathOf } from "../../api/recordings.ts";
import { currentTrack, isPlaying, play, seek, time, toggle, type Track } from "../../audio/player.ts";
import { dayOf, spanOf, type TimeWindow } from "../../parts/time-window.ts";

export interface RecordedTrack {
  key: string;
  device: string;
  window: TimeWindow;
}

/** What was put into the player last. */
export const recorded = signal<RecordedTrack | undefined>(undefined);

/** What of the recordings is in the player, and where it is. */
export const playback = computed(() => {
  const track = recorded.value;
  if (track === undefined || currentTrack.value?.key !== track.key) return undefined;
  return { ...track, positionMs: track.window.fromMs + 1000 * time.value, isRunning: isPlaying.value };
});

/** Plays from a time to the end of its day. `bounds`: of all audio of the device. */
export function playFrom(device: string, ms: number, bounds: TimeWindow): void {
  const current = playback.value;
  if (current?.device === device && ms >= current.window.fromMs && ms < current.window.toMs) {
    seek((ms - current.window.fromMs) / 1000);
    if (!current.isRunning) toggle();
    return;
  }
  const day = dayOf(ms);
  const fromMs = Math.max(day.fromMs, Math.min(bounds.fromMs, ms));
  const window = { fromMs, toMs: Math.max(ms + 1000, Math.min(day.toMs, bounds.toMs)) };
  playWindow(device, window, (ms - fromMs) / 1000);
}

/** Plays exactly this part of time. */
export function playWindow(device: string, window: TimeWindow, at = 0): void {
  const track = trackOf(device, window);
  recorded.value = { key: track.key, device, window };
  play(track, { at, among: [] });
}

function trackOf(device: string, window: TimeWindow): Track {
  const start = new Date(window.fromMs);
  return {
    key: `recordings/${device} ${Math.round(window.fromMs)} ${Math.round(window.toMs)}`,
    title: device,
    subtitle: start.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    audioPath: audioPathOf(device, window),
    peaksPath: peaksPathOf(device, window),
    href: hrefOf(device, { fromMs: window.fromMs }),
    duration: spanOf(window) / 1000,
  };
}

/** The place of a time, or of a part of time, in the page. */
export function hrefOf(device: string, { fromMs, toMs }: { fromMs: number; toMs?: number }): string {
  const from = new Date(fromMs).toISOString();
  const to = toMs === undefined ? "" : `&to=${new Date(toMs).toISOString()}`;
  return `/recordings/${encodeURIComponent(device)}?from=${from}${to}`;
}
