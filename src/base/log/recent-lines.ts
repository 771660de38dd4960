/** The last lines of a log, in memory, up to a length in all. */
export class RecentLines {
  readonly #maxChars: number;
  #lines: string[] = [];
  /** Index of the oldest line that is kept: those before it are forgotten together, not one by one. */
  #first = 0;
  #chars = 0;

  /** In UTF-16 units. */
  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#chars += line.length;
    while (this.#chars > this.#maxChars) this.#chars -= this.#lines[this.#first++]!.length;
    if (this.#first * 2 > this.#lines.length) this.#forget();
  }

  /** Oldest first. */
  get lines(): string[] {
    return this.#lines.slice(this.#first);
  }

  #forget(): void {
    this.#lines = this.#lines.slice(this.#first);
    this.#first = 0;
  }
}
