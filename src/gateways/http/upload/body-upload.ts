/**
 * An upload whose audio is the body of a request. The next piece of the body is read once the upload has taken the one
 * before, so TCP slows the sender down, and no more than a piece is in memory.
 *
 * However the body ends, what came of it stays: an upload that is not finished can be resumed over any protocol.
 */
import type { Principal } from "../../../access/principal.ts";
import type { ByteRate } from "../../../access/usage.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import { httpIdleSeconds } from "../../../base/limits/connections.ts";
import { bodyIdleMs } from "../../../base/limits/upload-http.ts";
import type { Upload, UploadOwner } from "../../../engine/streams/upload.ts";
import type { Receipt } from "../../../engine/streams/upload-state.ts";
import type { HttpConnection } from "../../../listen/route.ts";

/** The parts of an upload that a body needs. */
export type OpenUpload = Pick<
  Upload,
  | "streamId"
  | "ready"
  | "over"
  | "receivedBytes"
  | "metadata"
  | "finishing"
  | "write"
  | "finish"
  | "readable"
  | "checkpoint"
  | "declareSize"
  | "leave"
  | "discard"
>;

export interface BodyUploadOptions {
  connection: Pick<HttpConnection, "context" | "keepOpen" | "setIdleSeconds">;
  meter: GatewayMeter;
  /** Whoever uploads: no more is taken once its access has ended. */
  principal: Pick<Principal, "name" | "ended" | "refusal" | "usage">;
  idleMs?: number;
}

/** Pieces of audio. Each is a buffer of its own, which its taker may detach. */
export interface AudioPieces {
  /** Undefined after the last one, and after `cancel`. Rejects if the sender is gone. */
  next(): Promise<Uint8Array | undefined>;
  cancel(): void;
}

export class BodyUpload implements UploadOwner {
  readonly upload: OpenUpload;
  readonly sender: string;
  readonly account: UploadOwner["account"];
  readonly context: UploadOwner["context"];
  readonly #connection: BodyUploadOptions["connection"];
  readonly #meter: GatewayMeter;
  readonly #idleMs: number;
  readonly #rate: ByteRate;
  #pieces: AudioPieces | undefined;
  /** The upload takes no more audio. */
  #isEnded = false;
  #failure: WavecacheError | undefined;
  /** Backpressure from the writer. */
  #isHeld = false;
  #wake = (): void => {};

  /** `start` begins or resumes the upload, which belongs to the owner that it gets. It may throw. */
  constructor(
    start: (owner: UploadOwner) => OpenUpload,
    { connection, meter, principal, idleMs = bodyIdleMs }: BodyUploadOptions,
  ) {
    this.#connection = connection;
    this.#meter = meter;
    this.#idleMs = idleMs;
    this.#rate = principal.usage.in;
    this.context = connection.context;
    this.sender = principal.name;
    this.account = principal.usage.account;
    // This class has its own idle timer, which stops during backpressure.
    connection.keepOpen();
    this.upload = start(this);
    // Another connection may resume the stream, and a server that shuts down leaves all uploads.
    void this.upload.over.then(() => this.#end());
    this.#endWith(principal);
  }

  /**
   * Takes all audio, and resolves once it is in the file. If that fails, the upload is left as it is, and this rejects
   * with the reason: that of the upload, BODY_STALLED, or STREAM_UNFINISHED if the sender is gone.
   */
  async receive(pieces: AudioPieces): Promise<void> {
    try {
      await this.upload.ready;
      this.#pieces = pieces;
      await this.#pump(pieces);
      await this.#settle();
    } catch (error) {
      await this.keep();
      throw error;
    }
  }

  /** Makes the stream durable; with `sha256`, only if this is its digest. */
  async finish(sha256?: string): Promise<Receipt> {
    try {
      return await this.upload.finish(sha256);
    } finally {
      this.#connection.setIdleSeconds(httpIdleSeconds);
    }
  }

  /** Leaves the upload unfinished, with all audio that came, for a resume. */
  async keep(): Promise<void> {
    const { upload } = this;
    // A failed upload has kept what it could.
    await upload.readable(upload.receivedBytes).catch(ignoreFailure);
    upload.leave(new WavecacheError("STREAM_UNFINISHED"));
    await upload.over;
    this.#connection.setIdleSeconds(httpIdleSeconds);
  }

  uploadHolds(): void {
    this.#isHeld = true;
  }

  uploadHasRoom(): void {
    this.#isHeld = false;
    this.#wake();
  }

  uploadFailed(_upload: unknown, error: WavecacheError): void {
    this.#end(error);
  }

  async #pump(pieces: AudioPieces): Promise<void> {
    for (;;) {
      const piece = await this.#next(pieces);
      if (piece === undefined || this.#isEnded) return;
      const bytes = piece.length;
      this.#meter.bytesIn += bytes;
      // `write` consumes the piece.
      if (!this.upload.write(piece)) this.#isHeld = true;
      const waitMs = this.#rate.take(bytes);
      if (waitMs > 0) await Bun.sleep(waitMs);
      await this.#room();
    }
  }

  async #next(pieces: AudioPieces): Promise<Uint8Array | undefined> {
    const idle = setTimeout(() => this.#end(new WavecacheError("BODY_STALLED")), this.#idleMs);
    try {
      return await pieces.next();
    } finally {
      clearTimeout(idle);
    }
  }

  async #room(): Promise<void> {
    while (this.#isHeld && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Throws why the audio has ended too early, if it has. */
  async #settle(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.upload.readable(this.upload.receivedBytes);
  }

  #endWith(principal: BodyUploadOptions["principal"]): void {
    const end = (): void => this.#end(new WavecacheError(principal.refusal));
    principal.ended.addEventListener("abort", end, { once: true });
    void this.upload.over.then(() => principal.ended.removeEventListener("abort", end));
  }

  #end(failure?: WavecacheError): void {
    this.#isEnded = true;
    this.#failure ??= failure;
    this.#pieces?.cancel();
    this.#wake();
  }
}

/** The body of a request. */
export function bodyPieces(body: ReadableStream<Uint8Array> | null): AudioPieces {
  const reader = body?.getReader();
  return {
    async next() {
      try {
        return (await reader?.read())?.value;
      } catch {
        // Bun rejects with an AbortError when the connection ends before the body.
        throw new WavecacheError("STREAM_UNFINISHED");
      }
    },
    // A body that has ended already needs no cancelling.
    cancel: () => void reader?.cancel().catch(ignoreFailure),
  };
}

function ignoreFailure(): undefined {
  return undefined;
}
