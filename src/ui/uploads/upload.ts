/** One file on its way to the server. */
import { signal } from "@preact/signals";
import type { Client } from "../../client/v1/client.ts";
import type { AudioSource } from "../../client/audio-source.ts";
import { ClientError } from "../../client/errors.ts";

export type UploadState = "waiting" | "running" | "paused" | "needs file" | "done" | "failed";

/** What survives a reload of the page. */
export interface UploadRecord {
  /** Of the stream that it becomes. */
  streamId: string;
  /** With its folders, as it was dropped. */
  name: string;
  type: string;
  size: number;
  lastModified: number;
}

/** What the server knows of a stream. */
export type FindStream = (streamId: string) => Promise<{ size: number; sha256: string | null }>;

/** Refusals of a stream that is finished. */
const finishedCodes: ReadonlySet<string> = new Set(["STREAM_EXISTS", "STREAM_FINISHED"]);

export class Upload {
  readonly record: UploadRecord;
  /** Undefined after a reload, until the user chooses the file again. */
  file: File | undefined;
  readonly state = signal<UploadState>("waiting");
  /** Bytes that the server has. */
  readonly written = signal(0);
  readonly sha256 = signal<string | undefined>(undefined);
  readonly error = signal<unknown>(undefined);
  #running: AbortController | undefined;

  constructor(record: UploadRecord, file: File | undefined) {
    this.record = record;
    this.file = file;
    if (file === undefined) this.state.value = "needs file";
  }

  get isOver(): boolean {
    return this.state.value === "done";
  }

  /** Runs until the stream is durable, the upload is paused, or it has failed. `find` asks the server for a stream. */
  async run(client: Pick<Client, "upload">, find: FindStream): Promise<void> {
    this.state.value = "running";
    this.error.value = undefined;
    this.#running = new AbortController();
    try {
      const receipt = await client.upload(fileSource(this.file!), {
        ...this.#options(),
        signal: this.#running.signal,
        onOpen: (offset) => (this.written.value = offset),
        onProgress: ({ written }) => (this.written.value = written),
      });
      this.#finish(receipt);
    } catch (error) {
      if (!this.#running.signal.aborted) await this.#fail(error, find);
    }
  }

  #finish({ size, sha256 }: { size: number; sha256: string }): void {
    this.written.value = size;
    this.sha256.value = sha256;
    this.state.value = "done";
  }

  /** The page may have been closed after the last byte and before its receipt: then the stream is there already. */
  async #fail(error: unknown, find: FindStream): Promise<void> {
    this.error.value = error;
    this.state.value = "failed";
    if (!(error instanceof ClientError) || !finishedCodes.has(error.serverCode ?? "")) return;
    const { streamId, size } = this.record;
    try {
      const stream = await find(streamId);
      if (stream.sha256 !== null && stream.size === size) this.#finish({ size, sha256: stream.sha256 });
    } catch (lookup) {
      this.error.value = lookup;
    }
  }

  #options() {
    const { streamId, name, type } = this.record;
    return {
      id: streamId,
      resume: true,
      metadata: { ...(type === "" ? {} : { contentType: type }), tags: { name } },
    };
  }

  /** The server keeps what it has, and the upload continues there. */
  pause(): void {
    this.state.value = "paused";
    this.#running?.abort(new Error("paused"));
  }

  /** Becomes one that waits for its turn again. */
  resume(): void {
    this.state.value = this.file === undefined ? "needs file" : "waiting";
  }
}

/** A file of the user's disk, which is read as it is sent. */
function fileSource(file: File): AudioSource {
  return {
    sizeBytes: file.size,
    read: async (offset, length) => new Uint8Array(await file.slice(offset, offset + length).arrayBuffer()),
  };
}
