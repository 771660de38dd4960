/** A bounded map. When `set` exceeds the bound, the least recently used entry is evicted. */
export class Lru<T> {
  readonly #maxEntries: number;
  readonly #onEvict: (key: string, value: T) => void;
  /** Iterates from the least recently used entry to the most recently used one. */
  readonly #entries = new Map<string, T>();

  /** `onEvict` releases what an evicted value holds. It is called after the entry is gone, and not by `delete` or `clear`. */
  constructor(maxEntries: number, onEvict: (key: string, value: T) => void = () => {}) {
    this.#maxEntries = maxEntries;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Does not count as a use. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Does not count as a use. */
  peek(key: string): T | undefined {
    return this.#entries.get(key);
  }

  /** Counts as a use. */
  get(key: string): T | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Counts as a use. A value that is replaced is not evicted. */
  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#maxEntries) this.evictOldest();
  }

  /** Returns the value that was removed. */
  delete(key: string): T | undefined {
    const value = this.#entries.get(key);
    this.#entries.delete(key);
    return value;
  }

  /** From the least recently used one to the most recently used one. */
  values(): Iterable<T> {
    return this.#entries.values();
  }

  /** A copy of the entries, least recently used first. */
  entries(): [key: string, value: T][] {
    return [...this.#entries];
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Evicts the least recently used entry, if there is any. */
  evictOldest(): void {
    const oldest = this.#entries.entries().next();
    if (oldest.done) return;
    const [key, value] = oldest.value;
    this.#entries.delete(key);
    this.#onEvict(key, value);
  }
}
