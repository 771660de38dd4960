/** What is asked with one message and answered with one: LIST, INFO, REMOVE. */
import { isStreamId } from "../../../base/stream-id.ts";
import { maxListedOnChannel } from "../../../base/limits/v1.ts";
import type { ClientMessage, End, ListFilter, StreamInfo, StreamList } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { Call, unexpected } from "./call.ts";
import type { ChannelMessage, Link } from "./link.ts";
import { enduring, type Reconnector } from "./reconnector.ts";
import { isRefusal } from "../refusals.ts";

export interface ListOptions {
  filter?: ListFilter | undefined;
  /** Only ids behind this one, in the order of their bytes. */
  after?: string | undefined;
  /** 1 to 256. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface StreamPage {
  streams: StreamInfo[];
  /** `after` of the next page; undefined if this is the last. */
  next: string | undefined;
}

export async function list(reconnector: Reconnector, options: ListOptions): Promise<StreamPage> {
  const { filter = "all", after = "", limit = maxListedOnChannel, signal } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxListedOnChannel) {
    throw new ClientError("BAD_ARGUMENT", `limit of ${limit}`, `use 1 to ${maxListedOnChannel}`);
  }
  const answer = await asked(
    reconnector,
    (channel) => ({ type: "LIST", channel, filter, after, limit }),
    signal,
  );
  return { streams: streamsOf(answer), next: answer.type === "STREAMS" ? answer.next : undefined };
}

/** Undefined if there is no such stream. */
export async function info(
  reconnector: Reconnector,
  streamId: string,
  signal?: AbortSignal,
): Promise<StreamInfo | undefined> {
  if (!isStreamId(streamId)) return undefined;
  try {
    return streamsOf(await asked(reconnector, (channel) => ({ type: "INFO", channel, streamId }), signal))[0];
  } catch (error) {
    if (isRefusal(error, "STREAM_UNKNOWN")) return undefined;
    throw error;
  }
}

/** False if there was no such stream. */
export async function remove(
  reconnector: Reconnector,
  streamId: string,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!isStreamId(streamId)) return false;
  let attempts = 0;
  const opening = (channel: number): ClientMessage => {
    attempts += 1;
    return { type: "REMOVE", channel, streamId };
  };
  try {
    await asked(reconnector, opening, signal);
    return true;
  } catch (error) {
    // The answer to an earlier attempt may have been lost.
    if (isRefusal(error, "STREAM_UNKNOWN")) return attempts > 1;
    throw error;
  }
}

function streamsOf(answer: End | StreamList): StreamInfo[] {
  if (answer.type === "STREAMS") return answer.streams;
  throw new ClientError("UNEXPECTED", "END instead of STREAMS");
}

function asked(
  reconnector: Reconnector,
  opening: (channel: number) => ClientMessage,
  signal?: AbortSignal,
): Promise<End | StreamList> {
  const either = signal === undefined ? reconnector.closing : AbortSignal.any([signal, reconnector.closing]);
  return enduring(
    reconnector,
    () => 0,
    either,
    (link) => ask(link, opening, either),
  );
}

/** Asks on one link; throws what is said instead of an answer, or ANSWER_TIMEOUT. */
export function ask(
  link: Link,
  opening: (channel: number) => ClientMessage,
  signal: AbortSignal,
): Promise<End | StreamList> {
  return new Query(link).run(opening, signal);
}

class Query extends Call<End | StreamList> {
  protected override take(message: ChannelMessage): void {
    if (message.type !== "END" && message.type !== "STREAMS") throw unexpected(message);
    this.succeed(message);
  }
}
