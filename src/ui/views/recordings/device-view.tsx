/** One device: its timeline, and what one does with a part of it. */
import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Link, useSearch } from "wouter-preact";
import { listPins, type RecordedDevice } from "../../api/recordings.ts";
import { toggle } from "../../audio/player.ts";
import { Button, IconButton } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Failure } from "../../parts/states.tsx";
import {
  contains,
  dayOf,
  minSpanMs,
  showing,
  spanOf,
  type TimeWindow,
  widened,
} from "../../parts/time-window.ts";
import { useLoaded } from "../../parts/use-loaded.ts";
import { useWidth } from "./canvas.tsx";
import { DayPicker } from "./day-picker.tsx";
import { jumpsOverGaps, setJumpsOverGaps } from "./gap-skipper.ts";
import { Lane } from "./lane.tsx";
import { LevelsCard } from "./levels-card.tsx";
import { playback, playFrom } from "./playback.ts";
import { useRange } from "./range-data.ts";
import { SelectionPanel } from "./selection-panel.tsx";
import { Timeline, type TimelineState, zoomAtCursor } from "./timeline.tsx";

const [minute, hour] = [60_000, 3_600_000];
const zoomStep = 2;
const spans = [
  ["Hour", hour],
  ["Minute", minute],
  ["Second", 1_000],
] as const;

interface DeviceViewProps {
  recorded: RecordedDevice;
  version: number;
}

export function DeviceView({ recorded, version }: DeviceViewProps): JSX.Element {
  const { name } = recorded;
  const bounds = { fromMs: Date.parse(recorded.earliest), toMs: Date.parse(recorded.latest) };
  const state = useTimelineState(bounds);
  const place = useRef<HTMLDivElement>(null);
  const { data, error } = useRange(name, state.window.value, useWidth(place), version);
  const pins = useLoaded(`pins ${name}`, listPins);
  const pinned = useMemo(() => pinsOf(pins.value ?? [], name), [pins.value, name]);
  useFollowPlayer(name, state);
  const play = (ms: number) => playFrom(name, ms, bounds);
  const toggleHere = () => {
    if (playback.value?.device === name) toggle();
    else play(state.cursorMs.value ?? Math.max(bounds.fromMs, state.window.value.fromMs));
  };
  return (
    <section aria-label="Recordings of a device">
      <DeviceHead name={name} state={state} />
      <div ref={place} class="timeline-card">
        <Toolbar name={name} state={state} bounds={bounds} onToggle={toggleHere} />
        <Timeline device={name} state={state} data={data} pins={pinned} onPlay={play} onToggle={toggleHere} />
        <DayStrip name={name} state={state} version={version} />
      </div>
      {error !== undefined && (
        <Failure error={error} onRetry={() => (state.window.value = { ...state.window.value })} />
      )}
      <Legend />
      <LevelsCard device={name} window={state.window.value} version={version} />
      <SelectionPanel device={recorded} state={state} pinned={pinned} onChange={pins.reload} />
    </section>
  );
}

/** From the address: a day at first, a second of it (`?from=`), or a part that is selected (`?from=…&to=…`). */
function useTimelineState(bounds: TimeWindow): TimelineState {
  const search = useSearch();
  const first = useMemo(() => firstView(new URLSearchParams(search), bounds), [search]);
  const window = useSignal(first.window);
  const selection = useSignal(first.selection);
  const cursorMs = useSignal(first.cursorMs);
  const dragSelects = useSignal(!matchMedia("(pointer: coarse)").matches);
  useEffect(() => {
    window.value = first.window;
    selection.value = first.selection;
    cursorMs.value = first.cursorMs;
  }, [first]);
  return useMemo(() => ({ window, selection, cursorMs, dragSelects }), []);
}

interface FirstView {
  window: TimeWindow;
  selection: TimeWindow | undefined;
  cursorMs: number | undefined;
}

function firstView(query: URLSearchParams, bounds: TimeWindow): FirstView {
  const fromMs = Date.parse(query.get("from") ?? "");
  const toMs = Date.parse(query.get("to") ?? "");
  if (Number.isNaN(fromMs) || query.get("view") === "day") {
    const day = dayOf(Number.isNaN(fromMs) ? bounds.toMs : fromMs);
    return { window: fitted(day, bounds), selection: undefined, cursorMs: undefined };
  }
  if (!(toMs > fromMs)) {
    const window = { fromMs: fromMs - minute, toMs: fromMs + 4 * minute };
    return { window, selection: undefined, cursorMs: fromMs };
  }
  const selection = { fromMs, toMs };
  return { window: widened(selection, 0.25), selection, cursorMs: fromMs };
}

/** The part of a day that has audio, or the day if it has none. */
function fitted(day: TimeWindow, bounds: TimeWindow): TimeWindow {
  const [fromMs, toMs] = [Math.max(day.fromMs, bounds.fromMs), Math.min(day.toMs, bounds.toMs)];
  return toMs - fromMs < minSpanMs ? day : widened({ fromMs, toMs }, 0.05);
}

/** The position goes with the player, and the window with the position, unless the user looks elsewhere. */
function useFollowPlayer(name: string, { window, cursorMs }: TimelineState): void {
  const cuedMs = useRef<number | undefined>(undefined);
  useSignalEffect(() => {
    const current = playback.value;
    if (current?.device !== name) return;
    const known = cursorMs.peek();
    const wasShown = known !== undefined && contains(window.peek(), { fromMs: known, toMs: known });
    if (current.positionMs === cuedMs.current) return;
    cuedMs.current = current.positionMs;
    cursorMs.value = current.positionMs;
    if (current.isRunning && wasShown) window.value = showing(window.peek(), current.positionMs);
  });
}

function pinsOf(ranges: readonly { device: string; from: string; to: string }[], name: string): TimeWindow[] {
  return ranges
    .filter(({ device }) => device === name)
    .map(({ from, to }) => ({ fromMs: Date.parse(from), toMs: Date.parse(to) }));
}

function DeviceHead({ name, state }: { name: string; state: TimelineState }): JSX.Element {
  const { window } = state;
  const middleMs = (window.value.fromMs + window.value.toMs) / 2;
  return (
    <header class="view-head device-head">
      <div class="device-head-title">
        <Link href="/recordings" class="icon-button" aria-label="All recordings" title="All recordings">
          <Icon name="previous" />
        </Link>
        <h1 class="cut" dir="auto">
          {name}
        </h1>
      </div>
      <DayPicker dayMs={middleMs} onDay={(ms) => (window.value = dayOf(ms))} />
    </header>
  );
}

interface ToolbarProps {
  name: string;
  state: TimelineState;
  bounds: TimeWindow;
  onToggle: () => void;
}

function Toolbar({ name, state, bounds, onToggle }: ToolbarProps): JSX.Element {
  const { window, dragSelects } = state;
  const isRunning = playback.value?.device === name && playback.value.isRunning;
  const middleMs = (window.value.fromMs + window.value.toMs) / 2;
  const placeMs = state.cursorMs.value ?? Math.min(bounds.toMs, Math.max(bounds.fromMs, middleMs));
  const show = (span: number) => {
    window.value = { fromMs: placeMs - span / 2, toMs: placeMs + span / 2 };
  };
  return (
    <div class="timeline-tools">
      <button type="button" class="play-key" aria-label={isRunning ? "Pause" : "Play"} onClick={onToggle}>
        <Icon name={isRunning ? "pause" : "play"} size={22} />
      </button>
      <div class="segments" role="group" aria-label="Time that is shown">
        <Button onClick={() => (window.value = dayOf(placeMs))}>Day</Button>
        {spans.map(([label, span]) => (
          <Button key={label} onClick={() => show(span)}>
            {label}
          </Button>
        ))}
      </div>
      <div class="timeline-zoom">
        <IconButton icon="zoom-out" label="Zoom out" onClick={() => zoomAtCursor(state, zoomStep)} />
        <IconButton icon="zoom-in" label="Zoom in" onClick={() => zoomAtCursor(state, 1 / zoomStep)} />
      </div>
      <div class="timeline-drag">
        <IconButton
          icon="jump"
          label="Jump over long gaps"
          isPressed={jumpsOverGaps.value}
          onClick={() => setJumpsOverGaps(!jumpsOverGaps.value)}
        />
        <IconButton
          icon="select"
          label="Drag selects"
          isPressed={dragSelects.value}
          onClick={() => (dragSelects.value = !dragSelects.value)}
        />
      </div>
    </div>
  );
}

interface DayStripProps {
  name: string;
  state: TimelineState;
  version: number;
}

/** The day around the window, which a click moves. */
function DayStrip({ name, state: { window }, version }: DayStripProps): JSX.Element {
  const middleMs = (window.value.fromMs + window.value.toMs) / 2;
  const day = useMemo(() => dayOf(middleMs), [dayOf(middleMs).fromMs]);
  const marked = contains(window.value, day) ? undefined : window.value;
  const move = (event: MouseEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const ms = day.fromMs + ((event.clientX - box.left) / box.width) * spanOf(day);
    const half = Math.min(spanOf(window.value), spanOf(day)) / 2;
    window.value = { fromMs: ms - half, toMs: ms + half };
  };
  return (
    <button type="button" class="day-strip" tabIndex={-1} aria-hidden="true" onClick={move}>
      <Lane device={name} day={day} version={version} marked={marked} />
    </button>
  );
}

function Legend(): JSX.Element {
  return (
    <ul class="legend muted" aria-label="Legend">
      <li class="legend-silence">Silence</li>
      <li class="legend-gap">No audio</li>
      <li class="legend-pin">Pinned</li>
    </ul>
  );
}
