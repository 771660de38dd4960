/** What has happened on the server, and what happens now. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import type { ServerEvent } from "../../api/resources.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { EventBadge } from "../../parts/event-badge.tsx";
import { formatClock, formatCount, formatTime } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { VirtualList } from "../../parts/virtual-list.tsx";
import { ServerEventLog } from "./event-log.ts";
import { placeOf } from "./place-of.ts";

const rowPx = 48;
const groups = [
  ["All", ""],
  ["Streams", "stream.*,upload.*"],
  ["Recordings", "recording.*,audio.*"],
  ["Devices", "device.*,sound.*"],
  ["Server", "server.*,storage.*"],
] as const;
const ignoreRange = () => {};

export function EventsView(): JSX.Element {
  const types = useSignal("");
  const [text, setText] = useState("");
  const log = useLog(types.value);
  const all = log.events.value;
  const found = useMemo(() => all?.filter((event) => hasText(event, text.trim().toLowerCase())), [all, text]);
  return (
    <section aria-label="Events">
      <header class="view-head">
        <h1>Events</h1>
        {found !== undefined && <p class="muted figure">{formatCount(found.length)}</p>}
      </header>
      <div class="toolbar">
        <div class="search">
          <Icon name="search" size={18} />
          <input
            type="search"
            class="input"
            aria-label="Search in events"
            placeholder="Type, name, or anything in an event"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
        <div class="segments" role="group" aria-label="Kind of events">
          {groups.map(([label, globs]) => (
            <button
              key={label}
              type="button"
              class={types.value === globs ? "button on" : "button"}
              aria-pressed={types.value === globs}
              onClick={() => (types.value = globs)}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      {log.refusal.value === undefined ? (
        <Events events={found} />
      ) : (
        <Failure error={log.refusal.value} onRetry={() => location.reload()} />
      )}
    </section>
  );
}

function useLog(types: string): ServerEventLog {
  const log = useMemo(() => new ServerEventLog(types), [types]);
  useEffect(() => () => log.close(), [log]);
  return log;
}

function hasText(event: ServerEvent, text: string): boolean {
  return text === "" || JSON.stringify([event.type, event.subject, event.data]).toLowerCase().includes(text);
}

function Events({ events }: { events: readonly ServerEvent[] | undefined }): JSX.Element {
  const [shown, setShown] = useState<ServerEvent | undefined>(undefined);
  if (events === undefined) return <Loading />;
  if (events.length === 0) {
    return (
      <Empty icon="events" title="No such events">
        The page looks at the last thousand events, and shows new ones as they happen.
      </Empty>
    );
  }
  return (
    <>
      <VirtualList
        label="Events"
        count={events.length}
        rowPx={rowPx}
        onRange={ignoreRange}
        renderRow={(index) => <EventRow event={events[index]!} onShow={setShown} />}
      />
      {shown !== undefined && <EventDialog event={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

interface EventRowProps {
  event: ServerEvent;
  onShow: (event: ServerEvent) => void;
}

function EventRow({ event, onShow }: EventRowProps): JSX.Element {
  const { type, subject, time } = event;
  return (
    <button type="button" class="event-line" onClick={() => onShow(event)}>
      <time class="figure muted" dateTime={time}>
        {isToday(time) ? formatClock(time) : formatTime(time)}
      </time>
      <span>
        <EventBadge type={type} />
      </span>
      <span class="cut" dir="auto">
        {subject}
      </span>
    </button>
  );
}

function isToday(iso: string): boolean {
  return new Date(iso).toDateString() === new Date().toDateString();
}

function EventDialog({ event, onClose }: { event: ServerEvent; onClose: () => void }): JSX.Element {
  const place = placeOf(event.subject);
  return (
    <Dialog title={event.type} onClose={onClose}>
      <p class="muted" dir="auto">
        {event.subject} · {formatTime(event.time)}
      </p>
      <pre class="event-data mono" tabIndex={0}>
        {JSON.stringify(event.data, null, 2)}
      </pre>
      <div class="actions">
        {place !== undefined && (
          <Link href={place} class="button main">
            Go there
          </Link>
        )}
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
