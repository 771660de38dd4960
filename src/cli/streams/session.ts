/** A server as the commands that move audio see it, whichever protocol it speaks. */
import type { Connection } from "../../client/transport/connection.ts";
import { download, type DownloadResult, type AudioSink } from "../../client/legacy/download.ts";
import { ClientError, type ClientErrorCode } from "../../client/errors.ts";
import { negotiate } from "../../client/negotiate.ts";
import type { TransferOptions } from "../../client/legacy/options.ts";
import type { AudioSource } from "../../client/audio-source.ts";
import { getStream, type ListedStream } from "../../client/http/streams.ts";
import { upload, type UploadResult } from "../../client/legacy/upload.ts";
import type { Client } from "../../client/v1/client.ts";
import type { ConnectionEvent } from "../../client/v1/link/reconnector.ts";
import { flagOption, type Options } from "../kit/arguments.ts";
import { streamInfoOf } from "./catalog.ts";
import { mediaTypeOf } from "./media-types.ts";
import {
  apiSettings,
  chunkBytesOf,
  connectSettings,
  type Context,
  protocolOf,
  retryOf,
  retryText,
  transferSettings,
  windowGetsOf,
} from "./transfers.ts";

export interface UploadJob {
  source: AudioSource;
  /** The file's, which tells what kind of audio it is. */
  name: string;
  streamId: string | undefined;
  /** Go on with the unfinished stream of this id. */
  resume: boolean;
  onProgress: (bytes: number) => void;
}

export interface DownloadJob {
  streamId: string;
  sink: AudioSink;
  /** What is known of the stream: an unfinished one may still grow. */
  sizeBytes: number | undefined;
  sha256: string | undefined;
  onProgress: (bytes: number) => void;
}

export interface Uploaded extends UploadResult {
  /** What the server had of the stream before, as far as it says. */
  keptBytes: number;
}

export interface Downloaded extends DownloadResult {
  /** Whether the bytes have the SHA-256 that the server has for the stream. */
  verified: boolean;
}

export interface Session {
  readonly protocol: "v1" | "legacy";
  upload(job: UploadJob): Promise<Uploaded>;
  download(job: DownloadJob): Promise<Downloaded>;
  /** What the server says of a stream; "unknown" where it has no list to ask. */
  info(streamId: string): Promise<ListedStream | undefined | "unknown">;
  close(): void;
}

/** Connects as far as it takes to know the protocol; `url` where it was not given as --server. */
export async function openSession(options: Options, context: Context, url?: string): Promise<Session> {
  const settings = transferSettings(options, context, url);
  const choice = protocolOf(options);
  const older = olderSettings(options);
  const notices = new Notices(options, context);
  const agreement = await negotiate(choice, settings.url, {
    ...connectSettings(options, context),
    retry: retryOf(options),
    onEvent: (event) => notices.take(event),
  });
  if (agreement.protocol === "v1") return new StreamSession(agreement.client, settings, notices);
  return new LegacySession(agreement.connection, { ...settings, ...older }, options, context);
}

/** What only the older protocol has; checked whichever is spoken. */
interface OlderSettings {
  chunkBytes?: number;
  windowGets?: number;
}

/** Not every command has both. */
function olderSettings(options: Options): OlderSettings {
  return {
    ...(options.chunk !== undefined && { chunkBytes: chunkBytesOf(options) }),
    ...(options.window !== undefined && { windowGets: windowGetsOf(options) }),
  };
}

/** What happens to the connection, for the user: that it is gone and comes back, and all of it with --verbose. */
class Notices {
  losses = 0;
  #wasConnected = false;
  #isLost = false;
  readonly #verbose: boolean;
  readonly #context: Context;

  constructor(options: Options, context: Context) {
    this.#verbose = flagOption(options, "verbose");
    this.#context = context;
  }

  take(event: ConnectionEvent): void {
    const line = this.#lineOf(event);
    if (line !== undefined) this.#context.terminal.note(line);
  }

  #lineOf(event: ConnectionEvent): string | undefined {
    switch (event.type) {
      case "lost":
        this.losses += 1;
        this.#isLost = true;
        return `reconnecting: ${event.error.message}`;
      case "retrying":
        return `${this.#wasConnected ? "reconnecting: " : ""}${retryText(event)}`;
      case "connected": {
        const again = this.#isLost;
        this.#wasConnected = true;
        this.#isLost = false;
        if (again) return "connected again";
        return this.#verbose ? `connected to ${event.server}` : undefined;
      }
      case "connecting":
        return this.#verbose ? `connecting to ${event.url}` : undefined;
      case "leaving":
        return this.#verbose
          ? "the server is going; what cannot end there goes on at the next one"
          : undefined;
    }
  }
}

class StreamSession implements Session {
  readonly protocol = "v1";
  readonly #client: Client;
  readonly #settings: TransferOptions;
  readonly #notices: Notices;

  constructor(client: Client, settings: TransferOptions, notices: Notices) {
    this.#client = client;
    this.#settings = settings;
    this.#notices = notices;
  }

  async upload({ source, name, streamId, resume, onProgress }: UploadJob): Promise<Uploaded> {
    const { losses } = this.#notices;
    let keptBytes: number | undefined;
    const receipt = await this.#client.upload(source, {
      id: streamId,
      resume,
      metadata: { contentType: mediaTypeOf(name) },
      digests: this.#settings.digests,
      signal: this.#settings.signal,
      onOpen: (offset) => void (keptBytes ??= offset),
      onProgress: ({ written }) => onProgress(written),
    });
    return {
      streamId: receipt.id,
      sizeBytes: receipt.size,
      digests: receipt.digests,
      acknowledgement: receipt.verified ? "verified" : "stopped",
      reconnects: this.#notices.losses - losses,
      keptBytes: keptBytes ?? 0,
    };
  }

  async download({ streamId, sink, onProgress }: DownloadJob): Promise<Downloaded> {
    const { losses } = this.#notices;
    const { digests, signal } = this.#settings;
    const reading = this.#client.openRead(streamId, { digests, signal, onProgress });
    for await (const bytes of reading) await sink.write(bytes);
    const { received, digests: found, verified } = await reading.result;
    const reconnects = this.#notices.losses - losses;
    return { streamId, sizeBytes: received, digests: found, ending: "size", reconnects, verified };
  }

  async info(streamId: string): Promise<ListedStream | undefined> {
    const info = await this.#client.info(streamId, this.#settings.signal);
    return info === undefined ? undefined : streamInfoOf(info);
  }

  close(): void {
    this.#client.close();
  }
}

/** Servers without the stream list may answer anything or nothing to HTTP. */
const listTimeoutMs = 5_000;
const listless: ReadonlySet<ClientErrorCode> = new Set(["NO_HTTP_API", "UNREACHABLE", "ANSWER_TIMEOUT"]);

class LegacySession implements Session {
  readonly protocol = "legacy";
  readonly #settings: TransferOptions & OlderSettings;
  readonly #options: Options;
  readonly #context: Context;
  readonly #made: Connection[];

  constructor(
    connection: Connection | undefined,
    settings: TransferOptions & OlderSettings,
    options: Options,
    context: Context,
  ) {
    this.#made = connection === undefined ? [] : [connection];
    this.#settings = { ...settings, made: this.#made };
    this.#options = options;
    this.#context = context;
  }

  async upload({ source, streamId, resume, onProgress }: UploadJob): Promise<Uploaded> {
    const result = await upload({ ...this.#settings, source, onProgress, streamId, resume });
    return { ...result, keptBytes: 0 };
  }

  async download({ streamId, sink, sizeBytes, sha256, onProgress }: DownloadJob): Promise<Downloaded> {
    const settings = { ...this.#settings, streamId, sink, sizeBytes, sha256, onProgress };
    return { ...(await download(settings)), verified: sha256 !== undefined };
  }

  async info(streamId: string): Promise<ListedStream | undefined | "unknown"> {
    const api = apiSettings(this.#options, this.#context);
    try {
      return await getStream(streamId, { ...api, timeoutMs: listTimeoutMs });
    } catch (error) {
      if (!(error instanceof ClientError) || !listless.has(error.code)) throw error;
      if (flagOption(this.#options, "verbose")) {
        this.#context.terminal.note(`${error.message}; the size is not known`);
      }
      return "unknown";
    }
  }

  close(): void {
    for (const connection of this.#made) connection.close();
  }
}
