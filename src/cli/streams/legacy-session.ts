/** Uploads and downloads over the legacy protocol, with the HTTP API for stream information. */
import { StreamDigests } from "../../client/digests.ts";
import { ClientError, type ClientErrorCode } from "../../client/errors.ts";
import { getStream, type ListedStream } from "../../client/http/streams.ts";
import { download } from "../../client/legacy/download.ts";
import type { ClientEvent, TransferOptions } from "../../client/legacy/options.ts";
import { upload, type UploadResult } from "../../client/legacy/upload.ts";
import type { Connection } from "../../client/transport/connection.ts";
import { apiSettings } from "../connect/server-options.ts";
import { flagOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import type { LegacyOptions } from "./transfer-options.ts";
import type { Downloaded, DownloadJob, TransferSession, UploadJob } from "./transfer-session.ts";

/** A server without the HTTP API may leave the request unanswered; after this the size counts as unknown. */
const infoTimeoutMs = 5_000;
/** Errors that mean that the server has no stream list. */
const noListCodes: ReadonlySet<ClientErrorCode> = new Set(["NO_HTTP_API", "UNREACHABLE", "ANSWER_TIMEOUT"]);

export class LegacyTransferSession implements TransferSession {
  readonly protocol = "legacy";
  readonly #settings: TransferOptions & LegacyOptions;
  readonly #options: Options;
  readonly #context: Context;
  /** The connection of the negotiation, until the first transfer takes it. */
  readonly #unused: Connection[];

  constructor(
    connection: Connection | undefined,
    settings: TransferOptions & LegacyOptions,
    options: Options,
    context: Context,
  ) {
    this.#unused = connection === undefined ? [] : [connection];
    this.#settings = { ...settings, openConnections: this.#unused };
    this.#options = options;
    this.#context = context;
  }

  async upload({ source, streamId, resume, onProgress, onStarted }: UploadJob): Promise<UploadResult> {
    const onEvent = (event: ClientEvent) => {
      if ((event.type === "started" && event.resumable) || event.type === "resumed")
        onStarted?.(event.streamId);
      this.#settings.onEvent?.(event);
    };
    return await upload({ ...this.#settings, onEvent, source, onProgress, streamId, resume });
  }

  async download({
    streamId,
    sink,
    offset,
    sizeBytes,
    sha256,
    onProgress,
  }: DownloadJob): Promise<Downloaded> {
    const settings = { ...this.#settings, streamId, sink, offset, sizeBytes, sha256, onProgress };
    return { ...(await download(settings)), verified: offset === 0 && sha256 !== undefined };
  }

  async info(streamId: string): Promise<ListedStream | undefined | "unknown"> {
    const api = apiSettings(this.#options, this.#context);
    try {
      return await getStream(streamId, { ...api, timeoutMs: infoTimeoutMs });
    } catch (error) {
      if (!(error instanceof ClientError) || !noListCodes.has(error.code)) throw error;
      if (flagOption(this.#options, "verbose")) {
        this.#context.terminal.note(`${error.message}; the size is unknown`);
      }
      return "unknown";
    }
  }

  newDigests(): StreamDigests {
    const { platform, digests = ["sha256"] } = this.#settings;
    return new StreamDigests(platform, digests);
  }

  close(): void {
    for (const connection of this.#unused) connection.close();
  }
}
