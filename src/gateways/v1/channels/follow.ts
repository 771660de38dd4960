/** A channel that follows an upload in progress. When another client resumes the upload, the channel follows on. */
import { resourceOf } from "../../../access/actions.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { Readable } from "../../../engine/streams/readable-streams.ts";
import type { Follower } from "../../../engine/streams/followers.ts";
import type { Follow, Outcome } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import { FileSource } from "./file-source.ts";

export class FollowChannel implements Channel, Follower {
  readonly number: number;
  readonly source: FileSource;
  readonly #host: ChannelHost;
  readonly #request: Follow;
  #readable: Readable | undefined;
  /** An upload is in progress, and it reports its growth to this channel. */
  #isUploaded = false;
  /** `source` has all audio that will come. */
  #isComplete = false;
  #isOver = false;
  #release: () => void = () => {};

  constructor(host: ChannelHost, request: Follow) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.source = new FileSource({
      channel: request.channel,
      credit: host.firstCredit(),
      streamId: request.name,
      streams: host.streams,
      reader: host.reader,
      scheduler: host.scheduler,
      onEnd: () => this.#endIfComplete(),
      onFailed: (error) => host.fail(this, error),
    });
  }

  open(): void {
    this.#release = this.#host.streams.hold(this.#request.name, this.#host.context);
    void this.#begin();
  }

  close(): void {
    this.#end("cancelled", undefined);
  }

  gone(): void {
    this.#isOver = true;
    this.#release();
    this.#host.streams.unfollow(this.#request.name, this);
  }

  streamGrew(bytes: number): void {
    // OPENED states the first offset, so nothing goes out before it.
    if (this.#readable !== undefined) this.source.extend(bytes);
  }

  uploadEnded(): void {
    this.#isUploaded = false;
    if (this.#readable !== undefined) void this.#resume(this.#readable);
  }

  async #begin(): Promise<void> {
    const { name: streamId, offset } = this.#request;
    try {
      this.#host.principal.require("read", resourceOf("streams", streamId), "STREAM_UNKNOWN");
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

  /** The upload ended. The stream is now finished, interrupted, removed, or uploaded by another client. */
  async #resume(before: Readable): Promise<void> {
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

  /** Locates the stream. Repeats if its upload ends meanwhile, so that `#isUploaded` matches the result. */
  async #locate(): Promise<Readable> {
    const { streams } = this.#host;
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
