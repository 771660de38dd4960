/** A channel that reads a range of a stream. */
import { resourceOf } from "../../../access/actions.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { Readable } from "../../../engine/streams/readable-streams.ts";
import type { Read } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import { FileSource } from "./file-source.ts";

export class ReadChannel implements Channel {
  readonly number: number;
  readonly source: FileSource;
  readonly #host: ChannelHost;
  readonly #request: Read;
  #readable: Readable | undefined;
  #isOver = false;
  #release: () => void = () => {};

  constructor(host: ChannelHost, request: Read) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.source = new FileSource({
      channel: request.channel,
      credit: host.firstCredit(),
      streamId: request.streamId,
      streams: host.streams,
      reader: host.reader,
      scheduler: host.scheduler,
      onEnd: () => this.#end(),
      onFailed: (error) => host.fail(this, error),
    });
  }

  open(): void {
    const { principal, streams, context } = this.#host;
    const { streamId } = this.#request;
    try {
      principal.require("read", resourceOf("streams", streamId), "STREAM_UNKNOWN");
    } catch (error) {
      return this.#host.fail(this, error);
    }
    this.#release = streams.hold(streamId, context);
    const known = streams.locateKnown(streamId);
    if (known === undefined) void this.#locate();
    else this.#begin(known);
  }

  close(): void {
    const size = this.#readable?.size ?? 0;
    this.#host.end(this, {
      type: "END",
      channel: this.number,
      outcome: "cancelled",
      size,
      sha256: undefined,
    });
  }

  gone(): void {
    this.#isOver = true;
    this.#release();
  }

  async #locate(): Promise<void> {
    const { streamId, offset, length } = this.#request;
    try {
      const readable = await this.#host.streams.locate(streamId, offset + (length ?? Infinity));
      if (!this.#isOver) this.#begin(readable);
    } catch (error) {
      this.#host.fail(this, error);
    }
  }

  #begin(readable: Readable): void {
    const { streamId, offset, length } = this.#request;
    const { size, metadata, finishedAt } = readable;
    if (offset > size) return this.#host.fail(this, new WavecacheError("NO_DATA"));
    this.#readable = readable;
    this.#host.send({
      type: "OPENED",
      channel: this.number,
      streamId,
      offset,
      size: finishedAt === undefined ? undefined : size,
      metadata,
    });
    const end = Math.min(size, offset + (length ?? Infinity));
    if (end === offset) this.#end();
    else this.source.begin(readable, offset, end);
  }

  #end(): void {
    const { size, sha256 } = this.#readable!;
    const outcome = sha256 === undefined ? "unfinished" : "finished";
    this.#host.end(this, { type: "END", channel: this.number, outcome, size, sha256 });
  }
}
