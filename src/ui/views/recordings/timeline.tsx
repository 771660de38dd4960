/** The timeline of a device: one zooms, moves, selects and listens on it, with pointers or with keys. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { spanOf, panned, showing, type TimeWindow, zoomed } from "../../parts/time-window.ts";
import { TimelineCanvas } from "./canvas.tsx";
import { followGestures } from "./gestures.ts";
import type { RangeData } from "./range-data.ts";
import { formatTimeOfDay } from "./ticks.ts";

export interface TimelineState {
  window: Signal<TimeWindow>;
  selection: Signal<TimeWindow | undefined>;
  /** Where it plays, or would. */
  cursorMs: Signal<number | undefined>;
  dragSelects: Signal<boolean>;
}

interface TimelineProps {
  device: string;
  state: TimelineState;
  data: RangeData | undefined;
  pins: readonly TimeWindow[];
  onPlay: (ms: number) => void;
  onToggle: () => void;
}

const zoomStep = 1.5;

export function Timeline({ device, state, data, pins, onPlay, onToggle }: TimelineProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hoverMs, setHoverMs] = useState<number | undefined>(undefined);
  const helpId = useId();
  useGestures(box, state, setHoverMs);
  const [window, selection, positionMs] = [state.window.value, state.selection.value, state.cursorMs.value];
  const scene = useMemo(
    () => ({ window, data, selection, pins, positionMs, hasRuler: true }),
    [window, data, selection, pins, positionMs],
  );
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isDone = event.key === " " ? (onToggle(), true) : actByKey(event, state);
    if (!isDone) return;
    event.preventDefault();
    // The keys of the whole page have other meanings.
    event.stopPropagation();
  };
  return (
    <div class="timeline">
      <div
        ref={box}
        class={state.dragSelects.value ? "timeline-box" : "timeline-box moves"}
        role="group"
        tabIndex={0}
        aria-label={`Timeline of ${device}`}
        aria-describedby={helpId}
        onKeyDown={onKey}
        onDblClick={() => state.cursorMs.value !== undefined && onPlay(state.cursorMs.value)}
      >
        <TimelineCanvas canvas={canvas} scene={scene} />
      </div>
      <p class="timeline-readout figure muted">{readout(hoverMs ?? positionMs, window, data)}</p>
      <p id={helpId} class="spoken">
        Left and right move the position, with Shift they select. Plus and minus zoom. Space plays. Escape
        removes the selection.
      </p>
    </div>
  );
}

function useGestures(
  box: { current: HTMLDivElement | null },
  state: TimelineState,
  setHoverMs: (ms: number | undefined) => void,
): void {
  useEffect(() => {
    const element = box.current!;
    const { window, selection, cursorMs, dragSelects } = state;
    const msAt = (x: number) => {
      const { fromMs } = window.peek();
      return fromMs + (x / element.clientWidth) * spanOf(window.peek());
    };
    return followGestures(element, {
      zoom: (factor, x) => (window.value = zoomed(window.peek(), factor, msAt(x))),
      pan: (px) => {
        window.value = panned(window.peek(), (px / element.clientWidth) * spanOf(window.peek()));
      },
      select: (from, to) => (selection.value = orderedWindow(msAt(from), msAt(to))),
      tap: (x) => {
        selection.value = undefined;
        cursorMs.value = msAt(x);
      },
      hover: (x) => setHoverMs(x === undefined ? undefined : msAt(x)),
      dragSelects: () => dragSelects.peek(),
    });
  }, [state]);
}

function orderedWindow(a: number, b: number): TimeWindow {
  return { fromMs: Math.min(a, b), toMs: Math.max(a, b) };
}

/** False for a key that means nothing here. */
function actByKey({ key, shiftKey }: KeyboardEvent, state: TimelineState): boolean {
  const { window, selection } = state;
  const step = spanOf(window.value) / 20;
  const actions: Record<string, () => void> = {
    ArrowLeft: () => moveCursor(state, -step, shiftKey),
    ArrowRight: () => moveCursor(state, step, shiftKey),
    PageUp: () => (window.value = panned(window.value, -spanOf(window.value))),
    PageDown: () => (window.value = panned(window.value, spanOf(window.value))),
    "+": () => zoomAtCursor(state, 1 / zoomStep),
    "=": () => zoomAtCursor(state, 1 / zoomStep),
    "-": () => zoomAtCursor(state, zoomStep),
    Escape: () => (selection.value = undefined),
  };
  const action = actions[key];
  action?.();
  return action !== undefined;
}

export function zoomAtCursor({ window, cursorMs }: TimelineState, factor: number): void {
  const { fromMs, toMs } = window.value;
  const cursor = cursorMs.value;
  const isShown = cursor !== undefined && cursor >= fromMs && cursor <= toMs;
  window.value = zoomed(window.value, factor, isShown ? cursor : (fromMs + toMs) / 2);
}

function moveCursor({ window, selection, cursorMs }: TimelineState, byMs: number, selects: boolean): void {
  const from = cursorMs.value ?? (window.value.fromMs + window.value.toMs) / 2;
  const to = from + byMs;
  if (selects) {
    const known = selection.value;
    // The end where the cursor is moves, and the other one stays.
    const anchor = known === undefined ? from : Math.abs(known.fromMs - from) < 1 ? known.toMs : known.fromMs;
    selection.value = orderedWindow(anchor, to);
  }
  cursorMs.value = to;
  window.value = showing(window.value, to);
}

function readout(ms: number | undefined, window: TimeWindow, data: RangeData | undefined): string {
  if (ms === undefined) return "Drag to select, turn the wheel to zoom, double-click to play from there.";
  const clock = formatTimeOfDay(ms, spanOf(window) / 1000);
  const isIn = ({ fromMs, toMs }: TimeWindow) => ms >= fromMs && ms < toMs;
  const gap = data?.gaps.find(isIn);
  if (gap !== undefined) return `${clock} · no audio: ${gap.reason}`;
  if (data?.bounds === undefined || !isIn(data.bounds)) return `${clock} · nothing recorded`;
  return data.silences.some(isIn) ? `${clock} · silence` : clock;
}
