/** Jumps over long gaps while recordings play, if the user wants that. The setting stays with the browser. */
import { effect, signal } from "@preact/signals";
import { loadGaps } from "../../api/recordings.ts";
import { seek } from "../../audio/player.ts";
import { notifyError } from "../../parts/toasts.tsx";
import type { TimeWindow } from "../../parts/time-window.ts";
import { jumpOver } from "./gap-jump.ts";
import { playback, type RecordedTrack, recorded } from "./playback.ts";

const settingKey = "wavecache-jump-over-gaps";

export const jumpsOverGaps = signal(localStorage.getItem(settingKey) !== "no");

/** Of what is in the player. */
const gaps = signal<readonly TimeWindow[]>([]);

export function setJumpsOverGaps(jumps: boolean): void {
  jumpsOverGaps.value = jumps;
  localStorage.setItem(settingKey, jumps ? "yes" : "no");
}

// The player goes on while one moves about, and so does this.
effect(() => {
  const track = recorded.value;
  gaps.value = [];
  if (track === undefined || !jumpsOverGaps.value) return;
  const ending = new AbortController();
  followTrack(track, ending.signal).catch((error: unknown) => !ending.signal.aborted && notifyError(error));
  return () => ending.abort();
});

effect(() => {
  const current = playback.value;
  if (current === undefined || !current.isRunning || !jumpsOverGaps.value) return;
  const target = jumpOver(gaps.value, current.positionMs);
  if (target !== undefined) seek((target - current.window.fromMs) / 1000);
});

async function followTrack({ device, window }: RecordedTrack, signal: AbortSignal): Promise<void> {
  const found = await loadGaps(device, window, signal);
  if (!signal.aborted) gaps.value = found;
}
