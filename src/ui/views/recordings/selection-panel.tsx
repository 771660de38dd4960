/** What is selected of a timeline: its bounds, and what one does with it. */
import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { audioPathOf, pinRange, type RecordedDevice, removeRange, shareRange } from "../../api/recordings.ts";
import { addressOf } from "../../app/address.ts";
import { grants } from "../../app/session.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { formatBytes, formatCount } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { ShareLink } from "../../parts/share-link.tsx";
import { Command } from "../../parts/states.tsx";
import { spanOf, type TimeWindow } from "../../parts/time-window.ts";
import { notify, notifyError } from "../../parts/toasts.tsx";
import { hrefOf, playWindow } from "./playback.ts";
import type { TimelineState } from "./timeline.tsx";

interface SelectionPanelProps {
  device: RecordedDevice;
  state: TimelineState;
  pinned: readonly TimeWindow[];
  /** Pins have changed. */
  onChange: () => void;
}

export function SelectionPanel({ device, state, pinned, onChange }: SelectionPanelProps): JSX.Element | null {
  const selection = state.selection.value;
  if (selection === undefined) return null;
  return (
    <section class="card selection" aria-label="Selection">
      <Bounds state={state} selection={selection} />
      <Actions device={device} selection={selection} pinned={pinned} onChange={onChange} />
    </section>
  );
}

function Bounds({ state, selection }: { state: TimelineState; selection: TimeWindow }): JSX.Element {
  const change = (changes: Partial<TimeWindow>) => {
    const next = { ...selection, ...changes };
    if (next.toMs > next.fromMs) state.selection.value = next;
  };
  return (
    <div class="selection-bounds">
      <TimeInput label="From" ms={selection.fromMs} onTime={(fromMs) => change({ fromMs })} />
      <TimeInput label="To" ms={selection.toMs} onTime={(toMs) => change({ toMs })} />
      <p class="figure muted" role="status">
        {formatSeconds(spanOf(selection) / 1000)}
      </p>
    </div>
  );
}

interface TimeInputProps {
  label: string;
  ms: number;
  onTime: (ms: number) => void;
}

function TimeInput({ label, ms, onTime }: TimeInputProps): JSX.Element {
  const inputId = useId();
  // By the user's clock, as the input has it.
  const local = new Date(Math.round(ms) - new Date(ms).getTimezoneOffset() * 60_000);
  return (
    <div class="field">
      <label for={inputId}>{label}</label>
      <input
        id={inputId}
        type="datetime-local"
        class="input selection-time"
        step={0.001}
        value={local.toISOString().slice(0, -1)}
        onChange={(event) => {
          const given = Date.parse(event.currentTarget.value);
          if (!Number.isNaN(given)) onTime(given);
        }}
      />
    </div>
  );
}

type Asked = "share" | "remove" | undefined;

interface ActionsProps extends Omit<SelectionPanelProps, "state"> {
  selection: TimeWindow;
}

function Actions({ device, selection, pinned, onChange }: ActionsProps): JSX.Element {
  const [asked, setAsked] = useState<Asked>(undefined);
  const { name } = device;
  const mayRemove = grants.value.may("remove", `recordings/${name}`);
  const pin = pinned.find(({ fromMs, toMs }) => fromMs < selection.toMs && toMs > selection.fromMs);
  return (
    <div class="actions">
      <Button kind="main" icon="play" onClick={() => playWindow(name, selection)}>
        Play
      </Button>
      <a class="button plain" href={addressOf(audioPathOf(name, selection))} download>
        <Icon name="download" size={18} />
        Download WAV
      </a>
      <Button icon="share" onClick={() => setAsked("share")}>
        Share
      </Button>
      {mayRemove && device.device !== null && (
        <Button
          icon="pin"
          onClick={() => void togglePin(name, pin ?? selection, pin === undefined).then(onChange)}
        >
          {pin === undefined ? "Pin" : "Unpin"}
        </Button>
      )}
      {mayRemove && (
        <Button icon="remove" kind="danger" onClick={() => setAsked("remove")}>
          Remove
        </Button>
      )}
      {asked === "share" && (
        <ShareDialog name={name} selection={selection} onClose={() => setAsked(undefined)} />
      )}
      {asked === "remove" && (
        <RemoveDialog name={name} selection={selection} onClose={() => setAsked(undefined)} />
      )}
    </div>
  );
}

async function togglePin(name: string, range: TimeWindow, isPinned: boolean): Promise<void> {
  try {
    await pinRange(name, range, isPinned);
    notify(isPinned ? "Pinned: it stays whatever the limits" : "Unpinned: the limits decide about it again");
  } catch (error) {
    notifyError(error);
  }
}

interface SelectionDialogProps {
  name: string;
  selection: TimeWindow;
  onClose: () => void;
}

function ShareDialog({ name, selection, onClose }: SelectionDialogProps): JSX.Element {
  return (
    <Dialog title="Share this part" onClose={onClose}>
      <p class="muted">Whoever has the link hears and downloads this part as WAV, without a token.</p>
      <ShareLink make={(expires) => shareRange(name, selection, expires)} />
      <p class="muted">The page opens with it selected, for whoever may listen to this device:</p>
      <Command text={addressOf(hrefOf(name, selection))} />
    </Dialog>
  );
}

function RemoveDialog({ name, selection, onClose }: SelectionDialogProps): JSX.Element {
  const remove = () => {
    onClose();
    removeRange(name, selection).then(({ removed, bytes }) => {
      if (removed === 0) notify("Nothing removed: no recording lies in the selection as a whole");
      else notify(`Removed ${formatCount(removed)} recordings, ${formatBytes(bytes)}`);
    }, notifyError);
  };
  return (
    <Dialog title="Remove recordings" onClose={onClose}>
      <p>
        This removes the recordings that lie as a whole between {formatExact(selection.fromMs)} and{" "}
        {formatExact(selection.toMs)}, with their files. Nothing brings them back.
      </p>
      <div class="actions">
        <Button kind="danger" icon="remove" onClick={remove}>
          Remove
        </Button>
        <Button onClick={onClose}>Keep</Button>
      </div>
    </Dialog>
  );
}

const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function formatExact(ms: number): string {
  return exactFormat.format(ms);
}

/** `12.345 s`, `2 min 5.0 s`. */
function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(3)} s`;
  const minutes = Math.floor(seconds / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  const tail = `${rest} min ${(seconds % 60).toFixed(1)} s`;
  return hours === 0 ? tail : `${hours} h ${tail}`;
}
