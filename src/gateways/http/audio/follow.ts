/** Follows an upload from the beginning of its audio to its end, through interruptions that are short. */
import { WavecacheError } from "../../../base/errors.ts";
import {
  audioPieceBytes,
  audioStallSeconds,
  followResumeMs,
  followResumePollMs,
} from "../../../base/limits/audio-http.ts";
import type { Follower } from "../../../engine/streams/followers.ts";
import type { Readable } from "../../../engine/streams/readable-streams.ts";
import type { HttpConnection } from "../../../listen/route.ts";
import type { AudioFile } from "./audio.ts";
import type { BodySource } from "./body.ts";

export interface FollowedStreams {
  /** An unfinished stream resolves once `wantedBytes` of what it received are readable. Throws STREAM_UNKNOWN. */
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
  /** False if nobody uploads the stream. */
  follow(streamId: string, follower: Follower): boolean;
  unfollow(streamId: string, follower: Follower): void;
}

export class UploadFollower implements BodySource, Follower {
  readonly #streamId: string;
  readonly #streams: FollowedStreams;
  readonly #audios: { open(streamId: string, readable: Readable): AudioFile };
  readonly #connection: HttpConnection;
  #file: AudioFile | undefined;
  /** Identifies the upload. */
  #key = "";
  #offset = 0;
  /** What can be read now. */
  #size = 0;
  #isFinished = false;
  #isFollowing = false;
  #isOver = false;
  /** Stops watching whether the principal is over. */
  readonly #forget: () => void;
  /** Ends the wait for more audio. */
  #wake: () => void = () => {};

  constructor(
    streamId: string,
    streams: FollowedStreams,
    audios: { open(streamId: string, readable: Readable): AudioFile },
    connection: HttpConnection,
  ) {
    this.#streamId = streamId;
    this.#streams = streams;
    this.#audios = audios;
    this.#connection = connection;
    // The wait for more audio must not outlast the right to it.
    this.#forget = connection.principal.whenOver(() => this.#wake());
  }

  /** Undefined once the stream is finished, and all of it is read. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (!this.#isOver) {
      if (this.#connection.principal.isOver) throw new WavecacheError("UNAUTHENTICATED");
      if (this.#offset < this.#size) return await this.#read();
      if (this.#isFinished) return undefined;
      // Nothing is sent during the wait, which has no end of its own.
      this.#connection.keepOpen();
      if (this.#isFollowing) await this.#change();
      else await this.#locate();
    }
    return undefined;
  }

  close(): void {
    this.#isOver = true;
    this.#forget();
    this.#streams.unfollow(this.#streamId, this);
    void this.#file?.close();
    this.#wake();
  }

  streamGrew(bytes: number): void {
    this.#size = Math.max(this.#size, bytes);
    this.#wake();
  }

  uploadEnded(): void {
    this.#isFollowing = false;
    this.#wake();
  }

  async #read(): Promise<Uint8Array<ArrayBuffer>> {
    this.#connection.setIdleSeconds(audioStallSeconds);
    const length = Math.min(this.#size - this.#offset, audioPieceBytes);
    const bytes = await this.#file!.read(this.#offset, length);
    this.#offset += length;
    return bytes;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Finds the stream and follows its upload. Waits for the resume of an interrupted one. */
  async #locate(): Promise<void> {
    const deadline = performance.now() + followResumeMs;
    while (!this.#isOver) {
      this.#isFollowing = this.#streams.follow(this.#streamId, this);
      const readable = await this.#streams.locate(this.#streamId, Number.POSITIVE_INFINITY);
      this.#use(readable);
      if (this.#isFinished || this.#isFollowing || this.#offset < this.#size) return;
      if (performance.now() > deadline) throw new WavecacheError("STREAM_UNFINISHED");
      await Bun.sleep(followResumePollMs);
    }
  }

  #use(readable: Readable): void {
    // Another upload has the id now: its audio would not continue this one.
    if (this.#key !== "" && readable.key !== this.#key) throw new WavecacheError("STREAM_UNKNOWN");
    this.#key = readable.key;
    this.#size = Math.max(this.#size, readable.size);
    this.#isFinished = readable.finishedAt !== undefined;
    const before = this.#file;
    this.#file = this.#audios.open(this.#streamId, readable);
    void before?.close();
    // Nobody closes it any more.
    if (this.#isOver) void this.#file.close();
  }
}
