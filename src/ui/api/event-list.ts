/** Events that have happened, as far as the server keeps them. */
import { createParser } from "eventsource-parser";
import { request, withQuery } from "./request.ts";
import type { ServerEvent } from "./resources.ts";

export interface EventQuery {
  /** Globs, separated by commas; empty for all. */
  type: string;
  subject: string;
}

/** Of so many of the newest events of the server. */
export const lookedAtEvents = 1_000;

/** Newest first. */
export async function readEvents(query: EventQuery, signal: AbortSignal): Promise<ServerEvent[]> {
  const path = withQuery("api/events", { ...query, last: lookedAtEvents, follow: 0 });
  const answer = await request(path, { signal });
  const events: ServerEvent[] = [];
  // Markers, such as one of a gap, are events without an id.
  const parser = createParser({
    onEvent: ({ id, data }) => id !== undefined && events.unshift(JSON.parse(data) as ServerEvent),
  });
  parser.feed(await answer.text());
  return events;
}
