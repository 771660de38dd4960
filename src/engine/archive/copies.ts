/** Local copies of what the archive has: of objects, or of recordings. They go least recently used first. */

export interface CopyRow {
  /** Bytes. */
  size: number;
  /** When it was used last, in milliseconds since 1970. */
  usedAt: number;
}

export interface Dropped {
  count: number;
  bytes: number;
}

export interface Copies {
  /** Begins with the least recently used one. */
  cursor(): CopiesCursor;
}

/** Goes through the copies in the order of their use, and drops those that are taken. */
export interface CopiesCursor {
  /** The next copy that is not in use; undefined at the end. */
  head(): Promise<CopyRow | undefined>;
  /** The head is to be dropped; then the next one is the head. */
  take(): void;
  evictTaken(): Promise<Dropped>;
}

export interface PagedCopies<Row extends CopyRow> {
  /** Those after this one that may go. */
  page(after: Row | undefined): Promise<readonly Row[]>;
  isInUse(row: Row): boolean;
  evict(rows: readonly Row[]): Promise<Dropped>;
}

/** Reads a page when it is needed. */
export class PagesCursor<Row extends CopyRow> implements CopiesCursor {
  readonly #copies: PagedCopies<Row>;
  #page: Row[] = [];
  #last: Row | undefined;
  #taken: Row[] = [];
  #isOver = false;

  constructor(copies: PagedCopies<Row>) {
    this.#copies = copies;
  }

  async head(): Promise<CopyRow | undefined> {
    for (;;) {
      while (this.#page.length > 0 && this.#copies.isInUse(this.#page[0]!)) this.#page.shift();
      if (this.#page.length > 0 || this.#isOver) return this.#page[0];
      this.#page = [...(await this.#copies.page(this.#last))];
      this.#last = this.#page.at(-1) ?? this.#last;
      this.#isOver = this.#page.length === 0;
    }
  }

  take(): void {
    const row = this.#page.shift();
    if (row !== undefined) this.#taken.push(row);
  }

  async evictTaken(): Promise<Dropped> {
    const rows = this.#taken;
    this.#taken = [];
    return rows.length === 0 ? { count: 0, bytes: 0 } : await this.#copies.evict(rows);
  }
}
