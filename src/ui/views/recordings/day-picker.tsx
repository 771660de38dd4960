import type { JSX } from "preact";
import { IconButton } from "../../parts/button.tsx";
import { dayStart } from "../../parts/time-window.ts";

interface DayPickerProps {
  /** Any time of the day. */
  dayMs: number;
  /** Called with the beginning of a day. */
  onDay: (ms: number) => void;
}

export function DayPicker({ dayMs, onDay }: DayPickerProps): JSX.Element {
  const isToday = dayStart(dayMs, 0) === dayStart(Date.now(), 0);
  return (
    <div class="day-picker">
      <IconButton icon="previous" label="Day before" onClick={() => onDay(dayStart(dayMs, -1))} />
      <input
        type="date"
        class="input"
        aria-label="Day"
        value={dateText(dayMs)}
        onChange={(event) => {
          // Without a zone it is midnight of the user's clock; an input that is cleared has no date.
          const ms = Date.parse(`${event.currentTarget.value}T00:00`);
          if (!Number.isNaN(ms)) onDay(ms);
        }}
      />
      <IconButton
        icon="next"
        label="Day after"
        isDisabled={isToday}
        onClick={() => onDay(dayStart(dayMs, 1))}
      />
    </div>
  );
}

/** As inputs of dates have it, by the user's clock. */
function dateText(ms: number): string {
  const date = new Date(ms);
  const parts = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${parts.join("-")}`;
}
