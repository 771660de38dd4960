/** Uploads and downloads over protocol v1. */
import { maxTagValueChars } from "../../base/limits/streams.ts";
import { StreamDigests } from "../../client/digests.ts";
import type { ListedStream } from "../../client/http/streams.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import type { TransferOptions } from "../../client/legacy/options.ts";
import type { Client } from "../../client/v1/client.ts";
import { newStreamId } from "../../client/stream-id.ts";
import { streamInfoOf } from "./catalog.ts";
import type { ConnectionNotices } from "./connection-notices.ts";
import { mediaTypeOf } from "./media-types.ts";
import type { Downloaded, DownloadJob, TransferSession, UploadJob } from "./transfer-session.ts";

export class V1TransferSession implements TransferSession {
  readonly protocol = "v1";
  readonly #client: Client;
  readonly #settings: TransferOptions;
  readonly #notices: ConnectionNotices;

  constructor(client: Client, settings: TransferOptions, notices: ConnectionNotices) {
    this.#client = client;
    this.#settings = settings;
    this.#notices = notices;
  }

  async upload({ source, name, streamId, resume, onProgress, onStarted }: UploadJob): Promise<UploadResult> {
    const lossesBefore = this.#notices.losses;
    const id = streamId ?? newStreamId();
    let keptBytes: number | undefined;
    const receipt = await this.#client.upload(source, {
      id,
      resume: resume !== false,
      metadata: { contentType: mediaTypeOf(name), tags: { name: tagOf(name) } },
      digests: this.#settings.digests,
      signal: this.#settings.signal,
      // Reconnections open the stream again; only the first offset precedes this upload.
      onOpen: (offset) => {
        keptBytes ??= offset;
        onStarted?.(id);
      },
      onRestart: () => {
        keptBytes = 0;
        this.#notices.startedOver(id);
      },
      onProgress: ({ written }) => onProgress(written),
    });
    return {
      streamId: receipt.id,
      sizeBytes: receipt.size,
      digests: receipt.digests,
      acknowledgement: receipt.verified ? "verified" : "stopped",
      reconnects: this.#notices.losses - lossesBefore,
      keptBytes: keptBytes ?? 0,
    };
  }

  async download({ streamId, sink, offset, onProgress }: DownloadJob): Promise<Downloaded> {
    const lossesBefore = this.#notices.losses;
    const { digests, signal } = this.#settings;
    const onBytes = (received: number) => onProgress(offset + received);
    const reader = this.#client.openRead(streamId, { offset, digests, signal, onProgress: onBytes });
    for await (const bytes of reader) await sink.write(bytes);
    const { received, digests: found, verified } = await reader.result;
    const reconnects = this.#notices.losses - lossesBefore;
    return { streamId, sizeBytes: offset + received, digests: found, ending: "size", reconnects, verified };
  }

  async info(streamId: string): Promise<ListedStream | undefined> {
    const info = await this.#client.info(streamId, this.#settings.signal);
    return info === undefined ? undefined : streamInfoOf(info);
  }

  newDigests(): StreamDigests {
    const { platform, digests = ["sha256"] } = this.#settings;
    return new StreamDigests(platform, digests);
  }

  close(): void {
    this.#client.close();
  }
}

/** The end of a name that is too long, because it has the name of the file. */
function tagOf(name: string): string {
  return name.slice(-maxTagValueChars).toWellFormed();
}
