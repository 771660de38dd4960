/** Those who follow uploads: they hear how far each one is, a few times a second, whoever goes on with it. */
import { followIntervalMs } from "../../base/limits/v1.ts";
import { Ticker } from "../../base/ticker.ts";

export interface Follower {
  /** So many bytes of the stream can be read now; never fewer than before. */
  grew(bytes: number): void;
  /** Nobody uploads the stream any more; the catalog knows what became of it. Nothing follows. */
  over(): void;
}

/** What is needed of an upload: see `Upload`. */
export interface Followed {
  readable(wantedBytes: number): Promise<number>;
}

interface Following {
  readonly followers: Set<Follower>;
  /** The upload has been asked how far it is, and has not answered yet. */
  asking: boolean;
}

export class Followers {
  readonly #find: (streamId: string) => Followed | undefined;
  readonly #following = new Map<string, Following>();
  readonly #ticker = new Ticker(followIntervalMs);

  /** `find` gives the upload of a stream, if there is one now. */
  constructor(find: (streamId: string) => Followed | undefined) {
    this.#find = find;
  }

  add(streamId: string, follower: Follower): void {
    let following = this.#following.get(streamId);
    if (following === undefined) {
      following = { followers: new Set(), asking: false };
      this.#following.set(streamId, following);
      this.#ticker.add(this.#askAll);
    }
    following.followers.add(follower);
  }

  remove(streamId: string, follower: Follower): void {
    const following = this.#following.get(streamId);
    if (following === undefined) return;
    following.followers.delete(follower);
    if (following.followers.size === 0) this.#forget(streamId);
  }

  /** Nobody uploads the stream any more. */
  over(streamId: string): void {
    const following = this.#following.get(streamId);
    if (following === undefined) return;
    this.#forget(streamId);
    for (const follower of following.followers) follower.over();
  }

  #forget(streamId: string): void {
    this.#following.delete(streamId);
    if (this.#following.size === 0) this.#ticker.remove(this.#askAll);
  }

  readonly #askAll = (): void => {
    for (const [streamId, following] of this.#following) {
      if (!following.asking) void this.#ask(streamId, following);
    }
  };

  async #ask(streamId: string, following: Following): Promise<void> {
    const upload = this.#find(streamId);
    if (upload === undefined) return;
    following.asking = true;
    // An upload that has failed tells its followers that it is over, or somebody else has taken it over.
    const bytes = await upload.readable(Infinity).catch(() => undefined);
    following.asking = false;
    if (bytes === undefined || this.#following.get(streamId) !== following) return;
    for (const follower of following.followers) follower.grew(bytes);
  }
}
