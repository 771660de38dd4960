/** The events of the server: the last ones, and those that happen. */
import { signal } from "@preact/signals";
import { lookedAtEvents } from "../../api/event-list.ts";
import { subscribe } from "../../api/events.ts";
import type { ApiError } from "../../api/request.ts";
import { withQuery } from "../../api/request.ts";
import type { ServerEvent } from "../../api/resources.ts";

/** Older ones are forgotten by the page. */
const maxEvents = 10_000;
/** Many come at once at the beginning. */
const settleMs = 50;

export class ServerEventLog {
  /** Newest first. Undefined until the server has answered. */
  readonly events = signal<readonly ServerEvent[] | undefined>(undefined);
  readonly refusal = signal<ApiError | undefined>(undefined);
  readonly #end: () => void;
  #waiting: ServerEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `types`: globs, separated by commas. */
  constructor(types: string) {
    this.#end = subscribe({
      path: withQuery("api/events", { type: types, last: lookedAtEvents }),
      onOpen: () => this.#settle(),
      onRefused: (error) => (this.refusal.value = error),
      onEvent: (data) => this.#take(data as ServerEvent),
    });
  }

  close(): void {
    this.#end();
    clearTimeout(this.#timer);
  }

  /** Markers, such as one of a gap, are no events. */
  #take(event: ServerEvent): void {
    if (typeof event.id !== "string" || typeof event.subject !== "string") return;
    this.#waiting.unshift(event);
    this.#settle();
  }

  #settle(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const known = this.events.value ?? [];
      this.events.value = [...this.#waiting, ...known].slice(0, maxEvents);
      this.#waiting = [];
    }, settleMs);
  }
}
