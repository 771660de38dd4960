/**
 * The client of protocol v1: many streams at once on one connection. A lost connection is replaced; writes then resume
 * at the server's offset and reads at the next byte needed, so that callers see no more than a pause.
 */
import { decoySubprotocol, subprotocol } from "../../wire/v1/messages.ts";
import { connect as connectSocket, type Connection, type ConnectionLimits } from "../transport/connection.ts";
import { ClientError } from "../errors.ts";
import { defaultStreamRetries } from "../limits.ts";
import { defaultRetryPolicy, type RetryPolicy } from "../transport/retry.ts";
import type { AudioSource } from "../audio-source.ts";
import { type ConnectionEvent, Reconnector } from "./link/reconnector.ts";
import type { SocketClass, StreamPlatform } from "./platform.ts";
import { info, list, type ListOptions, remove, type StreamPage } from "./link/queries.ts";
import { type ReadOptions, type ReadTarget, ReadTask } from "./read/read-task.ts";
import type { ReceiveBudget } from "./read/read-call.ts";
import { StreamReader } from "./read/stream-reader.ts";
import { ReplayBudget, MemoryReplayBuffer, SourceReplayBuffer } from "./write/replay-buffer.ts";
import { type Receipt, type WriteOptions, WriteTask } from "./write/write-task.ts";
import { StreamWriter } from "./write/stream-writer.ts";
import type { StreamInfo } from "../../wire/v1/messages.ts";

export interface ConnectOptions {
  /** A class like the web's WebSocket, such as the one of the package `ws`; the platform's own by default. */
  WebSocket?: SocketClass | undefined;
  /** The program's name in the server's log, up to 128 characters. */
  name?: string | undefined;
  /** A token or a JWT. It is sent in HELLO: no URL or log has it. */
  token?: string | undefined;
  /** Attempts without progress, and the delays between them: about a minute in all by default. */
  retry?: Partial<RetryPolicy> | undefined;
  limits?: Partial<ConnectionLimits> | undefined;
  /** Closes the client, as `close` does. */
  signal?: AbortSignal | undefined;
  onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

export interface OpenWriteOptions extends WriteOptions {
  /**
   * Offset in bytes of the first byte that will be written; 0 by default. Needs `resume`, and the server must hold every
   * byte before it.
   */
  offset?: number | undefined;
}

export interface ReadRange {
  /** Bytes from the beginning of the stream to the first byte; 0 by default. */
  offset?: number | undefined;
  /** Bytes; to the end of the stream by default. */
  length?: number | undefined;
}

export interface FollowOptions extends ReadOptions {
  /**
   * Offset of the first byte, 0 by default; "now" starts at what is written next. Recordings ignore it: they always
   * start now.
   */
  from?: number | "now" | undefined;
}

/** A stream by its id, or a recording by its device's hardware id or its numeric stream id. */
export type FollowTarget = string | { recording: string };

/** The options of `connectWith`: those of `connect`, with a platform instead of a WebSocket class. */
export type PlatformConnectOptions = Omit<ConnectOptions, "WebSocket"> & { platform: StreamPlatform };

/**
 * Connects to a server's WebSocket address (`ws://` or `wss://`), and resolves once it has greeted. Throws ClientError:
 * BAD_URL, OTHER_PROTOCOL (the server does not speak v1), REFUSED, or, after the policy's retries, UNREACHABLE,
 * CONNECT_TIMEOUT and the like.
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

/**
 * Connects once and offers v1. The connection can be passed to `Client` if the server accepts the subprotocol. Servers
 * that agree to any offer agree to the first one, the decoy.
 */
export function offerStreams(url: string, options: PlatformConnectOptions): Promise<Connection> {
  const { platform, signal, limits } = options;
  return connectSocket(platform, url, signal, limits, [decoySubprotocol, subprotocol]);
}

/** Calls throw ClientError, or the reason of the signal that aborted them. */
export class Client {
  readonly #reconnector: Reconnector;
  readonly #replayBudget = new ReplayBudget();
  readonly #receiveBudget: ReceiveBudget = { readers: 0 };

  /** `first` is an open connection that has accepted v1; nothing was sent on it and nothing was read from it. */
  constructor(url: string, options: PlatformConnectOptions, first?: Connection) {
    const { platform, name = "wavecache-client", token, retry, limits, signal, onEvent } = options;
    const policy = { ...defaultRetryPolicy, retries: defaultStreamRetries, ...retry };
    this.#reconnector = new Reconnector(
      { platform, url, name, token, retry: policy, limits, onEvent },
      first,
    );
    if (signal?.aborted === true) this.close();
    signal?.addEventListener("abort", () => this.close(), { signal: this.#reconnector.closing });
  }

  /** Resolves once there is a connection. Throws like `connectWith`. */
  async connected(signal?: AbortSignal): Promise<void> {
    await this.#reconnector.get(signal);
  }

  /**
   * Opens a stream for writing. The bytes are kept in memory until they are durable at the server, to be sent again
   * after a lost connection. Throws BAD_ARGUMENT for a bad id, or for an `offset` without `resume`.
   */
  openWrite(options: OpenWriteOptions = {}): StreamWriter {
    const { offset = 0 } = options;
    if (offset > 0 && options.resume !== true) {
      throw new ClientError("BAD_ARGUMENT", "offset without resume", "set resume to continue a stream");
    }
    const replay = new MemoryReplayBuffer(this.#replayBudget, offset);
    return new StreamWriter(replay, this.#reconnector.closing, options.signal, (signal) => {
      return new WriteTask(this.#reconnector, replay, options, signal);
    });
  }

  /**
   * Uploads a source that can be read at any offset, such as a file. Nothing is kept in memory: after a lost connection
   * the source is read again. Resolves once the stream is durable. Throws MISMATCH if the server's SHA-256 differs,
   * SOURCE_CHANGED if the source shrinks, REFUSED with the server's code.
   */
  upload(source: AudioSource, options: WriteOptions = {}): Promise<Receipt> {
    const { signal } = options;
    const either =
      signal === undefined ? this.#reconnector.closing : AbortSignal.any([signal, this.#reconnector.closing]);
    return new WriteTask(this.#reconnector, new SourceReplayBuffer(source), options, either).run();
  }

  /** Reads a stream, or a range of it. For an unfinished stream that is what is written when the server opens it. */
  openRead(streamId: string, options: ReadOptions & ReadRange = {}): StreamReader {
    const { offset = 0, length } = options;
    return this.#read({ kind: "range", streamId, offset, length }, options);
  }

  /**
   * Follows a stream while it is uploaded, or a recording while it is made. A stream comes as it was uploaded, without
   * gaps; a recording as PCM16, interleaved, little-endian, and skips audio when its reader is too slow.
   */
  follow(target: FollowTarget, options: FollowOptions = {}): StreamReader {
    const { from = 0 } = options;
    if (typeof target !== "string") {
      const name = target.recording;
      return this.#read({ kind: "follow", source: "recording", name, offset: undefined }, options);
    }
    const offset = from === "now" ? undefined : from;
    return this.#read({ kind: "follow", source: "stream", name: target, offset }, options);
  }

  /** One page of streams, sorted by the bytes of their ids. Throws BAD_ARGUMENT for a `limit` out of range. */
  list(options: ListOptions = {}): Promise<StreamPage> {
    return list(this.#reconnector, options);
  }

  /**
   * Describes the stream of an id, or else the only one whose tag `name`, or what follows its last slash, is this
   * text; undefined if there is none.
   */
  info(idOrName: string, signal?: AbortSignal): Promise<StreamInfo | undefined> {
    return info(this.#reconnector, idOrName, signal);
  }

  /** Removes a stream; false if it does not exist. Throws REFUSED while the stream is uploaded. */
  remove(streamId: string, signal?: AbortSignal): Promise<boolean> {
    return remove(this.#reconnector, streamId, signal);
  }

  /** Closes the connection. Open calls fail with CLOSED, and uploads stay unfinished at the server. */
  close(): void {
    this.#reconnector.close();
  }

  #read(target: ReadTarget, options: ReadOptions): StreamReader {
    return new StreamReader(this.#reconnector.closing, options.signal, (signal) => {
      return new ReadTask(this.#reconnector, this.#receiveBudget, target, options, signal);
    });
  }
}
