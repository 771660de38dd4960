/**
 * Channels with one query and one answer. Only a few queries of a connection run at once. Answers can be long, so no
 * query starts while the peer does not read.
 */
import { resourceOf } from "../../../access/actions.ts";
import type { Principal } from "../../../access/principal.ts";
import { visibleRows } from "../../../access/visible.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { maxConcurrentQueries } from "../../../base/limits/v1.ts";
import { isStreamId } from "../../../base/ids/stream-id.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { describeStream } from "../../../store/streams/metadata.ts";
import { fittingStreams } from "../../../wire/v1/encode.ts";
import type { End, Info, List, Remove, StreamInfo, StreamList } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import type { Streams } from "../dependencies.ts";

export type Query = List | Info | Remove;

export class Queries {
  readonly #host: ChannelHost;
  readonly #waiting: QueryChannel[] = [];
  #running = 0;

  constructor(host: ChannelHost) {
    this.#host = host;
  }

  /** A channel that queues its query when it opens. */
  channelFor(query: Query): Channel {
    return new QueryChannel(query, (channel) => {
      this.#waiting.push(channel);
      this.resume();
    });
  }

  /** Starts queued queries, up to the limit. Call after the socket drains. */
  resume(): void {
    while (this.#running < maxConcurrentQueries && !this.#host.scheduler.isBlocked) {
      const channel = this.#waiting.shift();
      if (channel === undefined) return;
      void this.#answer(channel);
    }
  }

  async #answer(channel: QueryChannel): Promise<void> {
    this.#running += 1;
    try {
      this.#host.end(channel, await answerTo(channel.query, this.#host));
    } catch (error) {
      this.#host.fail(channel, error);
    }
    this.#running -= 1;
    this.resume();
  }
}

class QueryChannel implements Channel {
  readonly number: number;
  readonly source = undefined;
  readonly query: Query;
  readonly #onOpen: (channel: QueryChannel) => void;

  constructor(query: Query, onOpen: (channel: QueryChannel) => void) {
    this.number = query.channel;
    this.query = query;
    this.#onOpen = onOpen;
  }

  open(): void {
    this.#onOpen(this);
  }

  /** Does nothing: a query cannot be cancelled, and its answer is already due. */
  close(): void {}

  gone(): void {}
}

type Asked = Pick<ChannelHost, "streams" | "principal">;

async function answerTo(query: Query, { streams, principal }: Asked): Promise<End | StreamList> {
  const { channel } = query;
  if (query.type === "LIST") return listStreams(query, streams, principal);
  const { streamId } = query;
  if (query.type === "REMOVE") {
    principal.require("remove", resourceOf("streams", streamId), "STREAM_UNKNOWN");
    if (!isStreamId(streamId)) throw new WavecacheError("STREAM_UNKNOWN");
    await streams.remove(streamId);
    principal.did("remove", resourceOf("streams", streamId));
    return { type: "END", channel, outcome: "removed", size: 0, sha256: undefined };
  }
  principal.requireSome("read", "streams");
  const row = await streams.lookUp(streamId);
  if (row === null || !principal.may("read", resourceOf("streams", row.streamId)))
    throw new WavecacheError("STREAM_UNKNOWN");
  return { type: "STREAMS", channel, streams: [infoOf(row, streams)], next: undefined };
}

async function listStreams(
  { channel, filter, after, limit }: List,
  streams: Streams,
  principal: Principal,
): Promise<StreamList> {
  principal.requireSome("list", "streams");
  const state = filter === "all" ? undefined : filter;
  const rows = await visibleRows<StreamRow>({
    limit,
    read: (last, wanted) => streams.list({ state, after: last?.streamId ?? after, limit: wanted }),
    isVisible: ({ streamId }) => principal.may("list", resourceOf("streams", streamId)),
  });
  const infos = rows.map((row) => infoOf(row, streams));
  const fitting = infos.slice(0, fittingStreams(infos));
  const isAll = fitting.length === infos.length && infos.length < limit;
  return { type: "STREAMS", channel, streams: fitting, next: isAll ? undefined : fitting.at(-1)!.streamId };
}

function infoOf(row: StreamRow, streams: Streams): StreamInfo {
  const { streamId, createdAt, updatedAt } = row;
  const isFinished = row.state === "finished";
  return {
    streamId,
    state: isFinished ? "finished" : "unfinished",
    size: isFinished ? row.size : (streams.receivedBytes(streamId) ?? row.size),
    sha256: isFinished ? row.sha256! : undefined,
    createdAt,
    updatedAt,
    finishedAt: row.finishedAt ?? undefined,
    metadata: describeStream(row),
  };
}
