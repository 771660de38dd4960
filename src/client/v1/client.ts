/**
 * Streams of a Wavecache server over protocol v1: many at once on one connection, which is made again when it is
 * lost. Writes go on at the byte that the server has, reads at the byte that is needed next; callers notice a pause.
 */
import { subprotocol } from "../../wire/v1/messages.ts";
import { connect as connectSocket, type Connection, type ConnectionLimits } from "../transport/connection.ts";
import { ClientError } from "../errors.ts";
import { defaultStreamRetries } from "../limits.ts";
import { defaultRetryPolicy, type RetryPolicy } from "../transport/retry.ts";
import type { AudioSource } from "../audio-source.ts";
import { type ConnectionEvent, Reconnector } from "./link/reconnector.ts";
import type { SocketClass, StreamPlatform } from "./platform.ts";
import { info, list, type ListOptions, remove, type StreamPage } from "./link/queries.ts";
import { type ReadOptions, ReadTask } from "./read/read-task.ts";
import type { ReceiveBudget } from "./read/read-call.ts";
import { StreamReader } from "./read/stream-reader.ts";
import { ReplayBudget, MemoryReplayBuffer, SourceReplayBuffer } from "./write/replay-buffer.ts";
import { type Receipt, type WriteOptions, WriteTask } from "./write/write-task.ts";
import { StreamWriter } from "./write/stream-writer.ts";
import type { StreamInfo } from "../../wire/v1/messages.ts";

export interface ConnectOptions {
  /** A class like the web's WebSocket, such as that of the package `ws`; the platform's own by default. */
  WebSocket?: SocketClass | undefined;
  /** What the server's log calls this program. */
  name?: string | undefined;
  /** How often to try again without progress, and how long to wait between: about a minute by default. */
  retry?: Partial<RetryPolicy> | undefined;
  limits?: Partial<ConnectionLimits> | undefined;
  /** Ends everything, as `close` does. */
  signal?: AbortSignal | undefined;
  onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

export interface OpenWriteOptions extends WriteOptions {
  /** With `resume`: the offset of the first byte that will be written; the server must have all before it. */
  offset?: number | undefined;
}

export interface ReadRange {
  /** Of the first byte; 0 by default. */
  offset?: number | undefined;
  /** Bytes; all there is by default. */
  length?: number | undefined;
}

export interface FollowOptions extends ReadOptions {
  /** Of the first byte: 0 by default; "now" for what comes from now on. A recording is always followed from now on. */
  from?: number | "now" | undefined;
}

/** A stream by its id, or a recording by the hardware id of its device or its stream id. */
export type FollowTarget = string | { recording: string };

/** What `connect` gives to `connectWith`, and programs with a platform of their own. */
export type PlatformConnectOptions = Omit<ConnectOptions, "WebSocket"> & { platform: StreamPlatform };

/**
 * Connects; throws a ClientError when the server cannot be reached as often as `retry` says, or speaks no v1
 * (OTHER_PROTOCOL).
 */
export async function connectWith(url: string, options: PlatformConnectOptions): Promise<Client> {
  const client = new Client(url, options);
  try {
    await client.connected(options.signal);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** One attempt to connect, offering v1; what comes of it may be handed to a `Client`. */
export function offerStreams(url: string, options: PlatformConnectOptions): Promise<Connection> {
  return connectSocket(options.platform, url, options.signal, options.limits, [subprotocol]);
}

export class Client {
  readonly #reconnector: Reconnector;
  readonly #held = new ReplayBudget();
  readonly #reads: ReceiveBudget = { readers: 0 };

  /** `first` is a connection that has agreed to v1 and on which nothing was sent or taken. */
  constructor(url: string, options: PlatformConnectOptions, first?: Connection) {
    const { platform, name = "wavecache-client", retry, limits, signal, onEvent } = options;
    const policy = { ...defaultRetryPolicy, retries: defaultStreamRetries, ...retry };
    this.#reconnector = new Reconnector({ platform, url, name, retry: policy, limits, onEvent }, first);
    if (signal?.aborted === true) this.close();
    signal?.addEventListener("abort", () => this.close(), { signal: this.#reconnector.closing });
  }

  /** Resolves when there is a connection. */
  async connected(signal?: AbortSignal): Promise<void> {
    await this.#reconnector.get(signal);
  }

  /** A new stream, written as a WritableStream. */
  openWrite(options: OpenWriteOptions = {}): StreamWriter {
    const { offset = 0 } = options;
    if (offset > 0 && options.resume !== true) throw new ClientError("BAD_ARGUMENT", "offset without resume");
    const replay = new MemoryReplayBuffer(this.#held, offset);
    return new StreamWriter(replay, this.#reconnector.closing, options.signal, (signal) => {
      return new WriteTask(this.#reconnector, replay, options, signal);
    });
  }

  /** Uploads what can be read at any offset, such as a file: nothing of it is kept in memory for a loss. */
  upload(source: AudioSource, options: WriteOptions = {}): Promise<Receipt> {
    const { signal } = options;
    const either =
      signal === undefined ? this.#reconnector.closing : AbortSignal.any([signal, this.#reconnector.closing]);
    return new WriteTask(this.#reconnector, new SourceReplayBuffer(source), options, either).run();
  }

  /** A stream or a part of it; of one that is not finished what is there now. */
  openRead(streamId: string, options: ReadOptions & ReadRange = {}): StreamReader {
    const { offset = 0, length } = options;
    return this.#read({ kind: "range", streamId, offset, length }, options);
  }

  /** What is written to a stream, or recorded, as it comes. */
  follow(followed: FollowTarget, options: FollowOptions = {}): StreamReader {
    const { from = 0 } = options;
    if (typeof followed !== "string") {
      const wanted = {
        kind: "follow",
        source: "recording",
        name: followed.recording,
        offset: undefined,
      } as const;
      return this.#read(wanted, options);
    }
    const offset = from === "now" ? undefined : from;
    return this.#read({ kind: "follow", source: "stream", name: followed, offset }, options);
  }

  list(options: ListOptions = {}): Promise<StreamPage> {
    return list(this.#reconnector, options);
  }

  /** What the server knows of a stream; undefined if there is no such stream. */
  info(streamId: string, signal?: AbortSignal): Promise<StreamInfo | undefined> {
    return info(this.#reconnector, streamId, signal);
  }

  /** Removes a stream; false if there is no such stream. */
  remove(streamId: string, signal?: AbortSignal): Promise<boolean> {
    return remove(this.#reconnector, streamId, signal);
  }

  /** Ends the connection; what is under way is lost with CLOSED, and uploads stay unfinished at the server. */
  close(): void {
    this.#reconnector.close();
  }

  #read(wanted: ConstructorParameters<typeof ReadTask>[2], options: ReadOptions): StreamReader {
    return new StreamReader(this.#reconnector.closing, options.signal, (signal) => {
      return new ReadTask(this.#reconnector, this.#reads, wanted, options, signal);
    });
  }
}
