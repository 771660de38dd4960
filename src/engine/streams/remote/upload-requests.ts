/** What other nodes ask about the uploads of this one: it releases an upload, removes it, or reads from it. */
import { toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import { failpoint } from "../../../base/failpoint.ts";
import { maxServedReads } from "../../../base/limits/bus.ts";
import type { Log } from "../../../base/log/log.ts";
import type { Bus, BusMessage } from "../../../bus/bus.ts";
import {
  decodeUploadRequest,
  encodeReadAnswer,
  encodeReleaseAnswer,
  encodeRemoveAnswer,
  type UploadRequest,
} from "../../../wire/cluster/uploads.ts";

/** A piece of a stream that is uploaded here, or was. */
export interface UploadPiece {
  /** Bytes of the stream that can be read. */
  size: number;
  /** No more will come by this upload. */
  isOver: boolean;
  audio: Uint8Array;
}

/** The uploads of this node. */
export interface SharedUploads {
  /**
   * Ends the upload of a stream, and stores what the archive lacks of it. Resolves with its durable bytes. Rejects with
   * STREAM_UNKNOWN if this node does not have the stream.
   */
  release(streamId: string): Promise<number>;
  /** Rejects with STREAM_UNFINISHED while it is uploaded, and with STREAM_UNKNOWN if this node does not have the stream. */
  remove(streamId: string): Promise<void>;
  /** Rejects with STREAM_UNKNOWN if this node does not have this upload. */
  read(streamId: string, key: string, offset: number): Promise<UploadPiece>;
}

const nothing = new Uint8Array(0);

export class UploadRequests {
  readonly #uploads: SharedUploads;
  readonly #log: Log;
  readonly #unsubscribe: () => void;
  #reads = 0;

  constructor(bus: Bus, node: string, uploads: SharedUploads, log: Log) {
    this.#uploads = uploads;
    this.#log = log;
    this.#unsubscribe = bus.subscribe(`uploads.${node}`, (message) => void this.#receive(message));
  }

  close(): void {
    this.#unsubscribe();
  }

  async #receive(message: BusMessage): Promise<void> {
    const request = decodeUploadRequest(message.payload);
    if (request === undefined) return;
    if (request.op === "release") message.respond(await this.#release(request.streamId));
    else if (request.op === "remove") message.respond(await this.#remove(request.streamId));
    else message.respond(await this.#read(request));
  }

  async #release(streamId: string): Promise<Uint8Array> {
    try {
      const bytes = await this.#uploads.release(streamId);
      failpoint("release.1");
      this.#log.info("an upload was released to another node", { streamId, bytes });
      return encodeReleaseAnswer({ bytes });
    } catch (error) {
      const { code: failure, detail } = toWavecacheError(error);
      this.#log.warn("an upload was not released as a whole", { streamId, code: failure, detail });
      return encodeReleaseAnswer({ error: failure });
    }
  }

  async #remove(streamId: string): Promise<Uint8Array> {
    try {
      await this.#uploads.remove(streamId);
      return encodeRemoveAnswer({ isRemoved: true });
    } catch (error) {
      return encodeRemoveAnswer({ error: toWavecacheError(error).code });
    }
  }

  async #read({ streamId, key, offset }: UploadRequest & { op: "read" }): Promise<Uint8Array> {
    this.#reads += 1;
    try {
      if (this.#reads > maxServedReads) throw new WavecacheError("FETCHES_EXHAUSTED");
      const { size, isOver, audio } = await this.#uploads.read(streamId, key, offset);
      return encodeReadAnswer({ size, isOver }, audio);
    } catch (error) {
      return encodeReadAnswer({ error: toWavecacheError(error).code }, nothing);
    } finally {
      this.#reads -= 1;
    }
  }
}
