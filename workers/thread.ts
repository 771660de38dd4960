/** How a worker thread begins: it waits for one message with its lane and its settings, then runs until closed. */
import type { LaneMemory } from "../src/lane/lane.ts";

declare const self: {
  onmessage: ((event: { data: unknown }) => void) | null;
};

export interface LaneStart {
  lane: LaneMemory;
  /** For `ThreadStats`. */
  stats: SharedArrayBuffer;
}

/** Runs `main` with the first message, which the thread's end in pool/ sends; when it returns, the thread ends by itself. */
export function onLaneStart<T>(main: (start: LaneStart & T) => void): void {
  self.onmessage = (event) => {
    self.onmessage = null;
    main(event.data as LaneStart & T);
  };
}
