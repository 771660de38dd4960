/** The last events of the server, as they happen. */
import { signal } from "@preact/signals";
import { subscribe } from "../../api/events.ts";
import type { ServerEvent } from "../../api/resources.ts";

const maxEvents = 12;

/** Newest first. */
export const lastEvents = signal<readonly ServerEvent[]>([]);
/** Undefined until it is known whether the caller may see events. */
export const hasEvents = signal<boolean | undefined>(undefined);
/** Counts events of a kind, so that what depends on it loads again: streams, recordings, devices. */
export const changes = signal<Readonly<Record<string, number>>>({});

export function followServerEvents(): () => void {
  return subscribe({
    path: `api/events?last=${maxEvents}`,
    onEvent: (data) => take(data as ServerEvent),
    onOpen: () => (hasEvents.value = true),
    onRefused: () => (hasEvents.value = false),
  });
}

function take(event: ServerEvent): void {
  if (typeof event.type !== "string" || typeof event.subject !== "string") return;
  lastEvents.value = [event, ...lastEvents.value].slice(0, maxEvents);
  const [folder = ""] = event.subject.split("/");
  changes.value = { ...changes.value, [folder]: (changes.value[folder] ?? 0) + 1 };
}
