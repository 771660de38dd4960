/** Who reads what: retention removes nothing that is being read, and what was read least recently first. */
import { maxReadTimes, readRecencyMs } from "../../base/limits/retention.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { ReadTime } from "../../store/retention/catalog.ts";

/** A read within this time after another one of the same stream changes nothing. */
const noteIntervalMs = 1_000;

export class Reads<Id extends string | number> {
  readonly #monotonicMs: () => number;
  /** How many reads hold each. */
  readonly #holds = new Map<Id, number>();
  /** When each was read last, by the monotonic clock; least recently first. */
  readonly #recent = new Map<Id, number>();
  /** Read times that the catalog does not have yet. */
  #unsaved = new Map<Id, number>();

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** Called for each request: cheap, and without a write. */
  note(id: Id): void {
    const now = this.#monotonicMs();
    const last = this.#recent.get(id);
    if (last !== undefined && now - last < noteIntervalMs) return;
    this.#recent.delete(id);
    this.#recent.set(id, now);
    if (this.#recent.size > maxReadTimes) this.#recent.delete(firstKey(this.#recent));
    this.#unsaved.set(id, sharedNow());
    if (this.#unsaved.size > maxReadTimes) this.#unsaved.delete(firstKey(this.#unsaved));
  }

  /** It is being read until the returned function is called, whatever the pace. */
  hold(id: Id): () => void {
    this.note(id);
    this.#holds.set(id, (this.#holds.get(id) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#release(id);
      isHeld = false;
    };
  }

  /** Also between two requests of one client. */
  isInProgress(id: Id): boolean {
    if (this.#holds.has(id)) return true;
    const last = this.#recent.get(id);
    return last !== undefined && this.#monotonicMs() - last < readRecencyMs;
  }

  /** The read times since the last call. */
  takeUnsaved(): ReadTime[] {
    const taken = this.#unsaved;
    this.#unsaved = new Map();
    return Array.from(taken, ([id, at]) => ({ id, at }));
  }

  #release(id: Id): void {
    const left = this.#holds.get(id)! - 1;
    if (left > 0) this.#holds.set(id, left);
    else this.#holds.delete(id);
  }
}

function firstKey<K>(map: Map<K, unknown>): K {
  return map.keys().next().value!;
}
