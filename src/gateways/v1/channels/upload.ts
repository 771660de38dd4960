/**
 * A channel that uploads a stream.
 *
 *     opening --> open --> finishing --> closed
 *        |          |                      ^
 *        '----------+--> ending -----------'     (detached or discarded; ignores what still arrives)
 */
import { resourceOf } from "../../../access/actions.ts";
import { type ErrorCode, WavecacheError } from "../../../base/errors.ts";
import { initialChannelCreditBytes } from "../../../base/limits/v1.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import { ReceiveWindow } from "../../../wire/v1/credit.ts";
import type { Data, Write } from "../../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channel.ts";
import type { OpenUpload } from "../dependencies.ts";

/** The engine's function for each mode of WRITE. */
const openers = { create: "startUpload", resume: "resumeUpload", restart: "restartUpload" } as const;

export class UploadChannel implements Channel, UploadOwner {
  readonly number: number;
  readonly source = undefined;
  readonly #host: ChannelHost;
  readonly #request: Write;
  readonly #streamId: string;
  readonly #window = new ReceiveWindow(initialChannelCreditBytes);
  #state: "opening" | "open" | "finishing" | "ending" = "opening";
  #upload: OpenUpload | undefined;
  /** The offset that the next DATA must have; undefined until the upload is ready. */
  #nextOffset: number | undefined;
  /** Backpressure from the writer: the channel grants no credit until the upload has room. */
  #isHeld = false;
  #durableBytes = 0;
  /** The figures of the last ACK. */
  #acknowledged = { written: 0, durable: 0 };
  #isMeasuringWritten = false;
  #isCheckpointing = false;

  constructor(host: ChannelHost, request: Write) {
    this.number = request.channel;
    this.#host = host;
    this.#request = request;
    this.#streamId = request.streamId ?? `stream-${crypto.randomUUID()}`;
    if (request.mode !== "resume") this.#nextOffset = 0;
  }

  get sender(): string {
    return this.#host.principal.name;
  }

  get account(): UploadOwner["account"] {
    return this.#host.principal.usage.account;
  }

  get context(): UploadOwner["context"] {
    return this.#host.context;
  }

  open(): void {
    const { streams } = this.#host;
    const { mode, metadata, size } = this.#request;
    try {
      const { principal } = this.#host;
      principal.require("upload", resourceOf("streams", this.#streamId));
      this.#upload = principal.usage.openUpload(this.#streamId, () =>
        streams[openers[mode]](this.#streamId, this, { metadata, size }),
      );
    } catch (error) {
      return this.#host.fail(this, error);
    }
    void this.#whenReady(this.#upload);
  }

  async #whenReady(upload: OpenUpload): Promise<void> {
    try {
      const offset = await upload.ready;
      if (this.#state === "opening") this.#state = "open";
      this.#nextOffset ??= offset;
      this.#acknowledged.written = offset;
      this.#host.send({
        type: "OPENED",
        channel: this.number,
        streamId: this.#streamId,
        offset,
        size: upload.finishing !== undefined && this.#state !== "finishing" ? offset : undefined,
        metadata: upload.metadata,
        sha256: this.#host.peerRevision >= 2 ? upload.keptSha256 : undefined,
      });
      this.#grant();
    } catch (error) {
      this.#host.fail(this, error);
    }
  }

  data({ offset, crc, payload }: Data): void {
    if (this.#state === "ending") return;
    if (this.#state === "finishing") return this.#host.fault("BAD_REQUEST", "DATA after FINISH");
    const { length } = payload;
    if (!this.#window.receive(length)) return this.#host.fault("CREDIT_EXCEEDED");
    if (offset !== this.#nextOffset) return void this.#refuse("OFFSET_WRONG");
    if (Bun.hash.crc32(payload) !== crc) return void this.#refuse("CHECKSUM_WRONG");
    this.#nextOffset += length;
    // `write` consumes the payload.
    if (!this.#upload!.write(payload)) this.#isHeld = true;
    if (this.#isHeld) return;
    this.#window.consume(length);
    this.#grant();
  }

  /** With `sha256`, only audio that has this digest becomes a finished stream. */
  finish(size: number, sha256?: string): void {
    if (this.#state === "ending") return;
    if (this.#state === "finishing") return this.#host.fault("BAD_REQUEST", "FINISH after FINISH");
    if (size !== this.#nextOffset) return void this.#refuse("OFFSET_WRONG");
    this.#state = "finishing";
    void this.#finish(sha256);
  }

  close(discard: boolean): void {
    if (this.#state === "ending" || this.#state === "finishing") return;
    // The upload was finishing when this channel resumed it: its audio is complete, so it can only finish.
    if (this.#upload!.finishing !== undefined) return this.finish(this.#nextOffset!);
    void (discard ? this.#discard() : this.#detach());
  }

  gone(): void {
    this.#state = "ending";
    this.#upload?.leave(new WavecacheError("STREAM_UNFINISHED"));
  }

  /** Acknowledges what the last tick found out, and asks again for the next tick. */
  tick(): void {
    if (this.#state !== "open") return;
    const upload = this.#upload!;
    this.#acknowledge();
    if (this.#durableBytes < upload.receivedBytes && !this.#isCheckpointing) void this.#checkpoint(upload);
    else if (upload.writtenBytes < upload.receivedBytes && !this.#isMeasuringWritten)
      void this.#measureWritten(upload);
  }

  /** Before a shutdown: makes the received audio durable, and acknowledges it. */
  async settle(): Promise<void> {
    if (this.#state !== "open") return;
    await this.#checkpoint(this.#upload!);
    this.#acknowledge();
  }

  uploadHolds(): void {
    this.#isHeld = true;
  }

  uploadHasRoom(): void {
    this.#isHeld = false;
    this.#window.consume(this.#window.heldBytes);
    this.#grant();
  }

  uploadFailed(_upload: unknown, error: WavecacheError): void {
    this.#host.fail(this, error);
  }

  #grant(): void {
    if (this.#isHeld || this.#state !== "open") return;
    const bytes = this.#window.refill(this.#host.uploadWindow());
    if (bytes > 0) this.#host.send({ type: "CREDIT", channel: this.number, bytes });
  }

  #acknowledge(): void {
    if (this.#state !== "open") return;
    const durable = this.#durableBytes;
    const written = Math.max(durable, this.#upload!.writtenBytes);
    if (written <= this.#acknowledged.written && durable <= this.#acknowledged.durable) return;
    this.#acknowledged = { written, durable };
    this.#host.send({ type: "ACK", channel: this.number, written, durable });
  }

  async #measureWritten(upload: OpenUpload): Promise<void> {
    this.#isMeasuringWritten = true;
    await upload.readable(upload.receivedBytes).catch(ignoreUploadFailure);
    this.#isMeasuringWritten = false;
  }

  async #checkpoint(upload: OpenUpload): Promise<void> {
    this.#isCheckpointing = true;
    const durable = await upload.checkpoint().catch(ignoreUploadFailure);
    this.#durableBytes = Math.max(this.#durableBytes, durable ?? 0);
    this.#isCheckpointing = false;
  }

  async #finish(expectedSha256: string | undefined): Promise<void> {
    try {
      const { size, sha256 } = await this.#upload!.finish(expectedSha256);
      this.#host.end(this, { type: "END", channel: this.number, outcome: "finished", size, sha256 });
    } catch (error) {
      this.#host.fail(this, error);
    }
  }

  /** Rejects a wrong message. The stream keeps the audio before it. */
  async #refuse(code: ErrorCode): Promise<void> {
    await this.#keepReceived();
    this.#host.fail(this, new WavecacheError(code));
  }

  async #detach(): Promise<void> {
    const failure = await this.#keepReceived();
    if (failure !== undefined) return this.#host.fail(this, failure);
    const size = this.#upload!.writtenBytes;
    this.#host.end(this, {
      type: "END",
      channel: this.number,
      outcome: "unfinished",
      size,
      sha256: undefined,
    });
  }

  /** Detaches from the stream once all received audio is written. Returns the error if that fails. */
  async #keepReceived(): Promise<unknown> {
    this.#state = "ending";
    const upload = this.#upload!;
    try {
      await upload.ready;
      await upload.readable(upload.receivedBytes);
    } catch (error) {
      return error;
    } finally {
      upload.leave(new WavecacheError("STREAM_UNFINISHED"));
    }
    await upload.over;
    return undefined;
  }

  async #discard(): Promise<void> {
    this.#state = "ending";
    const upload = this.#upload!;
    try {
      // Before that, the stream may belong to another client.
      await upload.ready;
    } catch (error) {
      return this.#host.fail(this, error);
    }
    upload.discard();
    await upload.over;
    this.#host.end(this, {
      type: "END",
      channel: this.number,
      outcome: "removed",
      size: 0,
      sha256: undefined,
    });
  }
}

/** An upload that fails calls `uploadFailed`, which handles the same error. */
function ignoreUploadFailure(): undefined {
  return undefined;
}
