/** The start of a worker thread: one message brings its lane and its settings. */
import type { LaneMemory } from "../src/lane/lane.ts";

declare const self: {
  onmessage: ((event: { data: unknown }) => void) | null;
};

export interface LaneStart {
  lane: LaneMemory;
  /** The memory of its `ThreadStats`. */
  stats: SharedArrayBuffer;
}

/** Runs `main` with the first message. The thread ends when `main` returns. */
export function onLaneStart<T>(main: (start: LaneStart & T) => void): void {
  self.onmessage = (event) => {
    self.onmessage = null;
    main(event.data as LaneStart & T);
  };
}
