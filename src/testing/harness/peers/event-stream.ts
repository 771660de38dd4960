/** A client of `/api/events`. */
import { testLimitMs, within } from "../until.ts";

export interface ReceivedEvent {
  id: string;
  type: string;
  subject: string;
  data: Record<string, unknown>;
}

export class EventStreamPeer implements Disposable {
  readonly #abort: AbortController;
  readonly #lines: AsyncIterator<string>;

  static async open(httpBase: string, query = "", lastEventId?: string): Promise<EventStreamPeer> {
    const headers: Record<string, string> = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    const abort = new AbortController();
    const { signal } = abort;
    const response = await fetch(`${httpBase}/api/events?${query}`, { headers, signal });
    if (response.status !== 200) throw new Error(`/api/events: ${response.status}`);
    return new EventStreamPeer(abort, response.body!);
  }

  private constructor(abort: AbortController, body: ReadableStream<Uint8Array>) {
    this.#abort = abort;
    this.#lines = linesOf(body);
  }

  /** The next events. Throws on a marker. */
  async take(count: number): Promise<ReceivedEvent[]> {
    const events: ReceivedEvent[] = [];
    while (events.length < count) {
      const { value } = await within(
        `event ${events.length + 1} of ${count}`,
        testLimitMs,
        this.#lines.next(),
      );
      if (value === undefined) throw new Error("the stream has ended");
      if (value.startsWith("event: gap") || value.startsWith("event: cut-off")) throw new Error(value);
      if (value.startsWith("data: ")) events.push(JSON.parse(value.slice(6)) as ReceivedEvent);
    }
    return events;
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
