import type { JSX } from "preact";
import type { ServerEvent } from "../../api/resources.ts";
import { Card } from "../../parts/card.tsx";
import { EventBadge } from "../../parts/event-badge.tsx";
import { formatClock } from "../../parts/format.ts";
import { hasEvents, lastEvents } from "./server-events.ts";

/** Nothing on a server without events, or for a caller who may not see them. */
export function EventsCard(): JSX.Element | null {
  if (hasEvents.value !== true) return null;
  const events = lastEvents.value;
  return (
    <Card title="Events" isWide>
      {events.length === 0 ? (
        <p class="muted card-empty">What happens from now on is listed here.</p>
      ) : (
        <ol class="event-list" aria-live="off">
          {events.map((event) => (
            <EventRow key={event.id} event={event} />
          ))}
        </ol>
      )}
    </Card>
  );
}

function EventRow({ event: { type, subject, time } }: { event: ServerEvent }): JSX.Element {
  return (
    <li class="event-row">
      <time class="figure muted" dateTime={time}>
        {formatClock(time)}
      </time>
      <EventBadge type={type} />
      <span class="cut" dir="auto">
        {subject}
      </span>
    </li>
  );
}
