/** The devices that send now, with their levels, as the server tells them ten times a second. */
import { signal, type Signal } from "@preact/signals";
import { subscribe } from "./events.ts";
import type { Level } from "./resources.ts";

export interface LiveDevice {
  name: string;
  level: Signal<Level>;
  /** The loudest peak of each of the last seconds, oldest first, in dBFS. */
  history: Signal<readonly number[]>;
}

interface Known extends LiveDevice {
  seenMs: number;
  /** The loudest peak of the current second. */
  loudest: number;
}

const historySeconds = 60;
/** A device without a level for this long has stopped. */
const goneMs = 3_000;

/** Differs only when a device comes or goes; each level is a signal of its own. */
export const liveDevices = signal<readonly LiveDevice[]>([]);
const known = new Map<string, Known>();

/** The function that it returns ends it. */
export function followLevels(): () => void {
  const end = subscribe({
    path: "api/live/levels",
    onEvent: (data) => takeLevels((data as { levels: Level[] }).levels, performance.now()),
  });
  const timer = setInterval(() => endSecond(performance.now()), 1_000);
  return () => {
    end();
    clearInterval(timer);
  };
}

function takeLevels(levels: readonly Level[], nowMs: number): void {
  let isNew = false;
  for (const level of levels) {
    const name = level.device ?? String(level.streamId);
    const device = known.get(name);
    if (device === undefined) {
      known.set(name, newDevice(name, level, nowMs));
      isNew = true;
      continue;
    }
    device.level.value = level;
    device.loudest = Math.max(device.loudest, level.peak);
    device.seenMs = nowMs;
  }
  if (isNew) publish();
}

function newDevice(name: string, level: Level, seenMs: number): Known {
  return { name, level: signal(level), history: signal([]), seenMs, loudest: level.peak };
}

function endSecond(nowMs: number): void {
  let isGone = false;
  for (const [name, device] of known) {
    if (nowMs - device.seenMs > goneMs) {
      known.delete(name);
      isGone = true;
      continue;
    }
    device.history.value = [...device.history.value, device.loudest].slice(-historySeconds);
    device.loudest = device.level.peek().peak;
  }
  if (isGone) publish();
}

function publish(): void {
  liveDevices.value = Array.from(known.values()).sort((a, b) => a.name.localeCompare(b.name));
}
