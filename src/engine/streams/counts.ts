/**
 * How many streams and objects the catalog holds, kept up from what the keeper answers, so that nobody need ask it: a
 * count there looks at every row.
 */
import type { StreamRow, Totals } from "../../store/streams/catalog.ts";
import type { KeeperResult, ResumeAnswer } from "../../store/keeper-calls.ts";

export class StreamCounts {
  finished = 0;
  /** Streams that are being uploaded, and interrupted ones. */
  unfinished = 0;
  /** Objects that hold any audio. */
  objects = 0;

  /** Counted by the catalog itself. */
  set({ finished, unfinished, objects }: Totals): void {
    this.finished = finished;
    this.unfinished = unfinished;
    this.objects = objects;
  }

  reserved(): void {
    this.unfinished += 1;
  }

  resumed({ kind }: ResumeAnswer): void {
    if (kind === "new") this.unfinished += 1;
  }

  committed(addedBytes: number): void {
    this.unfinished -= 1;
    this.finished += 1;
    if (addedBytes > 0) this.objects += 1;
  }

  /** An upload ended without an acknowledgement; `left` is what is in the catalog of it. */
  left(left: StreamRow | null): void {
    if (left === null) this.unfinished -= 1;
  }

  removed({ finished, objectBytes }: KeeperResult<"remove">): void {
    if (finished) this.finished -= 1;
    else this.unfinished -= 1;
    if (objectBytes > 0) this.objects -= 1;
  }

  expired(streams: number): void {
    this.unfinished -= streams;
  }
}
