/** Reports the growth of uploads to their followers a few times a second, whichever connection uploads. */
import { followIntervalMs } from "../../base/limits/v1.ts";
import { Ticker } from "../../base/ticker.ts";

export interface Follower {
  /** This many bytes of the stream can be read now; the number never decreases. */
  streamGrew(bytes: number): void;
  /** Nobody uploads the stream any more; the catalog has its state. No call follows. */
  uploadEnded(): void;
}

/** The part of an upload that is needed here. */
export interface FollowedUpload {
  readable(wantedBytes: number): Promise<number>;
}

interface FollowedStream {
  readonly followers: Set<Follower>;
  /** The upload was asked for its size, and has not answered yet. */
  isAsking: boolean;
}

export class Followers {
  readonly #find: (streamId: string) => FollowedUpload | undefined;
  readonly #streams = new Map<string, FollowedStream>();
  readonly #ticker = new Ticker(followIntervalMs);

  /** `find` returns the current upload of a stream. */
  constructor(find: (streamId: string) => FollowedUpload | undefined) {
    this.#find = find;
  }

  add(streamId: string, follower: Follower): void {
    let stream = this.#streams.get(streamId);
    if (stream === undefined) {
      stream = { followers: new Set(), isAsking: false };
      this.#streams.set(streamId, stream);
      this.#ticker.add(this.#askAll);
    }
    stream.followers.add(follower);
  }

  remove(streamId: string, follower: Follower): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.followers.delete(follower);
    if (stream.followers.size === 0) this.#forget(streamId);
  }

  /** Nobody uploads the stream any more. */
  end(streamId: string): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#forget(streamId);
    for (const follower of stream.followers) follower.uploadEnded();
  }

  #forget(streamId: string): void {
    this.#streams.delete(streamId);
    if (this.#streams.size === 0) this.#ticker.remove(this.#askAll);
  }

  readonly #askAll = (): void => {
    for (const [streamId, stream] of this.#streams) {
      if (!stream.isAsking) void this.#ask(streamId, stream);
    }
  };

  async #ask(streamId: string, stream: FollowedStream): Promise<void> {
    const upload = this.#find(streamId);
    if (upload === undefined) return;
    stream.isAsking = true;
    // After a failure either `end` follows, or another connection has resumed the stream.
    const bytes = await upload.readable(Infinity).catch(() => undefined);
    stream.isAsking = false;
    if (bytes === undefined || this.#streams.get(streamId) !== stream) return;
    for (const follower of stream.followers) follower.streamGrew(bytes);
  }
}
