import type { JSX } from "preact";
import { readEvents } from "../../api/event-list.ts";
import type { ServerEvent } from "../../api/resources.ts";
import { formatClock } from "../../parts/format.ts";
import { useLoaded } from "../../parts/use-loaded.ts";

const maxEvents = 6;
const types = "device.*,sound.*";

interface DeviceHistoryProps {
  deviceId: string;
  /** How often something happened to it since the view was opened. */
  changes: number;
}

/** The last buttons and sounds of a device. */
export function DeviceHistory({ deviceId, changes }: DeviceHistoryProps): JSX.Element {
  const { value: events = [] } = useLoaded(`history ${deviceId} ${changes}`, (signal) =>
    readEvents({ type: types, subject: `devices/${deviceId}` }, signal),
  );
  return (
    <section class="board-history" aria-label="History">
      {events.length === 0 && <p class="muted">Nothing happened yet.</p>}
      <ol>
        {events.slice(0, maxEvents).map((event) => (
          <li key={event.id}>
            <time class="figure muted" dateTime={event.time}>
              {formatClock(event.time)}
            </time>
            <span>{describe(event)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** `Play pressed`, `Sound of mode 3 ended`. */
function describe({ type, data }: ServerEvent): string {
  const mode = `Sound of mode ${String(data["mode"])}`;
  const texts: Record<string, string> = {
    "device.connected": "Connected",
    "device.lost": "Connection lost",
    "device.button": `${capitalized(String(data["button"]))} ${pastOf(String(data["event"]))}`,
    "sound.started": `${mode} started`,
    "sound.ended": `${mode} ended`,
  };
  return texts[type] ?? type;
}

function pastOf(event: string): string {
  return { press: "pressed", hold: "held", release: "released" }[event] ?? event;
}

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
