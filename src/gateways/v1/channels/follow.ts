/** A channel that follows a stream while it is uploaded, whoever goes on with it. */
import { WavecacheError } from "../../../base/errors.ts";
import type { Readable } from "../../../engine/streams/streams.ts";
import type { Follower } from "../../../engine/streams/followers.ts";
import type { Follow, Outcome } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import { FileSource } from "./file-source.ts";

export class Following implements Channel, Follower {
  readonly number: number;
  readonly source: FileSource;
  readonly #host: ChannelHost;
  readonly #request: Follow;
  #readable: Readable | undefined;
  /** Somebody uploads it, and we hear of that. */
  #isUploaded = false;
  /** What became of the stream is known, and there is no more to come than `source` has. */
  #isComplete = false;
  #isOver = false;

  constructor(host: ChannelHost, request: Follow) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.source = new FileSource({
      channel: request.channel,
      credit: host.firstCredit(),
      streamId: request.name,
      streams: host.core.streams,
      reader: host.reader,
      scheduler: host.scheduler,
      onEnd: () => this.#endIfComplete(),
      onFailed: (error) => host.fail(this, error),
    });
  }

  open(): void {
    void this.#begin();
  }

  close(): void {
    this.#end("cancelled", undefined);
  }

  gone(): void {
    this.#isOver = true;
    this.#host.core.streams.unfollow(this.#request.name, this);
  }

  grew(bytes: number): void {
    // Nothing is sent before OPENED has said from where on.
    if (this.#readable !== undefined) this.source.extend(bytes);
  }

  over(): void {
    this.#isUploaded = false;
    if (this.#readable !== undefined) void this.#goOn(this.#readable);
  }

  async #begin(): Promise<void> {
    const { name: streamId, offset } = this.#request;
    try {
      const readable = await this.#locate();
      if (this.#isOver) return;
      const { size, metadata, finishedAt } = readable;
      const from = offset ?? size;
      if (from > size) throw new WavecacheError("NO_DATA");
      this.#host.send({
        type: "OPENED",
        channel: this.number,
        streamId,
        offset: from,
        size: finishedAt === undefined ? undefined : size,
        metadata,
      });
      this.#send(readable, from);
    } catch (error) {
      this.#host.fail(this, error);
    }
  }

  /** The upload has ended: by now the stream is finished, left, removed, or somebody else uploads it. */
  async #goOn(before: Readable): Promise<void> {
    try {
      const readable = await this.#locate();
      if (this.#isOver) return;
      if (readable.key !== before.key) throw new WavecacheError("STREAM_UNKNOWN");
      this.#send(readable, this.source.offset);
    } catch (error) {
      if (error instanceof WavecacheError && error.code === "STREAM_UNKNOWN") this.#end("removed", undefined);
      else this.#host.fail(this, error);
    }
  }

  /** Where the stream is, and whether somebody uploads it: as of the same moment. */
  async #locate(): Promise<Readable> {
    const { streams } = this.#host.core;
    const { name } = this.#request;
    for (;;) {
      const isUploaded = !this.#isOver && streams.follow(name, this);
      this.#isUploaded = isUploaded;
      const readable = await streams.locate(name, Infinity);
      if (!isUploaded || this.#isUploaded) return readable;
    }
  }

  #send(readable: Readable, from: number): void {
    this.#readable = readable;
    this.#isComplete = readable.finishedAt !== undefined || !this.#isUploaded;
    if (from < readable.size) this.source.begin(readable, from, readable.size);
    else {
      this.source.begin(readable, from, from);
      this.#endIfComplete();
    }
  }

  #endIfComplete(): void {
    if (!this.#isComplete) return;
    const { sha256 } = this.#readable!;
    this.#end(sha256 === undefined ? "unfinished" : "finished", sha256);
  }

  #end(outcome: Outcome, sha256: string | undefined): void {
    const size = outcome === "removed" ? 0 : (this.#readable?.size ?? 0);
    this.#host.end(this, { type: "END", channel: this.number, outcome, size, sha256 });
  }
}
