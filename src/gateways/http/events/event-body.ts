/**
 * The body of server-sent events (WHATWG HTML, section 9.2). The next events are read when the client has taken those
 * before, so a slow client costs no memory. Beside events it has markers, which are events without an id:
 *
 *     gap        events before the next one are missing: they were removed before this client asked for them
 *     cut-off    the client was too slow for live events, and the answer ends; it continues with Last-Event-ID
 */
import { eventKeepaliveMs, maxEventsBehind, eventStallSeconds } from "../../../base/limits/events.ts";
import type { EventBatch } from "../../../engine/events/event-reader.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import type { HttpConnection } from "../../../listen/route.ts";
import type { BodySource } from "../audio/body.ts";

export interface ReadableEvents {
  readonly position: number;
  next(maxWaitMs: number): Promise<EventBatch>;
  close(): void;
}

export interface EventBodySettings {
  reader: ReadableEvents;
  connection: Pick<HttpConnection, "keepOpen" | "setIdleSeconds">;
  /** The id of the newest event. */
  newest: () => number;
  /** False: the body ends after the events that there are. */
  follows: boolean;
  /** The JSON of an event. */
  format: (event: EventRow) => string;
  onClose: () => void;
}

const encoder = new TextEncoder();

export class EventBody implements BodySource {
  readonly #settings: EventBodySettings;
  /** Has had all events that there were. */
  #isLive = false;
  #isFirst = true;
  #isOver = false;

  constructor(settings: EventBodySettings) {
    this.#settings = settings;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isOver) return undefined;
    // The client sees at once that it is connected.
    if (this.#isFirst) return this.#begin();
    if (this.#isLive && this.#isBehind()) return this.#cutOff();
    const { reader, connection, follows, format } = this.#settings;
    // Waiting has no end of its own; sending must make progress.
    connection.keepOpen();
    const { events, hasGap } = await reader.next(follows ? eventKeepaliveMs : 0);
    connection.setIdleSeconds(eventStallSeconds);
    if (this.#isOver || (!follows && events.length === 0 && !hasGap)) return undefined;
    this.#isLive ||= reader.position >= this.#settings.newest();
    const marker = hasGap ? "event: gap\ndata: {}\n\n" : "";
    if (events.length === 0) return encoder.encode(`${marker}: keepalive\n\n`);
    return encoder.encode(marker + events.map((event) => textOf(event, format)).join(""));
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settings.reader.close();
    this.#settings.onClose();
  }

  #begin(): Uint8Array<ArrayBuffer> {
    this.#isFirst = false;
    this.#settings.connection.setIdleSeconds(eventStallSeconds);
    return encoder.encode(": connected\n\n");
  }

  /** Ids follow each other during a run of the server. */
  #isBehind(): boolean {
    return this.#settings.newest() - this.#settings.reader.position > maxEventsBehind;
  }

  #cutOff(): Uint8Array<ArrayBuffer> {
    const lastEventId = String(this.#settings.reader.position);
    this.close();
    return encoder.encode(`event: cut-off\ndata: ${JSON.stringify({ lastEventId })}\n\n`);
  }
}

function textOf(event: EventRow, format: (event: EventRow) => string): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${format(event)}\n\n`;
}
