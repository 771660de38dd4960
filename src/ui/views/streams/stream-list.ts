/**
 * The streams that match a search, loaded page by page as far as they are looked at. A search of its own has a list of its
 * own, so a late answer to an earlier one changes nothing.
 */
import { signal } from "@preact/signals";
import { listStreams, type StreamQuery } from "../../api/streams.ts";
import type { Stream } from "../../api/resources.ts";

/** The first page comes quickly; later ones are for scrolling far. */
const firstPageRows = 60;
const pageRows = 500;

let lists = 0;

export class StreamList {
  /** Differs for each list of this page. */
  readonly id = (lists += 1);
  readonly rows = signal<readonly Stream[]>([]);
  /** On all pages; undefined before the first. */
  readonly total = signal<number | undefined>(undefined);
  readonly error = signal<unknown>(undefined);
  readonly #query: StreamQuery;
  readonly #ending = new AbortController();
  #next: string | null | undefined;
  #wanted = firstPageRows;
  #isLoading = false;

  constructor(query: StreamQuery) {
    this.#query = query;
  }

  /** Loads until there are this many rows, or all. */
  ensure(count: number): void {
    this.#wanted = Math.max(this.#wanted, count);
    if (!this.#isLoading && !this.#ending.signal.aborted) void this.#load();
  }

  retry(): void {
    this.error.value = undefined;
    this.ensure(0);
  }

  /** Another search replaces it. */
  close(): void {
    this.#ending.abort();
  }

  /** Takes a stream out of the list. The function that it returns puts it back. */
  remove(id: string): () => void {
    const at = this.rows.value.findIndex(({ streamId }) => streamId === id);
    const stream = this.rows.value[at];
    if (stream === undefined) return () => undefined;
    this.rows.value = this.rows.value.toSpliced(at, 1);
    this.#count(-1);
    return () => {
      this.rows.value = this.rows.value.toSpliced(at, 0, stream);
      this.#count(1);
    };
  }

  replace(changed: Stream): void {
    this.rows.value = this.rows.value.map((row) => (row.streamId === changed.streamId ? changed : row));
  }

  #count(more: number): void {
    if (this.total.value !== undefined) this.total.value += more;
  }

  async #load(): Promise<void> {
    this.#isLoading = true;
    try {
      while (this.#next !== null && this.rows.value.length < this.#wanted) await this.#loadPage();
    } catch (error) {
      if (!this.#ending.signal.aborted) this.error.value = error;
    } finally {
      this.#isLoading = false;
    }
  }

  async #loadPage(): Promise<void> {
    const { signal } = this.#ending;
    const limit = this.#next === undefined ? firstPageRows : pageRows;
    const page = await listStreams(this.#query, { after: this.#next ?? undefined, limit, signal });
    signal.throwIfAborted();
    this.#next = page.next;
    const rows = [...this.rows.value, ...page.streams];
    this.rows.value = rows;
    // A total counts up to a limit, and callers who may list only some streams learn none.
    this.total.value = Math.max(page.total ?? 0, rows.length + (page.next === null ? 0 : 1));
  }
}
