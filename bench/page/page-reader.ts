/** Reads from the server what an open page reads, without a browser. */

/** Addresses that a page asks for while nobody touches it. */
export interface PageRequests {
  /** Server-sent events. */
  streams: readonly string[];
  polls: readonly { path: string; intervalMs: number }[];
}

export class PageReader {
  /** Pieces of the levels that have arrived: each is one time that all meters are drawn. */
  levels = 0;
  readonly #base: string;

  constructor(base: string, { streams, polls }: PageRequests, signal: AbortSignal) {
    this.#base = base;
    for (const path of streams) void this.#follow(path, signal);
    for (const { path, intervalMs } of polls) {
      const timer = setInterval(() => void this.#ask(path, signal), intervalMs);
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    }
  }

  async #follow(path: string, signal: AbortSignal): Promise<void> {
    try {
      const answer = await fetch(`${this.#base}${path}`, {
        signal,
        headers: { accept: "text/event-stream" },
      });
      for await (const piece of answer.body!) {
        if (piece.length > 0 && path.includes("/levels")) this.levels += 1;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #ask(path: string, signal: AbortSignal): Promise<void> {
    try {
      await (await fetch(`${this.#base}${path}`, { signal })).arrayBuffer();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
