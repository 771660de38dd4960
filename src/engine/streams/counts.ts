/**
 * The number of streams and objects in the catalog, updated from the keeper's answers. Counting in the catalog itself
 * would scan every row.
 */
import type { StreamRow, Totals } from "../../store/streams/catalog.ts";
import type { KeeperResult, ResumeAnswer } from "../../store/keeper-calls.ts";

export class StreamCounts {
  finished = 0;
  /** Current and interrupted uploads. */
  unfinished = 0;
  /** Objects that are not empty. */
  objects = 0;
  /** Streams that may have been entered in the catalog, before its answer. */
  pending = 0;

  /** Takes the catalog's own count. */
  set({ finished, unfinished, objects }: Totals): void {
    this.finished = finished;
    this.unfinished = unfinished;
    this.objects = objects;
  }

  reserved(): void {
    this.unfinished += 1;
  }

  resumed(found: ResumeAnswer): void {
    if (found.kind === "new" || (found.kind === "moved" && found.isFromOther)) this.unfinished += 1;
  }

  committed(addedBytes: number): void {
    this.unfinished -= 1;
    this.finished += 1;
    if (addedBytes > 0) this.objects += 1;
  }

  /** A finished stream was made of an object that was there. */
  adopted(): void {
    this.finished += 1;
  }

  /** An upload ended without a receipt; `left` is its row in the catalog. */
  left(left: StreamRow | null): void {
    if (left === null) this.unfinished -= 1;
  }

  removed({ finished, objectBytes }: KeeperResult<"remove">): void {
    if (finished) this.finished -= 1;
    else this.unfinished -= 1;
    if (objectBytes > 0) this.objects -= 1;
  }

  /** Finished streams went, and with them so many objects. */
  removedTogether(streams: number, objects: number): void {
    this.finished -= streams;
    this.objects -= objects;
  }

  /** The keeper's background work has changed the catalog. */
  drifted({ finished, unfinished, objects }: Totals): void {
    this.finished += finished;
    this.unfinished += unfinished;
    this.objects += objects;
  }

  expired(streams: number): void {
    this.unfinished -= streams;
  }
}
