/**
 * Server-sent events. They begin again by themselves after a lost connection, behind the last one that came. A browser
 * opens six connections to a server for all tabs together, so a tab that nobody sees follows none.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { ApiError, request } from "./request.ts";

export interface Subscription {
  /** Such as `api/events?type=stream.*`. */
  path: string;
  /** `data` is parsed JSON. */
  onEvent(data: unknown, name: string): void;
  /** The server has answered, and events follow as they happen. */
  onOpen?(): void;
  /** Why there are no events: access, or a server that has none. No other attempt follows. */
  onRefused?(error: ApiError): void;
}

const firstDelayMs = 500;
const maxDelayMs = 8_000;

/** The function that it returns ends the subscription. */
export function subscribe(subscription: Subscription): () => void {
  const ending = new AbortController();
  void follow(subscription, ending.signal);
  return () => ending.abort();
}

async function follow(subscription: Subscription, signal: AbortSignal): Promise<void> {
  let lastId = "";
  let delayMs = firstDelayMs;
  const onMessage = ({ id, event, data }: EventSourceMessage) => {
    lastId = id ?? lastId;
    delayMs = firstDelayMs;
    subscription.onEvent(JSON.parse(data), event ?? "message");
  };
  while (!signal.aborted) {
    await untilVisible(signal);
    try {
      await readOnce(subscription, lastId, AbortSignal.any([signal, signalOfHiding()]), onMessage);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && isFinal(error)) return subscription.onRefused?.(error);
    }
    await pause(delayMs, signal);
    delayMs = Math.min(delayMs * 2, maxDelayMs);
  }
}

async function readOnce(
  { path, onOpen }: Subscription,
  lastId: string,
  signal: AbortSignal,
  onEvent: (message: EventSourceMessage) => void,
): Promise<void> {
  const position: Record<string, string> = lastId === "" ? {} : { "last-event-id": lastId };
  const answer = await request(path, { headers: { accept: "text/event-stream", ...position }, signal });
  onOpen?.();
  const parser = createParser({ onEvent });
  const texts = answer.body!.pipeThrough(new TextDecoderStream());
  const reader = texts.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
  }
}

function untilVisible(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (!document.hidden || signal.aborted) resolve();
  document.addEventListener("visibilitychange", () => resolve(), { once: true, signal });
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}

/** Aborted once the tab is hidden. */
function signalOfHiding(): AbortSignal {
  const hiding = new AbortController();
  const end = () => document.hidden && hiding.abort();
  document.addEventListener("visibilitychange", end, { signal: hiding.signal });
  return hiding.signal;
}

/** Whether to ask again would not help. */
function isFinal({ code }: ApiError): boolean {
  return code === "ROUTE_UNKNOWN" || code === "UNAUTHENTICATED" || code === "FORBIDDEN";
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
