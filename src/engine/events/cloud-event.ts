/** Events in the JSON format of CloudEvents 1.0 (https://github.com/cloudevents/spec). */
import { hostname } from "node:os";
import type { EventRow } from "../../store/events/outbox.ts";

/** With the id it identifies an event among those of all servers. */
export const eventSource = `//${hostname()}/wavecache`;

/** One line of JSON. */
export function cloudEvent({ id, type, subject, at, data }: EventRow): string {
  const attributes = {
    specversion: "1.0",
    id: String(id),
    source: eventSource,
    type,
    subject,
    time: new Date(at).toISOString(),
    datacontenttype: "application/json",
  };
  // The data is JSON already.
  return `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`;
}
