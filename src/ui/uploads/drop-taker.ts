/** What becomes of files that are dropped onto the page: a view may take them for itself while it is shown. */
import { signal } from "@preact/signals";
import type { DroppedFile } from "./dropped-files.ts";

export interface DropTaker {
  /** What the page says while files hover over it. */
  text: string;
  take: (files: readonly DroppedFile[]) => Promise<void>;
}

/** Undefined: they become streams. */
export const dropTaker = signal<DropTaker | undefined>(undefined);
