/** LIST, INFO and REMOVE: one message out, one answer back. */
import { isStreamId } from "../../../base/ids/stream-id.ts";
import { maxStreamIdChars } from "../../../base/limits/streams.ts";
import { maxListedOnChannel } from "../../../base/limits/v1.ts";
import type { ClientMessage, End, ListFilter, StreamInfo, StreamList } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { Call, unexpectedMessage } from "./call.ts";
import type { ChannelMessage } from "./channel-table.ts";
import type { Link } from "./link.ts";
import type { Reconnector } from "./reconnector.ts";
import { isRefusal } from "../refusals.ts";

export interface ListOptions {
  filter?: ListFilter | undefined;
  /** Lists only ids that sort after this one, by their bytes; from the first id by default. */
  after?: string | undefined;
  /** Streams in this page, 1 to 256; 256 by default. The server may return fewer. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface StreamPage {
  streams: StreamInfo[];
  /** The `after` of the next page; undefined on the last page. */
  next: string | undefined;
}

/** One page of streams. Throws BAD_ARGUMENT for a `limit` out of range. */
export async function list(reconnector: Reconnector, options: ListOptions): Promise<StreamPage> {
  const { filter = "all", after = "", limit = maxListedOnChannel, signal } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxListedOnChannel) {
    throw new ClientError("BAD_ARGUMENT", `limit of ${limit}`, `use 1 to ${maxListedOnChannel}`);
  }
  const opening = (channel: number) => ({ type: "LIST", channel, filter, after, limit }) as const;
  const answer = await queryWithRetries(reconnector, opening, signal);
  return { streams: streamsOf(answer), next: answer.type === "STREAMS" ? answer.next : undefined };
}

/** Describes the stream of an id, or else the only one of a name; undefined if it does not exist. */
export async function info(
  reconnector: Reconnector,
  idOrName: string,
  signal?: AbortSignal,
): Promise<StreamInfo | undefined> {
  if (idOrName === "" || idOrName.length > maxStreamIdChars || !idOrName.isWellFormed()) return undefined;
  const opening = (channel: number) => ({ type: "INFO", channel, streamId: idOrName }) as const;
  try {
    return streamsOf(await queryWithRetries(reconnector, opening, signal))[0];
  } catch (error) {
    if (isRefusal(error, "STREAM_UNKNOWN")) return undefined;
    throw error;
  }
}

/** Removes a stream; false if it does not exist. */
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
    await queryWithRetries(reconnector, opening, signal);
    return true;
  } catch (error) {
    // On a retry, an earlier attempt has probably removed it, and its answer was lost.
    if (isRefusal(error, "STREAM_UNKNOWN")) return attempts > 1;
    throw error;
  }
}

function streamsOf(answer: End | StreamList): StreamInfo[] {
  if (answer.type === "STREAMS") return answer.streams;
  throw new ClientError("UNEXPECTED", "END instead of STREAMS");
}

function queryWithRetries(
  reconnector: Reconnector,
  opening: (channel: number) => ClientMessage,
  signal?: AbortSignal,
): Promise<End | StreamList> {
  const { closing } = reconnector;
  const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
  return reconnector.withRetries(
    () => 0,
    either,
    (link) => query(link, opening, either),
  );
}

/** Sends one query on this link. Throws the server's ERROR, the loss of the link, or ANSWER_TIMEOUT. */
export function query(
  link: Link,
  opening: (channel: number) => ClientMessage,
  signal: AbortSignal,
): Promise<End | StreamList> {
  return new QueryCall(link).run(opening, signal);
}

class QueryCall extends Call<End | StreamList> {
  protected override handle(message: ChannelMessage): void {
    if (message.type !== "END" && message.type !== "STREAMS") throw unexpectedMessage(message);
    this.succeed(message);
  }
}
