/** Channels that ask one thing. Few are worked on at once, and none while the peer has answers to take: they can be long. */
import { WavecacheError } from "../../../base/errors.ts";
import { maxConcurrentQueries } from "../../../base/limits/v1.ts";
import { isStreamId } from "../../../base/stream-id.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { describeStream } from "../../../store/streams/metadata.ts";
import { fittingStreams } from "../../../wire/v1/encode.ts";
import type { End, Info, List, Remove, StreamInfo, StreamList } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import type { Streams } from "../core.ts";

export type Query = List | Info | Remove;

export class Queries {
  readonly #host: ChannelHost;
  readonly #waiting: Asking[] = [];
  #running = 0;

  constructor(host: ChannelHost) {
    this.#host = host;
  }

  /** A channel for a question; it is answered when it has its turn. */
  ask(question: Query): Channel {
    return new Asking(question, (asking) => {
      this.#waiting.push(asking);
      this.goOn();
    });
  }

  /** Takes up what waits, as far as it may. */
  goOn(): void {
    while (this.#running < maxConcurrentQueries && !this.#host.scheduler.isBlocked) {
      const asking = this.#waiting.shift();
      if (asking === undefined) return;
      void this.#answer(asking);
    }
  }

  async #answer(asking: Asking): Promise<void> {
    this.#running += 1;
    try {
      this.#host.end(asking, await answerTo(asking.question, this.#host.core.streams));
    } catch (error) {
      this.#host.fail(asking, error);
    }
    this.#running -= 1;
    this.goOn();
  }
}

class Asking implements Channel {
  readonly number: number;
  readonly source = undefined;
  readonly question: Query;
  readonly #onOpen: (asking: Asking) => void;

  constructor(question: Query, onOpen: (asking: Asking) => void) {
    this.number = question.channel;
    this.question = question;
    this.#onOpen = onOpen;
  }

  open(): void {
    this.#onOpen(this);
  }

  /** It is answered all the same. */
  close(): void {}

  gone(): void {}
}

async function answerTo(question: Query, streams: Streams): Promise<End | StreamList> {
  const { channel } = question;
  if (question.type === "LIST") return listed(question, streams);
  const { streamId } = question;
  if (!isStreamId(streamId)) throw new WavecacheError("STREAM_UNKNOWN");
  if (question.type === "REMOVE") {
    await streams.remove(streamId);
    return { type: "END", channel, outcome: "removed", size: 0, sha256: undefined };
  }
  const row = await streams.find(streamId);
  if (row === null) throw new WavecacheError("STREAM_UNKNOWN");
  return { type: "STREAMS", channel, streams: [infoOf(row, streams)], next: undefined };
}

async function listed({ channel, filter, after, limit }: List, streams: Streams): Promise<StreamList> {
  const state = filter === "all" ? undefined : filter;
  const rows = await streams.list({ state, after, limit });
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
